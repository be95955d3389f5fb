"""Between Lacuna's own data and what goes over the wire. It decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from cattrs import ClassValidationError, transform_error
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from engine import Step
from lsp_server.change import Change, Edit
from lsp_server.document import Document
from lsp_server.infill import Suggestion
from lsp_server.notebook import Cell
from lsp_server.nothing import Nothing
from lsp_server.offers import Offer
from lsp_server.request import Request
from lsp_server.ruler import Encoding
from lsp_server.status import Counts, Status

T = TypeVar("T")

ACCEPTED = "lacuna.accepted"
"""The command of every item."""
FIRST = "0"
"""Sorts before the entries of other servers, which stand in the same popup."""


def param(params: Any, path: str, kind: type[T]) -> T:
    """A value within the parameters of one of Lacuna's own messages, such as `textDocument.uri`.

    Raises JsonRpcInvalidParams when it is missing or of another type.
    """
    value = optional_param(params, path, kind)
    if value is None:
        raise JsonRpcInvalidParams(f"params.{path} is missing")
    return value


def optional_param(params: Any, path: str, kind: type[T]) -> T | None:
    """The same, or None."""
    value = params
    for name in path.split("."):
        value = getattr(value, name, None)
    if value is not None and type(value) is not kind:
        raise JsonRpcInvalidParams(f"params.{path} must be {kind.__name__}")
    return value


def problems(error: BaseException | None) -> Iterator[str]:
    """What is wrong with a message, each with its place: nothing of what stands there."""
    if not isinstance(error, ClassValidationError):
        yield "it cannot be read"
        return
    for told in transform_error(error):
        problem, _, place = told.partition(" @ $.")
        yield f"{re.sub('_[a-z]', lambda found: found[0][1].upper(), place)}: {problem}"


def document(
    item: types.TextDocumentItem, encoding: Encoding, notebook: str | None = None
) -> Document:
    """A document as it was opened, or a cell of the notebook with that URI."""
    return Document.open(item.uri, item.language_id, item.version, item.text, notebook, encoding)


def cells(given: Sequence[types.NotebookCell] | None) -> tuple[Cell, ...]:
    """The cells of a notebook."""
    code = types.NotebookCellKind.Code
    return tuple(Cell(cell.document, cell.kind is code) for cell in given or ())


def change(event: types.TextDocumentContentChangeEvent) -> Change:
    """One change of a document."""
    if isinstance(event, types.TextDocumentContentChangeWholeDocument):
        return Change.whole(event.text)
    start, end = event.range.start, event.range.end
    return Change(start.line, start.character, end.line, end.character, event.text)


def request(document: Document, position: types.Position) -> Request:
    """Suggestions are wanted at a position."""
    return Request(document, _offset(document, position))


def selected(document: Document, info: types.SelectedCompletionInfo) -> Edit:
    """The entry selected in the editor's popup."""
    start = _offset(document, info.range.start)
    return Edit(start, _offset(document, info.range.end), info.text)


def inline_item(document: Document, offer: Offer) -> types.InlineCompletionItem:
    """An offer as ghost text."""
    item = offer.item
    return types.InlineCompletionItem(
        insert_text=item.text,
        filter_text=item.text,
        range=_range(document, item.start, item.end),
        command=_accepted(offer),
    )


def completion_item(document: Document, offer: Offer) -> types.CompletionItem:
    """An offer as an entry of a popup, its first line the label."""
    item = offer.item
    lines = item.text.strip().splitlines()
    return types.CompletionItem(
        label=lines[0] + (" …" if len(lines) > 1 else ""),
        kind=types.CompletionItemKind.Snippet,
        detail="Lacuna",
        sort_text=FIRST,
        documentation=item.text if len(lines) > 1 else None,
        filter_text=item.text,
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=types.TextEdit(_range(document, item.start, item.end), item.text),
        command=_accepted(offer),
    )


def lines(found: Suggestion | Nothing, version: int) -> dict[str, Any]:
    """The result of lacuna/fillLines."""
    if isinstance(found, Nothing):
        return {"version": version, "edits": [], "text": "", **reason(found)}
    edit = found.edit
    range_ = _range(found.span.document, edit.start, edit.end)
    edits = [types.TextEdit(range_, edit.text)]
    return {"version": version, "edits": edits, "text": found.text, "reason": None}


def reason(nothing: Nothing | None) -> dict[str, Any]:
    """The result of lacuna/why."""
    if nothing is None:
        return {"reason": None}
    return {"reason": nothing.reason, "detail": nothing.detail}


def status(status: Status) -> dict[str, Any]:
    """The parameters of lacuna/status."""
    facts: dict[str, Any] = {"state": status.state.value, "message": status.message}
    if status.latency_ms is not None:
        facts["latencyMs"] = round(status.latency_ms, 1)
    if status.model is not None:
        facts |= {"model": status.model, "provider": status.provider}
    return facts


def counts(counts: Counts) -> dict[str, int]:
    """The counts of lacuna/getStatus."""
    facts = asdict(counts)
    facts["partiallyAccepted"] = facts.pop("partially_accepted")
    return facts


def trace(found: tuple[str, tuple[Step, ...]] | None) -> dict[str, Any]:
    """The result of lacuna/trace."""
    if found is None:
        return {"id": None, "steps": []}
    offer, steps = found
    return {"id": offer, "steps": [asdict(step) for step in steps]}


def _accepted(offer: Offer) -> types.Command:
    return types.Command("Tell Lacuna", ACCEPTED, arguments=[offer.id])


def _offset(document: Document, position: types.Position) -> int:
    return document.offset(position.line, position.character)


def _range(document: Document, start: int, end: int) -> types.Range:
    first, last = (document.position(offset) for offset in (start, end))
    return types.Range(types.Position(*first), types.Position(*last))
