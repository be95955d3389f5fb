"""Grammars and the parse of a text. It knows tree-sitter and bytes (UTF-8), not LSP or spans.

Grammars come from the single official wheels and are loaded when a language is first used.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import PurePath
from typing import NamedTuple

from tree_sitter import Language, Node, Parser, Point, Tree

from lsp_server.change import Edit

_GRAMMARS = {
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "python": ("tree_sitter_python", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
}
"""LSP language id -> module and function that give its grammar."""

_ALIASES = {
    "c++": "cpp",
    "javascript.jsx": "javascript",
    "javascriptreact": "javascript",
    "typescript.tsx": "typescriptreact",
}
"""Other names editors use -> a key of _GRAMMARS."""

_SUFFIXES = {
    **dict.fromkeys((".py", ".pyi", ".pyw"), "python"),
    **dict.fromkeys((".js", ".mjs", ".cjs"), "javascript"),
    ".jsx": "javascriptreact",
    **dict.fromkeys((".ts", ".mts", ".cts"), "typescript"),
    ".tsx": "typescriptreact",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
    ".c": "c",
    **dict.fromkeys((".h", ".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx"), "cpp"),
}

_COMMAND = re.compile(
    rb"^([ \t]*|[\w.,* \t]+=[ \t]*)(?:%[%A-Za-z_]|![ !#-&(-<>-~]|\?[?\w])", re.MULTILINE
)
"""What begins a line of IPython, or what is assigned in one: `%time`, `files = !ls`, `?str`."""
_HELP = re.compile(rb"(?<=[\w)\]*])\?(?=\??[ \t]*\r?$)", re.MULTILINE)
"""What ends one: `str.join?`."""
_OTHER = re.compile(rb"\s*%%(?!(?:capture|debug|memit|prun|px|pypy|python3?|time|timeit)\b)[!\w]")
"""The beginning of a cell that is not Python below its first line, such as `%%bash`."""

UNKNOWN = "plaintext"
"""The LSP language id of a file whose language is not known."""


class _Spot(NamedTuple):
    """A place in a text, as tree-sitter counts it."""

    byte: int
    point: Point
    """Row and column (bytes); only a line feed ends a row."""


def language_of(path: str | PurePath) -> str:
    """The LSP language id by the file's suffix; `plaintext` for an unknown one.

    `.h` is read as C++, whose grammar also takes nearly all of C.
    """
    return _SUFFIXES.get(PurePath(path).suffix.lower(), UNKNOWN)


def suffixes(language: str) -> tuple[str, ...]:
    """The suffixes of a language's files; none for an unknown one."""
    known = canonical(language)
    return tuple(suffix for suffix, its in _SUFFIXES.items() if canonical(its) == known)


def canonical(language: str) -> str:
    """The language's key here: the same for all names of one grammar; unknown ones unchanged."""
    return _ALIASES.get(language.lower(), language.lower())


def languages() -> tuple[str, ...]:
    """The LSP language ids that have a grammar."""
    return tuple(_GRAMMARS)


@cache
def grammar(language: str) -> Language | None:
    """The grammar for an LSP language id, loaded once; None when there is none."""
    entry = _GRAMMARS.get(canonical(language))
    if entry is None:
        return None
    module, function = entry
    return Language(getattr(import_module(module), function)())


def parse(
    language: str, text: str, old: Tree | None = None, *, is_cell: bool = False
) -> Tree | None:
    """The tree of `text`, or None for an unknown language.

    `old` is a tree of the text before, already edited (`Tree.edit`); what did not change is reused.
    In a cell of a notebook IPython's own lines are read as comments, and one that IPython hands to
    another program as a whole has no tree.
    """
    known = grammar(language)
    if known is None:
        return None
    source = encode(text)
    if is_cell and canonical(language) == "python":
        if _OTHER.match(source):
            return None
        # Anew: an edit may make another line one of IPython's, or no longer.
        source, old = _without_ipython(source), None
    # Two threads must not share a parser, and making one costs nothing.
    parser = Parser(known)
    return parser.parse(source) if old is None else parser.parse(source, old)


def _without_ipython(source: bytes) -> bytes:
    """A cell with IPython's own lines as Python of the same length, comments after a value."""
    return _HELP.sub(b"#", _COMMAND.sub(rb"\g<1>0#", source))


def encode(text: str) -> bytes:
    """UTF-8, in which tree-sitter counts; a lone surrogate (three bytes) does not fail."""
    return text.encode("utf-8", "surrogatepass")


def size(text: str) -> int:
    """Bytes of a text."""
    return len(text) if text.isascii() else len(encode(text))


def edit(tree: Tree, text: str, edits: Sequence[Edit]) -> None:
    """Tells `tree`, of `text`, what is edited: all apart, the last first. The tree is changed.

    The text is gone through once, however many there are.
    """
    spots: list[tuple[_Spot, _Spot, _Spot]] = []
    offset, place = 0, _Spot(0, Point(0, 0))
    for new in reversed(edits):
        start = _past(place, text[offset : new.start])
        offset, place = new.end, _past(start, text[new.start : new.end])
        spots.append((start, place, _past(start, new.text)))
    for start, end, new_end in reversed(spots):
        tree.edit(start.byte, end.byte, new_end.byte, start.point, end.point, new_end.point)


def _past(start: _Spot, text: str) -> _Spot:
    """Where a text ends that begins at `start`."""
    (row, column), end = start.point, start.byte + size(text)
    newline = text.rfind("\n")
    if newline < 0:
        return _Spot(end, Point(row, column + end - start.byte))
    return _Spot(end, Point(row + text.count("\n"), size(text[newline + 1 :])))


def nodes_at(tree: Tree, first: int, last: int) -> list[Node]:
    """The nodes around bytes first..last, innermost first.

    By a cursor: each look at a node's parent goes down from the root, and code may be deep.
    """
    cursor = tree.walk()
    nodes = [tree.root_node]
    while cursor.goto_first_child_for_byte(first) is not None:
        node = cursor.node
        assert node is not None
        if node.start_byte > first or node.end_byte < last:
            break
        nodes.append(node)
    return nodes[::-1]


def errors_in(tree: Tree) -> int:
    """How many ERROR and MISSING nodes the tree has. Descends only where there are some."""
    cursor = tree.walk()
    count = 0
    while True:
        node = cursor.node
        assert node is not None
        if node.has_error:
            count += node.is_error or node.is_missing
            if cursor.goto_first_child():
                continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return count


def compiles(language: str, text: str) -> bool:
    """Whether Python's own parser takes a text; True for other languages.

    The grammar takes more: a `try` without the clause it needs, and lines that end a block at a
    depth where none began.
    """
    if canonical(language) != "python":
        return True
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes in strings
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
