"""The way of a gap, from a document to edits, with a scripted model in place of the real one."""

import re
from pathlib import Path
from typing import Any

import pytest

from engine import Fill, FillOptions, Finish, Format, Mode, Prompt, Step
from engine.engine import never
from engine.errors import CancelledError, EngineFailedError
from engine.fake import scripted_engine
from lsp_server.document import Document
from lsp_server.edits import BREAKS_SYNTAX
from lsp_server.infill import Suggestion, infill
from lsp_server.jobs import fill_lines
from lsp_server.nothing import Nothing
from lsp_server.settings import Settings
from lsp_server.spans import Span, SpanKind, choose, choose_lines

SOURCE = "def load(path):\n    with open(path) as f:\n        return ▮\n"


def marked(source: str, language: str = "python") -> Span:
    offset = source.index("▮")
    document = Document.open("file:///x", language, 1, source.replace("▮", ""))
    span = choose(document, offset)
    assert isinstance(span, Span)
    return span


def applied(suggestion: Suggestion) -> str:
    return suggestion.edit.applied(suggestion.span.document.text)


def test_a_fill_becomes_an_edit() -> None:
    span = marked(SOURCE)
    found = infill(span, scripted_engine(["json.load(f)"]), FillOptions())
    assert isinstance(found, tuple)
    assert applied(found[0]) == SOURCE.replace("▮", "json.load(f)")
    assert found[0].fill.steps >= 1
    assert found[0].span is span


def test_a_fill_that_may_not_be_shown_is_followed_by_a_second_try() -> None:
    span = marked(SOURCE)
    engine, asked = scripted_engine(["foo(1, 2", "f.read()"]), list[int]()
    fill = engine.fill

    def noting(prompt: Prompt, options: FillOptions, **named: Any) -> tuple[Fill, ...]:
        asked.append(options.candidates)
        return fill(prompt, options, **named)

    engine.fill = noting  # type: ignore[method-assign, assignment]
    found = infill(span, engine, FillOptions())
    assert isinstance(found, tuple)
    assert [suggestion.edit.text for suggestion in found] == ["f.read()"]
    assert engine.requests == 2
    assert asked == [1, 3], "the second try asks for several candidates"


@pytest.mark.parametrize("unit", ["0", "x, ", "f("])
def test_what_repeats_itself_without_end_is_not_shown(unit: str) -> None:
    span = marked("x = [▮\n", "plaintext")
    found = infill(span, scripted_engine(["1, " + unit * 99]), FillOptions(repair=0))
    assert isinstance(found, Nothing)
    assert found.reason == "repeats-itself"
    ended = infill(span, scripted_engine(["1, " + unit * 7]), FillOptions(repair=0))
    assert isinstance(ended, tuple)
    held = FillOptions(format=Format.one_of(["0" * 30]), max_tokens=40)
    assert isinstance(infill(span, scripted_engine(["0" * 30]), held), tuple)


def test_there_is_no_second_try_where_no_other_could_be_as_sure() -> None:
    span = marked(SOURCE)
    engine = scripted_engine(["((1, 2", "f.read()"])
    found = infill(span, engine, FillOptions(repair=0, least_probability=0.6))
    assert isinstance(found, Nothing)
    assert engine.requests == 1


def test_there_is_no_second_try_when_several_were_asked_for() -> None:
    span = marked(SOURCE)
    engine = scripted_engine([")))"])
    assert isinstance(infill(span, engine, FillOptions(candidates=3, repair=0)), Nothing)
    assert engine.requests == 1


@pytest.mark.parametrize(("fill", "reason"), [("", "empty"), ("b = 2", "repeats-suffix")])
def test_there_is_no_second_try_when_nothing_is_missing(fill: str, reason: str) -> None:
    span = marked("a = 1\n▮\nb = 2\n")
    engine = scripted_engine([fill])
    found = infill(span, engine, FillOptions())
    assert isinstance(found, Nothing)
    assert (found.reason, engine.requests) == (reason, 1)


def test_nothing_says_why_the_best_fill_was_rejected() -> None:
    span = marked(SOURCE)
    found = infill(span, scripted_engine([")))"]), FillOptions(repair=0))
    assert found == BREAKS_SYNTAX


BLOCK = "def load(path):\n▮\n\n\nx = 1\n"


