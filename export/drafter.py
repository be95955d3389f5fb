"""The drafter: a small network that guesses which tokens the model will choose next.

A pass gives the token after the closed part for certain; the drafter writes on from there, each
token given those before it, for a small part of what a pass costs; the next pass checks them all
(`engine/choose.py`). Masks cannot do that: each is guessed without knowing what its neighbour will
be. It reads what the last layer and two inner ones made of one place, as EAGLE-3 does (Li et al.,
arXiv 2503.01840), and is a network that feeds its state back, as ReDrafter (Cheng et al., arXiv
2403.09919), over the commonest tokens only, as FR-Spec (Zhao et al., arXiv 2502.14856).

Code repeats itself, so with each token it looks up what followed where the like stood before: it
asks what some heads of the model would ask (`induction.py`), of the model's own keys and values.

It learns beside the adapter (`train.py`), from the model's own distributions along true text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from .denoiser import rotate, rotation
from .weights import Base

VOCABULARY = 8192
"""Tokens it may propose: 96 of 100 that stand in held-out code."""
INNER = 1536
"""Width of its feed-forward block."""
MATRICES = ("begin", "ask", "tell", "read", "write")


@dataclass(frozen=True)
class InSight:
    """What drafts may look at: S drafts in each of B rows, H heads, R places."""

    keys: Tensor
    """[B, H, R, D], rotated to their positions."""
    values: Tensor
    seen: Tensor
    """[B, S, R] whether a draft sees a place."""
    positions: Tensor
    """[B, S] of the place that a draft begins with."""


class Drafter(nn.Module):
    """The network; F features of a place: the last layer's, then each tap's."""

    tokens: Tensor
    rows: Tensor
    columns: Tensor
    place: Tensor
    """[vocabulary]: where a token stands among those it may propose, -1 for none."""

    heads: Tensor
    """[H, 2]: layer and query head of each that looks things up, in rising order."""

    def __init__(self, base: Base, tokens: Tensor, heads: Tensor) -> None:
        super().__init__()
        self.shape, self.size = base.shape, base.shape.hidden
        embedding = torch.tensor(base.embedding)
        self.register_buffer("tokens", tokens)
        self.register_buffer("heads", heads)
        self.register_buffer("rows", F.rms_norm(embedding, (self.size,)).bfloat16())
        self.register_buffer("columns", embedding[tokens].bfloat16())
        place = torch.full((len(embedding),), -1)
        place[tokens] = torch.arange(len(tokens))
        self.register_buffer("place", place)
        self.begin = nn.Linear((1 + len(base.shape.taps)) * self.size, self.size, bias=False)
        width = len(heads) * base.shape.head_size
        self.ask = nn.Linear(2 * self.size, width, bias=False)
        self.tell = nn.Linear(width, self.size, bias=False)
        self.read = nn.Linear(2 * self.size, 2 * INNER, bias=False)
        self.write = nn.Linear(INNER, self.size, bias=False)
        loud = torch.tensor(base.final_norm).square().mean().sqrt()
        self.norm = nn.Parameter(loud.expand(self.size).clone())
        nn.init.zeros_(self.begin.weight)
        nn.init.zeros_(self.tell.weight)
        nn.init.zeros_(self.write.weight)

    def first(self, features: Tensor) -> Tensor:
        """The state of places [..., F, hidden] before a token is chosen there."""
        seen = F.rms_norm(features, (self.size,)).flatten(-2)
        begun: Tensor = features[..., 0, :].float() + self.begin(seen).float()
        return begun

    def forward(self, state: Tensor, ids: Tensor, sight: InSight, step: int) -> Tensor:
        """The states [B, S, hidden] after one more token, the `step`th of each draft."""
        state = state + self.looked_up(self.seen(state, ids), sight, step).float()
        gate, up = self.read(self.seen(state, ids)).chunk(2, -1)
        written: Tensor = self.write(F.silu(gate) * up).float()
        return state + written

    def seen(self, state: Tensor, ids: Tensor) -> Tensor:
        """What is known of a state and the token after it [..., 2 hidden]."""
        return torch.cat([F.rms_norm(state, (self.size,)), self.rows[ids]], -1)

    def looked_up(self, seen: Tensor, sight: InSight, step: int) -> Tensor:
        """What the heads find [B, S, hidden]."""
        size = self.shape.head_size
        asked = self.ask(seen).unflatten(-1, (-1, size)).transpose(1, 2)
        cos, sin = rotation(self.shape, sight.positions + step)
        asked = rotate(asked.float(), cos, sin).to(sight.keys.dtype)
        mask = sight.seen[:, None]
        found = F.scaled_dot_product_attention(asked, sight.keys, sight.values, attn_mask=mask)
        told: Tensor = self.tell(found.transpose(1, 2).flatten(-2))
        return told

    def logits(self, state: Tensor) -> Tensor:
        """[..., VOCABULARY] of the token that comes next."""
        return F.linear(F.rms_norm(state, (self.size,), self.norm), self.columns).float()


def save_drafter(drafter: Drafter, path: Path) -> None:
    """Writes what `export folder` reads."""
    state = drafter.state_dict()
    tensors = {name: state[name].cpu() for name in ("tokens", "heads")}
    for name in ("norm", *(f"{matrix}.weight" for matrix in MATRICES)):
        tensors[name] = state[name].to("cpu", torch.bfloat16)
    unfinished = path.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished)
    unfinished.replace(path)
