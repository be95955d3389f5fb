"""What is shown of a fill that nobody asked for: all of it where the model is sure enough, else its
longest beginning that can stand alone.

Pure. How sure the model is of each beginning is the engine's (`engine/certainty.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from engine import Fill
from lsp_server.brackets import PAIRS, comments, unmatched
from lsp_server.change import Edit
from lsp_server.edits import BREAKS_SYNTAX, to_edit
from lsp_server.mending import LITERALS
from lsp_server.nothing import Nothing
from lsp_server.spans import Span

WORTH = 3
"""Fewest characters of a piece: what is shorter is typed as fast as it is read."""
TRIES = 4
"""Pieces that are parsed in place, which takes long in a large file."""


def shown_edit(span: Span, fill: Fill, least: float) -> Edit | Nothing:
    """What is shown of a fill where a probability of `least` is wanted, or why it is nothing.

    At 0 that is all of it.
    """
    if not least:
        return to_edit(span, fill.text)
    why = _unsure(least)
    if fill.has_ended and (fill.probability >= least or not fill.text.strip()):
        whole = to_edit(span, fill.text)
        if whole is not BREAKS_SYNTAX:
            return whole
        why = whole
    for text in islice(pieces(span, fill, least), TRIES):
        edit = to_edit(span, text)
        if isinstance(edit, Edit) and _is_worth(edit.text):
            return edit
    return why


def pieces(span: Span, fill: Fill, least: float) -> Iterator[str]:
    """Beginnings of a fill that are sure and may stand alone, longest first: worth a key, with no
    bracket left open (who types one has it closed by the editor), and not within a comment behind
    code, of which nobody knows yet what it is for."""
    is_code = span.kind not in LITERALS
    limit = _first_aside(span, fill.text) if is_code else len(fill.text)
    for text in fill.sure(least):
        is_open = text[-1] in PAIRS or (is_code and unmatched(text, span.document.language).opened)
        if len(text) <= limit and _is_worth(text) and not is_open:
            yield text


def _is_worth(text: str) -> bool:
    return len(text.strip()) >= WORTH


def _first_aside(span: Span, text: str) -> int:
    """Where the first comment behind code begins in a fill; its length where none does."""
    for start in comments(text, span.document.language):
        if (span.left + text[:start]).rpartition("\n")[2].strip():
            return start
    return len(text)


def _unsure(least: float) -> Nothing:
    return Nothing(
        "unsure",
        f"No part of it that would be worth showing has a probability of {100 * least:g}%, so "
        "nothing appears by itself (lacuna.minProbability). Ask for it to see it.",
    )