def of_block(text: str, least: float) -> str | Nothing:
    """What is suggested of a fill whose first line has a probability of 0.939, all of it 0.838."""
    span = marked(BLOCK)
    assert span.kind is SpanKind.BLOCK
    found = infill(span, scripted_engine([text]), FillOptions(least_probability=least))
    return found if isinstance(found, Nothing) else found[0].edit.text


@pytest.mark.parametrize(
    ("least", "shown"),
    [
        (0.0, "    a = f(1)\n    return a"),
        (0.83, "    a = f(1)\n    return a"),
        (0.93, "    a = f(1)"),
        (0.95, "    a = f"),
    ],
)
def test_as_much_is_suggested_as_is_probable(least: float, shown: str) -> None:
    assert of_block("    a = f(1)\n    return a", least) == shown


def test_what_is_not_probable_is_not_suggested() -> None:
    nothing = of_block("    a = f(1)\n    return a", 0.999)
    assert isinstance(nothing, Nothing)
    assert nothing.reason == "unsure"
    assert "probability of 99.9%" in nothing.detail


def test_an_empty_fill_is_empty_however_unsure() -> None:
    nothing = of_block("", 1.0)
    assert isinstance(nothing, Nothing)
    assert nothing.reason == "empty"


def test_span_and_options_both_limit_the_length() -> None:
    span = marked(SOURCE)
    assert span.kind is SpanKind.LINE_END
    name = "".join(f"f{n}" for n in range(100))
    [short] = infill(span, scripted_engine([name]), FillOptions(max_tokens=5))
    assert short.edit.text == name[:5]
    [long] = infill(span, scripted_engine([name]), FillOptions(max_tokens=1000))
    assert long.fill.tokens == span.max_tokens


PLACES = ["x = ▮\n", "x = f(▮)\n", "x = [▮]\n", "x = '▮'\n", "▮\nx = 1\n", "import ▮\nx\n"]


def test_the_protocol_says_what_limits_a_fill_beside_the_setting() -> None:
    protocol = Path(__file__).parents[2] / "docs" / "protocol.md"
    [row] = re.findall(r"^\| `maxTokens` .*$", protocol.read_text("utf-8"), re.MULTILINE)
    block = marked("def f():\n    ▮\n\n\nx = 1\n")
    assert block.kind is SpanKind.BLOCK
    few, many = sorted({marked(place).max_tokens for place in PLACES})
    assert f"a line gets no more than {few} or {many} anyway" in row
    assert f"an empty block no more than {block.max_tokens}" in row


def test_the_setting_does_not_limit_lines_written_anew() -> None:
    document = Document.open("file:///x", "python", 1, "x = [1, 2, 3]\n")
    engine, settings = scripted_engine(["y = [1, 2, 4]"]), Settings(max_tokens=5)
    found = fill_lines(document, (0, 0), settings, lambda *_: "", engine, never)
    assert isinstance(found, tuple)
    assert found[0].fill.tokens > settings.max_tokens


@pytest.mark.parametrize(("last", "size"), [(0, 16), (3, 32)])
def test_lines_are_written_on_a_canvas_for_as_much_as_they_were(last: int, size: int) -> None:
    document = Document.open("file:///x", "python", 1, "total = price * count\n" * 6)
    span, steps = choose_lines(document, 0, last), list[Step]()
    assert isinstance(span, Span)
    infill(span, scripted_engine(["x = 1"]), FillOptions(), on_step=steps.append)
    assert {len(step.cells) for step in steps} == {size}


def test_a_one_line_span_ends_at_the_line_break() -> None:
    span = marked(SOURCE)
    [found] = infill(span, scripted_engine(["f.read()\nx = 1"]), FillOptions())
    assert found.edit.text == "f.read()"


def test_equal_edits_are_offered_once() -> None:
    span = marked("x = f(▮)\n")
    found = infill(span, scripted_engine(["a"]), FillOptions(candidates=3))
    assert isinstance(found, tuple)
    edits = [suggestion.edit for suggestion in found]
    assert len(edits) == len(set(edits))


def test_whole_lines() -> None:
    document = Document.open("file:///x", "python", 1, "a = 1\nb = 2\nc = 3\n")
    span = choose_lines(document, 1, 1)
    assert isinstance(span, Span)
    [found] = infill(span, scripted_engine(["b = a + 1\nd = b"]), FillOptions())
    assert applied(found) == "a = 1\nb = a + 1\nd = b\nc = 3\n"


