"""A critic's doubts open the canvas where they are, and nowhere else."""

import numpy as np
import pytest

from engine import FillOptions, Prompt, Step
from engine.candidate import Candidate, Rules
from engine.canvas import Canvas
from engine.choose import Choice
from engine.fake import CARD, ByteTokenizer, scripted_engine
from engine.healing import Healing
from engine.repair import reopened, tokens_of


def test_what_is_in_doubt_is_filled_otherwise_and_the_rest_stays() -> None:
    steps: list[Step] = []

    def no_bracket(text: str) -> list[tuple[int, int]]:
        return [(text.index("("), text.index("(") + 1)] if "(" in text else []

    [fill] = scripted_engine(["foo(bar"]).fill(
        Prompt("x"), FillOptions(), critic=no_bracket, on_step=steps.append
    )
    assert fill.text == "fooabar"
    doubted = next(n for n, step in enumerate(steps) if step.cells[8].state == "end") + 1
    for step in steps[doubted:]:
        assert {cell.state for cell in step.cells[:4]} == {"committed"}, "x, which is spelled, foo"
    assert steps[doubted].cells[4].state == "new"
    assert fill.steps == doubted + 2, "one pass for another token, one that checks the rest"


def test_all_that_followed_is_put_forward_again_at_once() -> None:
    text = "foo(bar, and more of all that"
    engine = scripted_engine([text])
    engine.script.sure = 1
    options = FillOptions(likely_tokens=len(text))
    [plain] = engine.fill(Prompt("x"), options)
    engine.forget()
    [fill] = engine.fill(Prompt("x"), options, critic=lambda text: [(3, 4)] if "(" in text else [])
    assert fill.text == text.replace("(", "a")
    assert fill.steps == plain.steps + 2, "one for another token, one that checks the rest"


def test_what_was_typed_is_not_opened_alone() -> None:
    """Under a budget of steps neighbours are opened; a place of the middle has nothing to spell."""
    tokenizer = ByteTokenizer()
    cut = Healing(tokenizer, CARD.vocabulary).cut(np.array(tokenizer.encode("y = p")), start_id=0)
    assert cut.owed == b"p"
    ids = np.array([*tokenizer.encode("print(x)"), 0, 0])
    canvas = Canvas.masked(10, 16, 0).commit(np.ones(10, bool), ids, np.zeros(10, np.float32))
    rules = Rules(Choice(), steps=1, temperature=0.0, newline=None, cut=cut)
    for doubted, first in ((0, 0), (3, 3)):
        candidate = Candidate(canvas, (0, 0), passes=1)
        assert reopened(candidate, rules, lambda _, at=doubted: [(at, at + 1)])
        opened = np.flatnonzero(candidate.canvas.open).tolist()
        assert opened == (list(range(10)) if doubted == 0 else [first, first + 1, first + 2])


def test_a_critic_without_doubts_costs_no_pass() -> None:
    [fill] = scripted_engine(["foo()"]).fill(Prompt("x"), critic=lambda text: [])
    assert (fill.text, fill.steps) == ("foo()", 2)


def test_a_critic_that_always_doubts_is_heard_three_times() -> None:
    [fill] = scripted_engine(["foo"]).fill(Prompt("x"), critic=lambda text: [(0, 1)])
    assert fill.text[0] not in ("f", "a", "b"), "none of the three that were doubted"
    assert fill.text[1:] == "oo"


def test_repair_can_be_switched_off() -> None:
    options = FillOptions(repair=0)
    [fill] = scripted_engine(["foo"]).fill(Prompt("x"), options, critic=lambda text: [(0, 1)])
    assert (fill.text, fill.steps) == ("foo", 2)


def test_characters_are_mapped_to_the_tokens_they_are_in() -> None:
    tokenizer = ByteTokenizer()
    canvas = Canvas.masked(8, 16, 0)
    ids = np.array([*tokenizer.encode("aéb"), 0, 0, 0, 0])
    canvas = canvas.commit(np.ones(8, bool), ids, np.zeros(8, np.float32))
    cut = Healing(tokenizer, CARD.vocabulary).whole(np.array([0]))
    assert list(np.flatnonzero(tokens_of(canvas, cut, [(2, 3)]))) == [3]
    assert list(np.flatnonzero(tokens_of(canvas, cut, [(0, 1)]))) == [0]


def test_a_text_that_ends_too_early_goes_on() -> None:
    """The model would end its line at once: something else is written, and what follows it."""

    def closed(text: str) -> list[tuple[int, int]]:
        line = text.split("\n", 1)[0]
        return [] if len(line) > 3 else [(len(line), len(line) + 1)]

    for stop_at_newline, script in ((True, "foo\nbar"), (False, "foo")):
        options = FillOptions(stop_at_newline=stop_at_newline)
        [fill] = scripted_engine([script]).fill(Prompt("x"), options, critic=closed)
        assert len(fill.text) > 3
        assert fill.text.startswith("foo")
        assert "\n" not in fill.text


@pytest.mark.parametrize("size", range(8, 50))
def test_a_critic_is_asked_wherever_a_line_ends(size: int) -> None:
    """Also where its line feed is the last token that a canvas has room for."""
    line, heard = "(" + "x" * (size - 1), list[str]()

    def note(text: str) -> list[tuple[int, int]]:
        heard.append(text)
        return []

    options = FillOptions(stop_at_newline=True)
    [fill] = scripted_engine([line + "\nmore"]).fill(Prompt("x"), options, critic=note)
    assert fill.text == line
    assert heard
    assert line.endswith(heard[-1])


@pytest.mark.parametrize("size", range(20, 36))
def test_a_critic_is_asked_wherever_a_block_ends(size: int) -> None:
    """It sees the block, and no beginning of the line that leaves it."""
    block, heard = "a" * (size - 6) + "\n  b(c", list[str]()

    def note(text: str) -> list[tuple[int, int]]:
        heard.append(text)
        return []

    options = FillOptions(least_indent=2)
    [fill] = scripted_engine([block + "\nq = 1\nmore"]).fill(Prompt("x"), options, critic=note)
    assert fill.text == block
    assert heard
    assert block.endswith(heard[-1])


def test_a_block_whose_end_is_in_doubt_goes_on() -> None:
    def open_bracket(text: str) -> list[tuple[int, int]]:
        return [(len(text), len(text) + 1)] if text.count("(") > text.count(")") else []

    engine = scripted_engine(["f(a,\n  b\nq = 1"])
    [plain] = engine.fill(Prompt("x"), FillOptions(least_indent=2))
    [fill] = engine.fill(Prompt("x"), FillOptions(least_indent=2), critic=open_bracket)
    assert plain.text == "f(a,\n  b"
    assert fill.text.startswith("f(a,\n  b")
    assert fill.text[len(plain.text)] != "\n", "the break that left the block comes no more"


def test_a_doubt_behind_the_canvas_opens_nothing() -> None:
    tokenizer = ByteTokenizer()
    canvas = Canvas.masked(2, 16, 0)
    ids = np.array(tokenizer.encode("a\n"))
    canvas = canvas.commit(np.ones(2, bool), ids, np.zeros(2, np.float32))
    cut = Healing(tokenizer, CARD.vocabulary).whole(np.array([0]))
    rules = Rules(Choice(), steps=None, temperature=0.0, newline=None, cut=cut)
    assert not reopened(Candidate(canvas, (0, 0)), rules, lambda _: [(2, 3)])
