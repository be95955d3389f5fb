"""The language server's handlers: LSP in, a call, LSP out. What is decided is decided elsewhere.

docs/protocol.md is the contract.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any
from uuid import uuid4

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import (
    FeatureRequestError,
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcServerNotInitialized,
)
from pygls.io_ import StdoutWriter, run_async
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.json_rpc import RPCMessage, RPCRequest

from lsp_server import transport, wire
from lsp_server.completer import NOT_OPEN, STALE, Completer
from lsp_server.document import Document
from lsp_server.host import Host, Opener, open_engine
from lsp_server.notebook import Notebook
from lsp_server.ruler import Encoding
from lsp_server.settings import Problem, Settings, read_settings
from lsp_server.status import State, Status

TRIGGERS = (".", "(", "=")
"""Where an editor without inline completion asks, besides in words."""

NOTEBOOKS = types.NotebookDocumentSyncOptions(
    [types.NotebookDocumentFilterWithNotebook("*", [types.NotebookCellLanguage("*")])]
)
"""Which cells an editor is to tell of: all."""

ALREADY_TOLD = ("Unable to deserialize message", "Unable to handle message")
"""What pygls logs, with a traceback, of messages that the editor is told about."""


class AnsweredError(Exception):
    """What is wrong with a request that has been told so."""


class Protocol(LanguageServerProtocol):
    """pygls' protocol, in which every request has an answer: one whose parameters are not LSP's as
    well, one before `initialize` and one after `shutdown`."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """A message as an object. A request that cannot be one is answered here, where its id is
        still known.

        Raises JsonRpcInvalidParams that says what is wrong, or AnsweredError.
        """
        if "jsonrpc" in data and "method" in data:
            data.setdefault("params", None)
            if data["method"] == types.SHUTDOWN:
                data.setdefault("id", "shutdown")  # Kate sends it as a notification
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            wrong = "; ".join(wire.problems(error.__cause__))
            refusal = JsonRpcInvalidParams(f"{data.get('method', 'an answer')}: {wrong}")
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=refusal.to_response_error())
                raise AnsweredError(refusal.message) from None
            raise refusal from None

    def handle_message(self, message: RPCMessage) -> None:
        """Handles a message. Raises JsonRpcInvalidRequest for what is none."""
        if not hasattr(message, "jsonrpc"):
            raise JsonRpcInvalidRequest("a message must be one object of JSON-RPC")
        if isinstance(message, RPCRequest) and (refusal := self._refusal(message)) is not None:
            self._send_response(message.id, error=refusal.to_response_error())
        else:
            super().handle_message(message)

    def _refusal(self, request: RPCRequest) -> JsonRpcException | None:
        """Why a request comes at a wrong time, if it does."""
        if self._shutdown:
            return JsonRpcInvalidRequest("the server has been shut down")
        if self._workspace is None and request.method != types.INITIALIZE:
            return JsonRpcServerNotInitialized("the first request must be initialize")
        return None


class Server(LanguageServer):
    """pygls' server, with Lacuna's completer behind it."""

    def __init__(self, opener: Opener) -> None:
        super().__init__(
            "lacuna",
            version("lacuna-ls"),
            protocol_cls=Protocol,
            notebook_document_sync=NOTEBOOKS,
        )
        self.host = Host(opener)
        self.completer = Completer(self.host, self.tell)
        self.first_settings: object = None
        """As the editor gave them with `initialize`."""
        self.is_shut_down = False
        self._progress: tuple[asyncio.Task[None], asyncio.Event] | None = None
        """What shows progress now, and the event that ends it."""

    @property
    def encoding(self) -> Encoding:
        """The unit of LSP characters agreed on."""
        return Encoding(self.workspace.position_encoding or Encoding.UTF16)

    def document(self, params: Any) -> Document | None:
        """The open document that a message is about."""
        return self.completer.document(params.text_document.uri)

    def tell(self, status: Status) -> None:
        """Tells the editor a new status; while the model loads it shows progress."""
        self.protocol.notify("lacuna/status", wire.status(status))
        if self._progress is not None:
            self._progress[1].set()
        shows_progress = get_capability(self.client_capabilities, "window.work_done_progress")
        if status.state is State.LOADING and shows_progress:
            done = asyncio.Event()
            task = asyncio.ensure_future(_show_progress(self, status.message, done))
            self._progress = task, done

    def report_server_error(self, error: Exception, source: type[Exception]) -> None:
        """Logs what went wrong with a message that has no answer to tell it: a person who types can
        do nothing about it."""
        if source is not FeatureRequestError and not isinstance(error, AnsweredError):
            said = re.sub(r"^pygls[\w.]*: ", "", str(error))
            message = f"Lacuna could not handle a message of the editor: {said}"
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, message))

    def settings(self, given: object) -> Settings:
        """The settings given; what is wrong with them is told."""
        settings, problems = read_settings(given)
        for problem in problems:
            self._tell_problem(problem)
        return settings

    def _tell_problem(self, problem: Problem) -> None:
        if problem.is_unknown:
            log = types.LogMessageParams(types.MessageType.Info, problem.message)
            self.window_log_message(log)
        else:
            show = types.ShowMessageParams(types.MessageType.Warning, problem.message)
            self.window_show_message(show)


async def _show_progress(server: Server, title: str, done: asyncio.Event) -> None:
    """Shows progress in the editor until it is done."""
    token = f"lacuna-{uuid4()}"
    await server.work_done_progress.create_async(token)
    if not done.is_set():
        server.work_done_progress.begin(token, types.WorkDoneProgressBegin(title))
        await done.wait()
        server.work_done_progress.end(token, types.WorkDoneProgressEnd())


def run(tcp: tuple[str, int] | None = None, opener: Opener = open_engine) -> int:
    """Serves one client, on standard input and output or on a loopback address, until it leaves.

    Returns 0 when the client said goodbye (`shutdown`) and 1 when it just disappeared. Raises
    InputError for an address that cannot be listened on.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # At INFO it logs every message, and with it the user's code; at WARNING late cancellations.
    logging.getLogger("pygls").setLevel(logging.ERROR)
    for name in ("pygls.io_", "pygls.protocol.json_rpc"):
        logging.getLogger(name).addFilter(lambda record: not record.msg.startswith(ALREADY_TOLD))
    server = make_server(opener)
    streams = transport.one_client(*tcp) if tcp else transport.standard_streams()
    try:
        asyncio.run(_converse(server, streams))
    except (SystemExit, asyncio.IncompleteReadError, ConnectionError):
        pass  # `exit`, or the client disappeared
    finally:
        server.host.close()
    return 0 if server.is_shut_down else 1


