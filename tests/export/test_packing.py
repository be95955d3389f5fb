"""What the places of a row see, and what is asked of them."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from export import packing
from export.limits import END_ID, MASK_ID
from export.packing import (
    DRAFTED,
    GIVEN,
    READ,
    ROW,
    STARTS,
    STEPS,
    TARGETS,
    TEXT,
    Batch,
    Example,
    lay_out,
)

WINDOW = list(range(100, 160))
GAPS = [
    Example(20, [*WINDOW[20:25], END_ID], []),
    Example(33, [*WINDOW[33:40], END_ID], WINDOW[40:52]),
]


@pytest.fixture(autouse=True)
def both_canvases(monkeypatch):
    monkeypatch.setattr(packing, "DRAFTED_CANVASES", 1.0)


def sees(batch: Batch) -> np.ndarray:
    """[ROW, ROW] whether a place sees another, as `Batch` says it in words."""
    part, reach = batch.part[0], batch.reach[0]
    places = np.arange(ROW)
    left = places[None] <= places[:, None]
    own = (part[None] == part[:, None]) & (left | (batch.is_open[0][:, None] == 1))
    window = (part[None] == 0) & (places[None] < reach[:, None])
    return own | window | (part[None] == batch.suffix[0][:, None])


def parts(batch: Batch) -> list[np.ndarray]:
    """Places of the window, then of each gap its suffix, read canvas and drafted canvas."""
    return [np.flatnonzero(batch.part[0] == index) for index in range(batch.part[0].max() + 1)]


def rows(seed: int = 0) -> Batch:
    return lay_out([(WINDOW, GAPS)], Random(seed))


def test_a_canvas_sees_its_prefix_its_suffix_and_itself():
    batch = rows()
    seen = sees(batch)
    window, _, _, _, suffix, read, drafted = parts(batch)
    for place in read:
        expected = {*window[:32], *suffix, *read[read <= place]}
        assert set(np.flatnonzero(seen[place])) == expected
    for place in drafted:
        own = drafted if batch.is_open[0, place] else drafted[drafted <= place]
        assert set(np.flatnonzero(seen[place])) == {*window[:32], *suffix, *own}


def test_window_and_suffix_see_what_is_left_of_them_alone():
    batch = rows()
    seen = sees(batch)
    window, suffix = parts(batch)[0], parts(batch)[4]
    for part in (window, suffix):
        for place in part:
            assert set(np.flatnonzero(seen[place])) == set(part[part <= place])


def test_places_stand_where_the_engine_puts_them():
    batch = rows()
    _, _, _, _, suffix, read, _ = parts(batch)
    assert batch.ids[0, read].tolist() == [WINDOW[32], *GAPS[1].middle]
    assert batch.positions[0, read].tolist() == list(range(32, 32 + len(read)))
    assert batch.positions[0, suffix][0] - 33 in (16, 32)


def test_each_target_is_the_token_that_follows():
    batch = rows()
    window, _, read = parts(batch)[:3]
    found = {
        (int(place), int(token), int(kind))
        for place, token, kind, weight in zip(
            batch.places[0], batch.targets[0], batch.kinds[0], batch.weights[0], strict=True
        )
        if weight
    }
    text = {(int(i), WINDOW[i + 1], TEXT) for i in window[:-1]}
    assert text <= found
    middle = {(int(p), t, READ) for p, t in zip(read, GAPS[0].middle, strict=False)}
    assert middle <= found
    open_places = {p for p, _, kind in found if kind == DRAFTED}
    # Logits are shifted: what is asked at a place is the open one after it.
    assert open_places == {int(p) - 1 for p in np.flatnonzero(batch.is_open[0])}


@pytest.mark.parametrize("seed", range(20))
def test_after_the_end_places_are_open_exactly_where_the_end_is(seed):
    batch = rows(seed)
    for part, gap in ((3, GAPS[0]), (6, GAPS[1])):
        canvas = parts(batch)[part][1:]
        length = len(gap.middle)
        ids, is_open = batch.ids[0, canvas], batch.is_open[0, canvas]
        assert ((ids == MASK_ID) == (is_open == 1)).all()
        closed = [*gap.middle, *[END_ID] * (len(canvas) - length)]
        assert all(token in (MASK_ID, known) for token, known in zip(ids, closed, strict=False))
        assert (is_open[length:] == is_open[min(length, len(canvas)) - 1]).all()


def test_what_has_no_room_is_left_out():
    gap = Example(30, [*range(200, 231), END_ID], list(range(300, 492)))
    batch = lay_out([(list(range(1000, 1512)), [gap] * 12)], Random(0))
    assert (batch.part[0] >= 0).sum() <= ROW
    assert batch.places.shape == (1, TARGETS)
    assert 1 <= (batch.kinds[0] == READ).sum() // len(gap.middle) < 12


def drafts_of(batch):
    """Of the first row: the places of each draft, the tokens there and how many are given."""
    for own, given in zip(batch.own[0], batch.given[0], strict=True):
        if own[0] >= 0:
            yield own[own >= 0], batch.ids[0][own[own >= 0]], int(given)


def test_a_draft_knows_where_the_model_itself_would_write_its_tokens():
    batch = rows()
    assert batch.own.shape == (1, STARTS, STEPS + 1)
    asked = {int(p): int(t) for p, t in zip(batch.places[0], batch.targets[0], strict=True)}
    counted = 0
    for own, tokens, given in drafts_of(batch):
        for place, token in list(zip(own, tokens[1:], strict=False))[given:]:
            assert asked[int(place)] == token
            counted += 1
    assert counted > 20


def test_a_draft_before_the_first_pass_begins_in_the_window_and_goes_on_in_the_gap():
    batch = rows()
    before = [draft for draft in drafts_of(batch) if draft[2]]
    assert {given for _, _, given in before} <= set(GIVEN)
    assert len(before) == len(GAPS)
    window = batch.ids[0][batch.part[0] == 0].tolist()
    for own, tokens, given in before:
        start = int(own[0])
        shared = start + given + 1
        assert batch.part[0][own[:given]].tolist() == [0] * given
        assert (batch.part[0][own[given:]] > 0).all()
        assert window[start:shared] == tokens[: given + 1].tolist()
        [gap] = [gap for gap in GAPS if gap.shared == shared]
        assert tokens[given + 1 :].tolist() == list(gap.middle)[: len(tokens) - given - 1]
