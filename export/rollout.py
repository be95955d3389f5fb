"""The model's own fills as targets: what makes parallel commits safe.

Trained on true middles alone, a masked model with everything open learns the marginal of each
place: two likely middles mix, and several tokens committed at once may come from different ones.
Trained on its own careful fill (few tokens a pass), all places agree on one middle, and become
sure of it: sequence-level distillation (Kim & Rush 2016; Gu et al. 2018 for parallel decoding;
dParallel, arXiv 2509.26488, for masked diffusion).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from engine.choose import most_likely_length

from .denoiser import Cache, Denoiser
from .limits import END_ID, SPECIAL
from .masks import Flags
from .packing import Batch
from .views import lay_canvases

SURE = 0.9
"""Places that are at least so sure are committed together, as in use; at least one a pass."""


def roll_out(model: Denoiser, drawn: Batch, cache: Cache) -> tuple[Batch, NDArray[np.int64]]:
    """The batch with the model's fills for middles, and the pass [N, C] that closed each place.

    Places after the end are closed with it.
    """
    b, k, c = drawn.middles.shape
    ids = np.full((b * k, c), END_ID, np.int64)
    closed_by = np.full((b * k, c), c, np.int64)
    is_open = np.ones((b * k, c), bool)
    for index in range(c):
        if not is_open.any():
            break
        probability, best, end = beliefs(model, drawn, cache, ids, is_open)
        for row in np.flatnonzero(is_open.any(1)):
            chosen = committed(probability[row], best[row], end[row], is_open[row])
            ids[row, chosen] = best[row, chosen]
            is_open[row, chosen] = False
            closed_by[row, chosen] = index
            ends = np.flatnonzero(~is_open[row] & (ids[row] == END_ID))
            if len(ends):
                after = np.arange(c) > ends[0]
                closed_by[row, after] = closed_by[row, ends[0]]
                ids[row, after], is_open[row, after] = END_ID, False
    return replace(
        drawn, middles=ids.reshape(b, k, c), lengths=lengths(ids).reshape(b, k)
    ), closed_by


@torch.no_grad()
def beliefs(
    model: Denoiser, drawn: Batch, cache: Cache, ids: NDArray[np.int64], is_open: Flags
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Probability and id of the best token, log-probability of the end: each [N, C]."""
    b, k, c = drawn.middles.shape
    now = replace(drawn, middles=ids.reshape(b, k, c))
    canvases = lay_canvases(model, now, is_open.reshape(b, k, 1, c))
    hidden = model.denoise(canvases, cache, compiled=False)[:, :, :-1].reshape(b * k, c, -1)
    logits = model.logits(hidden[torch.from_numpy(is_open)])
    logits[:, [token for token in range(SPECIAL) if token != END_ID]] = -torch.inf
    log_probs = logits.log_softmax(-1)
    best, best_ids = log_probs.max(-1)
    probability, end = np.zeros((2, b * k, c), np.float32)
    found = np.zeros((b * k, c), np.int64)
    probability[is_open] = best.exp().numpy()
    end[is_open] = log_probs[:, END_ID].numpy()
    found[is_open] = best_ids.numpy()
    return probability, found, end


def committed(
    probability: NDArray[np.float32],
    best: NDArray[np.int64],
    end: NDArray[np.float32],
    is_open: Flags,
) -> Flags:
    """The places [C] of one canvas to commit; `best` becomes the end where the length says so."""
    c = len(is_open)
    held = np.flatnonzero(~is_open)
    least = int(held[-1]) + 1 if len(held) else 0
    length = most_likely_length(np.where(is_open, end, -1e9), least, c)
    places = np.arange(c)
    eligible = is_open & (places <= length)
    if length < c:
        best[length], probability[length] = END_ID, np.exp(end[length])
    score = np.where(eligible, probability, -1)
    chosen = score >= SURE
    chosen[score.argmax()] = True
    return chosen


def lengths(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places up to and with the end of each canvas; one more than there are when none ends it."""
    ends = ids == END_ID
    return np.where(ends.any(1), ends.argmax(1) + 1, ids.shape[1] + 1)
