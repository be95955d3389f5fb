"""Positions in three encodings, line ends of three kinds, and incremental changes of a text."""

import random
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import pytest

from lsp_server import document as document_module
from lsp_server import ruler as ruler_module
from lsp_server.change import Change
from lsp_server.document import Document, windows_name
from lsp_server.ruler import Encoding

UTF8, UTF16, UTF32 = Encoding.UTF8, Encoding.UTF16, Encoding.UTF32


def opened(text: str, encoding: Encoding = UTF16) -> Document:
    return Document.open("file:///x.py", "python", 1, text, encoding=encoding)


def sexp(document: Document) -> str:
    assert document.tree is not None
    return str(document.tree.root_node)


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("", (0,)),
        ("a", (0,)),
        ("a\n", (0, 2)),
        ("a\r\nb", (0, 3)),
        ("a\rb\r", (0, 2, 4)),
        ("\r\n\r\n", (0, 2, 4)),
        ("\n\r\n\r", (0, 1, 3, 4)),
        ("a\u2028b\x0cc\x85d", (0,)),
    ],
)
def test_lines_end_at_lf_crlf_and_cr_only(text: str, starts: tuple[int, ...]) -> None:
    assert opened(text).line_starts == starts


@pytest.mark.parametrize(
    ("text", "line", "bounds"),
    [
        ("ab\r\ncd", 0, (0, 2)),
        ("ab\rcd", 0, (0, 2)),
        ("ab\ncd", 1, (3, 5)),
        ("ab\n", 1, (3, 3)),
        ("\r\r\n", 1, (1, 1)),
    ],
)
def test_line_bounds_leave_out_the_line_end(text: str, line: int, bounds: tuple[int, int]) -> None:
    assert opened(text).line_bounds(line) == bounds


@pytest.mark.parametrize(
    ("text", "line_end"), [("", "\n"), ("a", "\n"), ("a\r\nb\n", "\r\n"), ("a\rb", "\r")]
)
def test_line_end_is_that_of_the_first_line(text: str, line_end: str) -> None:
    assert opened(text).line_end == line_end


@pytest.mark.parametrize(
    ("encoding", "character"),
    [(UTF8, 7), (UTF16, 5), (UTF32, 4)],
)
def test_the_quote_after_an_emoji(encoding: Encoding, character: int) -> None:
    document = opened('y\nx="😋"\n', encoding)
    assert document.offset(1, character) == 6
    assert document.text[6] == '"'
    assert document.position(6) == (1, character)


@pytest.mark.parametrize("encoding", Encoding)
def test_every_offset_survives_the_way_there_and_back(encoding: Encoding) -> None:
    document = opened("\ufeffé😋x\r\n\tß€𝄞\ry\n\n😋", encoding)
    for offset in range(len(document.text) + 1):
        if document.text[offset - 1 : offset + 1] == "\r\n":
            continue
        line, character = document.position(offset)
        assert document.offset(line, character) == offset


@pytest.mark.parametrize(
    ("encoding", "character", "offset"),
    [(UTF16, 2, 1), (UTF8, 2, 1), (UTF8, 3, 1), (UTF8, 5, 2)],
)
def test_a_unit_within_a_character_counts_as_its_start(
    encoding: Encoding, character: int, offset: int
) -> None:
    assert opened("a😋b", encoding).offset(0, character) == offset


@pytest.mark.parametrize(
    ("line", "character", "offset"),
    [(0, 99, 2), (1, 99, 6), (9, 0, 8), (-1, 5, 0), (0, -3, 0), (2, 0, 7), (2, 99, 8)],
)
@pytest.mark.parametrize("encoding", Encoding)
def test_a_position_outside_the_file_is_clamped(
    encoding: Encoding, line: int, character: int, offset: int
) -> None:
    assert opened("ab\r\ncd\ne", encoding).offset(line, character) == offset


LONG = "é😋" + "abcdefg" * 700 + "\ud83d\ude0b€" + "x" * 1024 + "😋" * 1024 + "z"
"""More than one step of a ruler, in a line that has all sizes of characters."""