@pytest.mark.parametrize("mode", [Mode.LEFT_TO_RIGHT, Mode.VERIFIED])
def test_where_the_base_writes_whole_lines_end_at_the_line_that_follows(mode: Mode) -> None:
    document = Document.open("file:///x", "python", 1, "a = 1\nb = 2\n\nc = 3\n")
    span = choose_lines(document, 1, 1)
    assert isinstance(span, Span)
    engine = scripted_engine(["b = a + 1\n\nc = 3\nd = 4\ne = 5"])
    [found] = infill(span, engine, FillOptions(mode=mode))
    assert applied(found) == "a = 1\nb = a + 1\n\nc = 3\n"
    assert found.fill.finish is Finish.SUFFIX


def test_where_the_base_writes_whole_lines_stay_as_deep_as_they_were() -> None:
    source = "def f():\n    if x:\n        a()\n    b()\n"
    document = Document.open("file:///x", "python", 1, source)
    span = choose_lines(document, 2, 2)
    assert isinstance(span, Span)
    engine = scripted_engine(["        c()\n        d()\n    e()\n"])
    [found] = infill(span, engine, FillOptions(mode=Mode.LEFT_TO_RIGHT))
    assert applied(found) == source.replace("a()", "c()\n        d()")
    assert found.fill.finish is Finish.DEDENT


def test_a_block_written_by_the_base_ends_with_it() -> None:
    span = marked("def f(x):▮\n\n\ny = f(1)\n")
    engine = scripted_engine(["\n    return x\n\n\ndef g():\n    pass\n"])
    [found] = infill(span, engine, FillOptions(mode=Mode.LEFT_TO_RIGHT))
    assert applied(found) == "def f(x):\n    return x\n\n\ny = f(1)\n"
    assert found.fill.finish is Finish.DEDENT


def test_line_ends_stay_those_of_the_file() -> None:
    span = marked("def f():▮\r\nx = 1\r\n")
    [found] = infill(span, scripted_engine(["\n    a()\n    b()"]), FillOptions())
    assert applied(found) == "def f():\r\n    a()\r\n    b()\r\nx = 1\r\n"


def test_failing_and_cancelling_are_the_callers_matter() -> None:
    span = marked(SOURCE)
    with pytest.raises(EngineFailedError):
        infill(span, scripted_engine(["x"], fail_on={0}), FillOptions())
    with pytest.raises(CancelledError):
        infill(span, scripted_engine(["x"]), FillOptions(), cancelled=lambda: True)


def test_every_denoising_step_is_told() -> None:
    span = marked(SOURCE)
    steps = []
    [found] = infill(span, scripted_engine(["json.load(f)"]), FillOptions(), on_step=steps.append)
    assert [step.index for step in steps] == list(range(found.fill.steps))
    assert found.fill.was_watched


def test_that_fill_was_watched_which_the_steps_wrote_wherever_it_ranks() -> None:
    span = marked("x = ▮\n", "plaintext")
    ranks = []
    for seed in range(8):
        steps: list[Step] = []
        options = FillOptions(candidates=4, temperature=50.0, seed=seed)
        found = infill(span, scripted_engine(["ab"]), options, on_step=steps.append)
        assert isinstance(found, tuple)
        [rank] = [n for n, one in enumerate(found) if one.fill.was_watched]
        written = "".join(cell.text for cell in steps[-1].cells if cell.state != "end")
        assert found[rank].fill.text == written
        ranks.append(rank)
    assert any(ranks), "the watched one is not always the best"


def test_what_nobody_watches_was_not_watched() -> None:
    span = marked(SOURCE)
    [found] = infill(span, scripted_engine(["json.load(f)"]), FillOptions())
    assert not found.fill.was_watched


def test_a_fill_that_is_held_to_a_format_is_not_mended() -> None:
    """Its blanks stay, it goes on beyond one line, and what follows may be repeated."""
    span = marked("x = ▮\ny = 2\n")
    text = "1 \ny = 2"
    options = FillOptions(format=Format.matching(r"1 \ny = \d"))
    found = infill(span, scripted_engine([text]), options)
    assert isinstance(found, tuple)
    assert found[0].edit.text == text
    options = FillOptions(format=Format.one_of(["1 +", ")"]))
    assert infill(span, scripted_engine(["1 +"]), options) == Nothing(
        BREAKS_SYNTAX.reason, BREAKS_SYNTAX.detail
    )
