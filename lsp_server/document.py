"""A text as an editor has it open: version, lines, tree. It converts every position of LSP.

It knows LSP's way of counting but not pygls. Four rulers meet here: LSP units (UTF-8, UTF-16 or
UTF-32, by agreement with the editor), code points (Python, everything above), bytes (tree-sitter)
and lines. In `x="😋"` the last quote is at character 7, 5 or 4 in UTF-8, UTF-16 or UTF-32.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from tree_sitter import Tree

from lsp_server import syntax
from lsp_server.change import Change, Edit
from lsp_server.ruler import STEP, Encoding, Ruler, fitting, units_of

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Document:
    """One version of an open text. `changed` gives the next one and leaves this as it is."""

    uri: str
    language: str
    """LSP language id."""
    version: int
    # Left out of the representation: a person's code must not get into a log by way of it.
    text: str = field(repr=False)
    line_starts: tuple[int, ...] = field(repr=False)
    r"""Code-point offset of each line's start; lines end at \n, \r\n or \r."""
    notebook: str | None = None
    """The URI of the notebook that the text is a cell of."""
    encoding: Encoding = Encoding.UTF32
    """The unit of LSP characters agreed on with the editor; UTF-32 counts as Python does."""
    before: str = field(default="", repr=False)
    """What stands before the text in its notebook; no position counts it."""
    after: str = field(default="", repr=False)
    """What stands after it."""
    _earlier: Tree | None = field(default=None, repr=False, compare=False)
    """The tree of an earlier text, told of every edit since then."""

    @classmethod
    def open(
        cls,
        uri: str,
        language: str,
        version: int,
        text: str,
        notebook: str | None = None,
        encoding: Encoding = Encoding.UTF32,
    ) -> Document:
        """Reads the text anew."""
        starts = (0, *_line_starts(text, 0, len(text)))
        return cls(uri, language, version, text, starts, notebook, encoding)

    @cached_property
    def tree(self) -> Tree | None:
        """Of `text`, parsed when first asked for; None when the language has no grammar here."""
        return syntax.parse(self.language, self.text, self._earlier, is_cell=self.is_cell)

    @cached_property
    def errors(self) -> int:
        """Errors of syntax in `text`; none where there is no tree."""
        return syntax.errors_in(self.tree) if self.tree is not None else 0

    @property
    def is_cell(self) -> bool:
        """Whether it is a cell of a notebook."""
        return self.notebook is not None

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to go by, neither in the text nor around it."""
        return not any(text.strip("\ufeff \t\r\n") for text in (self.text, self.before, self.after))

    def between(self, before: str, after: str) -> Document:
        """The document with these texts around it; itself if they are there already."""
        if (before, after) == (self.before, self.after):
            return self
        return replace(self, before=before, after=after)

    def changed(self, version: int, changes: Sequence[Change]) -> Document:
        """The document after `changes`, each in terms of the text that the one before left.

        Positions outside the file are clamped. Changes that come from the last to the first and
        are apart, as editors send those of many cursors, are made at once.
        """
        document, known = self, list[Edit]()
        for change in changes:
            start, end = document._range(change)
            # Another change moves no position left of it that it does not touch.
            if known and end >= known[-1].start:
                document, known = document._with(known), []
                start, end = document._range(change)
            known.append(Edit(start, end, change.text))
        return replace(document._with(known), version=version)

    def replaced(self, start: int, end: int, replacement: str) -> Document:
        """The document if code points start..end were `replacement`; its version stays.

        What is not replaced need not be parsed again, however many texts lie between two looks at
        the tree.
        """
        return self._with([Edit(start, end, replacement)])

    def _with(self, edits: Sequence[Edit]) -> Document:
        """The document after these, all apart and the last first."""
        if not edits:
            return self
        known: Tree | None = self.__dict__.get("tree", self._earlier)
        tree = known.copy() if known is not None else None
        if tree is not None:
            syntax.edit(tree, self.text, edits)
        start, end = edits[-1].start, edits[0].end
        middle = self._between(edits)
        text = self.text[:start] + middle + self.text[end:]
        starts = self._line_starts_after(start, end, len(middle), text)
        return replace(self, text=text, line_starts=starts, _earlier=tree)

    def _between(self, edits: Sequence[Edit]) -> str:
        """What will stand from the start of the first edit to the end of the last."""
        pieces, offset = list[str](), edits[-1].start
        for new in reversed(edits):
            pieces += self.text[offset : new.start], new.text
            offset = new.end
        return "".join(pieces)

    def _range(self, change: Change) -> tuple[int, int]:
        if change.start_line is None:
            return 0, len(self.text)
        start = self.offset(change.start_line, change.start_character)
        end = self.offset(change.end_line, change.end_character)
        return min(start, end), max(start, end)

    def _line_starts_after(self, start: int, end: int, size: int, text: str) -> tuple[int, ...]:
        """The line starts of `text`, in which start..end of this one became `size` characters."""
        starts = self.line_starts
        # A line feed may join a carriage return left of it, so lines are read anew from the one
        # that holds the character before the change to the first that starts after it.
        first = bisect_right(starts, max(start - 1, 0)) - 1
        after = bisect_right(starts, end)
        shift = size - (end - start)
        stop = starts[after] + shift if after < len(starts) else len(text)
        fresh = _line_starts(text, starts[first], stop)
        tail = starts[after + 1 :]
        moved = tuple(map(shift.__add__, tail)) if shift else tail
        return (*starts[: first + 1], *fresh, *moved)

    @property
    def path(self) -> Path | None:
        """The file of this machine that the URI names, for a cell that of its notebook; None where
        it names none."""
        try:
            parts = urlsplit(self.notebook or self.uri)
            name = _file_name(parts.path)
        except ValueError:  # such as a bracket that is not closed, or half a character
            return None
        is_here = parts.scheme == "file" and parts.netloc in ("", "localhost")
        path = Path(name)
        return path if is_here and path.is_absolute() and "\0" not in name else None

    @property
    def size(self) -> int:
        """Bytes of the text in UTF-8."""
        return self.byte_at(len(self.text))

    def byte_at(self, offset: int) -> int:
        """The byte, in UTF-8, of a code-point offset."""
        return offset if self.text.isascii() else self._bytes.units(offset)

    def offset_at(self, byte: int) -> int:
        """The code-point offset of a byte; one within a character counts as its start."""
        return byte if self.text.isascii() else self._bytes.offset(byte)

    @cached_property
    def _bytes(self) -> Ruler:
        return Ruler.of(self.text, Encoding.UTF8)

    @cached_property
    def _units(self) -> Ruler:
        """For a line that is long."""
        if self.encoding is Encoding.UTF8:
            return self._bytes
        return Ruler.of(self.text, self.encoding)

    def line_at(self, offset: int) -> int:
        """The 0-based line that holds a code-point offset."""
        return bisect_right(self.line_starts, max(offset, 0)) - 1

    def line_bounds(self, line: int) -> tuple[int, int]:
        """Where a line starts and where its text ends, before its line end; code points."""
        start = self.line_starts[line]
        if line + 1 == len(self.line_starts):
            return start, len(self.text)
        end = self.line_starts[line + 1]
        return start, end - (2 if self.text[start:end].endswith("\r\n") else 1)

    def line(self, line: int) -> str:
        """A line's text without its line end."""
        start, end = self.line_bounds(line)
        return self.text[start:end]

    @property
    def line_end(self) -> str:
        r"""The line end the document uses: that of its first line, \n when it has one line."""
        if len(self.line_starts) == 1:
            return "\n"
        return self.text[self.line_bounds(0)[1] : self.line_starts[1]]

    def offset(self, line: int, character: int) -> int:
        """The code-point offset of an LSP position.

        As LSP says, a character beyond the line's end counts as its end; likewise a line beyond
        the file counts as the file's end. A unit within a character counts as its start.
        """
        if line < 0:
            return 0
        if line >= len(self.line_starts):
            return len(self.text)
        start, end = self.line_bounds(line)
        character = max(character, 0)
        if self.encoding is Encoding.UTF32 or self.text.isascii():
            return min(start + character, end)
        if end - start <= STEP:
            return start + fitting(self.text[start:end], character, self.encoding)
        return min(self._units.offset(self._units.units(start) + character), end)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and character of a code-point offset, clamped to the file."""
        offset = min(max(offset, 0), len(self.text))
        line = self.line_at(offset)
        start, end = self.line_bounds(line)
        offset = min(offset, end)
        if self.encoding is Encoding.UTF32 or self.text.isascii():
            return line, offset - start
        if offset - start <= STEP:
            return line, units_of(self.text[start:offset], self.encoding)
        return line, self._units.units(offset) - self._units.units(start)


def with_line_feeds(text: str) -> str:
    """The text with each of its line ends as a line feed."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _line_starts(text: str, start: int, stop: int) -> tuple[int, ...]:
    """Where the lines after each line end in text[start:stop] start."""
    lines = text[start:stop]
    if lines.count("\r") != lines.count("\r\n"):
        return tuple(match.end() for match in _LINE_END.finditer(text, start, stop))
    # Splitting is four times as fast.
    sizes = (len(line) + 1 for line in lines.split("\n"))
    return tuple(accumulate(sizes, initial=start))[1:-1]


def _file_name(path: str) -> str:
    """The name that a URI's path stands for; the bytes of one need not be UTF-8."""
    return windows_name(path) if os.name == "nt" else os.fsdecode(unquote_to_bytes(path))


def windows_name(path: str) -> str:
    """The same on Windows, where no slash comes before a drive.

    VS Code writes `/c%3A/a.py`, which `urllib.request.url2pathname` takes for a path without one.
    """
    return re.sub("^/(?=[A-Za-z]:)", "", unquote(path))
