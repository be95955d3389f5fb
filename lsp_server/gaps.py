"""Gaps in a person's own code: places where the editor would suggest something, with what really
stands there taken away.

One is the rest of a line behind a cursor anywhere in it, or the small body of a function, a branch
or a loop. Comments, strings, imports and decorators are left alone: nobody could guess most of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from engine.extent import width
from lsp_server.code_files import CodeFile
from lsp_server.document import Document
from lsp_server.indent import indentation
from lsp_server.source_file import InputError, SourceFile
from lsp_server.spans import Span, SpanKind, choose, kind_at

Bounds = tuple[int, int]
Cut = Callable[[Document, int, Random], Bounds | None]

BODIES = 0.25
"""Share of gaps that are bodies."""
BODY_LINES = 8
"""Most lines of a body."""
LINE_CHARACTERS = 120
"""Most characters taken from a line."""
ABOVE_CHARACTERS = 200
"""So much of a file stands before its first gap, so that there is something to go by."""
WRITTEN_CHARACTERS = 1_000
"""No line that a person writes is longer; a file with such a one was made by a program."""
LINES_TRIED, TIMES_TRIED = 30, 10
"""Places that are tried in a file before the next one, and how often a file may give no new gap in
a row before it is left out."""

_LEFT_ALONE = (SpanKind.COMMENT, SpanKind.STRING, SpanKind.IMPORT, SpanKind.DECORATOR)
_SAYS_SOMETHING = re.compile(r"\w\W*\w")


@dataclass(frozen=True, slots=True)
class Gap:
    """A place in a file without what stood there; offsets in code points."""

    file: str
    """The path as the user would write it."""
    document: Document = field(repr=False)
    """The file without it."""
    start: int
    """Where the cursor is."""
    middle: str = field(repr=False)
    """What stood there."""

    @property
    def is_body(self) -> bool:
        """Whether a body is wanted, and not the rest of a line."""
        return kind_at(self.document, self.start) is SpanKind.BLOCK

    @property
    def whole(self) -> str:
        """The file as it was."""
        text = self.document.text
        return text[: self.start] + self.middle + text[self.start :]

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of the cursor, which count from 1."""
        line = self.document.line_at(self.start)
        return line + 1, self.start - self.document.line_starts[line] + 1


def gaps(files: Sequence[CodeFile], rng: Random) -> Iterator[Gap]:
    """Gaps at random, each in another line, until no file has a new one.

    A large file has more of them than a small one. One that cannot be read any more, that no person
    wrote or that has no new gap is left out from then on.
    """
    missed = dict.fromkeys(files, 0)
    seen: set[tuple[str, int]] = set()
    while missed:
        [file] = rng.choices(list(missed), [file.size for file in missed])
        document = _read(file)
        if document is None:
            del missed[file]
            continue
        for gap in _tried(file, document, rng):
            place = file.name, gap.place[0]
            if place not in seen:
                seen.add(place)
                missed[file] = 0
                yield gap
                break
        else:
            missed[file] += 1
            if missed[file] == TIMES_TRIED:
                del missed[file]


def _tried(file: CodeFile, document: Document, rng: Random) -> Iterator[Gap]:
    """The gaps among some places of a file."""
    cut = body if rng.random() < BODIES else line_end
    first = document.line_at(ABOVE_CHARACTERS) + 1
    last = len(document.line_starts)
    for line in [rng.randrange(first, last) for _ in range(LINES_TRIED if first < last else 0)]:
        bounds = cut(document, line, rng)
        gap = gap_of(file.name, document, *bounds) if bounds else None
        if gap and gap.is_body == (cut is body):
            yield gap


def _read(file: CodeFile) -> Document | None:
    """What people have written; None for what they have not, or what cannot be read."""
    try:
        text = SourceFile.read(file.name).text
    except InputError:
        return None
    if max(map(len, text.splitlines()), default=0) > WRITTEN_CHARACTERS:
        return None
    return Document.open(file.path.as_uri(), file.language, 0, text)


def line_end(document: Document, line: int, rng: Random) -> Bounds | None:
    """From a cursor anywhere in a line of code to its end."""
    text = document.line(line).rstrip()
    if not is_code(document, line):
        return None
    start = rng.randrange(len(indentation(text)), len(text))
    if len(text) - start > LINE_CHARACTERS:
        return None
    return document.line_starts[line] + start, document.line_starts[line] + len(text)


def body(document: Document, line: int, rng: Random) -> Bounds | None:
    """The lines under a head, less what says in words what they do."""
    head = document.line(line).rstrip()
    if not head.endswith((":", "{")) or not is_code(document, line):
        return None
    rows = _deeper(document, line)
    while rows and not is_code(document, rows[0]):
        del rows[0]
    if not 0 < len(rows) <= BODY_LINES:
        return None
    start = document.line_starts[rows[0]] + len(indentation(document.line(rows[0])))
    return start, document.line_starts[rows[-1]] + len(document.line(rows[-1]).rstrip())


def _deeper(document: Document, head: int) -> list[int]:
    """The lines below one that are indented more, blank ones between them included."""
    depth = width(indentation(document.line(head)))
    rows: list[int] = []
    for line in range(head + 1, len(document.line_starts)):
        text = document.line(line)
        if text.strip():
            if width(indentation(text)) <= depth:
                break
            rows += range(rows[-1] + 1 if rows else head + 1, line + 1)
    return rows


def is_code(document: Document, line: int) -> bool:
    """Whether a line says something, and that is no comment, text, import or decorator."""
    text = document.line(line)
    if not _SAYS_SOMETHING.search(text):
        return False
    start = document.line_starts[line]
    ends = start + len(indentation(text)) + 1, start + len(text.rstrip())
    return not any(kind_at(document, end) in _LEFT_ALONE for end in ends)


def gap_of(file: str, document: Document, start: int, end: int) -> Gap | None:
    """A document without start..end, where the editor would suggest something; else None."""
    middle = document.text[start:end]
    left = document.replaced(start, end, "")
    span = choose(left, start)
    if isinstance(span, Span) and span.kind not in _LEFT_ALONE and _SAYS_SOMETHING.search(middle):
        return Gap(file, left, start, middle)
    return None
