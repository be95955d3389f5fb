"""A cell of a notebook is filled as the part of a script that it is, and edited as a text of its
own."""

import ast
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from lsp_editor import Editor, Scripted, cell
from lsprotocol import types

from lsp_server import spans
from lsp_server.change import Edit
from lsp_server.completer import Completer
from lsp_server.document import Document
from lsp_server.edits import BREAKS_SYNTAX, to_edit
from lsp_server.host import Host
from lsp_server.mending import REPEATS_LINE_ABOVE, REPEATS_SUFFIX
from lsp_server.notebook import Cell, Notebook
from lsp_server.nothing import Nothing
from lsp_server.prompt import HOP_CHARACTERS, PREFIX_CHARACTERS, SUFFIX_CHARACTERS, prompt_around
from lsp_server.spans import Span

START = types.Position(0, 0)


def document(uri: str, text: str, language: str = "python") -> Document:
    return Document.open(uri, language, 1, text, "file:///study.ipynb")


def notebook(*documents: Document) -> Notebook:
    cells = tuple(Cell(one.uri, one.language != "markdown") for one in documents)
    return Notebook("file:///study.ipynb", cells)


def around(of: Document, *documents: Document) -> tuple[str, str]:
    """What stands before and after a cell."""
    placed = notebook(*documents).place(of, documents)
    return placed.before, placed.after


# What stands around a cell


def test_the_cells_before_and_after_stand_around_one_as_in_a_script() -> None:
    a, b, c, d = (document(name, f"{name} = 1\n") for name in "abcd")
    assert around(c, a, b, c, d) == ("a = 1\n\nb = 1\n\n", "\n\nd = 1")
    assert around(a, a, b) == ("", "\n\nb = 1")


def test_prose_other_languages_and_blank_cells_are_left_out() -> None:
    code, last = document("a", "a = 1"), document("z", "z = a")
    prose, shell = document("b", "# Title", "markdown"), document("c", "ls", "shellscript")
    blank = document("d", " \n")
    assert around(last, code, prose, shell, blank, last) == ("a = 1\n\n", "")
    for alone in (prose, shell):
        assert around(alone, code, prose, shell, last) == ("", "")


def test_a_cell_marked_as_prose_is_none_of_code_whatever_its_language() -> None:
    a, b = document("a", "a = 1"), document("b", "b = 1")
    assert around(b, a, b) == ("a = 1\n\n", "")
    marked = notebook(a, b).updated([Cell("a", is_code=False)])
    assert marked.place(b, [a, b]).before == ""


def test_cells_are_added_removed_and_moved() -> None:
    a, b, c = (Cell(name, is_code=True) for name in "abc")
    before = Notebook("n", (a, b))
    assert before.spliced(1, 0, [c]).cells == (a, c, b)
    assert before.spliced(0, 1, []).cells == (b,)
    assert before.spliced(0, 2, [b, a]).cells == (b, a)
    assert before.cells == (a, b)


def test_a_cell_that_stands_as_before_stays_the_same_document() -> None:
    """Else it would be parsed again."""
    a, b = document("a", "a = 1"), document("b", "b = a")
    placed = notebook(a, b).place(b, [a, b])
    assert notebook(a, b).place(placed, [a, placed]) is placed


def test_a_large_notebook_is_not_kept_once_for_each_of_its_cells() -> None:
    cells = [document(name, f"{name} = 1") for name in "abc"]
    completer = Completer(Host(), lambda status: None)
    completer.notebooks["file:///study.ipynb"] = notebook(*cells)
    for one in cells:
        completer.put(one)
    for asked in "abcb":
        placed = completer.document(asked)
        assert placed is not None and placed.before + placed.after
        kept = [one.uri for one in completer.documents.values() if one.before + one.after]
        assert kept == [asked]
    assert list(completer.documents) == ["a", "b", "c"]


# What the model is shown of it


def test_a_large_notebook_is_cut_to_size_and_begins_alike_in_the_next_cell() -> None:
    """What was read for one cell need not be read again for the next."""
    cells = [document(str(n), f"value_{n:04} = compute({n})\n" * 9) for n in range(400)]
    starts = set()
    for number in (200, 201):
        placed = notebook(*cells).place(cells[number], cells)
        prompt = prompt_around(placed, 0, 0)
        whole = placed.before + placed.text + placed.after
        assert PREFIX_CHARACTERS <= len(prompt.prefix) <= PREFIX_CHARACTERS + 2 * HOP_CHARACTERS
        assert SUFFIX_CHARACTERS <= len(prompt.suffix) <= 2 * SUFFIX_CHARACTERS
        assert prompt.prefix + prompt.suffix in whole
        assert prompt.prefix.startswith("value_")
        starts.add(len(placed.before) - len(prompt.prefix))
    assert len(starts) == 1


