"""What an editor is served: suggestions for places in its open documents.

Decisions only. It knows no LSP (`server` translates), no tensor (`host` has the engine) and not how
a gap is filled (`infill`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from time import perf_counter

from engine import Engine, Step
from engine.errors import CancelledError, LacunaError
from engine.prompt import Cancelled
from lsp_server import jobs
from lsp_server.document import Document
from lsp_server.host import AHEAD, Host
from lsp_server.infill import Found, Suggestion
from lsp_server.jobs import LookUp
from lsp_server.left_alone import DISABLED, left_alone, no_text
from lsp_server.notebook import Notebook
from lsp_server.nothing import Nothing
from lsp_server.offers import Offer, Offers
from lsp_server.related import Related
from lsp_server.request import Request
from lsp_server.settings import Settings
from lsp_server.status import Counts, State, Status

NOT_OPEN = Nothing("not-open", "The editor has not opened this document.")
LOADING = Nothing("loading", "The model is still loading.")
SUPERSEDED = Nothing(
    "superseded", "Another request, or other settings, came before this one was done."
)
STALE = Nothing("stale", "The document has changed since.")
NOT_EXTENDING = Nothing("not-extending", "The fill does not go on from the completion selected.")

logger = logging.getLogger(__name__)


class Kind(Enum):
    """What an editor waits for. Of one document only the newest of each kind is computed."""

    INLINE = auto()
    ENTRY = auto()
    """Of a popup. A change does not cancel it: many an editor asks once for a word, and filters
    what it gets by the rest of it."""
    LINES = auto()


@dataclass(frozen=True, slots=True)
class Turn:
    """A document's turn at the engine."""

    uri: str
    kind: Kind

    @property
    def outlives_changes(self) -> bool:
        """Whether its answer is of use though the text has changed."""
        return self.kind is Kind.ENTRY


@dataclass(frozen=True, slots=True)
class _Last:
    """What a document was last offered, and where."""

    request: Request
    offers: tuple[Offer, ...]


