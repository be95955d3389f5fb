"""From a fill's text to the smallest edit that may be shown, or the reason why none may.

Pure: it knows text, tree and span; nothing of models or LSP. Fills are mended first (scope,
indentation, overlap with what follows), then judged (repetition, syntax).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from engine.extent import block_end, width
from lsp_server.brackets import CLOSERS, PAIRS, unmatched
from lsp_server.document import Document, with_line_feeds
from lsp_server.indent import indent_unit, indentation, seen_indent_unit
from lsp_server.spans import Span, SpanKind
from lsp_server.syntax import errors_after, errors_in


@dataclass(frozen=True, slots=True)
class Edit:
    """Code points start..end of the document become `text`; what both share is left out."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A fill that is not shown."""

    reason: str
    """A stable name."""
    detail: str
    """A sentence for people."""


@dataclass(frozen=True, slots=True)
class InlineEdit:
    """An edit as an inline completion item wants it; offsets in code points of the document."""

    line: int
    """The 0-based line the whole range is on: that of the cursor."""
    start: int
    """Start of the typed token, or of the edit where that is further left."""
    end: int
    """The cursor, or the end of what the edit replaces right of it."""
    text: str
    """What the range becomes; it begins with the typed token."""
    filter_text: str
    """What the editor holds the typed token against."""


EMPTY = Rejected("empty", "The model filled the gap with nothing.")
UNCHANGED = Rejected("unchanged", "The fill is what already stands there.")
REPEATS_SUFFIX = Rejected("repeats-suffix", "The fill only repeats what follows.")
REPEATS_LINE_ABOVE = Rejected("repeats-line-above", "The fill only repeats the line above.")
REPEATS_ITSELF = Rejected("repeats-itself", "The fill says one thing over and over, without end.")
BREAKS_SYNTAX = Rejected("breaks-syntax", "With the fill the file would parse worse than before.")

LITERALS = (SpanKind.STRING, SpanKind.COMMENT)
_TYPED_TOKEN = re.compile(r"[\w$]*\Z")
_SILENCER = re.compile(
    r"[ \t]*(?:#|//|/\*)[ \t]*"
    r"(?:type: *ignore|noqa|pragma:|pylint:|pyright:|mypy:|nosec|fmt:|isort:"
    r"|eslint|tslint|@ts-|istanbul|c8 |v8 |prettier-ignore|biome-ignore|nolint|NOLINT)[^\n]*"
)
"""A comment that tells a checker to look away."""
_NAME = "x"
"""What a gap is held to contain where nothing at all would be an error."""
_LEAST_OVERLAP = 3
"""Shorter repetitions of what follows are taken for chance, unless they are brackets or quotes."""


def to_edit(
    document: Document, span: Span, fill_text: str, *, check_syntax: bool = True
) -> Edit | Rejected:
    """The edit that puts a fill into its span, mended; or why it is not to be shown."""
    text = _mended(document, span, fill_text)
    if isinstance(text, Rejected):
        return text
    for shorter in (text, *_cut_back(span, text)):
        whole = _above_closer(document, span, shorter)
        end = _over_closers(document, span, whole)
        new = whole.replace("\n", document.line_end)
        if new == document.text[span.start : end]:
            return UNCHANGED
        if not check_syntax or not breaks_syntax(document, span, end, new):
            return _smallest(document, span.start, end, new)
    return BREAKS_SYNTAX


def verbatim(document: Document, span: Span, text: str) -> Edit | Rejected:
    """The edit that puts a text into its span as it stands; or why it is not to be shown."""
    new = text.replace("\n", document.line_end)
    if new == document.text[span.start : span.end]:
        return UNCHANGED if text else EMPTY
    if breaks_syntax(document, span, span.end, new):
        return BREAKS_SYNTAX
    return _smallest(document, span.start, span.end, new)


def _mended(document: Document, span: Span, text: str) -> str | Rejected:
    """The fill within its scope, indented and without what follows anyway; or why it is nothing."""
    text = _unsilenced(document, span, _trimmed(document, span, text))
    text = _indented(document, span, _within_scope(document, span, text))
    if not text.strip():
        return EMPTY
    if _repeats_line_above(document, span, text):
        return REPEATS_LINE_ABOVE
    if _repeats_suffix(document, span, text):
        return REPEATS_SUFFIX
    text = _without_overlap(document, span, text)
    return text if text.strip() else REPEATS_SUFFIX


def _cut_back(span: Span, text: str) -> Iterator[str]:
    """Beginnings of a block's fill that may parse where all of it does not.

    A fill that ran into its limit breaks off within a line, or within a statement of several: so
    first without its last line, then without its last line at the block's own depth and all below.
    """
    lines = text.split("\n")
    if span.kind is not SpanKind.BLOCK or len(lines) < 2:
        return
    depth = width(span.indent)
    base = [n for n, line in enumerate(lines) if line.strip() and _depth(lines, n) <= depth]
    for count in dict.fromkeys((len(lines) - 1, base[-1] if base else 0)):
        shorter = "\n".join(lines[:count]).rstrip()
        if shorter.strip():
            yield shorter


