"""What makes suggestions for whoever types: a real `lacuna serve`, and a model in llama.cpp."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from engine import Fill, Finish
from engine.certainty import beginnings
from lsp_server.document import Document
from lsp_server.nothing import Nothing
from lsp_server.pieces import shown_edit
from lsp_server.prompt import prompt_for
from lsp_server.spans import Span, choose

from .latency import REST_S, SERVE, leave, loaded
from .places import Place
from .systems import Allowed, FillInTheMiddle, Scores, Variant, among

NOT_TYPED = "\0"
"""Stands for an edit that no typing leads to."""


class Writer(Protocol):
    """What makes suggestions."""

    async def open(self, place: Place) -> None:
        """A file without the lines of a place, where the cursor has come to rest."""
        ...

    async def close(self) -> None:
        """Nobody has the file open any more."""
        ...

    async def suggest(self, text: str) -> str:
        """What would be written at the end of `text`, to which the file was typed since the last
        call, if all that is shown there were taken; empty where nothing is shown."""
        ...

    async def take_back(self) -> None:
        """A key came before what was suggested last, so nobody has seen that."""
        ...


class Server:
    """Lacuna, in a real `lacuna serve`."""

    def __init__(self, client: LanguageClient) -> None:
        self._client = client
        self._opened = self._asked = 0

    @classmethod
    async def started(cls, settings: dict[str, Any]) -> Server:
        """With its model loaded."""
        return cls(await loaded(SERVE, settings))

    async def open(self, place: Place) -> None:
        """See Writer.open."""
        self._opened += 1
        self._version, self._text, self._after = 0, place.before, place.after
        self._uri = place.uri or f"untitled:{self._opened}"
        text = place.before + place.after
        item = types.TextDocumentItem(self._uri, place.language, 0, text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        cursor = types.TextDocumentPositionParams(
            types.TextDocumentIdentifier(self._uri), position(place.before)
        )
        self._client.protocol.notify("lacuna/readAhead", cursor)
        await asyncio.sleep(REST_S)

    async def suggest(self, text: str) -> str:
        """See Writer.suggest."""
        if typed := text.removeprefix(self._text):
            self._tell(typed)
        self._text = text
        params = types.InlineCompletionParams(
            types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
            types.TextDocumentIdentifier(self._uri),
            position(text),
        )
        self._asked += 1
        answer = self._client.protocol.send_request_async(
            types.TEXT_DOCUMENT_INLINE_COMPLETION, params, self._asked
        )
        answer.add_done_callback(lambda done: done.exception())  # though nobody waits for it
        found = await asyncio.shield(answer)
        items = found.items if isinstance(found, types.InlineCompletionList) else found or []
        return self._added(items[0]) if items else ""

    async def take_back(self) -> None:
        """See Writer.take_back."""
        self._client.cancel_request(types.CancelParams(self._asked))

    async def close(self) -> None:
        """See Writer.close."""
        document = types.TextDocumentIdentifier(self._uri)
        self._client.text_document_did_close(types.DidCloseTextDocumentParams(document))

    async def leave(self) -> None:
        """Ends it."""
        await leave(self._client)

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
    """A model in llama.cpp, trained to fill in the middle. What it shows stays while it is typed
    along: `least` 0 shows its fills whole, more the pieces of them that are so probable, as Lacuna
    does, and it writes no further than they can go."""

    def __init__(self, model: Sure, least: float) -> None:
        self._model, self._least = model, least

    async def open(self, place: Place) -> None:
        """See Writer.open."""
        self._place, self._text, self._shown = place, place.before, ""
        self._filled(place.before)  # nobody waits for that: it reads what stands there

    async def suggest(self, text: str) -> str:
        """See Writer.suggest."""
        typed = text.removeprefix(self._text)
        rest = self._shown.removeprefix(typed) if self._shown.startswith(typed) else ""
        self._text, self._shown = text, rest if rest.strip() else self._filled(text)
        return self._shown

    async def take_back(self) -> None:
        """See Writer.take_back."""
        self._shown = ""

    async def close(self) -> None:
        """See Writer.close."""

    def _filled(self, text: str) -> str:
        document = Document.open("", self._place.language, 0, text + self._place.after)
        span = choose(document, len(text))
        if isinstance(span, Nothing):
            return ""
        fill = self._model.sure_fill(span, self._least)
        edit = shown_edit(span, fill, self._least)
        if isinstance(edit, Nothing):
            return ""
        return edit.text if edit.start == edit.end == len(text) else NOT_TYPED


class Sure(FillInTheMiddle):
    """One that also says how probable each beginning of its fill is."""

    _least = 0.0

    def sure_fill(self, span: Span, least: float) -> Fill:
        """Fills the gap greedily, up to the token with which it becomes less probable than that."""
        self._least = least
        made = self.fill(span, Variant("fill"))
        cut = self._cut(prompt_for(span))

        def text_of(tokens: Sequence[int]) -> str:
            spelled = b"".join(self._healing.pieces[token] for token in tokens)
            return spelled[len(cut.owed) :].decode("utf-8", "replace")

        tokens = [token for token in self._tokens if token not in self._ends]
        known = beginnings(made.text, tokens, self._log_probs, text_of)
        has_ended = len(tokens) < len(self._tokens) or len(text_of(tokens)) > len(made.text)
        return Fill(
            made.text,
            tokens=made.tokens,
            steps=made.passes,
            finish=Finish.END if has_ended else Finish.LENGTH,
            mean_log_prob=sum(self._log_probs) / made.tokens,
            beginnings=known,
        )

    def _greedy(self, ids: list[int], allowed: Allowed) -> Iterator[int]:
        self._tokens: list[int] = []
        self._log_probs: list[float] = []
        for token in super()._greedy(ids, allowed):
            scores = among(self._scores(), allowed())
            self._tokens.append(token)
            self._log_probs.append(float(scores[token] - np.logaddexp.reduce(scores)))
            yield token
            if math.exp(sum(self._log_probs)) < self._least:
                return

    def _scores(self) -> Scores:
        return np.ctypeslib.as_array(self._llama._ctx.get_logits(), (self._llama.n_vocab(),))


def position(text: str) -> types.Position:
    """Where a text ends."""
    row = text.rpartition("\n")[2]
    return types.Position(text.count("\n"), len(row.encode("utf-16-le")) // 2)


def in_code_points(row: str, units: int) -> int:
    """A column in UTF-16 units as one in code points."""
    return len(row.encode("utf-16-le")[: 2 * units].decode("utf-16-le"))