class Completer:
    """One editor's documents, settings and suggestions. All methods belong to the event loop."""

    def __init__(self, host: Host, on_status: Callable[[Status], None]) -> None:
        self._host = host
        self._on_status = on_status
        self._told: Status | None = None
        self._opened_for: Settings | None = None
        self._error: str | None = None
        self._latency_ms: float | None = None
        self._last: dict[str, _Last] = {}
        self._why: dict[str, Nothing] = {}
        self.settings = Settings()
        self._related = Related.by(self.settings)
        """Belongs to the engine's thread."""
        self.documents: dict[str, Document] = {}
        self.notebooks: dict[str, Notebook] = {}
        self.counts = Counts()
        self.offers = Offers(self.counts)

    # Documents

    def put(self, document: Document) -> None:
        """A document was opened or has changed: what is being computed for it is stale, but for
        entries of a popup."""
        self.documents.pop(document.uri, None)  # the last changed one is at the end
        self.documents[document.uri] = document
        for kind in Kind:
            turn = Turn(document.uri, kind)
            if not turn.outlives_changes:
                self._host.cancel(turn)

    def close(self, uri: str) -> None:
        """Forgets a document."""
        for kind in Kind:
            self._host.cancel(Turn(uri, kind))
        for known in (self.documents, self._last, self._why):
            known.pop(uri, None)

    def document(self, uri: str) -> Document | None:
        """An open document; a cell with what stands around it now."""
        document = self.documents.get(uri)
        notebook = self.notebooks.get(document.notebook) if document and document.notebook else None
        if document is None or notebook is None:
            return document
        cells = [other for other in self.documents.values() if other.notebook == notebook.uri]
        for other in cells:
            if other is not document:  # a large notebook is not kept once for each of its cells
                self.documents[other.uri] = other.between("", "")
                self._last.pop(other.uri, None)
        readable = [cell for cell in cells if no_text(cell, self.settings) is None]
        self.documents[uri] = notebook.place(document, readable)
        return self.documents[uri]

    def close_notebook(self, uri: str) -> None:
        """Forgets a notebook and its cells."""
        self.notebooks.pop(uri, None)
        for document in [one for one in self.documents.values() if one.notebook == uri]:
            self.close(document.uri)

    # Settings and engine

    async def configure(self, settings: Settings) -> None:
        """Takes settings over and opens the engine they ask for, if that is another one.

        An engine that cannot be opened is told by status; the next settings are tried again.
        """
        if settings != self.settings:
            self._host.cancel_all()
        self.settings = settings
        self._related = Related.by(settings)
        self._last.clear()
        opened = self._opened_for
        if settings.enabled and (opened is None or settings.needs_other_engine(opened)):
            self._opened_for, self._error = settings, None
            self._host.drop()
            self._tell()
            await self._open(settings)
        self._tell()

    async def _open(self, settings: Settings) -> None:
        try:
            await self._host.open(settings)
        except LacunaError as error:
            self._not_opened(settings, str(error))
        except Exception as error:  # whatever the runtime's libraries raise: the server lives on
            logger.exception("The model could not be loaded")
            self._not_opened(settings, f"The model could not be loaded: {error}")

    def _not_opened(self, settings: Settings, message: str) -> None:
        if self._opened_for is settings:
            self._opened_for = None
            self._error = f"{message.rstrip('.')}. `{settings.doctor}` checks all that is needed."

    @property
    def status(self) -> Status:
        """What the server is doing."""
        engine = self._host.engine
        if not self.settings.enabled:
            return Status(State.OFF, DISABLED.detail)
        is_busy = engine is not None and self._host.is_busy
        if self._error is not None and not is_busy:
            return Status(State.ERROR, self._error)
        if engine is None:
            return Status(State.LOADING, LOADING.detail)
        name, runtime = engine.card.name, engine.runtime
        state = State.COMPUTING if is_busy else State.READY
        threads = "1 thread" if runtime.threads == 1 else f"{runtime.threads} threads"
        message = f"{name} on {runtime.provider}, {threads}"
        return Status(state, message, self._latency_ms, name, runtime.provider)

    def _tell(self) -> None:
        if (status := self.status) != self._told:
            self._told = status
            self._on_status(status)

    # Suggestions

    async def read_ahead(self, request: Request) -> None:
        """Reads what stands around a cursor where a request is likely. Any request cuts it short;
        one that meets the same failure tells of it."""
        if self._refusal(request.document):
            return
        try:
            await self._host.turn(AHEAD, partial(jobs.read_around, request, self._look_up))
        except LacunaError as error:
            logger.debug("Nothing was read ahead: %s", error)
        except Exception:
            logger.exception("Nothing was read ahead")

    async def suggest(self, request: Request) -> tuple[Offer, ...]:
        """Offers for a cursor, best first; empty when there is nothing to offer (see `why`)."""
        started = perf_counter()
        self.counts.requested += 1
        uri = request.document.uri
        if refusal := self._refusal(request.document):
            return self._nothing(uri, refusal)
        if rest := self._typed_along(request):
            return rest
        steps: list[Step] = []
        job = partial(jobs.search, request, self.settings, self._look_up, steps)
        turn = Turn(uri, Kind.ENTRY if request.entry else Kind.INLINE)
        found = await self._done(turn, request.document, job)
        if isinstance(found, Nothing):
            return self._nothing(uri, found)
        items = [(suggestion, request.item(suggestion)) for suggestion in found]
        offers = tuple(
            self.offers.add(suggestion, item, steps if suggestion.fill.was_watched else ())
            for suggestion, item in items
            if item is not None
        )
        if not offers:
            return self._nothing(uri, NOT_EXTENDING)
        self._why.pop(uri, None)
        self._last[uri] = _Last(request, offers)
        self._latency_ms = 1e3 * (perf_counter() - started)
        self._tell()
        return offers

    async def fill_lines(self, document: Document, first: int, last: int) -> Suggestion | Nothing:
        """Lines first..last (0-based, inclusive) filled anew, or why not."""
        self.counts.requested += 1
        found = await self._filled_lines(document, first, last)
        if isinstance(found, Nothing):
            self._nothing(document.uri, found)
            return found
        self._why.pop(document.uri, None)
        self._tell()
        return found[0]

    async def _filled_lines(self, document: Document, first: int, last: int) -> Found:
        if refusal := self._refusal(document):
            return refusal
        job = partial(jobs.fill_lines, document, (first, last), self.settings, self._look_up)
        return await self._done(Turn(document.uri, Kind.LINES), document, job)

    def why(self, uri: str) -> Nothing | None:
        """Why the last request on a document gave nothing; None if it gave something."""
        return self._why.get(uri) if uri in self.documents else NOT_OPEN

    @property
    def _look_up(self) -> LookUp:
        """Looks at what is open now; on the engine's thread."""
        return partial(self._related.lines, opened=tuple(self.documents.values()))

    def _refusal(self, document: Document) -> Nothing | None:
        """Why a document is not to be read at all, or cannot be now."""
        if refusal := left_alone(document, self.settings):
            return refusal
        if self._host.engine is None:
            return Nothing("no-engine", self._error) if self._error else LOADING
        return None

    def _typed_along(self, request: Request) -> tuple[Offer, ...]:
        """What is left of the last offer when its beginning was typed since: no model needed.

        Who asks for it gets all of a fill, and what appeared by itself may have been cut.
        """
        last = self._last.get(request.document.uri)
        if last is None or request.wanted > 1 or request.selected or last.request.selected:
            return ()
        if last.request.automatic and not request.automatic:
            return ()
        then, now = last.request, request.document
        if (then.document.before, then.document.after) != (now.before, now.after):
            return ()
        for offer in last.offers:
            if rest := offer.rest(then.document, then.offset, now, request.offset):
                self._why.pop(now.uri, None)
                return (rest,)
        return ()

    async def _done(
        self, turn: Turn, document: Document, job: Callable[[Engine, Cancelled], Found]
    ) -> Found:
        """Runs a job in its turn. Failures and stale answers are nothing to suggest.

        What the last one failed of is told until another one succeeds: what is cancelled tells
        nothing of it.
        """
        settings = self.settings
        answer = self._host.turn(turn, job)
        self._tell()
        try:
            found = await answer
        except CancelledError:
            return STALE if self._has_changed(document) else SUPERSEDED
        except asyncio.CancelledError:
            self.counts.cancelled += 1
            self._tell()
            raise
        except Exception as error:  # an error reply would be shown to the user at each keystroke
            if not isinstance(error, LacunaError):
                logger.exception("A request failed")
            self._error = str(error) or repr(error)
            return Nothing("engine-failed", self._error)
        self._error = None
        if settings != self.settings:
            return SUPERSEDED
        is_open = document.uri in self.documents
        is_stale = self._has_changed(document) and not turn.outlives_changes
        return found if is_open and not is_stale else STALE

    def _has_changed(self, document: Document) -> bool:
        now = self.documents.get(document.uri)
        return now is None or now.text != document.text

    def _nothing(self, uri: str, nothing: Nothing) -> tuple[Offer, ...]:
        """Notes why there is nothing to offer. What came too late says nothing of the document."""
        if nothing in (SUPERSEDED, STALE):
            self.counts.cancelled += 1
        else:
            self.counts.nothing += 1
            self._why[uri] = nothing
        self._tell()
        return ()
