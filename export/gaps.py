"""Gaps for training and evaluation: where to cut a middle out of finished code.

Gaps are cut at characters, since a cursor stands anywhere, and of the kinds that the server asks
for: what is left after the cut is given to `lsp_server.spans.choose`, and a gap at which the server
would ask for nothing, or for something else, is thrown away. Pure: text in, offsets out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from lsp_server.brackets import unmatched
from lsp_server.document import Document
from lsp_server.indent import indentation
from lsp_server.spans import Span, SpanKind, choose


@dataclass(frozen=True, slots=True)
class Gap:
    """A middle text[start:end] cut out of a text; offsets in code points."""

    start: int
    end: int
    kind: SpanKind


@dataclass(frozen=True, slots=True)
class Line:
    """A non-blank line of a text: text[start:end] without its line end."""

    text: str
    start: int
    end: int

    @property
    def code(self) -> str:
        return self.text[self.start : self.end]

    @property
    def first(self) -> int:
        """Where the code begins after the indentation."""
        return self.start + len(indentation(self.code))


Bounds = tuple[int, int]
Cut = Callable[[Line, str, Random], Bounds | None]


def to_line_end(line: Line, language: str, rng: Random) -> Bounds | None:
    """From a cursor to the end of its line: half-typed, empty, or still without indentation."""
    shape = rng.random()
    if shape < 0.08:
        return line.start, line.end
    if shape < 0.3:
        return line.first, line.end
    return rng.randrange(line.first, line.end), line.end


def to_closer(line: Line, language: str, rng: Random) -> Bounds | None:
    """From a cursor to the bracket that closes around it: editors type the closer themselves."""
    openers = [line.start + match.end() for match in re.finditer(r"[(\[{]", line.code)]
    if not openers:
        return None
    start = rng.choice(openers)
    closed = unmatched(line.text[start : line.end], language).closed
    if not closed:
        return None
    end = start + closed[0].index
    if rng.random() < 0.4 and end > start:
        start = rng.randrange(start, end)
    return start, end


def to_quote(line: Line, language: str, rng: Random) -> Bounds | None:
    """From a cursor in a string to its closing quote."""
    literals = list(re.finditer(r"""(["'`])((?:\\.|(?!\1)[^\\])+)\1""", line.code))
    if not literals:
        return None
    literal = rng.choice(literals)
    start, end = line.start + literal.start(2), line.start + literal.end(2)
    return (start if rng.random() < 0.5 else rng.randrange(start, end)), end


def within_line(line: Line, language: str, rng: Random) -> Bounds | None:
    """Some words in the middle of a line."""
    edges = [line.start + match.start() for match in re.finditer(r"\b|(?<=\W)(?=\W)", line.code)]
    edges = [edge for edge in edges if edge >= line.first]
    if len(edges) < 3:
        return None
    first = rng.randrange(len(edges) - 1)
    return edges[first], edges[min(first + rng.randrange(1, 9), len(edges) - 1)]


def block(line: Line, language: str, rng: Random) -> Bounds | None:
    """The whole body under a head, from the head's end or from the body's first indentation."""
    head = line.code.rstrip()
    if not head.endswith(":" if language == "python" else "{"):
        return None
    end = _body_end(line)
    if end is None:
        return None
    body = line.text[line.end : end]
    blanks = len(body) - len(body.lstrip())
    return line.end + (blanks if rng.random() < 0.6 else 0), end


def _body_end(head: Line) -> int | None:
    """Where the last line of the body under a head ends; None if the text ends before it does."""
    depth = len(indentation(head.code))
    end = None
    for match in re.finditer(r"[^\n]+", head.text[head.end :]):
        row = match[0]
        if not row.strip():
            continue
        if len(indentation(row)) <= depth:
            return end
        end = head.end + match.end()
    return None


def lines(line: Line, language: str, rng: Random) -> Bounds | None:
    """One to four whole lines, now and then with the last one's line end."""
    end = line.end
    for _ in range(rng.randrange(4)):
        following = line.text.find("\n", end + 1)
        end = following if following >= 0 else end
    if rng.random() < 0.15:
        return line.start, min(end + 1, len(line.text))
    return (line.start if rng.random() < 0.3 else line.first), end


def nothing(line: Line, language: str, rng: Random) -> Bounds | None:
    """An empty gap: the line is complete as it stands."""
    return line.end, line.end


CUTS: dict[Cut, float] = {
    to_line_end: 0.44,
    to_closer: 0.14,
    to_quote: 0.04,
    within_line: 0.08,
    block: 0.15,
    lines: 0.12,
    nothing: 0.03,
}
"""How often each is tried; blocks fail more often than lines."""
_UNASKED = frozenset({within_line, lines})
"""Cuts for selections and marked regions: the cursor's span has no say in them."""
_SIGHT = 1200
"""Characters after a gap that the server's choice sees here."""


AT_CURSOR: dict[Cut, float] = {to_line_end: 0.55, to_closer: 0.2, to_quote: 0.05, block: 0.2}
"""What a person at a cursor waits for, with an end of its own: for evaluation."""


def cut(
    text: str,
    first: int,
    last: int,
    language: str,
    rng: Random,
    cuts: Mapping[Cut, float] = CUTS,
) -> Gap | None:
    """Tries to cut one gap that starts in text[first:last]; None when what was drawn is no gap."""
    line = _line_at(text, rng.randrange(first, last))
    if not line.code.strip():
        return None
    [how] = rng.choices(list(cuts), list(cuts.values()))
    bounds = how(line, language, rng)
    if bounds is None or not first <= bounds[0] < last:
        return None
    start, end = bounds
    if (not text[start:end].strip()) != (how is nothing):
        return None
    if how in _UNASKED:
        kind = SpanKind.LINES if how is lines else SpanKind.EXPRESSION
        return Gap(start, end, kind)
    span = asked(text, start, end, language)
    if span is None or (span.stop_at_newline and "\n" in text[start:end]):
        return None
    if how is block and span.kind is not SpanKind.BLOCK:
        return None
    return Gap(start, end, span.kind)


def asked(text: str, start: int, end: int, language: str) -> Span | None:
    """What the server would ask for with text[start:end] not yet written."""
    left = text[:start] + text[end : end + _SIGHT]
    span = choose(Document.open("", language, 0, left), start)
    return span if isinstance(span, Span) else None


def _line_at(text: str, offset: int) -> Line:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return Line(text, start, len(text) if end < 0 else end)
