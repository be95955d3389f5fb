"""The teacher is the base, read left to right, with line breaks counted as ends where they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from export.denoiser import Adapter, Denoiser
from export.limits import END_ID
from export.packing import Example, Layout, lay_out
from export.reference import card_of
from export.teacher import line_breaks, teach
from export.torch_model import TorchModel
from export.train import read

LAYOUT = Layout(canvas=6, windows=1, gaps=3, window=12, suffix=4)
BREAK = 100
WINDOW = list(range(40, 52))
MIDDLE = [60, 61, 62]


@pytest.fixture
def model(base):
    return Denoiser(base, Adapter(base, rank=4), torch.float32)


@pytest.fixture
def taught(model):
    """Three gaps with the same middle: plain, at a line's end, after a split token."""
    canvas = [*MIDDLE, END_ID, END_ID, END_ID]
    examples = [
        Example(8, [], [70, 71], canvas, 4),
        Example(8, [], [70, 71], canvas, 4, ends_line=True),
        Example(7, [80], [70, 71], canvas, 4, ends_line=True),
    ]
    batch = lay_out(LAYOUT, [(WINDOW, examples)])
    breaks = torch.zeros(320, dtype=torch.bool)
    breaks[BREAK] = True
    return teach(model, batch, read(model, batch)[0], breaks)


def expected(base, prefix: list[int]) -> torch.Tensor:
    """The base's probabilities after each token of prefix + middle, from the last of the prefix."""
    plain = TorchModel(card_of(base), base, None)
    _, logits = plain.read(np.array([*prefix, *MIDDLE]), 0, None)
    return logits[len(prefix) - 1 :].softmax(-1)


def test_the_losses_are_those_of_the_base(base, taught):
    right = expected(base, WINDOW[:8])
    for place, token in enumerate(MIDDLE):
        assert taught.losses[0, place] == pytest.approx(-float(right[place, token].log()), rel=1e-3)
    after_split = expected(base, [*WINDOW[:7], 80])
    assert taught.losses[2, 1] == pytest.approx(-float(after_split[1, 61].log()), rel=1e-3)


def test_line_breaks_count_as_the_end_only_at_a_line_end(base, taught):
    right = expected(base, WINDOW[:8])
    at_end = -float(right[3, BREAK].log())
    assert taught.losses[1, 3] == pytest.approx(at_end, rel=1e-3)
    assert BREAK not in taught.ids[1, 3].tolist()
    assert taught.losses[0, 3] > 20


def test_it_is_silent_where_the_base_knows_nothing(taught):
    assert taught.valid.tolist() == [
        [True, True, True, False, False, False],
        [True, True, True, True, False, False],
        [False, True, True, True, False, False],
    ]


def test_what_is_taught_are_distributions(taught):
    sums = taught.probabilities.sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))


def test_line_breaks_are_found_by_the_first_byte(tokenizer):
    found = line_breaks(tokenizer, 320)
    assert found.nonzero().flatten().tolist() == [tokenizer.token_to_id("\u010a")]
