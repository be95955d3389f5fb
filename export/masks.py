"""The states of a canvas that training shows, modelled on those that decoding visits.

Pure numpy over all gaps of a batch: N gaps, C places. The end of a middle is one decision: when its
end token is on the canvas every place after it is closed too, otherwise all of them are open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Lengths = NDArray[np.int64]

LEFT = 0.85
"""Share of states with a closed left part; in the others closed places lie scattered."""
ALL_OPEN = 0.3
"""Share of those in which nothing is closed yet: the first step of every canvas."""
NARROW = 0.5
"""Share of those in which the canvas ends soon after the closed part, as its window does in use."""


@dataclass(frozen=True, slots=True)
class State:
    """What is open, and what there is of the canvas."""

    is_open: Flags
    """[N, C]"""
    there: Flags
    """[N, C]: the places that can be seen; never one right of a place that cannot."""


def read(lengths: Lengths, canvas: int) -> State:
    """Nothing is open: every token is predicted from those left of it."""
    everything = np.ones((len(lengths), canvas), bool)
    return State(~everything, everything)


def drafted(lengths: Lengths, canvas: int, rng: np.random.Generator) -> State:
    """A state of decoding for each gap: a closed left part, or places closed at a random rate."""
    shape = len(lengths), canvas
    places = np.arange(canvas)
    inner = np.minimum(lengths, canvas)
    left = np.floor(rng.random(len(lengths)) * inner)[:, None]
    left = np.where(rng.random(shape[0])[:, None] < ALL_OPEN, 0, left)
    width = np.ceil(rng.random(shape[0])[:, None] * (canvas - left))
    width = np.where(rng.random(shape[0])[:, None] < NARROW, width, canvas)
    scattered = rng.random(shape) < rng.random(shape[0])[:, None]
    is_left = rng.random(shape[0])[:, None] < LEFT
    is_open = _with_ends(np.where(is_left, places >= left, scattered), lengths)
    return State(is_open, ~is_left | (places < left + width))


def _with_ends(is_open: Flags, lengths: Lengths) -> Flags:
    """Makes the places after the end token open exactly where the end token is."""
    canvas = is_open.shape[1]
    last = np.minimum(lengths, canvas) - 1
    at_end = is_open[np.arange(len(lengths)), last]
    after = np.arange(canvas) > last[:, None]
    return np.where(after, at_end[:, None], is_open)


def distance(is_open: Flags) -> NDArray[np.int64]:
    """For each place, how many open places lie between it and known text on its left."""
    count = np.zeros(is_open.shape, np.int64)
    for place in range(1, is_open.shape[1]):
        count[:, place] = np.where(is_open[:, place - 1], count[:, place - 1] + 1, 0)
    return count
