"""Lines of other files that are like those around a gap: what a person would look up.

A project says similar things in several files, and how one of them goes on tells how another may.
So the files are cut into passages, and those that share most words with the place of the gap are
given to the model before the prefix. After the first retrieval of RepoCoder (Zhang et al., 2023,
arXiv 2303.12570), with both sides of the gap to go by; export/LOG.md has what it brings.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import TypeVar

from engine.engine import never
from engine.errors import CancelledError
from engine.prompt import Cancelled
from lsp_server import globs, syntax
from lsp_server.document import Document
from lsp_server.left_alone import left_alone
from lsp_server.settings import Settings

LINES = 14
"""Lines of a passage; the next one begins half as many below."""
MOST = 2
"""Passages that are given, each of another file."""
LEAST = 0.16
"""What is less alike is not given: it tells nothing, and takes time to read."""
ABOVE, BELOW = 700, 300
"""Characters around the line of a gap whose words are looked for elsewhere."""
NEAR, NEAR_NONE = 20, 4
"""Lines a cursor may move with the passages it has, as with others all is read anew, and lines it
may move with none: a new file has nothing that others could be like at first."""
FILE_BYTES, FOLDER_BYTES, FOLDER_FILES = 200_000, 500_000, 200
"""Larger files are not looked at, and of a folder's no more than so much and so many, the last
changed ones."""
FOLDER_ASKED = 2_000
"""Files of a folder that are asked when they changed, the first that the system lists: where there
are more it is data as a rule, and to ask 20,000 took up to half a second."""
OPENED_CHARACTERS = 500_000
"""Of open documents no more than so much is looked at, the last changed ones."""
KEPT_CHARACTERS = 2_000_000
"""Of what was read so much is remembered; cut into passages it takes some fourteen times that."""
EACH = 1_000
"""Characters that a file counts for there, however small it is."""

T = TypeVar("T")
_WORD = re.compile(r"[^\W\d]\w{2,}")
Words = frozenset[str]


@dataclass(frozen=True, slots=True)
class Passage:
    """Some lines of a file."""

    # Left out of the representation, as all that is code is here: none must get into a log.
    text: str = field(repr=False)
    words: Words = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Read:
    stamp: object = field(repr=False)
    """Of the file as it was read, or the text; another one tells that it has changed."""
    size: int
    """Characters."""
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class _Chosen:
    line: int
    text: str = field(repr=False)


@dataclass(slots=True)
class Related:
    """Chooses passages; remembers what it read, and what it chose where. Not thread-safe."""

    is_on: bool = True
    """Whether it looks at anything."""
    may_read: Callable[[Document], bool] = lambda document: True
    """Of open documents; only asked where lines are chosen, not at each key."""
    excluded_globs: Sequence[str] = ()
    max_file_bytes: int = FILE_BYTES
    most_opened: int = OPENED_CHARACTERS
    _read: dict[object, _Read] = field(default_factory=dict, init=False)
    """By path, or URI of an open document; what was used last is at the end."""
    _chosen: dict[str, _Chosen] = field(default_factory=dict, init=False)
    """By the URI of the document with the gap or, where that is a cell, of its notebook."""

    @classmethod
    def by(cls, settings: Settings) -> Related:
        """One that looks at what these settings let be read."""
        return cls(
            is_on=settings.related_files,
            may_read=lambda document: left_alone(document, settings) is None,
            excluded_globs=settings.excluded_globs,
            max_file_bytes=settings.max_file_bytes,
        )

    def lines(
        self,
        document: Document,
        start: int,
        end: int,
        cancelled: Cancelled = never,
        opened: Sequence[Document] = (),
    ) -> str:
        """The lines most like those around the gap start..end (code points); "" if none are.

        They come from those `opened` (the last changed ones last) of the same language, but for
        cells of the same notebook, and from files of the document's folder with its suffix or, for
        a cell, its language. A cursor that stays near a place keeps what was chosen there.
        `cancelled` is asked before each file. Raises CancelledError (what was read until then is
        kept).
        """
        if not self.is_on:
            return ""
        home, line = _home(document), _line(document, start)
        chosen = self._chosen.get(home)
        if chosen is None or abs(line - chosen.line) > (NEAR if chosen.text else NEAR_NONE):
            try:
                others = list(self._others(document, opened, cancelled))
                found = most_like(words_around(document, start, end), others, self._of(document))
            finally:
                there = (document, *opened)
                self._forget({name for one in there for name in (one.uri, _home(one))})
            chosen = self._chosen[home] = _Chosen(line, "\n\n".join(found))
        return chosen.text

    def _others(
        self, document: Document, opened: Sequence[Document], cancelled: Cancelled
    ) -> Iterator[tuple[Passage, ...]]:
        """The passages of every other file that may be looked at; an open one as it is there, or
        not at all."""
        seen = {_source(document)}
        left = self.most_opened
        for other in _until(cancelled, reversed(opened)):
            source = _source(other)
            if source not in seen and _home(other) != _home(document):
                seen.add(source)
                size, is_like = len(other.text), other.language == document.language
                if is_like and size <= min(left, FILE_BYTES) and self.may_read(other):
                    left -= size
                    yield self._of(other)
        if document.path is None:
            return
        folder = Path(os.path.realpath(document.path.parent))
        suffixes = syntax.suffixes(document.language) if document.is_cell else document.path.suffix
        files = self._beside(document.path, suffixes, cancelled)
        for path, stamp in _until(cancelled, files):
            if folder / path.name not in seen:
                yield self._passages(path, stamp, partial(text_of, path))

    def _beside(
        self, path: Path, suffixes: str | tuple[str, ...], cancelled: Cancelled
    ) -> list[tuple[Path, object]]:
        """The files in the folder of `path` that may be looked at, the last changed ones first,
        each with what changes when it does. They have one of the suffixes; none are links."""
        asked = islice(_files(path.parent, suffixes, cancelled) if suffixes else (), FOLDER_ASKED)
        most = min(FILE_BYTES, self.max_file_bytes)
        real = Path(os.path.realpath(path.parent))

        def is_excluded(file: Path) -> bool:
            names = {file.as_posix(), (real / file.name).as_posix()}
            return any(globs.matches(name, self.excluded_globs) for name in names)

        latest = sorted(asked, key=lambda found: -found[0].st_mtime_ns)
        small = ((facts, Path(name)) for facts, name in latest if facts.st_size <= most)
        allowed = (found for found in small if not is_excluded(found[1]))
        files = list(islice(allowed, FOLDER_FILES))
        sizes = accumulate(facts.st_size for facts, _ in files)
        return [
            (file, (facts.st_mtime_ns, facts.st_size))
            for (facts, file), size in zip(files, sizes, strict=True)
            if size <= FOLDER_BYTES
        ]

    def _of(self, document: Document) -> tuple[Passage, ...]:
        if len(document.text) > FILE_BYTES:
            return ()
        return self._passages(document.uri, document.text, lambda: document.text)

    def _passages(self, key: object, stamp: object, text: Callable[[], str]) -> tuple[Passage, ...]:
        read = self._read.pop(key, None)
        if read is None or read.stamp != stamp:
            content = text()
            read = _Read(stamp, len(content) + EACH, tuple(passages(content)))
        self._read[key] = read
        return read.passages

    def _forget(self, opened: Set[str]) -> None:
        """Forgets documents that are closed, and when it is too much what was used longest ago."""
        for known in (self._read, self._chosen):
            for closed in [key for key in known if isinstance(key, str) and key not in opened]:
                del known[closed]
        size = sum(read.size for read in self._read.values())
        while size > KEPT_CHARACTERS:
            size -= self._read.pop(next(iter(self._read))).size


def most_like(
    wanted: Words, files: Sequence[Sequence[Passage]], own: Sequence[Passage]
) -> list[str]:
    """The passages most like a place with the words `wanted`, of those that are like enough, each
    text once; the most alike is the last.

    Likeness is the weight of the words that both have by that of those that either has. A word that
    few passages have, those of the place's `own` file among them, weighs more.
    """
    known = [passage for file in (*files, own) for passage in file]
    counts = Counter(word for passage in known for word in passage.words)

    def weight(words: Words) -> float:
        return sum(math.log((len(known) + 1) / (counts[word] + 0.5)) for word in words)

    def likeness(passage: Passage) -> float:
        both = weight(passage.words & wanted)
        if both < LEAST * its:  # it cannot be like enough
            return 0.0
        return both / (its + weight(passage.words) - both)

    its = weight(wanted)
    best = {max((likeness(passage), passage.text) for passage in file) for file in files if file}
    return [text for alike, text in sorted(best)[-MOST:] if alike >= LEAST]


def words_around(document: Document, start: int, end: int) -> Words:
    """The words near a gap, those of its own line not among them: they change with each key."""
    text, starts = document.text, document.line_starts
    first = starts[document.line_at(start)]
    line = document.line_at(end) + 1
    last = starts[line] if line < len(starts) else len(text)
    above = document.before[-ABOVE:] + text[max(first - ABOVE, 0) : first]
    below = text[last : last + BELOW] + document.after[:BELOW]
    return frozenset(_WORD.findall(above[-ABOVE:]) + _WORD.findall(below[:BELOW]))


def passages(text: str) -> Iterator[Passage]:
    """A text cut into passages, each of which shares half of its lines with the next."""
    lines = text.splitlines()
    words = [frozenset(_WORD.findall(line)) for line in lines]
    for start in range(0, max(len(lines) - LINES // 2, 1), LINES // 2):
        of_lines = slice(start, start + LINES)
        if found := Words().union(*words[of_lines]):
            yield Passage("\n".join(lines[of_lines]), found)


def _files(
    folder: Path, suffixes: str | tuple[str, ...], cancelled: Cancelled
) -> Iterator[tuple[os.stat_result, str]]:
    """Facts and path of each file with one of the suffixes; none where they cannot be had."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in _until(cancelled, entries):
            if entry.name.endswith(suffixes):
                with suppress(OSError):  # it may have gone meanwhile
                    if entry.is_file(follow_symlinks=False):
                        yield entry.stat(), entry.path


def _until(cancelled: Cancelled, items: Iterable[T]) -> Iterator[T]:
    """The items; raises CancelledError before the next one where nobody waits any more."""
    for item in items:
        if cancelled():
            raise CancelledError("cancelled while lines of other files were looked for")
        yield item


def _source(document: Document) -> Path | str:
    """What a document is one text with, under whatever name: its file, by whatever links that is
    reached; else, and for a cell, its URI."""
    if document.is_cell or document.path is None:
        return document.uri
    return Path(os.path.realpath(document.path))


def _home(document: Document) -> str:
    """The URI of what is edited in one place: a notebook, or a document that is in none."""
    return document.notebook or document.uri


def _line(document: Document, offset: int) -> int:
    """The line of an offset there."""
    return document.before.count("\n") + document.line_at(offset)


def text_of(path: Path) -> str:
    """A file's text; none where it cannot be read or is no text."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError):
        return ""
    return "" if "\0" in text else text