def _depth(lines: list[str], number: int) -> int:
    """Columns a line of a fill is indented; its first line stands where the cursor is."""
    return width(indentation(lines[number])) if number else 0


def inline_item(document: Document, edit: Edit, offset: int) -> InlineEdit:
    """The edit with its range stretched from the start of the typed token to the cursor.

    Raises ValueError when the edit replaces text on another line than the cursor's.
    """
    line = document.line_at(offset)
    line_start, line_end = document.line_bounds(line)
    typed = _TYPED_TOKEN.search(document.text[line_start:offset])
    token = line_start + (typed.start() if typed else 0)
    start, end = min(token, edit.start), max(offset, edit.end)
    if start < line_start or end > line_end:
        raise ValueError(f"edit {edit.start}..{edit.end} is not on line {line} of {document.uri}")
    text = document.text[start : edit.start] + edit.text + document.text[edit.end : end]
    return InlineEdit(line, start, end, text, filter_text=text)


def _trimmed(document: Document, span: Span, text: str) -> str:
    """The fill with line feeds only, within its one line if it is one, without trailing blanks."""
    text = with_line_feeds(text)
    if span.stop_at_newline:
        text = text.split("\n", 1)[0]
    text = re.sub(r"[ \t]+\n", "\n", text)
    after = _rest_of_line(document, span)
    if not after.strip():
        return text.rstrip()
    return text.rstrip(" \t") if after[0] in " \t" else text


def _unsilenced(document: Document, span: Span, text: str) -> str:
    """The fill without comments that silence a checker, unless the file has such itself.

    A model has learned them from code whose checkers are not the user's.
    """
    shorter = _SILENCER.sub("", text)
    if shorter == text or span.kind is SpanKind.STRING:
        return text
    parts = (document.text, document.before, document.after)
    return text if any(map(_SILENCER.search, parts)) else shorter


def _within_scope(document: Document, span: Span, text: str) -> str:
    """The lines of an empty block's fill up to the first that leaves the block.

    A closing bracket is the last line that is kept. The limit by indentation is Tabby's.
    """
    if span.kind is not SpanKind.BLOCK:
        return text
    return text[: block_end(text, least_indent(document, span))].rstrip()


def least_indent(document: Document, span: Span) -> int:
    """How far a line must be indented, in columns, to be in an empty block or as deep as whole
    lines were; 0 for other spans."""
    if span.kind is SpanKind.LINES:
        lines = [line for line in document.text[span.start : span.end].split("\n") if line.strip()]
        return min((width(indentation(line)) for line in lines), default=width(span.indent))
    if span.kind is not SpanKind.BLOCK:
        return 0
    line = document.line_at(span.start)
    before = document.text[document.line_starts[line] : span.start]
    if before.strip():
        return width(indentation(before)) + 1
    if before:
        return width(span.indent)
    # The indentation is a guess here: anything deeper than the block's head will do.
    return width(span.indent) - width(indent_unit(document, line)) + 1


def _indented(document: Document, span: Span, text: str) -> str:
    """The fill with tabs or spaces as the lines around have them."""
    line = document.line_at(span.start)
    before = document.text[document.line_starts[line] : span.start]
    first, *others = text.split("\n")
    if before and not before.strip() and span.kind is not SpanKind.LINES:
        first = first.lstrip(" \t")
    unit = "\t" if "\t" in span.indent else seen_indent_unit(document, line)
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


def _rest_of_line(document: Document, span: Span) -> str:
    return document.text[span.end : document.line_bounds(document.line_at(span.end))[1]]


def _result_lines(document: Document, span: Span, text: str) -> list[str]:
    """The lines the fill completes or adds, without blanks around them and without empty ones."""
    start = document.line_starts[document.line_at(span.start)]
    lines = (document.text[start : span.start] + text).split("\n")
    return [line.strip() for line in lines if line.strip()]


def line_below(document: Document, span: Span) -> str:
    """The first line after several to be filled that says something; empty where there is none."""
    if span.stop_at_newline or _rest_of_line(document, span).strip():
        return ""
    return next(filter(_says_something, map(str.rstrip, _below(document, span))), "")


def _lines_below(document: Document, span: Span, count: int) -> list[str]:
    """Up to `count` non-blank lines below the span, without the blanks around them."""
    return list(islice(filter(None, map(str.strip, _below(document, span))), count))


def _below(document: Document, span: Span) -> Iterator[str]:
    """The lines below the span, of a notebook those of the cells below too."""
    yield from map(document.line, range(document.line_at(span.end) + 1, len(document.line_starts)))
    yield from document.after.split("\n")


def _repeats_line_above(document: Document, span: Span, text: str) -> bool:
    if span.kind is SpanKind.LINES or _rest_of_line(document, span).strip():
        return False
    lines = _result_lines(document, span, text)
    if len(lines) != 1 or not _says_something(lines[0]):
        return False
    for line in range(document.line_at(span.start) - 1, -1, -1):
        above = document.line(line).strip()
        if above:
            return above == lines[0]
    return document.before.rstrip().rpartition("\n")[2].strip() == lines[0]


