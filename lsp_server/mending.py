"""A fill's text mended for its place, or why nothing is left of it.

What leaves its scope is cut off, indentation is made that of the lines around, and what follows
anyway is not said twice. Pure: it knows text and span; nothing of models or LSP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from engine.extent import block_end, width
from lsp_server.brackets import comments, unmatched
from lsp_server.document import with_line_feeds
from lsp_server.indent import indent_unit, indentation, seen_indent_unit
from lsp_server.nothing import Nothing
from lsp_server.spans import Span, SpanKind

EMPTY = Nothing("empty", "The model filled the gap with nothing.")
REPEATS_SUFFIX = Nothing("repeats-suffix", "The fill only repeats what follows.")
REPEATS_LINE_ABOVE = Nothing("repeats-line-above", "The fill only repeats the line above.")
LITERALS = (SpanKind.STRING, SpanKind.COMMENT)
_SILENCER = re.compile(
    r"(?:#|//|/\*)[ \t]*"
    r"(?:type: *ignore|noqa|pragma:|pylint:|pyright:|mypy:|nosec|fmt:|isort:"
    r"|eslint|tslint|@ts-|istanbul|c8 |v8 |prettier-ignore|biome-ignore|nolint|NOLINT)[^\n]*"
)
"""A comment that tells a checker to look away."""
_LEAST_OVERLAP = 3
"""Shorter repetitions of what follows are taken for chance, unless they are brackets or quotes."""


def mended(span: Span, text: str) -> str | Nothing:
    """The fill within its scope, indented and without what follows anyway; or why it is nothing."""
    text = _trimmed(span, text)
    text = _unsilenced(span, text)
    text = _within_scope(span, text)
    text = _indented(span, text)
    if not text.strip():
        return EMPTY
    if _repeats_line_above(span, text):
        return REPEATS_LINE_ABOVE
    if _repeats_suffix(span, text):
        return REPEATS_SUFFIX
    text = _without_overlap(span, text)
    return text if text.strip() else REPEATS_SUFFIX


def _trimmed(span: Span, text: str) -> str:
    """The fill with line feeds only, within its one line if it is one, without trailing blanks."""
    text = with_line_feeds(text)
    if span.stop_at_newline:
        text = text.split("\n", 1)[0]
    text = re.sub(r"[ \t]+\n", "\n", text)
    after = span.right
    if not after.strip():
        return text.rstrip()
    return text.rstrip(" \t") if after[0] in " \t" else text


def _unsilenced(span: Span, text: str) -> str:
    """The fill without comments that silence a checker, unless the file has such itself.

    A model has learned them from code whose checkers are not the user's.
    """
    if span.kind is SpanKind.STRING:
        return text
    document = span.document
    asides = (_SILENCER.match(text, at) for at in comments(text, document.language))
    silencers = [aside for aside in asides if aside]
    parts = (document.text, document.before, document.after)
    if not silencers or any(map(_SILENCER.search, parts)):
        return text
    for aside in reversed(silencers):
        text = text[: aside.start()].rstrip(" \t") + text[aside.end() :]
    return text


def _within_scope(span: Span, text: str) -> str:
    """The lines of an empty block's fill up to the first that leaves the block.

    A closing bracket is the last line that is kept. The limit by indentation is Tabby's.
    """
    if span.kind is not SpanKind.BLOCK:
        return text
    return text[: block_end(text, least_indent(span))].rstrip()


def least_indent(span: Span) -> int:
    """How far a line must be indented, in columns, to be in an empty block or as deep as whole
    lines were; 0 for other spans."""
    if span.kind is SpanKind.LINES:
        replaced = span.document.text[span.start : span.end]
        lines = [line for line in replaced.split("\n") if line.strip()]
        return min((width(indentation(line)) for line in lines), default=width(span.indent))
    if span.kind is not SpanKind.BLOCK:
        return 0
    if span.left.strip():
        return width(indentation(span.left)) + 1
    if span.left:
        return width(span.indent)
    # The indentation is a guess here: anything deeper than the block's head will do.
    return width(span.indent) - width(indent_unit(span.document, span.line)) + 1


def _indented(span: Span, text: str) -> str:
    """The fill with tabs or spaces as the lines around have them."""
    before = span.left
    first, *others = text.split("\n")
    if before and not before.strip() and span.kind is not SpanKind.LINES:
        first = first.lstrip(" \t")
    unit = "\t" if "\t" in span.indent else seen_indent_unit(span.document, span.line)
    if unit is not None:
        others = [_reindented(other, unit) for other in others]
        first = first if before else _reindented(first, unit)
    if span.kind is SpanKind.LINES:
        return "\n".join(_aligned([first, *others], span.indent, unit))
    return "\n".join((first, *others))


def _aligned(lines: list[str], indent: str, unit: str | None) -> list[str]:
    """Lines moved together so that the first stands at `indent`, where it is off by a part of a
    level: a blank too many or too few is never meant."""
    off = width(indentation(lines[0])) - width(indent)
    step = unit or "    "
    if not lines[0].strip() or not 0 < abs(off) < width(step):
        return lines
    return [
        _reindented(" " * max(width(indentation(line)) - off, 0) + line.lstrip(" \t"), step)
        if line.strip()
        else line
        for line in lines
    ]


def _reindented(line: str, unit: str) -> str:
    """A line with its indentation in tabs or in spaces, whichever `unit` is."""
    indent = indentation(line)
    if unit == "\t":
        columns = len(indent.replace("\t", "    "))
        new = "\t" * (columns // 4) + " " * (columns % 4)
    else:
        new = indent.replace("\t", unit)
    return new + line[len(indent) :]


def _result_lines(span: Span, text: str) -> list[str]:
    """The lines the fill completes or adds, without blanks at their ends and without empty ones."""
    lines = (span.left + text).split("\n")
    return [line.rstrip() for line in lines if line.strip()]


def line_below(span: Span) -> str:
    """The first line after several to be filled that says something; empty where there is none."""
    if span.stop_at_newline or span.right.strip():
        return ""
    return next(filter(_says_something, map(str.rstrip, _below(span))), "")


def _lines_below(span: Span, count: int) -> list[str]:
    """Up to `count` non-blank lines below the span, without the blanks at their ends."""
    return list(islice(filter(None, map(str.rstrip, _below(span))), count))


def _below(span: Span) -> Iterator[str]:
    """The lines below the span, of a notebook those of the cells below too."""
    document = span.document
    yield from map(document.line, range(document.line_at(span.end) + 1, len(document.line_starts)))
    yield from document.after.split("\n")


def _repeats_line_above(span: Span, text: str) -> bool:
    if span.kind is SpanKind.LINES or span.right.strip():
        return False
    lines = _result_lines(span, text)
    if len(lines) != 1 or not _says_something(lines[0]):
        return False
    for line in range(span.line - 1, -1, -1):
        above = span.document.line(line).rstrip()
        if above:
            return above == lines[0]
    return span.document.before.rstrip().rpartition("\n")[2] == lines[0]


def _repeats_suffix(span: Span, text: str) -> bool:
    """Whether the lines the fill makes are the very ones that follow, and as deep: a block may well
    end as the one around it does."""
    rest = span.right.strip()
    if rest:
        return text.strip() == rest
    lines = _result_lines(span, text)
    below = _lines_below(span, len(lines))
    return below == lines and any(map(_says_something, lines))


def _says_something(line: str) -> bool:
    """Whether a line has a word: brackets alone may well stand twice."""
    return re.search(r"\w", line) is not None


def _without_overlap(span: Span, text: str) -> str:
    """The fill without its tail where that repeats the head of what follows."""
    rest = span.right
    if rest.strip():
        return _without_repeated_head(span, text, rest.rstrip())
    return _without_repeated_lines(span, text)


def _without_repeated_head(span: Span, text: str, rest: str) -> str:
    for tail in (text, text.rstrip()):
        for size in range(min(len(rest), len(tail)), 0, -1):
            shorter = tail[: len(tail) - size]
            if tail.endswith(rest[:size]) and _may_cut(span, shorter, rest[:size]):
                return shorter
    return text


def _may_cut(span: Span, shorter: str, overlap: str) -> bool:
    """Whether an overlap is a repetition and not, as in `f(x)` before `)`, the fill's own."""
    if span.kind in LITERALS:
        return len(overlap) >= _LEAST_OVERLAP or not _says_something(overlap)
    if len(overlap.strip()) < _LEAST_OVERLAP and set(overlap) - set(" \t)]}>;:,\"'`"):
        return False
    opened = unmatched(shorter, span.document.language).opened
    return len(opened) <= len(unmatched(shorter + overlap, span.document.language).opened)


def _without_repeated_lines(span: Span, text: str) -> str:
    lines = text.split("\n")
    below = [line.lstrip() for line in _lines_below(span, len(lines))]
    for size in range(min(len(lines) - 1, len(below)), 0, -1):
        tail, kept = lines[-size:], "\n".join(lines[:-size])
        if [line.strip() for line in tail] != below[:size]:
            continue
        opened = unmatched(kept, span.document.language).opened
        if len(opened) <= len(unmatched(text, span.document.language).opened):
            return kept.rstrip()
    return text