# What is no suggestion because of it


def edited(fill: str, *cells: str) -> Edit | Nothing:
    """What becomes of a fill at the end of the middle one of three cells."""
    documents = [document(str(number), text) for number, text in enumerate(cells)]
    here = notebook(*documents).place(documents[1], documents)
    span = spans.choose(here, len(here.text))
    assert isinstance(span, Span)
    return to_edit(span, fill)


def test_what_the_cell_below_begins_with_is_not_written_twice() -> None:
    assert edited("print(a)", "a = 1", "\n", "print(a)\n") is REPEATS_SUFFIX
    lines = edited("\n    a += 1\nprint(a)", "a = 1", "while a < 9:", "print(a)\n")
    assert lines == Edit(12, 12, "\n    a += 1")


def test_what_the_cell_above_ends_with_is_not_written_twice() -> None:
    assert edited("print(a)", "a = 1\nprint(a)\n", "", "b = 1") is REPEATS_LINE_ABOVE
    assert edited("print(a)", "print(a)\na = 1", "", "b = 1") == Edit(0, 0, "print(a)")


def test_a_comment_that_silences_a_checker_comes_only_where_the_notebook_has_one() -> None:
    fill = "f(1)  # noqa"
    assert edited(fill, "import f", "a = ", "b = 1") == Edit(4, 4, "f(1)")
    assert edited(fill, "import f  # noqa", "a = ", "b = 1") == Edit(4, 4, fill)


def test_a_fill_may_hand_the_cell_to_another_program() -> None:
    assert edited("%%bash", "a = 1", "", "b = 1") == Edit(0, 0, "%%bash")


# The server


class Study:
    """An editor with a notebook open, and what the model was shown."""

    def __init__(self, editor: Editor, prompts: Path) -> None:
        self.editor = editor
        self._prompts = prompts

    @property
    def prompts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._prompts.read_text().splitlines()]

    async def sides(self, of: types.TextDocumentItem, at: types.Position) -> tuple[str, str]:
        """What the model is shown before and after a place of a cell."""
        assert await self.editor.ask(at, of.uri, invoked=True)
        return self.prompts[-1]["prefix"], self.prompts[-1]["suffix"]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return tmp_path / "prompts"


LOAD = cell("load", "import json\n\n\ndef load(path):\n    return json.loads(path)")
TITLE = cell("title", "# Results", "markdown")
USE = cell("use", "settings = ")
PRINT = cell("print", "print(settings)\n")
AT = types.Position(0, 11)


async def study(scripted: Scripted, prompts: Path, *texts: str, **given: Any) -> Study:
    editor = await scripted(*texts, prompts=str(prompts), **given)
    editor.open_notebook(LOAD, TITLE, USE, PRINT)
    return Study(editor, prompts)


async def test_cells_of_every_notebook_and_language_are_asked_for(scripted: Scripted) -> None:
    announced = (await scripted(wait=False)).capabilities.notebook_document_sync
    assert announced is not None
    [selector] = announced.notebook_selector
    assert selector.notebook == "*"
    assert list(selector.cells or ()) == [types.NotebookCellLanguage("*")]


async def test_the_model_sees_the_notebook_and_the_edit_is_the_cells(
    scripted: Scripted, prompts: Path
) -> None:
    found = await study(scripted, prompts, "load(path)")
    [item] = await found.editor.ask(AT, USE.uri)
    assert (item.insert_text, item.range) == ("load(path)", types.Range(AT, AT))
    [prompt] = found.prompts
    assert prompt["prefix"] == LOAD.text + "\n\nsettings = "
    assert prompt["suffix"] == "\n\nprint(settings)"


async def test_what_is_typed_in_one_cell_is_seen_in_the_others(
    scripted: Scripted, prompts: Path
) -> None:
    found = await study(scripted, prompts, "f(x)")
    found.editor.type_in_cell("# 😋 new\n", START, LOAD.uri)
    found.editor.type_in_cell("old_", START, USE.uri)
    at = types.Position(0, AT.character + 4)
    before, _ = await found.sides(USE, at)
    assert before == f"# 😋 new\n{LOAD.text}\n\nold_settings = "


async def test_cells_that_are_moved_added_and_removed(scripted: Scripted, prompts: Path) -> None:
    found = await study(scripted, prompts, "f(x)")
    editor = found.editor
    editor.splice(0, 4, USE, TITLE, PRINT, LOAD)
    assert await found.sides(USE, AT) == (USE.text, f"\n\nprint(settings)\n\n{LOAD.text}")
    new = cell("new", "import os")
    editor.splice(0, 0, new, opened=[new])
    assert (await found.sides(USE, AT))[0] == "import os\n\nsettings = "
    editor.splice(3, 1, closed=[PRINT.uri])
    assert (await found.sides(USE, AT))[1] == f"\n\n{LOAD.text}"
    assert await editor.ask(START, PRINT.uri) == []
    assert await editor.why(PRINT.uri) == "not-open"


