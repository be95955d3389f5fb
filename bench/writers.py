"""What makes suggestions for whoever types: a real `lacuna serve`, and a model in llama.cpp."""

from __future__ import annotations

from typing import Any, Protocol

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from lsp_server.document import Document
from lsp_server.edits import Rejected, to_edit
from lsp_server.spans import NoSpan, choose

from .latency import SERVE, leave, loaded
from .places import Place
from .systems import System, Variant

NOT_TYPED = "\0"
"""Stands for an edit that no typing leads to."""


class Writer(Protocol):
    """What makes suggestions."""

    async def open(self, place: Place) -> None:
        """A file without the lines of a place."""
        ...

    async def suggest(self, text: str) -> str:
        """What would be written at the end of `text`, to which the file was typed since the last
        call, if all that is shown there were taken; empty where nothing is shown."""
        ...


class Server:
    """Lacuna, in a real `lacuna serve`."""

    def __init__(self, client: LanguageClient) -> None:
        self._client = client
        self._opened = 0

    @classmethod
    async def started(cls, settings: dict[str, Any]) -> Server:
        """With its model loaded."""
        return cls(await loaded(SERVE, settings))

    async def open(self, place: Place) -> None:
        """See Writer.open."""
        self._opened += 1
        self._version, self._text, self._after = 0, place.before, place.after
        text = place.before + place.after
        item = types.TextDocumentItem(self._uri, place.language, 0, text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    async def suggest(self, text: str) -> str:
        """See Writer.suggest."""
        if typed := text.removeprefix(self._text):
            self._tell(typed)
        self._text = text
        found = await self._client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
                types.TextDocumentIdentifier(self._uri),
                position(text),
            )
        )
        items = found.items if isinstance(found, types.InlineCompletionList) else found or []
        return self._added(items[0]) if items else ""

    async def leave(self) -> None:
        """Ends it."""
        await leave(self._client)

    @property
    def _uri(self) -> str:
        return f"untitled:{self._opened}"

    def _tell(self, typed: str) -> None:
        self._version += 1
        at = position(self._text)
        event = types.TextDocumentContentChangePartial(types.Range(at, at), typed)
        document = types.VersionedTextDocumentIdentifier(self._version, self._uri)
        params = types.DidChangeTextDocumentParams(document, [event])
        self._client.text_document_did_change(params)

    def _added(self, item: types.InlineCompletionItem) -> str:
        assert isinstance(item.insert_text, str)
        assert item.range is not None
        left, right = self._text.rpartition("\n")[2], self._after.partition("\n")[0]
        start = in_code_points(left + right, item.range.start.character)
        end = in_code_points(left + right, item.range.end.character)
        made = (left + right)[:start] + item.insert_text + (left + right)[end:]
        if not made.startswith(left) or not made.endswith(right):
            return NOT_TYPED
        return made[len(left) : len(made) - len(right)]


class Peer:
    """A model in llama.cpp whose fill is shown whole, and stays while it is typed along."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def open(self, place: Place) -> None:
        """See Writer.open."""
        self._place, self._text, self._shown = place, place.before, ""

    async def suggest(self, text: str) -> str:
        """See Writer.suggest."""
        typed = text.removeprefix(self._text)
        rest = self._shown.removeprefix(typed) if self._shown.startswith(typed) else ""
        self._text, self._shown = text, rest if rest.strip() else self._filled(text)
        return self._shown

    def _filled(self, text: str) -> str:
        document = Document.open("", self._place.language, 0, text + self._place.after)
        span = choose(document, len(text))
        if isinstance(span, NoSpan):
            return ""
        edit = to_edit(document, span, self._system.fill(document, span, Variant("fill")).text)
        if isinstance(edit, Rejected):
            return ""
        return edit.text if edit.start == edit.end == len(text) else NOT_TYPED


def position(text: str) -> types.Position:
    """Where a text ends."""
    row = text.rpartition("\n")[2]
    return types.Position(text.count("\n"), len(row.encode("utf-16-le")) // 2)


def in_code_points(row: str, units: int) -> int:
    """A column in UTF-16 units as one in code points."""
    return len(row.encode("utf-16-le")[: 2 * units].decode("utf-16-le"))
