"""Views are states that decoding can come to."""

from __future__ import annotations

import numpy as np
import pytest

from export import masks

LENGTHS = np.array([1, 3, 6, 8, 9])
"""Only the end; middles that leave room; one that just fits; one that goes on (canvas + 1)."""
CANVAS = 8
PLACES = np.arange(CANVAS)


def many(count: int = 4000) -> tuple[np.ndarray, masks.State]:
    """Lengths of all kinds, and a drafted state for each."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, CANVAS + 2, count)
    return lengths, masks.drafted(lengths, CANVAS, rng)


def only(monkeypatch, **shares: float) -> None:
    """Sets shares of masks.py, so that every state is of one sort."""
    for name, share in shares.items():
        monkeypatch.setattr(masks, name, share)


def test_nothing_is_open_and_all_is_there_when_a_middle_is_read():
    state = masks.read(LENGTHS, CANVAS)
    assert state.is_open.shape == state.there.shape == (len(LENGTHS), CANVAS)
    assert not state.is_open.any()
    assert state.there.all()


def test_places_after_the_end_are_open_exactly_when_the_end_is():
    lengths, state = many()
    at_end = []
    for row, length in zip(state.is_open, lengths, strict=True):
        if length <= CANVAS:
            assert (row[length:] == row[length - 1]).all()
            at_end.append(row[length - 1])
    assert any(at_end)
    assert not all(at_end)


def test_no_place_is_there_right_of_one_that_is_not():
    _, state = many()
    assert (np.diff(state.there.astype(int), axis=1) <= 0).all()
    assert state.there[:, 0].all()
    assert not state.there.all()


def test_what_is_closed_is_there_and_so_is_an_open_place_where_the_canvas_ends_early():
    _, state = many()
    assert (state.is_open | state.there).all()
    narrow = ~state.there.all(1)
    assert narrow.any()
    assert (state.is_open & state.there)[narrow].any(1).all()


def test_a_closed_left_part_is_of_any_size_and_leaves_the_end_open(monkeypatch):
    only(monkeypatch, LEFT=1.0, ALL_OPEN=0.0)
    lengths, state = many()
    closed = (~state.is_open).sum(1)
    np.testing.assert_array_equal(state.is_open, closed[:, None] <= PLACES)
    for length in range(1, CANVAS + 2):
        assert set(closed[lengths == length]) == set(range(min(length, CANVAS)))


def test_all_may_be_open(monkeypatch):
    only(monkeypatch, LEFT=1.0, ALL_OPEN=1.0)
    assert many()[1].is_open.all()


def test_a_narrow_canvas_ends_anywhere_after_its_closed_part(monkeypatch):
    only(monkeypatch, LEFT=1.0, NARROW=1.0)
    _, state = many()
    closed, width = (~state.is_open).sum(1), state.there.sum(1)
    for left in range(CANVAS):
        assert set(width[closed == left]) == set(range(left + 1, CANVAS + 1))


def test_a_canvas_that_is_not_narrow_is_all_there(monkeypatch):
    only(monkeypatch, LEFT=1.0, NARROW=0.0)
    assert many()[1].there.all()


def test_scattered_places_are_closed_at_every_rate_and_all_there(monkeypatch):
    only(monkeypatch, LEFT=0.0)
    lengths, state = many()
    assert state.there.all()
    whole = state.is_open[lengths > CANVAS]
    # Of any number of places as often as of any other, and anywhere.
    shares = np.bincount(whole.sum(1), minlength=CANVAS + 1) / len(whole)
    np.testing.assert_allclose(shares, 1 / (CANVAS + 1), atol=0.05)
    is_left = whole == np.sort(whole, 1)
    assert not is_left.all()
    assert np.ptp(whole.mean(0)) < 0.15


def test_sorts_of_states_are_as_frequent_as_said():
    lengths, state = many()
    whole = lengths > CANVAS
    is_open, there = state.is_open[whole], state.there[whole]
    all_open = masks.LEFT * (masks.ALL_OPEN + (1 - masks.ALL_OPEN) / CANVAS)
    scattered = (1 - masks.LEFT) / (CANVAS + 1)
    assert is_open.all(1).mean() == pytest.approx(all_open + scattered, abs=0.06)
    assert (~there.all(1)).mean() < masks.LEFT * masks.NARROW
    assert (~there.all(1)).mean() > masks.LEFT * masks.NARROW / 2


def test_distance_counts_open_places_on_the_left():
    is_open = np.array([[True, True, False, True, True, True, False, False]])
    assert masks.distance(is_open).tolist() == [[0, 1, 2, 0, 1, 2, 3, 0]]
