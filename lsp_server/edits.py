"""From a fill's text to the smallest edit that may be shown, or the reason why none may.

Pure: it knows text, tree and span; nothing of models or LSP. A fill is mended first
(`mending.py`), then held against the syntax (`breaks.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.extent import width
from lsp_server.brackets import CLOSERS, unmatched
from lsp_server.breaks import breaks_syntax
from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.indent import indentation
from lsp_server.mending import EMPTY, LITERALS, mended
from lsp_server.nothing import Nothing
from lsp_server.spans import Span, SpanKind

UNCHANGED = Nothing("unchanged", "The fill is what already stands there.")
REPEATS_ITSELF = Nothing("repeats-itself", "The fill says one thing over and over, without end.")
BREAKS_SYNTAX = Nothing("breaks-syntax", "With the fill the file would parse worse than before.")

_TYPED_TOKEN = re.compile(r"(?<![\w$])[\w$]*+\Z")
"""It may not begin within a word: a search that tried each of many characters would read to the end
of the word from every one."""


def to_edit(span: Span, fill_text: str) -> Edit | Nothing:
    """The edit that puts a fill into its span, mended; or why it is not to be shown."""
    text = mended(span, fill_text)
    if isinstance(text, Nothing):
        return text
    for shorter in (text, *_cut_back(span, text)):
        whole = _above_closer(span, shorter)
        end = _over_closers(span, whole)
        new = whole.replace("\n", span.document.line_end)
        if new == span.document.text[span.start : end]:
            return UNCHANGED
        if not breaks_syntax(span, end, new):
            edit = _smallest(span, end, new)
            return edit if edit.text.strip() or span.kind is SpanKind.LINES else UNCHANGED
    return BREAKS_SYNTAX


def verbatim(span: Span, text: str) -> Edit | Nothing:
    """The edit that puts a text into its span as it stands; or why it is not to be shown."""
    new = text.replace("\n", span.document.line_end)
    if new == span.document.text[span.start : span.end]:
        return UNCHANGED if text else EMPTY
    if breaks_syntax(span, span.end, new):
        return BREAKS_SYNTAX
    return _smallest(span, span.end, new)


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


def stretched(document: Document, edit: Edit, offset: int) -> Edit:
    """The edit as an inline completion item wants it: from the start of the typed token, or of the
    edit where that is further left, to the cursor, or to the end of what is replaced right of it.

    Raises ValueError when the edit replaces text on another line than the cursor's.
    """
    line = document.line_at(offset)
    line_start, line_end = document.line_bounds(line)
    typed = _TYPED_TOKEN.search(document.text[line_start:offset])
    token = line_start + (typed.start() if typed else 0)
    start, end = min(token, edit.start), max(offset, edit.end)
    if start < line_start or end > line_end:
        raise ValueError(f"edit {edit.start}..{edit.end} is not on line {line} of {document.uri}")
    return Edit(start, end, edit.within(document.text, start, end))


def _above_closer(span: Span, text: str) -> str:
    """The lines of a block, with the brace right of the cursor brought onto a line of its own."""
    rest = span.right.lstrip()
    if span.kind is not SpanKind.BLOCK or "\n" not in text or rest[:1] not in CLOSERS:
        return text
    return text.rstrip() + "\n" + indentation(span.document.line(span.line))


def _over_closers(span: Span, text: str) -> int:
    """Where the edit ends: past the closers right of the cursor that the fill brings as well."""
    if span.kind in (*LITERALS, SpanKind.LINES):
        return span.end
    rest = span.right
    end = 0
    for bracket in unmatched(text, span.document.language).closed:
        gap = len(rest[end:]) - len(rest[end:].lstrip())
        if not rest.startswith(bracket.symbol, end + gap):
            break
        end += gap + 1
    return span.end + end


def _smallest(span: Span, end: int, text: str) -> Edit:
    """Leaves out what span.start..end and the text for it have in common at head and tail."""
    old = span.document.text[span.start : end]
    shared = min(len(old), len(text))
    head = next((i for i in range(shared) if old[i] != text[i]), shared)
    most = shared - head
    tail = next((i for i in range(most) if old[-1 - i] != text[-1 - i]), most)
    return Edit(span.start + head, end - tail, text[head : len(text) - tail])


def leaves_open(document: Document, edit: Edit) -> bool:
    """Whether an edit that may be shown opens a bracket that nothing closes: who types goes on
    there, but a file that is written is not whole."""
    return document.replaced(edit.start, edit.end, edit.text).errors > document.errors
