"""Two views of every gap of a batch, and their losses.

In the first nothing is masked: each token is predicted from those left of it, as in an ordinary
language model that also sees the suffix. In the second places are open: each is predicted from what
is closed. One pass serves both (as in TiDAR, arXiv 2511.08923, and Set Block Decoding, arXiv
2509.04185); what the first learns checks in use what the second drafts.
"""

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
from .packing import HIDDEN, Batch

DRAFTED_SHARE = 0.7
"""Weight of the second view's mean loss beside the first's."""
PADDING_WEIGHT = 0.1
SAME, NEAR, FADE = 0.2, 0.3, 6.0
"""Weight of an open place d places from known text: SAME if d is 0, else NEAR + (1 - NEAR)
exp(-d / FADE)."""
VIEWS = 2


def loss_of(
    model: Denoiser, drawn: Batch, cache: Cache, rng: np.random.Generator, losses: Losses
) -> Tensor:
    """The loss of both views of every gap; `losses` is told its parts."""
    b, k, c = drawn.middles.shape
    lengths = drawn.lengths.reshape(-1)
    states = masks.read(lengths, c), masks.drafted(lengths, c, rng)
    is_open, there = (
        np.stack(found, 1).reshape(b, k, VIEWS, c)
        for found in zip(*((state.is_open, state.there) for state in states), strict=True)
    )
    hidden = model.denoise(lay_canvases(model, drawn, is_open, there), cache)
    weights = place_weights(is_open, there, drawn.lengths)
    counted = weights > 0
    rows = torch.from_numpy(counted.reshape(b, k * VIEWS, c))
    targets = torch.from_numpy(np.broadcast_to(drawn.middles[:, :, None], counted.shape)[counted])
    logits = model.logits(hidden[:, :, :-1][rows])
    each = logits.logsumexp(-1) - logits.gather(-1, targets[:, None])[:, 0]
    values = np.zeros(counted.shape, np.float32)
    values[counted] = each.detach().numpy()
    losses.add(values, counted, is_open, drawn.lengths)
    return (each * torch.from_numpy(weights[counted])).sum()


def lay_canvases(model: Denoiser, drawn: Batch, is_open: Flags, there: Flags) -> Canvases:
    """Canvases [B, K V, 1 + C] of the views is_open, there [B, K, V, C]."""
    b, k, v, c = is_open.shape
    ids = np.where(is_open, MASK_ID, drawn.middles[:, :, None])
    first = np.broadcast_to(drawn.before[:, :, None, None], (b, k, v, 1))
    ids = np.concatenate([first, ids], axis=3)
    beyond = np.concatenate([np.zeros((b, k, v, 1), bool), ~there], axis=3)
    sees = (ids == MASK_ID)[..., None] | np.tri(c + 1, dtype=bool)
    sees &= ~beyond[:, :, :, None]
    near = np.where(sees, np.float32(0), np.float32(HIDDEN))
    positions = np.repeat(drawn.positions, v, axis=1)
    biases = (torch.from_numpy(x).to(model.kind) for x in (drawn.window_bias, drawn.own_bias, near))
    return Canvases(
        torch.from_numpy(ids.reshape(b, k * v, c + 1)), torch.from_numpy(positions), *biases
    )


def place_weights(is_open: Flags, there: Flags, lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """How much each place [B, K, V, C] counts; of each view they sum to its share.

    Of the first view every place up to the end counts alike, of the second the open ones that are
    there, less when far from known text or after the end; and little right behind closed text,
    where the first view says the same.
    """
    text = np.arange(is_open.shape[-1]) < lengths[:, :, None, None]
    near = masks.distance(is_open.reshape(-1, is_open.shape[-1])).reshape(is_open.shape)
    weights = np.where(near == 0, SAME, NEAR + (1 - NEAR) * np.exp(-near / FADE))
    weights = np.where(text, weights, weights * PADDING_WEIGHT) * (is_open & there)
    weights[:, :, 0] = text[:, :, 0]
    weights[:, :, 0] /= max(float(weights[:, :, 0].sum()), 1.0)
    weights[:, :, 1] *= DRAFTED_SHARE / max(float(weights[:, :, 1].sum()), 1.0)
    return weights.astype(np.float32)


class Losses:
    """Losses of one step in nats a token, by what was predicted from what."""

    def __init__(self, rate: float = 0.0) -> None:
        self.rate, self.norm = rate, 0.0
        self.values: dict[str, list[NDArray[np.float32]]] = defaultdict(list)

    def add(
        self,
        values: NDArray[np.float32],
        counted: Flags,
        is_open: Flags,
        lengths: NDArray[np.int64],
    ) -> None:
        """Losses [B, K, V, C] of the places that were counted."""
        canvas = is_open.shape[-1]
        places = np.arange(canvas)
        read, drafted = values[:, :, 0], values[:, :, 1]
        text, end = places < lengths[..., None], places == lengths[..., None] - 1
        self.values["read"].append(read[text & ~end])
        self.values["end"].append(read[end])
        self.values["first"].append(read[..., 0].ravel())
        far = masks.distance(is_open[:, :, 1].reshape(-1, canvas)).reshape(drafted.shape)
        for name, found in (("draft 1", far == 0), ("draft 2", far == 1), ("draft 3", far > 1)):
            self.values[name].append(drafted[counted[:, :, 1] & found & text])
        self.values["padding"].append(drafted[counted[:, :, 1] & ~text])

    def means(self) -> dict[str, float]:
        joined = {name: np.concatenate(parts) for name, parts in self.values.items()}
        return {name: round(float(x.mean()), 4) for name, x in joined.items() if len(x)}