async def test_a_cell_that_becomes_prose_or_another_language_is_left_out(
    scripted: Scripted, prompts: Path
) -> None:
    found = await study(scripted, prompts, "f(x)")
    prose = types.NotebookCell(types.NotebookCellKind.Markup, LOAD.uri)
    found.editor.change_notebook(data=[prose])
    assert (await found.sides(USE, AT))[0] == USE.text
    other = cell("print", PRINT.text, "r")  # closed and opened again, as VS Code tells of it
    found.editor.splice(3, 1, other, opened=[other], closed=[PRINT.uri])
    assert await found.sides(USE, AT) == (USE.text, "")


async def test_a_notebook_that_closes_takes_its_cells_along(
    scripted: Scripted, prompts: Path
) -> None:
    found = await study(scripted, prompts, "f(x)")
    found.editor.close_notebook(LOAD.uri, TITLE.uri, USE.uri, PRINT.uri)
    for one in (LOAD, TITLE, USE, PRINT):
        assert await found.editor.ask(START, one.uri) == []
        assert await found.editor.why(one.uri) == "not-open"
    found.editor.open_notebook(USE)
    assert await found.sides(USE, AT) == (USE.text, "")


async def test_a_notebook_that_is_left_alone_is_left_alone_in_every_cell(
    scripted: Scripted, prompts: Path
) -> None:
    """By the path of the notebook, whatever the addresses of its cells are."""
    options = {"excludedGlobs": ["**/secrets.*"]}
    editor = await scripted("x", prompts=str(prompts), options=options)
    secret = types.TextDocumentItem("cell:1", "python", 1, "token = ")
    editor.open_notebook(secret, uri="file:///project/secrets.ipynb")
    assert await editor.ask(types.Position(0, 8), secret.uri, invoked=True) == []
    assert await editor.why(secret.uri) == "excluded"
    at = {"line": 0, "character": 8}
    editor.tell("lacuna/readAhead", textDocument={"uri": secret.uri}, position=at)
    editor.open("token = 1\nother = ▮\n")
    assert await editor.ask(types.Position(1, 8))
    assert len(Study(editor, prompts).prompts) == 1


async def test_a_cell_that_is_no_text_or_too_large_is_not_shown_for_another(
    scripted: Scripted, prompts: Path
) -> None:
    editor = await scripted("x", prompts=str(prompts), options={"maxFileBytes": 100})
    large, binary, small = cell("a", "a = 1\n" * 50), cell("b", "\0"), cell("c", "c = 1")
    editor.open_notebook(large, binary, small, USE)
    found = Study(editor, prompts)
    assert (await found.sides(USE, AT))[0] == "c = 1\n\nsettings = "
    assert await editor.ask(START, large.uri) == []
    assert await editor.why(large.uri) == "too-large"


async def test_what_was_read_ahead_in_a_cell_is_what_a_request_asks(
    scripted: Scripted, prompts: Path
) -> None:
    found = await study(scripted, prompts, "load(path)")
    at = {"line": AT.line, "character": AT.character}
    found.editor.tell("lacuna/readAhead", textDocument={"uri": USE.uri}, position=at)
    async with asyncio.timeout(120):
        while not prompts.exists():
            await asyncio.sleep(0.01)
    await found.editor.ask(AT, USE.uri)
    ahead, asked = found.prompts
    assert (ahead.pop("kind"), asked.pop("kind")) == ("read", "fill")
    assert ahead == asked
    assert ahead["prefix"].startswith("import json")


async def test_typing_along_ends_where_another_cell_has_changed(
    scripted: Scripted, prompts: Path
) -> None:
    found = await study(scripted, prompts, "load(path)", "read(path)")
    editor = found.editor
    await editor.ask(AT, USE.uri)
    at = editor.type_in_cell("l", AT, USE.uri)
    assert [item.insert_text for item in await editor.ask(at, USE.uri)] == ["load(path)"]
    assert len(found.prompts) == 1, "no model was needed"
    editor.type_in_cell("# ", START, LOAD.uri)
    await editor.ask(at, USE.uri)
    assert len(found.prompts) == 2


async def test_an_empty_cell_has_the_others_to_go_by(scripted: Scripted, prompts: Path) -> None:
    found = await study(scripted, prompts, "settings = load(path)")
    empty = cell("empty", "")
    found.editor.splice(4, 0, empty, opened=[empty])
    [item] = await found.editor.ask(START, empty.uri)
    assert item.insert_text == "settings = load(path)"
    found.editor.open_notebook(cell("only", ""), uri="file:///empty.ipynb")
    assert await found.editor.ask(START, cell("only", "").uri) == []
    assert await found.editor.why(cell("only", "").uri) == "empty-file"


