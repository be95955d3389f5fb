"""How a canvas is drawn."""

import io

import pytest
from rich.console import Console

from engine import Cell, Step
from lsp_server import spans
from lsp_server.document import Document
from lsp_server.watch import CAPTION_WIDTH, Watch, drawn, highlighted

TEXT = 'def f():\n    x = \n    return "é"\n'


def watch(terminal: bool = False) -> Watch:
    """A watch on the gap after `x = `, without pauses, on a console that writes into memory."""
    document = Document.open("a.py", "python", 0, TEXT)
    span = spans.choose(document, TEXT.index("= ") + 2)
    assert isinstance(span, spans.Span)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80, color_system=None)
    made = Watch.around(span, console)
    made.hold = 0.0
    return made


def output(watch: Watch) -> str:
    assert isinstance(watch.console.file, io.StringIO)
    return watch.console.file.getvalue()


def step(index: int, *cells: Cell, canvas: int = 0) -> Step:
    return Step(canvas, index, cells, ms=7.0)


def cell(text: str, state: str = "committed") -> Cell:
    return Cell(text, state, 0.5)


def test_masked_cells_are_blocks_as_wide_as_the_guess() -> None:
    cells = (
        cell("json"),
        cell(".lo", "masked"),
        cell("\n", "masked"),
        cell("(", "new"),
        cell("x", "remasked"),
        cell("", "end"),
    )
    assert drawn(cells).plain == "json░░░░(░"


def test_the_gap_stands_between_the_lines_around_it() -> None:
    with watch(terminal=True) as seen:
        seen.step(step(0, cell("1", "new"), cell("", "masked")))
        seen.finish("1 + 1")
    frames = output(seen)
    assert 'def f():\n    x = 1░\n    return "é"\n' in frames.replace("\r", "")
    assert "step  1:  1 of  2 masked,   7 ms" in frames
    last = frames[frames.rindex("x = ") :]
    assert last.startswith('x = 1 + 1\n    return "é"') and "step" not in last


def test_what_a_terminal_would_obey_is_shown_and_not_sent() -> None:
    shown = highlighted("# \x1b[2J \x07 \x9b \u202e evil\nx", "python").plain
    assert shown == "# ␛[2J ␇ � � evil\nx"
    assert drawn((cell("\x1b[2J"),)).plain == "␛[2J"
    made = watch()
    made.finish("\x1b]0;title\x07")
    assert "␛]0;title␇" in output(made)


def test_a_next_canvas_goes_on_where_the_one_before_ended() -> None:
    with watch() as seen:
        seen.step(step(0, cell("a", "new"), cell(" +", "new")))
        seen.step(step(1, cell(" b", "new"), cell("", "end"), canvas=1))
    assert output(seen).splitlines()[1][CAPTION_WIDTH:] == "    x = a + b"


def test_a_second_try_starts_anew() -> None:
    with watch() as seen:
        seen.step(step(0, cell(")", "new")))
        seen.step(step(0, cell("2", "new")))
    assert output(seen).splitlines()[1][CAPTION_WIDTH:] == "    x = 2"


def test_a_check_shows_the_fill_from_its_start_and_the_next_draft_goes_on_behind_it() -> None:
    with watch() as seen:
        seen.step(step(0, cell("a", "new"), cell(" + c", "new")))
        seen.step(step(1, cell("a"), cell(" -", "new")))  # the check doubts the second token
        seen.step(step(2, cell(" b", "new"), canvas=1))
        seen.step(step(3, cell("a"), cell(" -"), cell(" b")))
    pictures = [line[CAPTION_WIDTH:].strip() for line in output(seen).splitlines()]
    assert pictures == ["x = a + c", "x = a -", "x = a - b", "x = a - b"]


def test_lines_of_a_gap_stand_below_each_other_where_there_is_no_terminal() -> None:
    with watch() as seen:
        seen.step(step(0, cell("(\n        1", "new"), cell("", "masked")))
        seen.finish("(\n        1\n    )")
    shown = output(seen).splitlines()
    lines = ["    x = (", "        1░", "    x = (", "        1", "    )"]
    assert [line[CAPTION_WIDTH:] for line in shown] == lines
    assert [line[:CAPTION_WIDTH].isspace() for line in shown] == [False, True, True, True, True]


@pytest.mark.parametrize("code", ["", "\n\n  x", "a = 'open", "x\n", "\n", "if a:\n    ", "😋"])
@pytest.mark.parametrize("language", ["python", "typescriptreact", "plaintext", "klingon"])
def test_highlighting_changes_no_text(code: str, language: str) -> None:
    assert highlighted(code, language).plain == code


def test_a_picture_higher_than_the_terminal_shows_its_end_and_leaves_all_of_it() -> None:
    tall = watch(terminal=True)
    tall.console.height = 6
    lines = [f"line {number}\n" for number in range(20)]
    with tall as seen:
        seen.step(step(0, *(cell(line, "new") for line in lines)))
        frame = output(seen)
        seen.finish("".join(lines))
    assert "line 19" in frame and "step  1" in frame and "line 15" not in frame
    assert all(f"line {number}\n" in output(seen).replace("\r", "") for number in range(20))
