"""The default model in torch behind the engine's protocol: the reference for ONNX, and the base.

`engine.Engine` runs on it as on ONNX Runtime, so that a checkpoint is evaluated by the decoding
that is used. Plain and slow: one canvas layer after the other with the adapter merged.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.card import Card
from engine.model import Among, Context, Floats, Ids, KeyValues, Proposal, Start

from .denoiser import ALPHA, Layer, load_adapter, rank_of, rms_norm, rotate
from .limits import CANVAS_SIZES, END_ID, LIMITS, MASK_ID, PROPOSALS, SPECIAL
from .weights import Base


class TorchModel:
    """Base + adapter, or the base alone. Implements `engine.model.Model`."""

    def __init__(
        self, card: Card, base: Base, adapter: Path | None, kind: torch.dtype = torch.float32
    ) -> None:
        self._card, self.shape, self.kind = card, base.shape, kind
        state = load_adapter(adapter) if adapter else {}
        self.embedding = torch.tensor(base.embedding, dtype=kind)
        norm = torch.tensor(base.final_norm)
        self.norm = state.get("final_norm", norm).to(kind)
        self.mask_embedding = state.get("mask_embedding", self.embedding[card.mask_id]).to(kind)
        self.layers: list[Layer] = [
            {name: merge(torch.tensor(x), state, name, index).to(kind) for name, x in layer.items()}
            for index, layer in enumerate(base.layers)
        ]

    @property
    def card(self) -> Card:
        return self._card

    def encode(self, ids: Ids, position: int, past: KeyValues | None) -> KeyValues:
        """See Model.encode."""
        return self.read(ids, position, past)[0]

    def encode_ahead(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, Start | None]:
        """See Model.encode_ahead; there is no drafter here."""
        return self.encode(ids, position, past), None

    def next_log_probs(
        self, ids: Ids, position: int, past: KeyValues | None, among: Among | None = None
    ) -> tuple[KeyValues, Proposal]:
        """See Model.next_log_probs."""
        new, logits = self.read(ids, position, past)
        proposal = self._proposal(logits, np.append(ids[1:], 0), None)
        for place, tokens in (among or {}).items():
            log_probs = logits[place].log_softmax(-1)[torch.from_numpy(tokens)]
            best, order = log_probs.topk(min(self.card.proposals, len(tokens)))
            proposal.log_probs[place] = -np.inf
            proposal.ids[place, : len(best)] = tokens[order]
            proposal.log_probs[place, : len(best)] = best
        return new, proposal

    @torch.no_grad()
    def read(self, ids: Ids, position: int, past: KeyValues | None) -> tuple[KeyValues, Tensor]:
        """The model over `ids`: new keys and values, and logits [n, vocabulary] of what follows."""
        x = self.embedding[torch.from_numpy(np.asarray(ids))][None]
        positions = torch.arange(position, position + len(ids))
        left = torch.ones(1, len(ids), len(ids), dtype=torch.bool).tril()
        hidden, keys, values = self._layers(x, positions, past, left)
        logits = F.linear(rms_norm(hidden, self.norm, self.shape), self.embedding)[0].float()
        return KeyValues(keys, values), logits

    @torch.no_grad()
    def denoise(
        self,
        canvas: Ids,
        position: int,
        context: Context,
        wanted: NDArray[np.bool_] | None = None,
    ) -> Proposal:
        """See Model.denoise."""
        known = context.prefix
        if len(context.tail):
            start = position - len(context.tail)
            known = known.followed_by(self.encode(context.tail, start, known))
        known = known.followed_by(context.suffix)
        ids = torch.from_numpy(canvas)[None]
        is_open = (ids == self.card.mask_id)[..., None]
        x = torch.where(is_open, self.mask_embedding, self.embedding[ids])
        positions = torch.arange(position, position + len(canvas))
        left = torch.ones(len(canvas), len(canvas), dtype=torch.bool).tril()
        hidden, _, _ = self._layers(x, positions, known, is_open | left)
        hidden = rms_norm(hidden, self.norm, self.shape)[0, :-1]
        logits = F.linear(hidden, self.embedding).float()
        return self._proposal(logits, canvas[1:], wanted)

    def rotate(self, keys: Floats, by: int) -> Floats:
        """See Model.rotate."""
        cos, sin = self._rotation(torch.tensor([by]))
        return np.asarray(rotate(torch.from_numpy(keys), cos.float(), sin.float()).numpy())

    def project(self, index: int, name: str, x: Tensor, weight: Tensor) -> Tensor:
        """A projection of layer `index`; to be watched by those who ask what goes in."""
        return F.linear(x, weight)

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin [n, D]."""
        half = torch.arange(0, self.shape.head_size, 2).double() / self.shape.head_size
        angles = positions[:, None].double() / self.shape.rope_theta**half
        angles = torch.cat([angles, angles], -1)
        return angles.cos().to(self.kind), angles.sin().to(self.kind)

    def _layers(
        self, x: Tensor, positions: Tensor, past: KeyValues | None, near: Tensor
    ) -> tuple[Tensor, Floats, Floats]:
        """x [B, T, hidden] through all layers; also the new keys and values of the first canvas.

        A place sees all of the past, and of the T places what `near` [B, T, T] says.
        """
        shape = self.shape
        b, t, _ = x.shape
        g, d, h = shape.kv_heads, shape.head_size, shape.heads
        before = len(past) if past is not None else 0
        sees = torch.cat([torch.ones(len(near), t, before, dtype=torch.bool), near], 2)[:, None]
        cos, sin = self._rotation(positions)
        keys, values = [], []
        for index, layer in enumerate(self.layers):
            n = rms_norm(x, layer["norm1"], shape)
            q, k, v = (self.project(index, name, n, layer[name]) for name in ("q", "k", "v"))
            q = rotate(q.view(b, t, h, d).transpose(1, 2), cos, sin)
            k = rotate(k.view(b, t, g, d).transpose(1, 2), cos, sin)
            v = v.view(b, t, g, d).transpose(1, 2)
            keys.append(k[0].float().numpy())
            values.append(v[0].float().numpy())
            if past is not None:
                k = torch.cat([self._past(past.keys[index], b), k], 2)
                v = torch.cat([self._past(past.values[index], b), v], 2)
            k, v = (z.repeat_interleave(h // g, 1) for z in (k, v))
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=sees)
            mixed = mixed.transpose(1, 2).reshape(b, t, h * d)
            x = x + self.project(index, "o", mixed, layer["o"])
            n = rms_norm(x, layer["norm2"], shape)
            gate, up = (self.project(index, name, n, layer[name]) for name in ("gate", "up"))
            x = x + self.project(index, "down", F.silu(gate) * up, layer["down"])
        return x, np.stack(keys), np.stack(values)

    def _past(self, cache: Floats, batch: int) -> Tensor:
        return torch.from_numpy(cache).to(self.kind).expand(batch, -1, -1, -1)

    def _proposal(self, logits: Tensor, current: Ids, wanted: NDArray[np.bool_] | None) -> Proposal:
        """The most probable tokens at every place; special tokens are never proposed."""
        card = self.card
        never = [token for token in range(SPECIAL) if token != card.end_id]
        logits[..., never] = -torch.inf
        log_probs = logits.log_softmax(-1)
        best, ids = log_probs.topk(card.proposals)
        now = log_probs.gather(-1, torch.from_numpy(current)[..., None])[..., 0]
        proposal = Proposal(
            ids.numpy(),
            best.numpy(),
            log_probs[..., card.end_id].numpy(),
            now.numpy(),
            lambda places, tokens: log_probs[places][:, tokens].numpy(),
        )
        if wanted is None or wanted.all():
            return proposal
        hidden = np.where(wanted, 0, -np.inf).astype(np.float32)
        return replace(
            proposal,
            log_probs=proposal.log_probs + hidden[..., None],
            end_log_prob=proposal.end_log_prob + hidden,
            current_log_prob=proposal.current_log_prob + hidden,
        )


def merge(weight: Tensor, state: dict[str, Tensor], name: str, index: int) -> Tensor:
    """A projection of layer `index` with its LoRA added; norms as they are."""
    if f"a.{name}" not in state:
        return weight
    return weight + state[f"b.{name}"][index] @ state[f"a.{name}"][index] * (ALPHA / rank_of(state))


def card_of(base: Base) -> Card:
    shape = base.shape
    return Card(
        name="torch",
        family="cached",
        mask_id=MASK_ID,
        end_id=END_ID,
        start_id=END_ID,
        vocabulary=shape.vocabulary,
        layers=shape.layers,
        kv_heads=shape.kv_heads,
        head_size=shape.head_size,
        hidden=shape.hidden,
        rope_theta=shape.rope_theta,
        logit_shift=True,
        canvas_sizes=CANVAS_SIZES,
        max_related=LIMITS["max_related"],
        max_prefix=LIMITS["max_prefix"],
        max_suffix=LIMITS["max_suffix"],
        proposals=PROPOSALS,
    )
