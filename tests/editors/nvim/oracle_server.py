"""A language server that knows what the user is going to write.

The shipped model cannot be told to be slow, to die, or to suggest what is wanted; this can, so it
stands in where a test is about the editor's side alone: staleness, restarts, requests that must
not be made.

    python oracle_server.py SCRIPT LOG

SCRIPT is read at each request: JSON with `target`, the text to suggest from; `lines` of it to
suggest at once; `others`, texts to suggest beside it when asked by a key, in place of its capitals;
`from_word`, whether items begin with the word being typed, as the real server's do; `closing`, what
stands behind the cursor and is replaced; `delay` in seconds; `die_on`, a word at which to die, and
`hang_on`, one at which to hear nothing more. What happens is written to LOG, one JSON object a
line.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

SCRIPT, LOG = map(Path, sys.argv[1:])

server = LanguageServer(
    "scripted", "1", text_document_sync_kind=types.TextDocumentSyncKind.Incremental
)


def log(event: str, **facts: Any) -> None:
    with LOG.open("a") as handle:
        handle.write(json.dumps({"event": event, **facts}) + "\n")


def items(
    script: dict[str, Any], document: TextDocument, before: str, position: types.Position
) -> list[types.InlineCompletionItem]:
    """The rest of the target's line, and the others; nothing off the target's path."""
    target, closing = script["target"], script["closing"]
    if not target.startswith(before) or document.source[len(before) :].strip() != closing:
        return []
    rest = "\n".join(target[len(before) :].split("\n")[: script["lines"]])
    others = [text[len(before) :] for text in script["others"] if text.startswith(before)]
    word = re.findall(r"\w*$", before)[0] if script["from_word"] else ""
    start = types.Position(position.line, position.character - len(word))
    end = types.Position(position.line, position.character + len(closing))
    return [
        types.InlineCompletionItem(
            insert_text=word + text,
            range=types.Range(start=start, end=end),
            command=types.Command(
                title="", command="lacuna.accepted", arguments=[f"{document.filename}:{n}:{before}"]
            ),
        )
        for n, text in enumerate(dict.fromkeys([rest, *(others or [rest.upper()])]))
        if text
    ]


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def inline_completion(
    ls: LanguageServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList:
    script = json.loads(SCRIPT.read_text())
    document = ls.workspace.get_text_document(params.text_document.uri)
    before = document.source[: document.offset_at_position(params.position)]
    kind = params.context.trigger_kind
    log("request", before=before, kind=int(kind))
    if script["die_on"] and script["die_on"] in before:
        print("the script says so", file=sys.stderr, flush=True)
        os._exit(7)
    if script["hang_on"] and script["hang_on"] in before:
        time.sleep(3600)
    # Of the text as it is now, or a late reply would not be a stale one.
    found = items(script, document, before, params.position)
    try:
        # Looked at again and again, so that a test may end the delay.
        start = time.monotonic()
        while time.monotonic() - start < json.loads(SCRIPT.read_text())["delay"]:
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        log("cancelled", before=before)
        raise
    invoked = kind == types.InlineCompletionTriggerKind.Invoked
    return types.InlineCompletionList(items=found if invoked else found[:1])


@server.feature("lacuna/fillLines")
async def fill_lines(_: LanguageServer, params: Any) -> dict[str, Any]:
    log("fill")
    while json.loads(SCRIPT.read_text())["delay"]:
        await asyncio.sleep(0.01)
    start = {"line": params.startLine, "character": 0}
    edit = {"range": {"start": start, "end": start}, "newText": "filled\n"}
    return {"version": params.textDocument.version, "edits": [edit], "text": "filled"}


@server.feature(types.INITIALIZE)
def initialize(_: LanguageServer, params: types.InitializeParams) -> None:
    log("settings", settings=params.initialization_options)


@server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
def did_change_configuration(_: LanguageServer, params: types.DidChangeConfigurationParams) -> None:
    log("settings", settings=params.settings)


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(_: LanguageServer, params: types.DidOpenTextDocumentParams) -> None:
    log("opened", uri=params.text_document.uri, language=params.text_document.language_id)


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(_: LanguageServer, params: types.DidCloseTextDocumentParams) -> None:
    log("closed", uri=params.text_document.uri)


@server.command("lacuna.accepted")
def accepted_command(name: str) -> None:
    log("command", id=name)


@server.feature("lacuna/readAhead")
def read_ahead(ls: LanguageServer, params: Any) -> None:
    document = ls.workspace.get_text_document(params.textDocument.uri)
    position = types.Position(params.position.line, params.position.character)
    log("readAhead", before=document.source[: document.offset_at_position(position)])


def listen(method: str) -> None:
    @server.feature(f"lacuna/{method}")
    def hear(params: Any) -> None:
        log(method, **params._asdict())


for name in ("shown", "accepted", "partiallyAccepted"):
    listen(name)

if __name__ == "__main__":
    log("started", pid=os.getpid())
    server.start_io()