async def _converse(server: Server, streams: transport.Streams) -> None:
    """Handles messages until there are no more."""
    server.protocol.set_writer(StdoutWriter(streams.output))
    await run_async(
        stop_event=threading.Event(),
        reader=transport.Reader(streams),
        protocol=server.protocol,
        error_handler=server.report_server_error,
    )


def make_server(opener: Opener) -> Server:
    """A server with all its handlers."""
    server = Server(opener)
    for method, (handler, options) in _FEATURES.items():
        server.feature(method, options)(handler)
    server.command(wire.ACCEPTED)(accepted_command)
    # In place of pygls' own, which keep a second copy and walk over all its lines at each change.
    for method, handler in _SYNCHRONISATION.items():
        server.protocol.fm.add_builtin_feature(method, partial(handler, server))
    return server


# Life


def initialize(ls: Server, params: types.InitializeParams) -> None:
    ls.first_settings = params.initialization_options
    if get_capability(params.capabilities, "text_document.inline_completion") is None:
        options = types.CompletionOptions(trigger_characters=TRIGGERS)
        ls.feature(types.TEXT_DOCUMENT_COMPLETION, options)(completion)
    if params.process_id is not None:
        transport.end_with(params.process_id)


async def initialized(ls: Server, params: types.InitializedParams) -> None:
    await ls.completer.configure(ls.settings(ls.first_settings))


async def did_change_configuration(ls: Server, params: types.DidChangeConfigurationParams) -> None:
    if isinstance(params.settings, dict) and "lacuna" in params.settings:
        await ls.completer.configure(ls.settings(params.settings["lacuna"]))


def shutdown(ls: Server, params: None) -> None:
    ls.is_shut_down = True
    ls.host.close()


# Documents


def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    ls.completer.put(wire.document(params.text_document, ls.encoding))


def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    change_text(ls, params.text_document, params.content_changes)


def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    ls.completer.close(params.text_document.uri)


def change_text(
    ls: Server,
    identifier: types.VersionedTextDocumentIdentifier,
    events: Sequence[types.TextDocumentContentChangeEvent],
) -> None:
    if document := ls.completer.documents.get(identifier.uri):
        changes = [wire.change(event) for event in events]
        ls.completer.put(document.changed(identifier.version, changes))


# Notebooks


def did_open_notebook(ls: Server, params: types.DidOpenNotebookDocumentParams) -> None:
    opened = params.notebook_document
    ls.completer.notebooks[opened.uri] = Notebook(opened.uri, wire.cells(opened.cells))
    for item in params.cell_text_documents:
        ls.completer.put(wire.document(item, ls.encoding, opened.uri))


