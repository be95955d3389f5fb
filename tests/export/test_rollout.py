"""The model's own fills: careful, ended, and made from what it believes."""

from __future__ import annotations

import numpy as np

from export.limits import END_ID
from export.rollout import committed, lengths


def beliefs(rows):
    """Per place: probability of the best token, its id, probability of the end."""
    probability, best, end = zip(*rows, strict=True)
    return np.array(probability), np.array(best), np.log(np.array(end))


def test_the_sure_places_are_committed_together():
    probability, best, end = beliefs(
        [(0.95, 50, 1e-3), (0.5, 51, 1e-3), (0.92, 52, 1e-3), (0.6, 53, 1e-3)]
    )
    chosen = committed(probability, best, end, np.ones(4, bool))
    assert chosen.tolist() == [True, False, True, False]


def test_the_surest_place_is_committed_when_none_is_sure():
    probability, best, end = beliefs([(0.2, 50, 1e-3), (0.5, 51, 1e-3), (0.4, 52, 1e-3)])
    chosen = committed(probability, best, end, np.ones(3, bool))
    assert chosen.tolist() == [False, True, False]


def test_nothing_after_the_end_is_committed_and_the_end_is_one_place():
    probability, best, end = beliefs(
        [(0.5, 50, 0.01), (0.97, END_ID, 0.97), (0.98, END_ID, 0.98), (0.99, END_ID, 0.99)]
    )
    chosen = committed(probability, best, end, np.ones(4, bool))
    assert chosen.tolist() == [False, True, False, False]
    assert best[1] == END_ID


def test_closed_places_stay_closed_and_the_end_comes_after_them():
    probability, best, end = beliefs([(0.9, 50, 0.9), (0.0, 0, 1.0), (0.8, END_ID, 0.8)])
    chosen = committed(probability, best, end, np.array([True, False, True]))
    assert not chosen[1]


def test_lengths_are_read_from_the_first_end():
    ids = np.array([[5, END_ID, END_ID], [5, 6, END_ID], [5, 6, 7], [END_ID] * 3])
    assert lengths(ids).tolist() == [2, 3, 4, 1]
