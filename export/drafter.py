"""The drafter: a small network that guesses which tokens the model will choose next.

A pass gives the token after the closed part for certain; the drafter writes on from there, each
token given those before it, for a sixtieth of what a pass costs, and the next pass checks them all
(`engine/choose.py`). Masks cannot do that: each is guessed without knowing what its neighbour will
be. It reads what the last layer and two inner ones made of one place, as EAGLE-3 does (Li et al.,
arXiv 2503.01840), and is a network that feeds its state back, as ReDrafter (Cheng et al., arXiv
2403.09919), over the commonest tokens only, as FR-Spec (Zhao et al., arXiv 2502.14856).

It learns beside the adapter (`train.py`), from the model's own distributions along true text.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from .weights import Base

VOCABULARY = 8192
"""Tokens it may propose: 96 of 100 that stand in held-out code."""
INNER = 1536
"""Width of its feed-forward block."""


class Drafter(nn.Module):
    """The network; F features of a place: the last layer's, then each tap's."""

    tokens: Tensor
    rows: Tensor
    columns: Tensor
    place: Tensor
    """[vocabulary]: where a token stands among those it may propose, -1 for none."""

    def __init__(self, base: Base, tokens: Tensor) -> None:
        super().__init__()
        self.size = base.shape.hidden
        embedding = torch.tensor(base.embedding)
        self.register_buffer("tokens", tokens)
        self.register_buffer("rows", F.rms_norm(embedding, (self.size,)).bfloat16())
        self.register_buffer("columns", embedding[tokens].bfloat16())
        place = torch.full((len(embedding),), -1)
        place[tokens] = torch.arange(len(tokens))
        self.register_buffer("place", place)
        self.begin = nn.Linear((1 + len(base.shape.taps)) * self.size, self.size, bias=False)
        self.read = nn.Linear(2 * self.size, 2 * INNER, bias=False)
        self.write = nn.Linear(INNER, self.size, bias=False)
        loud = torch.tensor(base.final_norm).square().mean().sqrt()
        self.norm = nn.Parameter(loud.expand(self.size).clone())
        nn.init.zeros_(self.begin.weight)
        nn.init.zeros_(self.write.weight)

    def first(self, features: Tensor) -> Tensor:
        """The state of places [..., F, hidden] before a token is chosen there."""
        seen = F.rms_norm(features, (self.size,)).flatten(-2)
        begun: Tensor = features[..., 0, :].float() + self.begin(seen).float()
        return begun

    def forward(self, state: Tensor, ids: Tensor) -> Tensor:
        """The state after one more token."""
        seen = torch.cat([F.rms_norm(state, (self.size,)), self.rows[ids]], -1)
        gate, up = self.read(seen).chunk(2, -1)
        written: Tensor = self.write(F.silu(gate) * up).float()
        return state + written

    def logits(self, state: Tensor) -> Tensor:
        """[..., VOCABULARY] of the token that comes next."""
        return F.linear(F.rms_norm(state, (self.size,), self.norm), self.columns).float()


def save_drafter(drafter: Drafter, path: Path) -> None:
    """Writes what `export folder` reads."""
    kept = ("tokens", "norm", "begin.weight", "read.weight", "write.weight")
    state = drafter.state_dict()
    tensors = {
        n: state[n].cpu() if n == "tokens" else state[n].to("cpu", torch.bfloat16) for n in kept
    }
    unfinished = path.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished)
    unfinished.replace(path)
