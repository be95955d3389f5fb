"""A parser as the critic of a fill: which of its characters stand in new errors.

Pure: it knows text, tree and span. What to do about a doubt is the engine's (`engine/repair.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Tree

from engine.prompt import Critic
from lsp_server.brackets import PAIRS, unmatched
from lsp_server.breaks import breaks_syntax
from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.edits import UNCHANGED, to_edit
from lsp_server.mending import REPEATS_SUFFIX
from lsp_server.spans import Span, SpanKind


def critic_of(span: Span) -> Critic | None:
    """The critic for fills of a span; None where no grammar can tell."""
    if span.document.tree is None or span.kind is SpanKind.COMMENT:
        return None
    return lambda text: doubts(span, text)


def doubts(span: Span, text: str) -> list[tuple[int, int]]:
    """Code points start..end of `text` that are in errors, if it makes the document parse worse, or
    better would its brackets be closed. What an edit mends (brackets brought twice) is fine.

    Where something is missing, what stands there instead is to blame. One past the text is its end:
    it is blamed for brackets left open, and for a break that shows only after the fill.
    """
    if span.stop_at_newline:
        text = text.split("\n", 1)[0]
    document = span.document
    new, size = text.replace("\n", document.line_end), len(text)
    filled, the_end = document.replaced(span.start, span.end, new), [(size, size + 1)]
    if closers := missing_closers(span, text):
        closed = document.replaced(span.start, span.end, new + closers)
        if filled.errors > closed.errors:
            return the_end
    made = to_edit(span, text)
    if isinstance(made, Edit) or made in (UNCHANGED, REPEATS_SUFFIX):  # nothing is missing
        return []
    if not breaks_syntax(span, span.end, new):
        return []
    found = errors_between(filled, span.start, span.start + len(new))
    # An error that takes in everything says nothing of where it is.
    return [(a, b) for a, b in found if a or b < size] or the_end


def errors_between(document: Document, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Code points of the text start..end, its lines ended by line feeds, that are in errors; one
    past it for an error that goes on after it."""
    assert document.tree is not None
    text = document.text[start:end]

    def place(offset: int) -> int:
        return len(text[: max(offset - start, 0)].replace(document.line_end, "\n"))

    bounds = document.byte_at(start), document.byte_at(end)
    for first_byte, last_byte in errors(document.tree, *bounds):
        first, last = document.offset_at(first_byte), document.offset_at(last_byte)
        last += first == last
        if last > start:
            yield place(first), place(last) + (last > end)


def missing_closers(span: Span, text: str) -> str:
    """What would close the brackets that the lines of a fill leave open.

    Nothing where it ends with one: that opens a block, which may stay open.
    """
    if text.rstrip()[-1:] in PAIRS:
        return ""
    opened = unmatched(span.left + text + span.right, span.document.language).opened
    return "".join(PAIRS[bracket.symbol] for bracket in reversed(opened))


def errors(tree: Tree, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Bytes first..last of the innermost ERROR and MISSING nodes that touch bytes start..end.

    Descends only there. Where something is missing the two are the same.
    """
    cursor = tree.walk()
    while True:
        node = cursor.node
        assert node is not None
        if node.start_byte > end:
            return
        if node.has_error and node.end_byte >= start:
            if any(child.has_error for child in node.children):
                cursor.goto_first_child()
                continue
            if node.is_error or node.is_missing:
                yield node.start_byte, node.end_byte
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
