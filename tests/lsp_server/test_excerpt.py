"""What the arena shows is what would stand there, in the colours of editors."""

from __future__ import annotations

import pytest

from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.excerpt import Excerpt, Run
from lsp_server.syntax import languages

PYTHON = '"""A shop\'s\ndef."""\n\n@cache\ndef total(prices):\n    return 1 + None  # so far\n'


def text(runs: tuple[Run, ...]) -> str:
    return "".join(run.text for run in runs)


def excerpt(before: str, put: str, after: str, language: str = "python", skip: int = 0) -> Excerpt:
    document = Document.open("", language, 0, before + after)
    edit = Edit(len(before), len(before), put)
    return Excerpt.of(document, edit, skip, len(document.text))


def test_code_has_colours() -> None:
    shown = excerpt(PYTHON, "", "")
    assert shown.before == (
        Run("string", '"""A shop\'s\ndef."""'),
        Run("", "\n\n"),
        Run("name", "@cache"),
        Run("", "\n"),
        Run("keyword", "def"),
        Run("", " "),
        Run("name", "total"),
        Run("", "(prices):\n    "),
        Run("keyword", "return"),
        Run("", " "),
        Run("number", "1"),
        Run("", " + "),
        Run("keyword", "None"),
        Run("", "  "),
        Run("comment", "# so far"),
        Run("", "\n"),
    )
    assert shown.text == shown.after == ()


@pytest.mark.parametrize("language", [*languages(), "javascriptreact", "c++"])
def test_code_of_every_language_has(language: str) -> None:
    assert Run("keyword", "return") in excerpt("", "return 1", "", language).text


def test_what_is_read_before_c_is_compiled_is_no_comment() -> None:
    shown = excerpt("", '#include "shop.h"\n// so far\n', "", "c").text
    assert [run.kind for run in shown if run.text.strip()] == ["keyword", "string", "comment"]


def test_what_stands_above_what_is_shown_tells_what_that_is() -> None:
    skip = PYTHON.index("def")
    shown = excerpt(PYTHON, "", "", skip=skip)
    assert shown.before[0] == Run("string", 'def."""')


@pytest.mark.parametrize(
    ("language", "text", "kind"),
    [
        ("python", 'x = f"""é {\n1}\n2 class\n"""\n', "string"),
        ("javascript", "/* 1\n2 class\n*/\n", "comment"),
        ("typescript", "let x = `\n2 class\n`\n", "string"),
        ("rust", "/* 1\n/* 2 */\n2 class\n*/\n", "comment"),
        ("go", "var x = `\n2 class\n`\n", "string"),
        ("python", "x = 1\n2 .y(class)\n", ""),
    ],
)
def test_what_began_above_has_its_colour(language: str, text: str, kind: str) -> None:
    [line, *_] = excerpt(text, "", "", language, skip=text.index("2 class" if kind else "2")).before
    assert line.kind == kind if kind else line == Run("number", "2")


def test_a_token_that_an_edit_ends_has_one_colour() -> None:
    shown = excerpt("name = 'so", " far", "'\n")
    assert [part[0].kind for part in (shown.text, shown.after)] == ["string", "string"]
    assert shown.before[-1] == Run("string", "'so")


@pytest.mark.parametrize("skip", [0, 3])
@pytest.mark.parametrize(
    ("before", "put", "after"),
    [
        ("def f(:\n  'x", "", " )]\n"),
        ("a = 1\r\nb", " = 2\r\nc", " = 3\r\n"),
        ("a =\r", "\r1", "\r"),
        ("日本 = '😀", "é\ud800", "\0'"),
        ("\n\n\n", "\n", "\n\n"),
        ("   ", "", "   "),
    ],
)
def test_nothing_is_lost_of_any_code(before: str, put: str, after: str, skip: int) -> None:
    shown = excerpt(before, put, after, skip=skip)
    parts = [text(part) for part in (shown.before, shown.text, shown.after)]
    plain = [part.replace("\r\n", "\n").replace("\r", "\n") for part in (before[skip:], put, after)]
    assert parts == plain