def did_change_notebook(ls: Server, params: types.DidChangeNotebookDocumentParams) -> None:
    uri, change = params.notebook_document.uri, params.change.cells
    notebook = ls.completer.notebooks.get(uri)
    if notebook is None or change is None:
        return
    if structure := change.structure:
        for closed in structure.did_close or ():
            ls.completer.close(closed.uri)
        for item in structure.did_open or ():
            ls.completer.put(wire.document(item, ls.encoding, uri))
        array = structure.array
        notebook = notebook.spliced(array.start, array.delete_count, wire.cells(array.cells))
    ls.completer.notebooks[uri] = notebook.updated(wire.cells(change.data))
    for content in change.text_content or ():
        change_text(ls, content.document, content.changes)


def did_close_notebook(ls: Server, params: types.DidCloseNotebookDocumentParams) -> None:
    ls.completer.close_notebook(params.notebook_document.uri)


# Suggestions


async def inline_completion(
    ls: Server, params: types.InlineCompletionParams
) -> types.InlineCompletionList:
    document, context = ls.document(params), params.context
    if document is None:
        return types.InlineCompletionList(items=[])
    request = wire.request(document, params.position)
    if context.trigger_kind is types.InlineCompletionTriggerKind.Invoked:
        request = replace(request, wanted=ls.completer.settings.candidates)
    else:
        request = replace(request, automatic=True)
    if info := context.selected_completion_info:
        request = replace(request, selected=wire.selected(document, info))
    offers = await ls.completer.suggest(request)
    return types.InlineCompletionList([wire.inline_item(document, offer) for offer in offers])


async def read_ahead(ls: Server, params: Any) -> None:
    line, character = (
        wire.param(params, f"position.{name}", int) for name in ("line", "character")
    )
    document = ls.completer.document(wire.param(params, "textDocument.uri", str))
    if document is not None:
        position = types.Position(line, character)
        await ls.completer.read_ahead(wire.request(document, position))


async def completion(ls: Server, params: types.CompletionParams) -> types.CompletionList:
    document = ls.document(params)
    if document is None:
        return types.CompletionList(is_incomplete=False, items=[])
    request = replace(wire.request(document, params.position), entry=True)
    offers = await ls.completer.suggest(request)
    items = [wire.completion_item(document, offer) for offer in offers]
    return types.CompletionList(is_incomplete=True, items=items)


async def fill_lines(ls: Server, params: Any) -> dict[str, Any]:
    wanted = wire.param(params, "textDocument.version", int)
    first, last = wire.param(params, "startLine", int), wire.param(params, "endLine", int)
    document = ls.completer.document(wire.param(params, "textDocument.uri", str))
    if document is None:
        return wire.lines(NOT_OPEN, wanted)
    if document.version != wanted:
        return wire.lines(STALE, document.version)
    found = await ls.completer.fill_lines(document, first, last)
    return wire.lines(found, document.version)


# What became of them, and why


def accepted_command(ls: Server, offer: str) -> None:
    ls.completer.offers.accepted(offer)


def accepted(ls: Server, params: Any) -> None:
    ls.completer.offers.accepted(wire.param(params, "id", str))


def partially_accepted(ls: Server, params: Any) -> None:
    ls.completer.offers.partially_accepted(wire.param(params, "id", str))


def shown(ls: Server, params: Any) -> None:
    ls.completer.offers.shown(wire.param(params, "id", str))


def get_status(ls: Server, params: Any) -> dict[str, Any]:
    counts = wire.counts(ls.completer.counts)
    return {**wire.status(ls.completer.status), "counts": counts}


def why(ls: Server, params: Any) -> dict[str, Any]:
    return wire.reason(ls.completer.why(wire.param(params, "textDocument.uri", str)))


def trace(ls: Server, params: Any) -> dict[str, Any]:
    return wire.trace(ls.completer.offers.trace(wire.optional_param(params, "id", str)))


_FEATURES: dict[str, tuple[Any, Any]] = {
    types.INITIALIZE: (initialize, None),
    types.INITIALIZED: (initialized, None),
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: (did_change_configuration, None),
    types.SHUTDOWN: (shutdown, None),
    # Without options pygls would not announce it.
    types.TEXT_DOCUMENT_INLINE_COMPLETION: (inline_completion, types.InlineCompletionOptions()),
    "lacuna/readAhead": (read_ahead, None),
    "lacuna/fillLines": (fill_lines, None),
    "lacuna/shown": (shown, None),
    "lacuna/accepted": (accepted, None),
    "lacuna/partiallyAccepted": (partially_accepted, None),
    "lacuna/getStatus": (get_status, None),
    "lacuna/why": (why, None),
    "lacuna/trace": (trace, None),
}
_SYNCHRONISATION: dict[str, Callable[[Server, Any], None]] = {
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: did_close,
    types.NOTEBOOK_DOCUMENT_DID_OPEN: did_open_notebook,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: did_change_notebook,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: did_close_notebook,
}
