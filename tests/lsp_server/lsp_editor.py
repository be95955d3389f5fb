"""An editor for tests: pygls' client around a real server process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

SERVER = Path(__file__).with_name("scripted_server.py")
URI = "file:///project/code.py"
NOTEBOOK = "file:///project/study.ipynb"
CURSOR = "▮"


def cell(name: str, text: str, language: str = "python") -> types.TextDocumentItem:
    """A cell as VS Code names it: its address tells the path of its notebook, but not by scheme."""
    uri = f"vscode-notebook-cell:/project/study.ipynb#{name}"
    return types.TextDocumentItem(uri, language, 1, text)


def cell_of(item: types.TextDocumentItem) -> types.NotebookCell:
    """The cell that has this text: of code but for Markdown."""
    kinds = types.NotebookCellKind
    return types.NotebookCell(
        kinds.Markup if item.language_id == "markdown" else kinds.Code, item.uri
    )


class Editor(LanguageClient):
    """Opens documents, types, asks, and remembers what the server told it."""

    def __init__(self) -> None:
        super().__init__("test-editor", "1")
        self.log = b""
        """The server's standard error, so far."""
        self.statuses: list[Any] = []
        self.messages: list[str] = []
        self.logged: list[str] = []
        self.progress: list[str] = []
        self.told = asyncio.Event()
        self.versions: dict[str, int] = {}
        self.feature("lacuna/status")(lambda params: self._on_status(params))
        self.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: self.messages.append(params.message))
        self.feature(types.WINDOW_LOG_MESSAGE)(lambda params: self.logged.append(params.message))
        self.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)(lambda params: None)
        self.feature(types.PROGRESS)(lambda params: self.progress.append(params.value["kind"]))

    def _on_status(self, params: Any) -> None:
        self.statuses.append(params)
        self.told.set()

    async def launch(
        self,
        *command: str,
        encoding: str = "utf-16",
        options: Any = None,
        inline: bool = True,
        process_id: int | None = None,
    ) -> None:
        """Starts the server and shakes hands."""
        await self.begin(*command)
        await self.shake_hands(encoding, options, inline, process_id)

    async def begin(self, *command: str) -> None:
        """Starts the server."""
        await self.start_io(*command)
        self._reading_log = asyncio.create_task(self._read_log())

    async def _read_log(self) -> None:
        while chunk := await self.process.stderr.read(65536):
            self.log += chunk

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The server."""
        assert self._server is not None
        return self._server

    async def shake_hands(
        self, encoding: str, options: Any, inline: bool, process_id: int | None
    ) -> None:
        ghost = types.InlineCompletionClientCapabilities() if inline else None
        result = await self.initialize_async(
            types.InitializeParams(
                process_id=process_id,
                initialization_options=options,
                capabilities=types.ClientCapabilities(
                    general=types.GeneralClientCapabilities(position_encodings=[encoding]),
                    text_document=types.TextDocumentClientCapabilities(inline_completion=ghost),
                    notebook_document=types.NotebookDocumentClientCapabilities(
                        types.NotebookDocumentSyncClientCapabilities()
                    ),
                    window=types.WindowClientCapabilities(work_done_progress=True),
                ),
            )
        )
        self.initialized(types.InitializedParams())
        self.capabilities = result.capabilities

    async def until(self, state: str) -> Any:
        """Waits for a status with this state, from now on or already the last one."""
        async with asyncio.timeout(200):
            while not self.statuses or self.statuses[-1].state != state:
                self.told.clear()
                await self.told.wait()
        return self.statuses[-1]

    def open(self, text: str, uri: str = URI, language: str = "python") -> types.Position:
        """Opens a document; its text may mark a cursor, whose UTF-16 position is returned."""
        before, _, after = text.partition(CURSOR)
        self.versions[uri] = 1
        item = types.TextDocumentItem(uri, language, 1, before + after)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        lines = before.replace("\r\n", "\n").split("\n")
        return types.Position(len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2)

    def type(self, text: str, at: types.Position, uri: str = URI) -> types.Position:
        """Inserts text within a line; the position after it."""
        self.versions[uri] += 1
        event = types.TextDocumentContentChangePartial(types.Range(at, at), text)
        document = types.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        self.text_document_did_change(types.DidChangeTextDocumentParams(document, [event]))
        return types.Position(at.line, at.character + len(text.encode("utf-16-le")) // 2)

    def open_notebook(self, *cells: types.TextDocumentItem, uri: str = NOTEBOOK) -> None:
        """Opens a notebook; its cells are code but for those in Markdown."""
        self.versions.update({cell.uri: cell.version for cell in cells})
        notebook = types.NotebookDocument(uri, "jupyter-notebook", 1, [cell_of(c) for c in cells])
        self.notebook_document_did_open(types.DidOpenNotebookDocumentParams(notebook, cells))

    def change_notebook(self, uri: str = NOTEBOOK, **changes: Any) -> None:
        """Tells of changes: `structure`, `data` or `text_content`."""
        cells = types.NotebookDocumentCellChanges(**changes)
        notebook = types.VersionedNotebookDocumentIdentifier(2, uri)
        event = types.NotebookDocumentChangeEvent(cells=cells)
        params = types.DidChangeNotebookDocumentParams(notebook, event)
        self.notebook_document_did_change(params)

    def splice(
        self,
        start: int,
        count: int,
        *cells: types.TextDocumentItem,
        opened: Sequence[types.TextDocumentItem] = (),
        closed: Sequence[str] = (),
    ) -> None:
        """Puts cells in place of `count` ones; `opened` are new, those in `closed` are gone."""
        array = types.NotebookCellArrayChange(start, count, [cell_of(cell) for cell in cells])
        gone = [types.TextDocumentIdentifier(uri) for uri in closed]
        change = types.NotebookDocumentCellChangeStructure(array, opened, gone)
        self.change_notebook(structure=change)

    def type_in_cell(self, text: str, at: types.Position, uri: str) -> types.Position:
        """Inserts text within a line of a cell; the position after it."""
        self.versions[uri] += 1
        event = types.TextDocumentContentChangePartial(types.Range(at, at), text)
        document = types.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        change = types.NotebookDocumentCellContentChanges(document, [event])
        self.change_notebook(text_content=[change])
        return types.Position(at.line, at.character + len(text.encode("utf-16-le")) // 2)

    def close_notebook(self, *cells: str, uri: str = NOTEBOOK) -> None:
        notebook = types.NotebookDocumentIdentifier(uri)
        gone = [types.TextDocumentIdentifier(cell) for cell in cells]
        self.notebook_document_did_close(types.DidCloseNotebookDocumentParams(notebook, gone))

    def ask(
        self,
        at: types.Position,
        uri: str = URI,
        invoked: bool = False,
        selected: types.SelectedCompletionInfo | None = None,
    ) -> Awaitable[list[types.InlineCompletionItem]]:
        """Asks for ghost text; the request is sent at once."""
        kinds = types.InlineCompletionTriggerKind
        context = types.InlineCompletionContext(
            kinds.Invoked if invoked else kinds.Automatic, selected
        )
        document = types.TextDocumentIdentifier(uri)
        params = types.InlineCompletionParams(context, document, at)
        answer = self.protocol.send_request_async(types.TEXT_DOCUMENT_INLINE_COMPLETION, params)

        async def items() -> list[types.InlineCompletionItem]:
            result = await answer
            assert isinstance(result, types.InlineCompletionList)
            return list(result.items)

        return asyncio.ensure_future(items())

    async def call(self, method: str, **params: Any) -> Any:
        """One of Lacuna's own requests."""
        return await self.protocol.send_request_async(method, params)

    async def demand(self, number: int, method: str, **message: Any) -> Any:
        """A request as it stands, be it none of LSP."""
        answer: Future[Any] = Future()
        self.protocol._request_futures[number] = answer
        self.send({"jsonrpc": "2.0", "id": number, "method": method, **message})
        return await asyncio.wait_for(asyncio.wrap_future(answer), 120)

    def send(self, message: Any) -> None:
        """Any message at all."""
        self.protocol._send_data(message)

    def tell(self, method: str, **params: Any) -> None:
        """One of Lacuna's own notifications."""
        self.protocol.notify(method, params)

    async def why(self, uri: str = URI) -> str | None:
        return (await self.call("lacuna/why", textDocument={"uri": uri})).reason

    async def counts(self) -> dict[str, int]:
        return (await self.call("lacuna/getStatus")).counts._asdict()

    def configure(self, **settings: Any) -> None:
        self.workspace_did_change_configuration(
            types.DidChangeConfigurationParams({"lacuna": settings})
        )

    async def ended(self) -> int:
        """Waits for the server process to end, its log read to the last; its exit code."""
        async with asyncio.timeout(120):
            await self._reading_log
            return await self.process.wait()

    async def server_exit(self, server: asyncio.subprocess.Process) -> None:
        """That the server ends is what some tests are about."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        self.messages.append(f"{source.__name__}: {error}")

    async def leave(self) -> None:
        """Says goodbye, if there still is somebody to say it to."""
        if self._server is not None and self._server.returncode is None:
            await self.shutdown_async(None)
            self.exit(None)
            assert await self.ended() == 0
        await self.stop()


Scripted = Callable[..., Awaitable[Editor]]
"""Starts an editor on a server whose model says what it is given."""
