"""Which canvas places are open in a training view, modelled on the states that decoding visits.

Pure numpy over all gaps of a batch: N gaps, C places. The end of a middle is one decision: when its
end token is on the canvas every place after it is closed too, otherwise all of them are open.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Lengths = NDArray[np.int64]


def all_open(lengths: Lengths, canvas: int) -> Flags:
    """The first step of every canvas."""
    return np.ones((len(lengths), canvas), bool)


def later(lengths: Lengths, right: NDArray[np.float32], rng: np.random.Generator) -> Flags:
    """A state of decoding after the first step, for each gap one of the three kinds below.

    `right` [N, C] is the probability the model gave to the true token with all places open.
    """
    kinds = np.stack(
        [
            left_or_random(lengths, right.shape[1], rng),
            after_threshold(lengths, right, rng),
            after_some(lengths, right, rng),
        ]
    )
    return kinds[rng.integers(len(kinds), size=len(lengths)), np.arange(len(lengths))]


def left_or_random(lengths: Lengths, canvas: int, rng: np.random.Generator) -> Flags:
    """Half: the places right of a closed left part; half: each place with a random rate."""
    places = np.arange(canvas)
    inner = np.minimum(lengths, canvas)
    left = places >= np.floor(rng.random(len(lengths)) * inner)[:, None]
    scattered = rng.random((len(lengths), canvas)) < rng.random(len(lengths))[:, None]
    is_open = np.where(rng.random(len(lengths))[:, None] < 0.5, left, scattered)
    return _with_ends(is_open, lengths)


def after_threshold(
    lengths: Lengths, right: NDArray[np.float32], rng: np.random.Generator
) -> Flags:
    """After one step of decoding: what the model was sure of is closed, at least one place."""
    threshold = 0.2 + 0.75 * rng.random(len(lengths))
    inner = _inner(lengths, right)
    is_open = inner < threshold[:, None]
    is_open[np.arange(len(lengths)), inner.argmax(1)] = False
    return _with_ends(is_open, lengths)


def after_some(lengths: Lengths, right: NDArray[np.float32], rng: np.random.Generator) -> Flags:
    """After several steps: a random number of places closed, the surest first."""
    inner = _inner(lengths, right)
    ranks = np.argsort(np.argsort(-inner, axis=1), axis=1)
    count = np.minimum(lengths, right.shape[1])
    closed = np.floor(rng.random(len(lengths)) * count).astype(np.int64)
    return _with_ends(ranks >= closed[:, None], lengths)


def _inner(lengths: Lengths, right: NDArray[np.float32]) -> NDArray[np.float32]:
    """`right` with -1 after the end token, so that no place there is drawn."""
    return np.where(np.arange(right.shape[1]) < lengths[:, None], right, np.float32(-1))


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
