"""A cached-family model in ONNX Runtime.

`Session.open` checks the folder, merges the adapter and builds its networks (transformer, head,
drafter); after that every call is numpy in, numpy out, as `model.py` describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import weights
from .buffers import Buffers, bias_of
from .card import DRAFTER, Card, check_files
from .drafter import Drafter
from .errors import ModelFolderError
from .model import Among, Bools, Context, Drafting, Floats, Ids, KeyValues, Proposal, Start
from .runtime import Network, Runtime, choose_runtime

ROWS = 4096
"""Rows of the embedding that are dequantised at once: 9 MB."""


class Session:
    """One loaded model. Not thread-safe: one request at a time."""

    def __init__(
        self,
        card: Card,
        runtime: Runtime,
        networks: _Networks,
        embedding: _Embedding,
        drafter: weights.Tensors,
    ) -> None:
        """`drafter` is empty where the model has none."""
        self._card = card
        self.runtime = runtime
        self._networks = networks
        self._embedding = embedding
        self._drafter: Drafter | None = None
        if drafter:
            begin = drafter["begin.weight"] * drafter["begin.scale"]
            self._drafter = Drafter(drafter["tokens"], begin, drafter["reads"], self._after)
        self._buffers: Buffers | None = None

    @classmethod
    def open(cls, folder: Path, provider: str = "auto", threads: int = 0) -> Session:
        """Loads a model folder; one to two seconds on two cores.

        Raises ModelFolderError (missing, altered, unknown version) and RuntimeMissingError.
        """
        runtime = choose_runtime(provider, threads)
        card = Card.read(folder)
        check_files(folder, card, thorough=True)
        try:
            return cls(card, runtime, *_load(folder, card, runtime))
        except KeyError as error:
            raise ModelFolderError(f"{folder}: the tensor {error} is missing") from None

    @property
    def card(self) -> Card:
        return self._card

    def encode(self, ids: Ids, position: int, past: KeyValues | None) -> KeyValues:
        """See Model.encode."""
        return self._read(ids, position, past, [])[0]

    def encode_ahead(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, Start | None]:
        """See Model.encode_ahead."""
        if self._drafter is None:
            return self.encode(ids, position, past), None
        new, [hidden, inner] = self._read(ids, position, past, ["hidden", "inner"])
        return new, partial(self._begin, self._seen(hidden, inner, -1), position + len(ids) - 1)

    def next_log_probs(
        self, ids: Ids, position: int, past: KeyValues | None, among: Among | None = None
    ) -> tuple[KeyValues, Proposal]:
        """See Model.next_log_probs."""
        new, [hidden] = self._read(ids, position, past, ["hidden"])
        proposal = self._propose(hidden, np.append(ids[1:], 0), np.ones(len(ids), bool))
        for place, tokens in (among or {}).items():
            self._narrow(proposal, hidden, place, tokens)
        return new, proposal

    def denoise(
        self,
        canvas: Ids,
        position: int,
        context: Context,
        wanted: Bools | None = None,
    ) -> Proposal:
        """See Model.denoise."""
        if wanted is None:
            wanted = np.ones(len(canvas) - 1, bool)
        # Logit shift: the output at j predicts j + 1, so the last one is of no use.
        hidden, inner = (part[:-1] for part in self._hidden(canvas, position, context, wanted))
        proposal = self._propose(hidden, canvas[1:], wanted)
        ahead = partial(self._ahead, hidden, inner, position) if self._drafter else None
        return replace(proposal, others=partial(self._log_probs, hidden, proposal), ahead=ahead)

    def rotate(self, keys: Floats, by: int) -> Floats:
        """See Model.rotate."""
        half = self._card.head_size // 2
        angle = by / self._card.rope_theta ** (np.arange(half) / half)
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        # One long row a head: numpy takes twice as long where the last axis is as short as `half`.
        layers, heads, count, size = keys.shape
        row = (layers * heads, count * size)
        swapped = np.ascontiguousarray(keys.reshape(-1, 2, half)[:, ::-1]).reshape(row)
        moved: Floats = keys.reshape(row) * np.tile(np.concatenate([cos, cos]), count)
        swapped *= np.tile(np.concatenate([-sin, sin]), count)
        moved += swapped
        return moved.reshape(keys.shape)

    def _read(
        self, ids: Ids, position: int, past: KeyValues | None, others: list[str]
    ) -> tuple[KeyValues, list[Floats]]:
        """The model over `ids`: keys and values [L, G, n, D], other outputs [n, ...] by name.

        A text's first token is read in a pass of its own. It draws massive activations (Sun et al.,
        2024), and activations are quantised with one scale a pass: beside it all others are coarse.
        """
        if past is None and len(ids) > 1:
            first, ahead = self._read(ids[:1], position, None, others)
            rest, behind = self._read(ids[1:], position + 1, first, others)
            outputs = zip(ahead, behind, strict=True)
            return first.followed_by(rest), [np.concatenate(both) for both in outputs]
        card = self._card
        if past is None:
            nothing = np.zeros((card.layers, card.kv_heads, 0, card.head_size), np.float32)
            past = KeyValues(nothing, nothing)
        before, total = past.keys.shape[2], past.keys.shape[2] + len(ids)
        feeds: dict[str, NDArray[Any]] = {
            "x": self._embedding.rows(ids)[None],
            "position": np.arange(position, position + len(ids))[None],
            "bias": bias_of(~np.tri(len(ids), total, before, dtype=bool)),
            "last": np.array([total - 1], np.int32),
            "total": np.array(total, np.int32),
        }
        for index in range(card.layers):
            feeds[f"past_key.{index}"] = past.keys[index][None]
            feeds[f"past_value.{index}"] = past.values[index][None]
        names = [f"{kind}.{i}" for kind in ("key", "value") for i in range(card.layers)]
        new = self._networks.transformer.run([*names, *others], feeds)
        keys, values = (
            np.concatenate([found[:, :, before:] for found in new[start : start + card.layers]])
            for start in (0, card.layers)
        )
        return KeyValues(keys, values), [found[0] for found in new[2 * card.layers :]]

    def _hidden(
        self, canvas: Ids, position: int, context: Context, wanted: Bools
    ) -> tuple[Floats, Floats]:
        """The denoiser over a canvas [T]: final hidden rows [T, hidden], those `wanted` [T], and
        what inner layers made of them [T, ...]."""
        tail = len(context.tail)
        whole = line = np.concatenate([context.tail, canvas])
        if not (line[:-1] == self._card.mask_id).any():
            line = line[:-1]  # nothing sees the last place, and what it proposes is of no use
        buffers = self._holding(context, len(whole))
        known = buffers.known(line, tail + int(wanted.argmax()))
        x = self._embedding.canvas_rows(line[known:])
        run = buffers.prepared(x, line == self._card.mask_id, position - tail, known)
        self._networks.transformer.run_bound(run.binding)
        buffers.written(line, self._card.mask_id)
        hidden, inner = (
            np.zeros((len(whole), rows.shape[2]), np.float32) for rows in (run.hidden, run.inner)
        )
        ran = slice(known, len(line))
        hidden[ran], inner[ran] = run.hidden[0], run.inner[0]
        return hidden[tail:], inner[tail:]

    def _holding(self, context: Context, tokens: int) -> Buffers:
        """Buffers that hold a context, with room for `tokens` behind it."""
        if self._buffers is None or not self._buffers.fits(len(context), tokens):
            self._buffers = None  # frees the old buffers before there are new ones
            network = self._networks.transformer
            self._buffers = Buffers.of(network, self._card, len(context), tokens)
        self._buffers.hold(context)
        return self._buffers

    def _propose(self, hidden: Floats, current: Ids, wanted: Bools) -> Proposal:
        """The head over the wanted rows of hidden [C, hidden]; other rows propose nothing."""
        count = self._card.proposals
        ids = np.zeros((*wanted.shape, count), np.int64)
        log_probs = np.full((*wanted.shape, count), -np.inf, np.float32)
        end = np.full(wanted.shape, -np.inf, np.float32)
        now = np.full(wanted.shape, -np.inf, np.float32)
        if wanted.any():
            feeds = {"rows": hidden[wanted], "current": current[wanted]}
            names = ["ids", "log_probs", "end_log_prob", "current_log_prob"]
            results = self._networks.head.run(names, feeds)
            for target, result in zip((ids, log_probs, end, now), results, strict=True):
                target[wanted] = result
        return Proposal(ids, log_probs, end, now)

    def _narrow(self, proposal: Proposal, hidden: Floats, place: int, tokens: Ids) -> None:
        """Replaces what is proposed at a place by the best of `tokens`, given that one of them
        stands there."""
        log_probs = self._log_probs(hidden, proposal, np.array([place]), tokens)[0]
        whole = np.logaddexp.reduce(log_probs)
        proposal.current_log_prob[place] -= whole
        log_probs -= whole
        best = np.argsort(-log_probs, kind="stable")[: self._card.proposals]
        proposal.log_probs[place] = -np.inf
        proposal.ids[place, : len(best)] = tokens[best]
        proposal.log_probs[place, : len(best)] = log_probs[best]

    def _log_probs(self, hidden: Floats, proposal: Proposal, places: Ids, tokens: Ids) -> Floats:
        """Log-probabilities [m, n] of tokens [n] at places [m], by that of the best there.

        The logits are taken here from rows of hidden [C, hidden]: the head gives the K best.
        """
        rows, best = hidden[places], proposal.ids[places, 0]
        its = (self._embedding.rows(best) * rows).sum(axis=1) - proposal.log_probs[places, 0]
        parts = np.split(tokens, range(ROWS, len(tokens), ROWS))
        logits = np.concatenate([rows @ self._embedding.rows(part).T for part in parts], axis=1)
        found: Floats = logits - its[:, None]
        return found

    def _begin(self, seen: Floats, position: int, context: Context) -> Drafting:
        """See Start; `seen` [F, hidden] and `position` are of the last token that was read."""
        tokens = len(context.tail) + 1 + self._card.canvas_sizes[-1]
        return self._drafting(seen, position, self._holding(context, tokens), len(context))

    def _ahead(self, hidden: Floats, inner: Floats, position: int, place: int) -> Drafting:
        """See Ahead; hidden and inner are [C, ...], `position` is that of the first place."""
        assert self._buffers is not None
        seen, sight = self._seen(hidden, inner, place), self._buffers.before + place + 1
        return self._drafting(seen, position + place, self._buffers, sight)

    def _drafting(self, seen: Floats, position: int, buffers: Buffers, sight: int) -> Drafting:
        """Drafts behind a place that sees the first `sight` tokens of the buffers."""
        assert self._drafter is not None
        keys, values = (buffer[:, :, :, :sight] for buffer in (buffers.keys, buffers.values))
        return self._drafter.drafting(seen, position, keys, values)

    def _seen(self, hidden: Floats, inner: Floats, place: int) -> Floats:
        """[F, hidden] what the layers that a drafter reads made of a place, as a new array."""
        row = np.concatenate([hidden[place], inner[place]])
        return row.reshape(-1, self._card.hidden)

    def _after(
        self, state: Floats, token: int, position: int, sight: Mapping[str, Floats]
    ) -> tuple[Floats, Floats]:
        """See drafter.After."""
        assert self._networks.draft is not None
        x = self._embedding.rows(np.array([token]))
        feeds = {"state": state, "x": x, "position": np.array([[position]]), **sight}
        after, log_probs = self._networks.draft.run(["after", "log_probs"], feeds)
        return after, log_probs[0]


@dataclass(frozen=True, slots=True)
class _Networks:
    transformer: Network
    head: Network
    draft: Network | None
    """Of a model with a drafter."""


@dataclass(frozen=True, slots=True)
class _Embedding:
    """Token rows, dequantised as they are asked for; the canvas has its own row for the mask."""

    table: NDArray[np.int8]
    scale: NDArray[np.float32]
    mask_id: int
    mask_row: NDArray[np.float32]

    def rows(self, ids: Ids) -> Floats:
        """[...] -> [..., hidden] as the base reads them."""
        found: Floats = self.table[ids] * self.scale[ids][..., None]
        return found

    def canvas_rows(self, ids: Ids) -> Floats:
        """The same with the learned mask embedding at open positions."""
        found = self.rows(ids)
        found[ids == self.mask_id] = self.mask_row
        return found


def _load(
    folder: Path, card: Card, runtime: Runtime
) -> tuple[_Networks, _Embedding, weights.Tensors]:
    """Weights into sessions, one network after the other so that few copies live at once."""
    base: weights.Tensors = {}
    for name in sorted(card.files):
        if name.startswith("base-"):
            base |= weights.read(folder / name)
    adapter = weights.read(folder / "adapter.safetensors")
    table = weights.read(folder / "embedding.safetensors")
    scale = table["embedding.scale"]
    embedding = _Embedding(
        table["embedding.weight"], scale, card.mask_id, adapter["mask_embedding"]
    )
    merged = dict(weights.merged(card, base, adapter))
    base.clear()
    transformer = Network.open(folder / "transformer.onnx", runtime, merged.items())
    merged.clear()
    columns = {
        "embedding.weight": np.ascontiguousarray(embedding.table.T),
        "embedding.scale": scale,
    }
    head = Network.open(folder / "head.onnx", runtime, columns.items())
    draft, drafter = None, {}
    if card.has_drafter:
        drafter = weights.read(folder / DRAFTER)
        its = weights.drafter(drafter, columns)
        draft = Network.open(folder / "draft.onnx", runtime, its.items())
    return _Networks(transformer, head, draft), embedding, drafter
