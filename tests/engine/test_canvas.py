"""The canvas: an end closes everything right of it, and operations leave the old one alone."""

import numpy as np

from engine.canvas import Canvas

MASK, END = 16, 0


def blank(size: int = 6) -> Canvas:
    return Canvas.masked(size, MASK, END)


def committed(canvas: Canvas, tokens: dict[int, int]) -> Canvas:
    where = np.isin(np.arange(len(canvas)), list(tokens))
    ids = np.array([tokens.get(i, 99) for i in range(len(canvas))])
    return canvas.commit(where, ids, np.full(len(canvas), -0.5, np.float32))


def test_a_masked_canvas_is_all_open() -> None:
    canvas = blank()
    assert canvas.open.all()
    assert canvas.tokens == []
    assert (canvas.length, canvas.last_committed, canvas.is_closed) == (6, -1, False)


def test_commit_fills_only_the_chosen_positions_and_leaves_the_old_canvas() -> None:
    old = blank()
    new = committed(old, {1: 40, 3: 41})
    assert new.tokens == [40, 41]
    assert list(np.flatnonzero(new.open)) == [0, 2, 4, 5]
    assert old.open.all()


def test_an_end_closes_everything_to_its_right() -> None:
    canvas = committed(blank(), {0: 40, 2: END})
    assert list(canvas.ids) == [40, MASK, END, END, END, END]
    assert (canvas.length, canvas.is_closed, canvas.is_full) == (2, True, False)
    assert canvas.log_probs[2] == np.float32(-0.5)
    assert not canvas.log_probs[3:].any()


def test_masking_again_opens_a_position() -> None:
    canvas = committed(blank(2), {0: 40, 1: 41})
    assert canvas.is_full
    again = canvas.masked_at(np.array([True, False]))
    assert list(again.ids) == [MASK, 41]
    assert again.log_probs[0] == 0
