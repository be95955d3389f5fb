"""A parser as the critic of a fill: which of its characters stand in new errors.

Pure: it knows text, tree and span. What to do about a doubt is the engine's (`engine/repair.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from engine.prompt import Critic
from lsp_server import syntax
from lsp_server.document import Document
from lsp_server.edits import breaks_syntax
from lsp_server.spans import Span, SpanKind


def critic_of(document: Document, span: Span) -> Critic | None:
    """The critic for fills of a span; None where no grammar can tell."""
    if document.tree is None or span.kind is SpanKind.COMMENT:
        return None
    return lambda text: doubts(document, span, text)


def doubts(document: Document, span: Span, text: str) -> list[tuple[int, int]]:
    """Code points start..end of `text` that are in errors, if it makes the document parse worse.

    A break that shows only after the fill (a bracket it leaves open) is blamed on its last
    character.
    """
    if span.stop_at_newline:
        text = text.split("\n", 1)[0]
    new = text.replace("\n", document.line_end)
    if not breaks_syntax(document, span, span.end, new):
        return []
    filled = document.replaced(span.start, span.end, new)
    assert filled.tree is not None
    last = (max(len(text) - 1, 0), len(text))
    found = [
        (max(start - span.start, 0), min(end - span.start, len(text)))
        for start, end in errors(filled.tree.root_node, filled.text)
        if start < span.start + len(new) and end > span.start
    ]
    # An error that takes in everything says nothing of where it is.
    return [doubt for doubt in found if doubt != (0, len(text))] or [last]


def errors(node: Node, text: str) -> Iterator[tuple[int, int]]:
    """Code points of the innermost ERROR and MISSING nodes; a missing node is one wide."""
    inner = [child for child in node.children if child.has_error or child.is_missing]
    for child in inner:
        yield from errors(child, text)
    if not inner and (node.is_error or node.is_missing):
        start = syntax.code_point_offset(text, node.start_byte)
        end = syntax.code_point_offset(text, node.end_byte)
        yield start - (start == end), end