async def test_lines_of_a_cell_are_filled_anew(scripted: Scripted, prompts: Path) -> None:
    found = await study(scripted, prompts, "settings = load(path)")
    document = {"uri": USE.uri, "version": 1}
    filled = await found.editor.call(
        "lacuna/fillLines", textDocument=document, startLine=0, endLine=0
    )
    assert (filled.text, filled.reason) == ("settings = load(path)", None)
    [edit] = filled.edits
    assert (edit.range.start.line, edit.range.end.line) == (0, 0)
    assert found.prompts[-1]["prefix"] == LOAD.text + "\n\n"


async def test_lines_of_a_cell_stay_wanted_while_another_cell_is_asked(
    scripted: Scripted, prompts: Path, gate: Path
) -> None:
    found = await study(scripted, prompts, "settings = load(path)", "(a)", step_gate=str(gate))
    document = {"uri": USE.uri, "version": 1}
    lines = found.editor.call("lacuna/fillLines", textDocument=document, startLine=0, endLine=0)
    filling = asyncio.create_task(lines)
    await asyncio.sleep(0)
    asked = found.editor.ask(types.Position(0, 5), PRINT.uri)
    await found.editor.call("lacuna/getStatus")
    gate.touch()
    await asked
    assert (await filling).text == "settings = load(path)"


IPYTHON = [
    ("%%time\nframe = read(▮\n", "path)"),
    ("%%time\nfor name in names:\n    ▮\n", "print(name)"),
    ("%matplotlib inline\nimport matplotlib.pyplot ▮\n", "as plt"),
    ("from os ▮\n!pip install -q pandas 'numpy>=2'\n", "import path"),
    ("if missing:\n    !wget -q $url\nframe = ▮\n", "read(path)"),
    ("frame.head(▮\nframe.tail?\n?frame\n", "3)"),
    ("!pip install ▮\n", "pandas"),
]


@pytest.mark.parametrize(("text", "fill"), IPYTHON)
async def test_a_cell_with_lines_of_ipython_is_filled_like_any_other(
    scripted: Scripted, text: str, fill: str
) -> None:
    editor = await scripted(fill, fill)
    before, _, after = text.partition("▮")
    lines = before.split("\n")
    item = cell("magic", before + after)
    editor.open_notebook(item)
    at = types.Position(len(lines) - 1, len(lines[-1]))
    found = await editor.ask(at, item.uri)
    assert [one.insert_text for one in found] == [fill], await editor.why(item.uri)


def test_what_breaks_a_cell_with_lines_of_ipython_is_held_back() -> None:
    here = document("a", "%%time\n!ls\nx = \nprint(x)\n")
    span = spans.choose(here, 15)
    assert isinstance(span, Span)
    assert isinstance(to_edit(span, "f(1)"), Edit)
    assert to_edit(span, "1 = = 2") is BREAKS_SYNTAX


async def test_nothing_of_a_notebook_is_logged(scripted: Scripted) -> None:
    editor = await scripted("fill_secret", fail_on=[0])
    secret = cell("a", "text_secret = ")
    editor.open_notebook(secret)
    at = types.Position(0, 14)
    await editor.ask(at, secret.uri)
    await editor.ask(editor.type_in_cell("typed_secret + ", at, secret.uri), secret.uri)
    editor.splice(0, 1, closed=[secret.uri])
    editor.send(
        {"jsonrpc": "2.0", "method": "notebookDocument/didChange", "params": {"x": "secret"}}
    )
    editor.change_notebook(uri="file:///never-opened.ipynb", data=[])
    await editor.call("lacuna/getStatus")
    assert len(editor.logged) == 1
    assert "secret" not in editor.logged[0]
    await editor.leave()
    assert b"secret" not in editor.log


@pytest.mark.model
async def test_a_name_of_the_cell_above_is_used(tmp_path: Path) -> None:
    """With the shipped model, which without that cell knows of no such name."""
    editor = Editor()
    await editor.launch(str(Path(sys.executable).with_name("lacuna")), "serve")
    await editor.until("ready")
    above = cell("above", "def weekly_totals(frame):\n    return frame.resample('W').sum()\n")
    here = cell("here", "totals = weekly_")
    at = types.Position(0, 16)
    editor.open_notebook(above, here)
    [item, *_] = await editor.ask(at, here.uri, invoked=True)
    assert "weekly_totals(" in item.insert_text
    ast.parse(f"totals = {item.insert_text}")
    editor.splice(0, 1, closed=[above.uri])
    for item in await editor.ask(at, here.uri, invoked=True):
        assert "weekly_totals(" not in item.insert_text
    await editor.leave()
