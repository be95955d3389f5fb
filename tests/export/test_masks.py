"""Views are states that decoding can come to."""

from __future__ import annotations

import numpy as np

from export import masks

LENGTHS = np.array([1, 3, 6, 8, 9])
"""Only the end; middles that leave room; one that just fits; one that goes on (canvas + 1)."""
CANVAS = 8


def views(count: int = 50):
    rng = np.random.default_rng(0)
    right = rng.random((len(LENGTHS), CANVAS)).astype(np.float32)
    for _ in range(count):
        yield masks.left_or_random(LENGTHS, CANVAS, rng)
        yield masks.after_threshold(LENGTHS, right, rng)
        yield masks.after_some(LENGTHS, right, rng)


def test_places_after_the_end_are_open_exactly_when_the_end_is():
    for view in views():
        for row, length in zip(view, LENGTHS, strict=True):
            if length <= CANVAS:
                assert (row[length:] == row[length - 1]).all()


def test_a_step_of_decoding_closes_at_least_one_place_and_the_surest_first():
    rng = np.random.default_rng(1)
    right = rng.random((len(LENGTHS), CANVAS)).astype(np.float32)
    view = masks.after_threshold(LENGTHS, right, rng)
    for row, length, p in zip(view, LENGTHS, right, strict=True):
        inner = min(length, CANVAS)
        closed = ~row[:inner]
        assert closed.any()
        if (~closed).any():
            assert p[:inner][closed].min() >= p[:inner][~closed].max()


def test_some_closes_the_surest_places_of_the_middle_and_leaves_one_open():
    rng = np.random.default_rng(1)
    right = rng.random((len(LENGTHS), CANVAS)).astype(np.float32)
    counts = set()
    for _ in range(40):
        view = masks.after_some(LENGTHS, right, rng)
        for row, length, p in zip(view, LENGTHS, right, strict=True):
            inner = min(length, CANVAS)
            closed = ~row[:inner]
            counts.add((inner, int(closed.sum())))
            assert not closed.all()
            if closed.any():
                assert p[:inner][closed].min() >= p[:inner][~closed].max()
    assert {(8, n) for n in range(8)} <= counts


def test_distance_counts_open_places_on_the_left():
    is_open = np.array([[True, True, False, True, True, True, False, False]])
    assert masks.distance(is_open).tolist() == [[0, 1, 2, 0, 1, 2, 3, 0]]
