"""The fixed evaluation set: gaps in files of packages that no training saw.

Made anew from a corpus's held-out files, always the same for the same files; its digest is part of
every result, so that two results with one digest are of the same gaps.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.spans import Span, SpanKind, choose

from .gaps import AT_CURSOR, Gap, cut

COUNTS = {"python": 480, "javascript": 120}
"""Gaps of each language."""
OF_ANOTHER = 150
"""Gaps of a language that is asked for by name."""
_LONGEST = {True: 160, False: 700}
"""Most characters of a middle of one line, of several."""
_MOST = {SpanKind.STRING: 0.05, SpanKind.COMMENT: 0.05, SpanKind.BLOCK: 0.12}
"""Most of a kind, as a share of all gaps: text is full of strings, and blocks are seldom solved."""
_TRIES = 2000
"""Tries in a row that give no other gap: a few short files have no more."""
_REPEATS = 0.01
"""Most gaps that were drawn before, as a share of all; one may always be. None at all would make
other sets of those that results are of."""
_FIRST = 200
"""Characters of a file before its first gap, so that there is something to go by."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One gap: a file without its middle, and the middle."""

    language: str
    document: Document
    """Without the middle."""
    span: Span
    middle: str

    @property
    def whole(self) -> str:
        """The file as it was."""
        return self.filled(self.middle)

    def filled(self, text: str) -> str:
        at = self.span.start
        return self.document.text[:at] + text + self.document.text[at:]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model put into a gap."""

    text: str
    tokens: int
    passes: int
    by_itself: Edit | None = None
    """What a person is shown who did not ask; None: nothing."""


def held_out(corpus: Path, counts: dict[str, int] | None = None) -> list[HeldOut]:
    """The set, languages mixed, so that its beginning is a smaller set of the same kind; of Python
    and JavaScript where the corpus holds some of it out, else of what it has.

    Raises FileNotFoundError where the corpus holds nothing out, or nothing with gaps.
    """
    there = {path.stem.removeprefix("held-"): path for path in sorted(corpus.glob("held-*.txt"))}
    wanted = counts or COUNTS
    if counts is None and not wanted.keys() & there.keys():
        wanted = dict.fromkeys(there, OF_ANOTHER)
    asked = {language: count for language, count in wanted.items() if language in there}
    if not asked:
        raise FileNotFoundError(f"{corpus}: no held-out files; `python -m export corpus` makes it")
    found = [gap for name, count in asked.items() for gap in of_language(there[name], name, count)]
    if not found:
        names = ", ".join(there[language].name for language in asked)
        raise FileNotFoundError(f"{corpus}: no gap in {names}: too little code")
    Random(0).shuffle(found)
    return found


def held_out_files(corpus: Path) -> list[Document]:
    """The files that the gaps are of, and what else is held out."""
    return [
        Document.open(f"{path.stem}/{number}", path.stem.removeprefix("held-"), 0, text)
        for path in sorted(corpus.glob("held-*.txt"))
        for number, text in enumerate(path.read_text("utf-8").split("\0"))
    ]


def of_language(path: Path, language: str, count: int) -> list[HeldOut]:
    """Gaps at cursors: those for which the server has a span. One a file and turn."""
    texts = sorted(path.read_text("utf-8").split("\0"))
    rng = Random(0)
    kinds: Counter[SpanKind] = Counter()
    drawn: set[tuple[str, int, str]] = set()
    found: list[HeldOut] = []
    tries = repeats = 0
    while len(found) < count and tries < _TRIES:
        tries += 1
        text = rng.choice(texts)
        if len(text) < 2 * _FIRST:
            continue
        gap = cut(text, _FIRST, len(text), language, rng, AT_CURSOR)
        one = of_gap(text, gap, language) if gap else None
        if one is None or kinds[one.span.kind] >= _MOST.get(one.span.kind, 1.0) * count:
            continue
        place = text, one.span.start, one.middle
        repeats += place in drawn
        if place in drawn and repeats > max(1, _REPEATS * len(found)):
            continue
        drawn.add(place)
        tries = 0
        kinds[one.span.kind] += 1
        found.append(one)
    return found


def of_gap(text: str, gap: Gap, language: str) -> HeldOut | None:
    """A gap as the server would meet it, with the whole file around; None when it would not."""
    middle = text[gap.start : gap.end]
    if not middle.strip():
        return None
    left = text[: gap.start] + text[gap.end :]
    document = Document.open("", language, 0, left)
    span = choose(document, gap.start)
    if not isinstance(span, Span) or len(middle) > _LONGEST[span.stop_at_newline]:
        return None
    if span.stop_at_newline and "\n" in middle:
        return None
    return HeldOut(language, document, span, middle)


def digest(gaps: list[HeldOut]) -> str:
    """A short name of a set by its content."""
    content = "\0".join(f"{gap.span.start}\0{gap.whole}" for gap in gaps)
    return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:12]
