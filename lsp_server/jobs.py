"""What the engine's thread does for an editor: it chooses spans, fills them, and reads ahead.

Each takes the engine last, and what tells that nobody waits any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine import Engine, FillOptions, Step
from engine.prompt import Cancelled, OnStep
from lsp_server import spans
from lsp_server.document import Document
from lsp_server.infill import Found, infill
from lsp_server.nothing import Nothing
from lsp_server.prompt import prompt_around
from lsp_server.request import Request
from lsp_server.settings import Settings
from lsp_server.spans import Span

LookUp = Callable[[Document, int, int, Cancelled], str]
"""A document and a gap in it, start..end -> lines of other files that are like those around it."""


def search(
    request: Request,
    settings: Settings,
    look_up: LookUp,
    steps: list[Step],
    engine: Engine,
    cancelled: Cancelled,
) -> Found:
    """Chooses a span and fills it; the trace is left in `steps`."""
    document, offset = request.completed()
    span = spans.choose(document, offset, multiline=settings.multiline == "auto")
    if isinstance(span, Nothing):
        return span
    least = settings.min_probability if request.automatic else 0.0
    options = replace(settings.fill_options, candidates=request.wanted, least_probability=least)

    def keep(step: Step) -> None:
        if step.index == 0:  # a second try begins anew
            steps.clear()
        steps.append(step)

    return _fill(span, options, look_up, engine, cancelled, on_step=keep)


def fill_lines(
    document: Document,
    lines: tuple[int, int],
    settings: Settings,
    look_up: LookUp,
    engine: Engine,
    cancelled: Cancelled,
) -> Found:
    """Fills whole lines, first and last."""
    span = spans.choose_lines(document, *lines)
    if isinstance(span, Nothing):
        return span
    options = replace(settings.fill_options, max_tokens=span.max_tokens)
    return _fill(span, options, look_up, engine, cancelled)


def read_around(request: Request, look_up: LookUp, engine: Engine, cancelled: Cancelled) -> None:
    """Reads the text around a cursor, and parses it, so that a request there need not."""
    document, offset = request.document, request.offset
    _ = document.tree
    related = look_up(document, offset, offset, cancelled)
    engine.read(prompt_around(document, offset, offset, related), cancelled=cancelled)


def _fill(
    span: Span,
    options: FillOptions,
    look_up: LookUp,
    engine: Engine,
    cancelled: Cancelled,
    on_step: OnStep | None = None,
) -> Found:
    """Fills a span."""
    related = look_up(span.document, span.start, span.end, cancelled)
    return infill(span, engine, options, related=related, cancelled=cancelled, on_step=on_step)
