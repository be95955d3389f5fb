"""A language server that says what it is told to, for tests of the extension's side alone.

The shipped model cannot be told to die, to be slow or to suggest one text; this can. It is started
as `lacuna` is, and what it is to do stands in a JSON file:

    python scripted_lacuna.py FOLDER serve

reads FOLDER/script.json at each request and appends what it hears to FOLDER/heard.jsonl.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

FOLDER = Path(sys.argv[1])
server = LanguageServer(
    "scripted",
    "1",
    text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
    notebook_document_sync=types.NotebookDocumentSyncOptions(
        [types.NotebookDocumentFilterWithNotebook("*")]
    ),
)


def script() -> dict[str, Any]:
    return json.loads((FOLDER / "script.json").read_text())


def hear(event: str, **facts: Any) -> None:
    with (FOLDER / "heard.jsonl").open("a") as handle:
        handle.write(json.dumps({"event": event, **facts}) + "\n")


def die(when: str) -> None:
    if script().get("die") == when:
        print(f"told to die at {when}", file=sys.stderr, flush=True)
        os._exit(7)


@server.feature(types.INITIALIZE)
def initialize(_: types.InitializeParams) -> None:
    hear("initializing")
    while script().get("hold"):
        time.sleep(0.05)


@server.feature(types.INITIALIZED)
async def initialized(ls: LanguageServer, _: types.InitializedParams) -> None:
    hear("started", pid=os.getpid())
    die("start")
    ls.protocol.notify("lacuna/status", {"state": "loading", "message": "The model is loading."})
    while script().get("loads"):
        await asyncio.sleep(0.05)
    ls.protocol.notify("lacuna/status", {"state": "ready", "message": "Ready to suggest."})


@server.feature(types.SHUTDOWN)
def shutdown(_: None) -> None:
    time.sleep(script().get("ends_after_s", 0))


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def opened(params: types.DidOpenTextDocumentParams) -> None:
    hear("opened", uri=params.text_document.uri)


@server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
def opened_notebook(params: types.DidOpenNotebookDocumentParams) -> None:
    hear("openedNotebook", cells=[item.text for item in params.cell_text_documents])


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def inline_completion(
    ls: LanguageServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList:
    document = ls.workspace.get_text_document(params.text_document.uri)
    before = document.source[: document.offset_at_position(params.position)]
    hear("request", before=before, kind=int(params.context.trigger_kind))
    die("request")
    start = script().get("after", "")
    texts = script()["texts"] if before.endswith(start) else []
    here = types.Range(start=params.position, end=params.position)
    return types.InlineCompletionList(
        items=[
            types.InlineCompletionItem(
                insert_text=text,
                range=here,
                command=types.Command(title="", command="lacuna.accepted", arguments=[str(n)]),
            )
            for n, text in enumerate(texts)
        ]
    )


@server.command("lacuna.accepted")
def accepted(name: str) -> None:
    hear("accepted", id=name)


@server.feature("lacuna/readAhead")
def read_ahead(params: Any) -> None:
    name = Path(params.textDocument.uri).name
    hear("readAhead", file=name, line=params.position.line, character=params.position.character)


@server.feature("lacuna/shown")
def shown(params: Any) -> None:
    hear("shown", id=params.id)


@server.feature("lacuna/partiallyAccepted")
def partially_accepted(params: Any) -> None:
    hear("partiallyAccepted", id=params.id, acceptedLength=params.acceptedLength)


@server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
def configured(params: types.DidChangeConfigurationParams) -> None:
    hear("configured", settings=params.settings)


@server.feature("lacuna/why")
def why(_: Any) -> dict[str, Any]:
    return script()["why"]


@server.feature("lacuna/fillLines")
def fill_lines(params: Any) -> dict[str, Any]:
    hear("fillLines", start=params.startLine, end=params.endLine)
    end = {"line": params.endLine, "character": 1000}
    whole = {"start": {"line": params.startLine, "character": 0}, "end": end}
    text = script()["lines"]
    edits = [{"range": whole, "newText": text}]
    return {"version": params.textDocument.version, "edits": edits, "text": text, "reason": None}


if __name__ == "__main__":
    server.start_io()
