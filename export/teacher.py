"""Soft targets: what the base expects at each place, read left to right over the true middle.

The base knows the language far better than a young adapter, but neither what follows the gap nor
where the middle ends. So its distribution is mixed with the true token (`views.py`), and where the
gap ends at its line's end, the base's mass on line breaks is mass on the end of the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from .denoiser import Denoiser
from .limits import END_ID, SPECIAL
from .packing import Batch

KEPT = 24
"""Most probable tokens of each place that are taught; they hold nearly all of the mass."""


@dataclass(frozen=True)
class Teaching:
    """The base's distributions; N = B K gaps, C places, M tokens."""

    ids: Tensor
    """[N, C, M]"""
    probabilities: Tensor
    """[N, C, M], of sum 1."""
    valid: NDArray[np.bool_]
    """[N, C]: where the base has something to say."""
    losses: NDArray[np.float32]
    """[N, C]: the base's own loss at the true token, in nats."""


def line_breaks(tokenizer: Tokenizer, vocabulary: int) -> Tensor:
    """[vocabulary] whether a token begins with a line feed, which byte-level BPE writes so."""
    tokens = (tokenizer.id_to_token(i) or "" for i in range(vocabulary))
    return torch.tensor([token.startswith("\u010a") for token in tokens])


@torch.no_grad()
def teach(model: Denoiser, drawn: Batch, hidden: Tensor, breaks: Tensor) -> Teaching:
    """Reads the targets off the context pass: `hidden` [B, L, hidden] of the base."""
    b, k, c = drawn.middles.shape
    n = b * k
    rows = torch.arange(b)[:, None], torch.from_numpy(drawn.reading.reshape(b, k * c))
    logits = model.logits(hidden[rows].reshape(n, c, -1))
    ends_line = torch.from_numpy(drawn.ends_line.reshape(n))
    probabilities = logits.softmax(-1)
    probabilities[..., :SPECIAL] = 0
    probabilities[ends_line, :, END_ID] = probabilities[ends_line][..., breaks].sum(-1)
    closing = ends_line[:, None, None] & breaks
    probabilities.masked_fill_(closing, 0)
    middles = torch.from_numpy(drawn.middles.reshape(n, c, 1))
    losses = -probabilities.gather(-1, middles)[..., 0].clamp_min(1e-9).log()
    best, ids = probabilities.topk(KEPT)
    # At the end of a middle that does not end its line the base expects what follows, not an end.
    last = drawn.lengths.reshape(n, 1) - np.where(drawn.ends_line.reshape(n, 1), 0, 1)
    valid = np.arange(c) < last
    valid[:, 0] &= ~drawn.splits.reshape(n)
    return Teaching(ids, best / best.sum(-1, keepdim=True), valid, losses.numpy())