def units(text: str, encoding: Encoding) -> int:
    """Counted as the protocol says; half a pair is a character of its own."""
    if encoding is UTF32:
        return len(text)
    name = {UTF8: "utf-8", UTF16: "utf-16-le"}[encoding]
    size = sum(len(symbol.encode(name, "surrogatepass")) for symbol in text)
    return size // 2 if encoding is UTF16 else size


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("before", ["", "é\r\n" * 900])
def test_positions_in_a_long_line(before: str, encoding: Encoding) -> None:
    document = opened(f"{before}{LONG}\r\nß", encoding)
    line, start = before.count("\n"), len(before)
    for index in (*range(5), *range(1020, 1030), *range(4895, 4910), *range(5920, len(LONG))):
        character = units(LONG[:index], encoding)
        assert document.position(start + index) == (line, character)
        for within in range(units(LONG[index], encoding)):
            assert document.offset(line, character + within) == start + index
    size = units(LONG, encoding)
    for character in (size, size + 1, 10 * size):
        assert document.offset(line, character) == start + len(LONG)
    assert document.position(start + len(LONG) + 1) == (line, size)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Notes the texts that a function is given from now on, wherever it is called."""

    def watch(name: str) -> list[str]:
        texts: list[str] = []
        function = getattr(document_module, name)

        def noting(text: str, *rest: object) -> object:
            texts.append(text)
            return function(text, *rest)

        for module in (document_module, ruler_module):
            monkeypatch.setattr(module, name, noting, raising=False)
        return texts

    return watch


@pytest.mark.parametrize("encoding", [UTF8, UTF16])
def test_a_long_line_is_not_counted_character_by_character(
    encoding: Encoding, calls: Callable[[str], list[str]]
) -> None:
    document, counted = opened("é" + "a" * 490_000, encoding), calls("units_of")
    line, character = document.position(480_000)
    assert document.offset(line, character) == 480_000
    assert len(counted) < 1_000


@pytest.mark.parametrize("text", ["abc", "é😋ß", "a\r\né\n😋", "", "x\ud83dé", LONG])
def test_bytes_and_code_points(text: str) -> None:
    document, byte = opened(text), 0
    for offset, symbol in enumerate((*text, "")):
        assert document.byte_at(offset) == byte
        size = len(symbol.encode("utf-8", "surrogatepass"))
        assert {document.offset_at(byte + within) for within in range(size or 1)} == {offset}
        byte += size
    assert document.size == byte


@pytest.mark.parametrize(("offset", "position"), [(-5, (0, 0)), (99, (1, 1)), (3, (0, 2))])
def test_an_offset_outside_the_file_or_in_a_line_end_is_clamped(
    offset: int, position: tuple[int, int]
) -> None:
    assert opened("ab\r\nc").position(offset) == position


def test_changes_apply_one_after_the_other() -> None:
    document = opened("a\nb\n")
    after = document.changed(2, [Change(0, 0, 0, 1, "x\ny"), Change(1, 1, 1, 1, "z")])
    assert (after.text, after.version, after.line_starts) == ("x\nyz\nb\n", 2, (0, 2, 5, 7))
    assert (document.text, document.version) == ("a\nb\n", 1)


def test_a_change_without_a_range_replaces_everything() -> None:
    after = opened("a\nb\n").changed(2, [Change.whole("c\r\nd")])
    assert (after.text, after.line_starts) == ("c\r\nd", (0, 3))
    assert sexp(after) == sexp(opened("c\r\nd"))


def test_no_change_keeps_text_and_tree() -> None:
    document = opened("a = 1\n")
    after = document.changed(7, [])
    assert (after.version, after.text, sexp(after)) == (7, document.text, sexp(document))


def test_a_change_beyond_the_file_is_clamped_and_a_swapped_range_put_right() -> None:
    document = opened("ab\ncd")
    assert document.changed(2, [Change(9, 9, 12, 0, "!")]).text == "ab\ncd!"
    assert document.changed(2, [Change(1, 1, 0, 1, "-")]).text == "a-d"


def test_a_change_leaves_the_tree_before_it_alone() -> None:
    document = opened("def f():\n    return 1\n")
    before = sexp(document)
    document.changed(2, [Change(1, 4, 1, 10, "(")])
    assert sexp(document) == before == sexp(opened(document.text))


def test_an_unknown_language_has_lines_but_no_tree() -> None:
    document = Document.open("file:///x", "brainfuck", 1, "+\n").changed(
        2, [Change(0, 1, 0, 1, "\n-")]
    )
    assert document.tree is None
    assert document.line_starts == (0, 2, 4)


def test_a_lone_surrogate_is_a_character_like_others() -> None:
    document = opened('x = "\ud83d"\n').changed(2, [Change(0, 6, 0, 6, "a")])
    assert document.text == 'x = "\ud83da"\n'
    assert sexp(document) == sexp(opened(document.text))


PIECES = [
    "\n", "\r", "\r\n", "x", "é", "😋", "(", ")", '"', "'", "    ", "\t", ":", "def f():\n", "# c",
    "return a + b", "{", "}", "//", "if x == 1:\r\n        y()\r\n", "", "",
]  # fmt: skip


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("language", ["python", "cpp", "typescriptreact"])
def test_changes_give_what_opening_the_text_anew_gives(
    language: str, seed: int, encoding: Encoding
) -> None:
    """Text, line starts and text's pieces by any edits; the tree where a fresh parse has no error.

    How tree-sitter mends broken text may depend on what it reused, so a broken text is only held
    to being broken.
    """
    chance = random.Random(f"{language} {seed}")
    source = "def f(a, b):\r\n    return 'é😋'\n\n" * 3
    document = Document.open("file:///x", language, 0, source, encoding=encoding)
    for version in range(1, 40):
        changes, text = [], document.text
        for _ in range(chance.randint(1, 2)):
            before = Document.open("", "plaintext", 0, text, encoding=encoding)
            start = chance.randint(0, len(text))
            end = min(len(text), start + chance.choice([0, 0, 1, 3, 20]))
            start, end = (before.offset(*before.position(o)) for o in (start, end))
            piece = chance.choice(PIECES)
            first, last = (before.position(o) for o in (start, end))
            changes.append(Change(*first, *last, piece))
            text = text[:start] + piece + text[end:]
        document = document.changed(version, changes)
        fresh = Document.open("file:///x", language, version, text)
        assert document.text == text
        assert document.line_starts == fresh.line_starts
        assert document.tree is not None
        assert fresh.tree is not None
        assert document.tree.root_node.has_error == fresh.tree.root_node.has_error
        if not fresh.tree.root_node.has_error:
            assert sexp(document) == sexp(fresh)


def one_by_one(document: Document, changes: list[Change]) -> Document:
    """As if each change came in a notification of its own."""
    for change in changes:
        document = document.changed(2, [change])
    return document


def same(one: Document, other: Document) -> bool:
    """Whether text, lines and tree are the same."""
    assert one.line_starts == opened(one.text).line_starts
    return one == other and sexp(one) == sexp(other)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "line",
    ["x = f(a, b)\n", "x = '😋é'  # ü\n", "x = f(a)\r\n", "é = '😋'\r\n\r", "if a: b()\r"],
    ids=["ascii", "emoji", "crlf", "emoji-crlf", "cr"],
)
def test_many_changes_at_once_give_what_they_give_one_by_one(
    line: str, seed: int, encoding: Encoding
) -> None:
    """From the last to the first, as VS Code sends them, some touching or beyond their line."""
    chance = random.Random(f"{line} {seed}")
    for _ in range(10):
        document = opened(line * 6, encoding)
        if chance.random() < 0.8:
            assert document.tree is not None
        starts = [
            (chance.randrange(len(document.line_starts) + 1), chance.choice([*range(16), 99]))
            for _ in range(chance.randint(2, 8))
        ]
        changes = [
            Change(row, at, row, at + chance.choice([0, 0, 1, 2, 99]), chance.choice(PIECES))
            for row, at in sorted(starts, reverse=True)
        ]
        if chance.random() < 0.2:
            changes.insert(chance.randrange(len(changes)), Change.whole(line * 5))
        if chance.random() < 0.2:
            chance.shuffle(changes)
        after = document.changed(2, changes)
        assert same(after, one_by_one(document, changes))


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("a\nb", [Change(0, 1, 0, 1, "xyz"), Change(0, 0, 0, 3, "-")]),  # its end was clamped
        ("a😋b", [Change(0, 1, 0, 3, "xyz"), Change(0, 0, 0, 2, "-")]),  # within a pair
        ("a\rb", [Change(1, 0, 1, 0, "\n"), Change(1, 0, 1, 0, "-")]),  # two line ends are one
        ("ab", [Change(9, 0, 9, 0, "x\ny"), Change(8, 0, 8, 0, "-")]),  # beyond the file
        ("abc", [Change(0, 1, 0, 2, ""), Change(0, 1, 0, 2, "-")]),  # what came nearer
        ("abc", [Change(0, 2, 0, 2, "x"), Change(0, 2, 0, 2, "y")]),  # at one place
    ],
)
def test_a_change_that_touches_the_one_before_is_read_after_it(
    text: str, changes: list[Change]
) -> None:
    document = opened(text)
    assert same(document.changed(2, changes), one_by_one(document, changes))


def test_thousands_of_changes_are_made_at_once(calls: Callable[[str], list[str]]) -> None:
    document = opened("x = 'é'\n" * 5_000)
    changes = [Change(row, 0, row, 1, "yz") for row in reversed(range(5_000))]
    read = calls("_line_starts")
    after = document.changed(2, changes)
    assert (after.text, len(read)) == ("yz = 'é'\n" * 5_000, 1)


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python", "def f(a, b):\n    x = a + b\n    if x > 3:\n        return foo(x, y=2)\n"),
        ("javascript", "function f(a) {\n  const x = `é ${a}`;\n  return { x, y: [1] };\n}\n"),
        ("go", "package a\n\nfunc f(a int) int {\n\tx := a + 1\n\treturn x\n}\n"),
        ("rust", "fn f<'a>(a: &'a str) -> u8 {\n    let x = a.len();\n    x as u8\n}\n"),
        ("java", "class A {\n    int f(int a) {\n        return a + 1;\n    }\n}\n"),
        ("c", "int f(int a) {\n    return a + 1;\n}\n"),
    ],
)
@pytest.mark.parametrize("every", [1, 7])
def test_typing_a_file_gives_its_tree(language: str, source: str, every: int) -> None:
    """Character by character, through all the broken states between, looking at some."""
    document = Document.open("file:///x", language, 0, "", encoding=UTF16)
    for version, symbol in enumerate(source, 1):
        line, character = document.position(len(document.text))
        change = Change(line, character, line, character, symbol)
        document = document.changed(version, [change])
        if version % every == 0:
            assert document.tree is not None
    assert document.text == source
    assert sexp(document) == sexp(Document.open("file:///x", language, 0, source))


def test_fifty_thousand_lines() -> None:
    document = opened("    value = compute(é)\n" * 50_000)
    assert len(document.line_starts) == 50_001
    after = document.changed(2, [Change(25_000, 4, 25_000, 9, "x\r\ny")])
    assert len(after.line_starts) == 50_002
    assert after.line(25_001) == "y = compute(é)"
    assert after.line(50_000) == "    value = compute(é)"
    assert after.line_starts == opened(after.text).line_starts


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a%20b/%C3%A4.py", "/a b/ä.py"),
        ("file:///ä.py", "/ä.py"),
        ("FILE://localhost/a.py", "/a.py"),
        ("file:///caf%E9.py", "/caf\udce9.py"),
        ("file://host/share/a.py", None),
        ("file:a.py", None),
        ("file:", None),
        ("file:///a%00b/c.py", None),
        ("file:///a\0b/c.py", None),
        ("file:///\ud800/c.py", None),
        ("file://[", None),
        ("untitled:/a.py", None),
        ("vscode-notebook-cell:/a.ipynb#1", None),
    ],
)
def test_the_file_that_a_uri_names(uri: str, path: str | None) -> None:
    found = Document.open(uri, "python", 1, "").path
    assert found == (None if path is None else Path(path))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/c%3A/my%20code/%C3%A4.py", "c:/my code/ä.py"),  # as VS Code writes it
        ("/C:/a.py", "C:/a.py"),
        ("/home/a.py", "/home/a.py"),
    ],
)
def test_the_file_that_a_path_names_on_windows(path: str, name: str) -> None:
    assert windows_name(path) == name
    assert PureWindowsPath(name).is_absolute() == (name[1] == ":")


def test_the_representation_shows_no_code() -> None:
    assert "secret" not in repr(opened("secret = 1\n"))
