"""What each place of the two views counts, and how its loss is reported."""

from __future__ import annotations

import math

import numpy as np
import pytest

from export import masks, views

CANVAS = 8


def two_views(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is open and what is there [B, K, V, C] of gaps of these lengths [B, K]."""
    flat = lengths.ravel()
    states = masks.read(flat, CANVAS), masks.drafted(flat, CANVAS, np.random.default_rng(0))
    shape = *lengths.shape, views.VIEWS, CANVAS
    return (
        np.stack([state.is_open for state in states], 1).reshape(shape),
        np.stack([state.there for state in states], 1).reshape(shape),
    )


def drafted(is_open: list[int], there: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """One gap: read, and drafted in a state given."""
    open_, seen = np.array(is_open, bool), np.array(there, bool)
    everything = np.ones_like(seen)
    return np.stack([~everything, open_])[None, None], np.stack([everything, seen])[None, None]


@pytest.fixture
def lengths() -> np.ndarray:
    return np.random.default_rng(1).integers(1, CANVAS + 2, (3, 5))


def test_the_weights_of_each_view_sum_to_its_share(lengths):
    weights = views.place_weights(*two_views(lengths), lengths)
    assert weights[:, :, 0].sum() == pytest.approx(1.0)
    assert weights[:, :, 1].sum() == pytest.approx(views.DRAFTED_SHARE)


def test_read_places_count_alike_up_to_and_with_the_end(lengths):
    weights = views.place_weights(*two_views(lengths), lengths)[:, :, 0]
    text = np.arange(CANVAS) < lengths[..., None]
    np.testing.assert_allclose(weights[text], 1 / text.sum(), rtol=1e-5)
    assert (weights[~text] == 0).all()


def test_drafted_places_count_where_they_are_open_and_there(lengths):
    is_open, there = two_views(lengths)
    weights = views.place_weights(is_open, there, lengths)[:, :, 1]
    np.testing.assert_array_equal(weights > 0, (is_open & there)[:, :, 1])
    assert not there.all()


def test_drafted_places_count_less_far_from_known_text_and_after_the_end():
    is_open, there = drafted([0, 1, 1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 0])
    weights = views.place_weights(is_open, there, np.array([[6]]))[0, 0, 1]
    far = [views.NEAR + (1 - views.NEAR) * math.exp(-d / views.FADE) for d in range(3)]
    far[0] = views.SAME
    expected = np.array([0, *far, 0, far[0], far[1] * views.PADDING_WEIGHT, 0])
    assert far[1] > far[2] > views.NEAR > far[0] > 0
    np.testing.assert_allclose(weights, views.DRAFTED_SHARE * expected / expected.sum(), rtol=1e-5)


def test_a_gap_with_all_places_closed_counts_only_when_read():
    is_open, there = drafted([0] * CANVAS, [1] * CANVAS)
    weights = views.place_weights(is_open, there, np.array([[3]]))
    np.testing.assert_allclose(weights[0, 0, 0], [1 / 3] * 3 + [0] * 5, rtol=1e-5)
    assert (weights[0, 0, 1] == 0).all()


def reported(
    read: list[int], draft: list[int], is_open: np.ndarray, there: np.ndarray, length: int
) -> dict[str, float]:
    """The means of losses given for one gap's places."""
    lengths = np.array([[length]])
    counted = views.place_weights(is_open, there, lengths) > 0
    values = np.where(counted, np.array([read, draft], np.float32), np.float32(0))
    losses = views.Losses()
    losses.add(values, counted, is_open, lengths)
    return losses.means()


def test_losses_are_told_by_what_was_predicted_from_what():
    is_open, there = drafted([0, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 0])
    read, draft = [1, 2, 3, 4, 5, 90, 90, 90], [90, 10, 20, 30, 50, 60, 80, 90]
    assert reported(read, draft, is_open, there, 5) == {
        "read": 2.5,
        "end": 5.0,
        "first": 1.0,
        "draft 1": 10.0,
        "draft 2": 20.0,
        "draft 3": 40.0,
        "padding": 70.0,
    }


def test_a_middle_that_goes_on_after_the_canvas_has_no_end():
    is_open, there = drafted([0] * CANVAS, [1] * CANVAS)
    means = reported([1, 2, 3, 4, 5, 6, 7, 8], [90] * CANVAS, is_open, there, CANVAS + 1)
    assert means == {"read": 4.5, "first": 1.0}
