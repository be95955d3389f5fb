"""Places where lines are still to be typed: held-out gaps, and bodies of a project's functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tree_sitter import Node

from export.held_out import HeldOut, held_out
from lsp_server.code_files import CodeFile, code_files
from lsp_server.document import Document, with_line_feeds
from lsp_server.indent import indentation
from lsp_server.settings import Settings
from lsp_server.source_file import InputError, SourceFile

LINES = 3
"""Most lines that are typed at a gap."""
BODY = range(3, 26)
"""Lines that a function's body may have."""


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of a file that are still to be typed."""

    uri: str
    """Of the file; empty where it has no name."""
    language: str
    before: str
    """Up to where the first line's code begins."""
    middle: str
    after: str

    @classmethod
    def of(cls, gap: HeldOut) -> Place:
        """The gap's line as a whole, and what follows it at its depth or deeper."""
        lines = gap.whole.split("\n")
        first = gap.whole.count("\n", 0, gap.span.start)
        depth = len(indentation(lines[first]))
        end = first + 1
        while end < min(first + LINES, len(lines)) and lines[end].strip():
            if len(indentation(lines[end])) < depth:
                break
            end += 1
        return cls.of_lines("", gap.language, lines, first, end)

    @classmethod
    def of_lines(cls, uri: str, language: str, lines: list[str], first: int, end: int) -> Place:
        """Lines first..end (0-based, end exclusive) of all of a file's."""
        depth = len(indentation(lines[first]))
        before = "".join(line + "\n" for line in lines[:first]) + lines[first][:depth]
        middle = "\n".join(lines[first:end])[depth:].rstrip()
        return cls(uri, language, before, middle, "".join("\n" + line for line in lines[end:]))


def of_gaps(corpus: Path) -> list[Place]:
    """The gaps of one line of the held-out set, in its order."""
    places = [Place.of(gap) for gap in held_out(corpus) if gap.span.stop_at_newline]
    return [place for place in places if place.middle]


def of_functions(folder: Path) -> list[Place]:
    """The bodies of all functions in a folder's code, none of them within another, files mixed.

    Raises InputError where no code is.
    """
    found = [place for file in code_files([str(folder)], Settings()) for place in _of_file(file)]
    Random(0).shuffle(found)
    return found


def _of_file(file: CodeFile) -> Iterator[Place]:
    with suppress(InputError):  # it cannot be read
        text = with_line_feeds(SourceFile.read(file.name).text)
        document = Document.open(file.path.as_uri(), file.language, 0, text)
        if document.tree is not None:
            yield from _bodies(document, document.tree.root_node)


def _bodies(document: Document, root: Node) -> Iterator[Place]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if place := _body(document, node) if _is_function(node) else None:
            yield place
        else:
            waiting.extend(node.named_children)


def _is_function(node: Node) -> bool:
    """Whether it is a function or a method, as grammars call them."""
    return "function" in node.type or "method" in node.type


def _body(document: Document, function: Node) -> Place | None:
    """What stands on lines of its own in a body; None where that is too little or too much."""
    body = function.child_by_field_name("body")
    if body is None or body.prev_sibling is None:
        return None
    first, last = body.start_point.row, body.end_point.row
    if body.children and body.children[0].type == "{":
        first, last = first + 1, last - 1
    elif first == body.prev_sibling.end_point.row:
        return None
    lines = document.text.split("\n")
    while first < last and not lines[first].strip():
        first += 1
    if last + 1 - first not in BODY:
        return None
    return Place.of_lines(document.uri, document.language, lines, first, last + 1)
