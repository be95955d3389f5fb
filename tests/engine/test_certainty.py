"""How probable a fill is, line by line."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from engine import Engine, Fill, FillOptions, Finish, Mode, Prompt
from engine.certainty import line_probabilities
from engine.denoise import proposal_of, spelling
from engine.fake import scripted_engine
from engine.healing import Healing
from engine.model import Proposal

LONG = "a_name_that_is_longer_than(any, canvas, of=the, model) and goes on + 1234567890"
PIECES = ["a", " = ", "1", "\n", "b\n\n", "c", "d"]
HALF = math.log(0.5)


def text_of(tokens: list[int]) -> str:
    return "".join(PIECES[token] for token in tokens)


def probabilities(text: str, tokens: list[int], count: int) -> list[float]:
    """As powers of a half."""
    found = line_probabilities(text, tokens, [HALF] * count, text_of)
    return [round(-math.log2(one)) for one in found]


@pytest.mark.parametrize(
    ("text", "tokens", "log_probs", "halves"),
    [
        ("a = 1", [0, 1, 2], 4, [4]),  # with its end
        ("a = 1", [0, 1, 2], 3, [3]),  # it ran into a limit
        ("a = 1", [0, 1, 2, 3, 5], 5, [4]),  # a line break ended it
        ("", [], 1, [1]),
        ("", [3, 0], 2, [1]),
        ("a\nc", [0, 3, 5], 4, [2, 4]),
        ("ab\n\nc", [0, 4, 5], 4, [2, 2, 4]),  # two line breaks in one token
        ("a\nc", [0, 3, 5, 6], 5, [2, 4]),  # cut within what was written
    ],
)
def test_a_line_is_as_probable_as_all_up_to_its_end(
    text: str, tokens: list[int], log_probs: int, halves: list[int]
) -> None:
    assert probabilities(text, tokens, log_probs) == halves


def fill(text: str, *lines: float) -> Fill:
    return Fill(text, 3, 1, Finish.END, -0.1, line_probabilities=lines)


@pytest.mark.parametrize(
    ("least", "sure"),
    [(0.0, "a\nb\nc"), (0.2, "a\nb\nc"), (0.21, "a\nb"), (0.5, "a\nb"), (0.6, "a"), (0.95, "")],
)
def test_what_is_sure_is_a_beginning_of_whole_lines(least: float, sure: str) -> None:
    assert fill("a\nb\nc", 0.9, 0.5, 0.2).sure(least) == sure


def test_of_what_nothing_is_known_all_is_sure() -> None:
    assert fill("a\nb").sure(1.0) == "a\nb"
    assert fill("a\nb").probability == 1.0


def test_what_becomes_less_probable_is_given_up() -> None:
    whole, part = (
        scripted_engine([LONG]).fill(Prompt("x = "), FillOptions(least_probability=least))[0]
        for least in (0.0, 0.9)
    )
    assert (whole.text, whole.finish) == (LONG, Finish.END)
    assert part.finish is Finish.UNSURE
    assert LONG.startswith(part.text)
    assert part.steps < whole.steps
    assert part.probability < 0.9
    assert part.sure(0.9) == ""


@pytest.mark.model
@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_tells_the_probability_of_each_line(shipped: Engine, mode: Mode) -> None:
    prompt = Prompt("def add(first, second):\n    ", "\n\n\nprint(add(1, 2))\n")
    options = FillOptions(mode=mode, max_tokens=40)
    for one in shipped.fill(prompt, options):
        assert len(one.line_probabilities) == one.text.count("\n") + 1
        assert list(one.line_probabilities) == sorted(one.line_probabilities, reverse=True)
        assert 0 < one.probability <= 1


def test_what_spells_the_text_taken_back_is_certain_together() -> None:
    """`b` and `bc` may stand there, `a` and `d` may not: the two have all of the probability."""
    pieces = [b"", b"a", b"b", b"bc", b"d"]
    healing = Healing(SimpleNamespace(pieces=pieces), len(pieces))
    chances = np.log(np.array([[[0.6, 0.03, 0.01, 0.1]]], np.float32))
    ids = np.array([[[1, 2, 3, 4]]])
    nothing = np.zeros((1, 1), np.float32)
    proposal = proposal_of(Proposal(ids, chances, nothing, nothing), 0)
    found, log_probs = spelling(proposal, 0, b"b", healing)
    assert found.tolist() == [2, 3]
    assert np.exp(log_probs) == pytest.approx([0.75, 0.25])


@pytest.mark.model
def test_what_was_typed_is_no_guess(shipped: Engine) -> None:
    """A token that spells what is typed is certain where nothing else may stand there."""
    rest = "names = ['a', 'b']\nfor name in nam"
    [typed] = shipped.fill(Prompt(rest, ":\n    print(name)\n"), FillOptions(stop_at_newline=True))
    [whole] = shipped.fill(Prompt(rest[:-3], ":\n    print(name)\n"), FillOptions())
    assert typed.text == "es"
    assert whole.text == "names"
    assert np.log(typed.probability) > np.log(whole.probability)