def _repeats_suffix(document: Document, span: Span, text: str) -> bool:
    """Whether the lines the fill makes are the very ones that follow."""
    rest = _rest_of_line(document, span).strip()
    if rest:
        return text.strip() == rest
    lines = _result_lines(document, span, text)
    below = _lines_below(document, span, len(lines))
    return below == lines and any(map(_says_something, lines))


def _says_something(line: str) -> bool:
    """Whether a line has a word: brackets alone may well stand twice."""
    return re.search(r"\w", line) is not None


def _without_overlap(document: Document, span: Span, text: str) -> str:
    """The fill without its tail where that repeats the head of what follows."""
    rest = _rest_of_line(document, span)
    if rest.strip():
        return _without_repeated_head(document, span, text, rest.rstrip())
    return _without_repeated_lines(document, span, text)


def _without_repeated_head(document: Document, span: Span, text: str, rest: str) -> str:
    for tail in {text, text.rstrip()}:
        for size in range(min(len(rest), len(tail)), 0, -1):
            shorter = tail[: len(tail) - size]
            if tail.endswith(rest[:size]) and _may_cut(document, span, shorter, rest[:size]):
                return shorter
    return text


def _may_cut(document: Document, span: Span, shorter: str, overlap: str) -> bool:
    """Whether an overlap is a repetition and not, as in `f(x)` before `)`, the fill's own."""
    if span.kind in LITERALS:
        return len(overlap) >= _LEAST_OVERLAP or not _says_something(overlap)
    if len(overlap.strip()) < _LEAST_OVERLAP and set(overlap) - set(" \t)]}>;:,\"'`"):
        return False
    opened = unmatched(shorter, document.language).opened
    return len(opened) <= len(unmatched(shorter + overlap, document.language).opened)


def _without_repeated_lines(document: Document, span: Span, text: str) -> str:
    lines = text.split("\n")
    below = _lines_below(document, span, len(lines))
    for size in range(min(len(lines) - 1, len(below)), 0, -1):
        tail, kept = lines[-size:], "\n".join(lines[:-size])
        if [line.strip() for line in tail] != below[:size]:
            continue
        opened = unmatched(kept, document.language).opened
        if len(opened) <= len(unmatched(text, document.language).opened):
            return kept.rstrip()
    return text


def _above_closer(document: Document, span: Span, text: str) -> str:
    """The lines of a block, with the brace right of the cursor brought onto a line of its own."""
    rest = _rest_of_line(document, span).lstrip()
    if span.kind is not SpanKind.BLOCK or "\n" not in text or rest[:1] not in CLOSERS:
        return text
    line = document.line(document.line_at(span.start))
    return text.rstrip() + "\n" + indentation(line)


def _over_closers(document: Document, span: Span, text: str) -> int:
    """Where the edit ends: past the closers right of the cursor that the fill brings as well."""
    if span.kind in (*LITERALS, SpanKind.LINES):
        return span.end
    rest = _rest_of_line(document, span)
    end = 0
    for bracket in unmatched(text, document.language).closed:
        gap = len(rest[end:]) - len(rest[end:].lstrip())
        if not rest.startswith(bracket.symbol, end + gap):
            break
        end += gap + 1
    return span.end + end


def _smallest(document: Document, start: int, end: int, text: str) -> Edit:
    """Leaves out what the replaced text and the new one have in common at head and tail."""
    old = document.text[start:end]
    shared = min(len(old), len(text))
    head = next((i for i in range(shared) if old[i] != text[i]), shared)
    most = shared - head
    tail = next((i for i in range(most) if old[-1 - i] != text[-1 - i]), most)
    return Edit(start + head, end - tail, text[head : len(text) - tail])


def breaks_syntax(document: Document, span: Span, end: int, text: str) -> bool:
    """Whether there are more errors once span.start..end is `text` than there are now.

    A gap that needs something is an error while it is empty (`x = `), so where the document has
    errors the fill is also held to what a plain name in its place would leave.
    """
    if document.tree is None or span.kind is SpanKind.COMMENT:
        return False
    filled = errors_after(document, span.start, end, text)
    if filled and (closing := _closing(document, span, text)):
        filled = min(filled, errors_after(document, span.start, end, text + closing))
    if filled == 0:
        return False
    if filled > errors_in(document.tree):
        return True
    return filled > errors_after(document, span.start, span.end, _NAME)


def leaves_open(document: Document, edit: Edit) -> bool:
    """Whether an edit that may be shown opens a bracket that nothing closes: who types goes on
    there, but a file that is written is not whole."""
    tree = document.tree
    after = errors_after(document, edit.start, edit.end, edit.text)
    return tree is not None and after > errors_in(tree)


def _closing(document: Document, span: Span, text: str) -> str:
    """The closers a one-line fill still needs when it ends by opening a bracket (`if (x) {`)."""
    if not span.stop_at_newline or text.rstrip()[-1:] not in PAIRS:
        return ""
    opened = unmatched(text, document.language).opened
    return "".join(PAIRS[bracket.symbol] for bracket in reversed(opened))
