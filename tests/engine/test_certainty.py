"""How probable a fill is, and its beginnings."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from engine import Engine, Fill, FillOptions, Finish, Mode, Prompt
from engine.certainty import Beginning, beginnings, sure
from engine.draw import spelling
from engine.fake import scripted_engine
from engine.healing import Healing
from engine.model import Proposal

LONG = "a = name_that_is_longer_than(any, canvas, of=the, model) and goes on + 1234567890"
PIECES = ["a", " = ", "1", "\n", "b\n\n", "c"]
HALF = math.log(0.5)


def text_of(tokens: list[int]) -> str:
    return "".join(PIECES[token] for token in tokens)


@pytest.mark.parametrize(
    ("text", "tokens", "log_probs", "halves"),
    [
        ("a = 1", [0, 1, 2], 4, {"a": 1, "a = ": 2, "a = 1": 4}),  # with its end
        ("a = 1", [0, 1, 2], 3, {"a": 1, "a = ": 2, "a = 1": 3}),  # it ran into a limit
        ("a = 1", [0, 1, 2, 3, 5], 5, {"a": 1, "a = ": 2, "a = 1": 4}),  # a line break ended it
        ("", [], 1, {"": 1}),
        ("", [3, 0], 2, {"": 1}),
        ("a\nc", [0, 3, 5], 4, {"a": 1, "a\n": 2, "a\nc": 4}),
        ("ab\n\nc", [0, 4, 5], 4, {"a": 1, "ab\n\n": 2, "ab\n\nc": 4}),
        ("ab", [0, 4, 5], 4, {"a": 1, "ab": 2}),  # cut within a token
    ],
)
def test_a_beginning_is_as_probable_as_its_tokens(
    text: str, tokens: list[int], log_probs: int, halves: dict[str, int]
) -> None:
    found = beginnings(text, tokens, [HALF] * log_probs, text_of)
    assert {text[: one.end]: round(-math.log2(one.probability)) for one in found} == halves
    assert found[-1].end == len(text)


def test_what_ends_within_a_character_is_no_beginning() -> None:
    texts = {(0,): "a", (0, 1): "a\ufffd", (0, 1, 2): "aä"}
    found = beginnings("aä", [0, 1, 2], [HALF] * 4, lambda tokens: texts[tuple(tokens)])
    assert [one.end for one in found] == [1, 2, 2]


LINES = "self.at = one_two(x)\n    b = 2 * c\nd"
KNOWN = {
    "self": 0.95,
    "self.": 0.9,
    "self.at =": 0.8,
    "self.at = one": 0.7,
    "self.at = one_": 0.65,
    "self.at = one_two": 0.6,
    "self.at = one_two(x)\n   ": 0.5,
    "self.at = one_two(x)\n    b": 0.4,
    "self.at = one_two(x)\n    b = 2 * c": 0.3,
    LINES: 0.2,
}


@pytest.mark.parametrize(
    ("least", "longest"),
    [
        (0.0, LINES),
        (0.2, LINES),
        (0.25, "self.at = one_two(x)\n    b = 2 * c"),
        (0.4, "self.at = one_two(x)"),  # of further lines only whole ones
        (0.55, "self.at = one_two"),
        (0.62, "self.at ="),  # neither `one` nor `one_`
        (0.85, "self."),
        (0.92, "self"),
        (0.96, None),
    ],
)
def test_what_is_sure_ends_with_a_line_or_with_a_word(least: float, longest: str | None) -> None:
    known = [Beginning(len(text), share) for text, share in KNOWN.items()]
    found = list(sure(LINES, known, least, has_ended=True))
    assert next(iter(found), None) == longest
    assert found == sorted(set(found), key=len, reverse=True)
    assert all(LINES.startswith(text) for text in found)


def test_what_has_not_ended_may_go_on_with_its_last_word() -> None:
    known = [Beginning(5, 0.9), Beginning(9, 0.8)]
    assert list(sure("one + two", known, 0.5, has_ended=True)) == ["one + two", "one +"]
    assert list(sure("one + two", known, 0.5, has_ended=False)) == ["one +"]


def test_of_what_nothing_is_known_all_is_sure() -> None:
    assert Fill("a\nb", 3, 1, Finish.END, -0.1).probability == 1.0


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
    assert next(whole.sure(0.0)) == LONG
    [sure, *_] = part.sure(0.9)
    assert sure == "a ="


@pytest.mark.model
@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_tells_the_probability_of_each_beginning(shipped: Engine, mode: Mode) -> None:
    prompt = Prompt("def add(first, second):\n    ", "\n\n\nprint(add(1, 2))\n")
    options = FillOptions(mode=mode, max_tokens=40)
    for one in shipped.fill(prompt, options):
        ends = [beginning.end for beginning in one.beginnings]
        shares = [beginning.probability for beginning in one.beginnings]
        assert ends == sorted(ends)
        assert ends[-1] == len(one.text)
        assert len(ends) >= one.tokens
        assert shares == sorted(shares, reverse=True)
        assert 0 < one.probability <= 1


def test_what_spells_the_text_taken_back_is_certain_together() -> None:
    """`b` and `bc` may stand there, `a` and `d` may not: the two have all of the probability."""
    pieces = [b"", b"a", b"b", b"bc", b"d"]
    healing = Healing(SimpleNamespace(pieces=pieces), len(pieces))
    chances = np.log(np.array([[0.6, 0.03, 0.01, 0.1]], np.float32))
    ids = np.array([[1, 2, 3, 4]])
    nothing = np.zeros(1, np.float32)
    proposal = Proposal(ids, chances, nothing, nothing)
    found, log_probs = spelling(proposal, 0, b"b", healing)
    assert found.tolist() == [2, 3]
    assert np.exp(log_probs) == pytest.approx([0.75, 0.25])


def test_what_a_critic_doubts_spells_nothing_unless_it_is_all_that_can() -> None:
    """None of the two is proposed, so the whole vocabulary is asked, less what is banned."""
    pieces = [b"", b"a", b"b", b"bc", b"d"]
    healing = Healing(SimpleNamespace(pieces=pieces), len(pieces))
    nothing = np.zeros(1, np.float32)
    ids = np.array([[1, 4]])
    proposal = Proposal(
        ids,
        np.log(np.array([[0.6, 0.3]], np.float32)),
        nothing,
        nothing,
        others=lambda places, tokens: np.log(np.full((1, len(tokens)), 0.1, np.float32)),
    )
    for banned, found in (([], [2, 3]), ([2], [3]), ([2, 3], [2, 3])):
        tokens, _ = spelling(proposal, 0, b"b", healing, np.array(banned))
        assert sorted(tokens.tolist()) == found


@pytest.mark.model
@pytest.mark.parametrize("mode", list(Mode))
def test_in_every_mode_what_was_typed_is_no_guess(shipped: Engine, mode: Mode) -> None:
    """`zebra` is improbable there; but once `zeb` is typed it is as good as certain."""
    before = "zebra = load()\nhorse = load()\nprint(horse, zeb"
    options = FillOptions(mode=mode, stop_at_newline=True, max_tokens=2)
    [fill] = shipped.fill(Prompt(before, ")\n"), options)
    assert fill.text.startswith("ra")
    assert fill.beginnings[0].probability > 0.8


@pytest.mark.model
def test_what_was_typed_is_no_guess(shipped: Engine) -> None:
    """A token that spells what is typed is certain where nothing else may stand there."""
    rest = "names = ['a', 'b']\nfor name in nam"
    [typed] = shipped.fill(Prompt(rest, ":\n    print(name)\n"), FillOptions(stop_at_newline=True))
    [whole] = shipped.fill(Prompt(rest[:-3], ":\n    print(name)\n"), FillOptions())
    assert typed.text == "es"
    assert whole.text == "names"
    assert np.log(typed.probability) > np.log(whole.probability)
