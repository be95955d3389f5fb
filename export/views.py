"""Masked views of a batch and their losses."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import masks
from .denoiser import Cache, Canvases, Denoiser
from .limits import MASK_ID
from .masks import Flags
from .packing import Batch
from .teacher import Teaching

SOFT = 0.25
"""Share of the teacher in the loss."""
PADDING_WEIGHT = 0.1
NEAR, FADE = 0.3, 6.0
"""Weight of a place d places from known text: NEAR + (1 - NEAR) exp(-d / FADE)."""


def view_loss(
    model: Denoiser,
    drawn: Batch,
    cache: Cache,
    views: tuple[masks.Flags, ...],
    names: tuple[str, ...],
    losses: Losses,
    teaching: Teaching | None = None,
) -> tuple[Tensor, NDArray[np.float32]]:
    """Weighted mean loss over the open places of some views of every gap.

    Also the probability of the true token at every open place: [views, N, C], 0 where closed.
    """
    b, k, c = drawn.middles.shape
    v = len(views)
    is_open = np.stack(views).reshape(v, b, k, c).transpose(1, 2, 0, 3)  # [B, K, V, C]
    canvases = lay_canvases(model, drawn, is_open)
    hidden = model.denoise(canvases, cache)
    rows = torch.from_numpy(is_open.reshape(b, k * v, c))
    targets = torch.from_numpy(np.broadcast_to(drawn.middles[:, :, None], is_open.shape)[is_open])
    logits = model.logits(hidden[:, :, :-1][rows])
    total = logits.logsumexp(-1)
    hard = total - logits.gather(-1, targets[:, None])[:, 0]
    each = hard if teaching is None else taught(logits, total, hard, is_open, teaching)
    weight = torch.from_numpy(place_weights(is_open, drawn.lengths)[is_open])
    right = np.zeros(is_open.shape, np.float32)
    values = hard.detach().numpy()
    right[is_open] = np.exp(-values)
    losses.add(names, values, is_open, drawn.lengths, teaching)
    loss = (each * weight).sum() / max(float(weight.sum()), 1.0)
    return loss, right.transpose(2, 0, 1, 3).reshape(v, b * k, c)


def taught(
    logits: Tensor, total: Tensor, hard: Tensor, is_open: Flags, teaching: Teaching
) -> Tensor:
    """The loss at each open place with the teacher's word mixed in where it has one."""
    b, k, v, c = is_open.shape
    gaps, places = np.broadcast_arrays(np.arange(b * k)[:, None, None], np.arange(c))
    gaps = np.broadcast_to(gaps, (b * k, v, c)).reshape(is_open.shape)[is_open]
    places = np.broadcast_to(places, (b * k, v, c)).reshape(is_open.shape)[is_open]
    ids, weights = teaching.ids[gaps, places], teaching.probabilities[gaps, places]
    soft = total - (logits.gather(-1, ids) * weights).sum(-1)
    valid = torch.from_numpy(teaching.valid[gaps, places])
    return torch.where(valid, (1 - SOFT) * hard + SOFT * soft, hard)


def lay_canvases(model: Denoiser, drawn: Batch, is_open: NDArray[np.bool_]) -> Canvases:
    """Canvases [B, K V, 1 + C] of the views is_open [B, K, V, C]."""
    b, k, v, c = is_open.shape
    ids = np.where(is_open, MASK_ID, drawn.middles[:, :, None])
    first = np.broadcast_to(drawn.before[:, :, None, None], (b, k, v, 1))
    ids = np.concatenate([first, ids], axis=3).reshape(b, k * v, c + 1)
    positions = np.repeat(drawn.positions, v, axis=1)
    biases = (torch.from_numpy(x).to(model.kind) for x in (drawn.window_bias, drawn.own_bias))
    return Canvases(torch.from_numpy(ids), torch.from_numpy(positions), *biases)


def place_weights(is_open: NDArray[np.bool_], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """How much each open place [B, K, V, C] counts."""
    near = masks.distance(is_open.reshape(-1, is_open.shape[-1])).reshape(is_open.shape)
    weights = NEAR + (1 - NEAR) * np.exp(-near / FADE)
    padding = np.arange(is_open.shape[-1]) >= lengths[:, :, None, None]
    return np.where(padding, weights * PADDING_WEIGHT, weights).astype(np.float32)


class Losses:
    """Losses of one step, by view; padding apart."""

    def __init__(self, rate: float = 0.0) -> None:
        self.rate, self.norm = rate, 0.0
        self.values: dict[str, list[NDArray[np.float32]]] = defaultdict(list)

    def add(
        self,
        names: tuple[str, ...],
        values: NDArray[np.float32],
        is_open: NDArray[np.bool_],
        lengths: NDArray[np.int64],
        teaching: Teaching | None = None,
    ) -> None:
        canvas = is_open.shape[-1]
        full = np.zeros(is_open.shape, np.float32)
        full[is_open] = values
        real = is_open & (np.arange(canvas) < lengths[:, :, None, None])
        for index, name in enumerate(names):
            self.values[name].append(full[:, :, index][real[:, :, index]])
        self.values["padding"].append(full[is_open & ~real])
        if "open" in names:
            self.values["first"].append(full[:, :, 0, 0][real[:, :, 0, 0]])
        if "later" in names and teaching is not None:
            self._add_next(full[:, :, names.index("later")], is_open, names, teaching)

    def _add_next(
        self,
        full: NDArray[np.float32],
        is_open: Flags,
        names: tuple[str, ...],
        teaching: Teaching,
    ) -> None:
        """The next token after a closed left part, and the base's loss for the same one."""
        view = is_open[:, :, names.index("later")].reshape(teaching.valid.shape)
        left = view & (np.cumsum(view, 1) == 1) & teaching.valid
        left &= np.arange(view.shape[1]) == (~view).sum(1)[:, None]
        self.values["next"].append(full.reshape(view.shape)[left])
        self.values["base next"].append(teaching.losses[left])

    def means(self) -> dict[str, float]:
        joined = {name: np.concatenate(parts) for name, parts in self.values.items()}
        return {name: round(float(x.mean()), 4) for name, x in joined.items() if len(x)}
