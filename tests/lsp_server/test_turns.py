"""Whose turn it is: what a newer request, a change or a farewell stops, and what is read ahead."""

import asyncio
from pathlib import Path

import pytest
from lsp_editor import URI, Editor, Scripted
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from engine.engine import never
from engine.fake import scripted_engine
from lsp_server import jobs
from lsp_server.document import Document
from lsp_server.request import Request

SOURCE = "def load(path):\n    with open(path) as f:\n        return ▮\n"


async def test_of_a_burst_only_the_newest_is_computed(scripted: Scripted, gate: Path) -> None:
    editor = await scripted("fill", step_gate=str(gate))
    at = editor.open(SOURCE)
    answers = [editor.ask(at) for _ in range(50)]
    assert (await editor.counts())["requested"] == 50
    gate.touch()
    *others, last = await asyncio.gather(*answers)
    assert others == [[]] * 49
    assert [item.insert_text for item in last] == ["fill"]
    counts = await editor.counts()
    assert (counts["requested"], counts["cancelled"], counts["nothing"]) == (50, 49, 0)
    steps = len((await editor.call("lacuna/trace")).steps)
    await editor.leave()
    # The first one may have begun a step before the second came.
    assert editor.log.count(b"a denoising step\n") in (steps, steps + 1)


async def test_documents_do_not_supersede_each_other(scripted: Scripted) -> None:
    editor = await scripted("one", "two", step_seconds=0.05)
    other = "file:///project/other.py"
    first = editor.ask(editor.open("x = ▮\n"))
    second = editor.ask(editor.open("y = ▮\n", uri=other), uri=other)
    assert [[i.insert_text for i in items] for items in (await first, await second)] == [
        ["one"],
        ["two"],
    ]


async def test_an_answer_for_a_text_that_has_changed_is_dropped(
    scripted: Scripted, gate: Path
) -> None:
    editor = await scripted("one", step_gate=str(gate))
    at = editor.open("x = ▮\n")
    answer = editor.ask(at)
    await editor.until("computing")
    editor.type("y", at)
    await editor.counts()
    gate.touch()
    assert await answer == []
    assert (await editor.counts())["cancelled"] == 1
    await editor.until("ready")


async def test_cancelling_stops_the_model(scripted: Scripted, gate: Path) -> None:
    editor = await scripted("a" * 30, "two", step_gate=str(gate))
    at = editor.open("x = ▮\n")
    context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic)
    request = editor.protocol.send_request(
        types.TEXT_DOCUMENT_INLINE_COMPLETION,
        types.InlineCompletionParams(context, types.TextDocumentIdentifier(URI), at),
        msg_id="mine",
    )
    await begun(editor)
    editor.cancel_request(types.CancelParams("mine"))
    with pytest.raises(JsonRpcException) as raised:
        await asyncio.wrap_future(request)
    assert raised.value.code == types.LSPErrorCodes.RequestCancelled
    await editor.until("ready")
    gate.touch()
    [item] = await editor.ask(at)
    assert (item.insert_text, (await editor.counts())["cancelled"]) == ("two", 1)
    await took_one_step_more_than_the_last_fill(editor)


async def test_closing_a_document_stops_the_model(scripted: Scripted, gate: Path) -> None:
    editor = await scripted("a" * 30, "two", step_gate=str(gate))
    other = "file:///project/other.py"
    answer = editor.ask(editor.open("x = ▮\n"))
    await begun(editor)
    closed = types.TextDocumentIdentifier(URI)
    editor.text_document_did_close(types.DidCloseTextDocumentParams(closed))
    at = editor.open("y = ▮\n", uri=other)
    await editor.counts()
    gate.touch()
    assert await answer == []
    assert [item.insert_text for item in await editor.ask(at, uri=other)] == ["two"]
    await took_one_step_more_than_the_last_fill(editor)


async def begun(editor: Editor) -> None:
    """Waits until the model is at a step."""
    async with asyncio.timeout(120):
        while b"a denoising step" not in editor.log:
            await asyncio.sleep(0.01)


async def took_one_step_more_than_the_last_fill(editor: Editor) -> None:
    """The step that what was cancelled had begun."""
    steps = len((await editor.call("lacuna/trace")).steps)
    await editor.leave()
    assert editor.log.count(b"a denoising step\n") == 1 + steps


# What is read before anybody asks

LONG = "# as long as several passes\n" * 10 + SOURCE
PASSES = 4
"""Over what stands before and after the cursor, a byte a token."""


def read_ahead(editor: Editor, at: types.Position) -> None:
    position = {"line": at.line, "character": at.character}
    editor.tell("lacuna/readAhead", textDocument={"uri": URI}, position=position)


async def read(editor: Editor, passes: int) -> None:
    """Waits until the model has begun so many passes over context."""
    async with asyncio.timeout(120):
        while editor.log.count(b"a pass over context\n") < passes:
            await asyncio.sleep(0.01)


async def test_what_was_read_ahead_is_not_read_again(scripted: Scripted) -> None:
    editor = await scripted("fill")
    at = editor.open(LONG)
    read_ahead(editor, at)
    await read(editor, PASSES)
    assert len(await editor.ask(at)) == 1
    await editor.leave()
    assert editor.log.count(b"a pass over context\n") == PASSES
    assert [status.state for status in editor.statuses].count("computing") == 1, "for the request"


def test_what_is_read_ahead_is_parsed_be_it_within_a_word() -> None:
    """There nothing is suggested, so the cursor may rest; the next key is a request."""
    document = Document.open(URI, "python", 1, "value = 1\n")
    request = Request(document, len("val"))
    jobs.read_around(request, lambda *_: "", scripted_engine(["x"]), never)
    assert "tree" in vars(document)


async def test_a_request_goes_on_from_what_it_cuts_short(scripted: Scripted, gate: Path) -> None:
    editor = await scripted("fill", read_gate=str(gate))
    at = editor.open(LONG)
    read_ahead(editor, at)
    await read(editor, 1)
    answer = editor.ask(at)
    await editor.until("computing")
    gate.touch()
    assert len(await answer) == 1
    await editor.leave()
    assert editor.log.count(b"a pass over context\n") == PASSES


async def test_a_request_elsewhere_cuts_reading_ahead_short(scripted: Scripted, gate: Path) -> None:
    editor = await scripted("fill", read_gate=str(gate))
    read_ahead(editor, editor.open(LONG))
    await read(editor, 1)
    other = "file:///project/other.py"
    answer = editor.ask(editor.open("a = 1\nb = ▮\n", uri=other), uri=other)
    await editor.until("computing")
    gate.touch()
    assert len(await answer) == 1
    await editor.leave()
    # The one that was begun, and one on either side of the other gap.
    assert editor.log.count(b"a pass over context\n") == 1 + 2


async def test_nothing_is_read_ahead_of_files_that_are_left_alone(scripted: Scripted) -> None:
    editor = await scripted("fill", options={"disabledLanguages": ["python"]})
    read_ahead(editor, editor.open(LONG))
    await editor.counts()
    await editor.leave()
    assert b"a pass over context" not in editor.log


async def test_a_failure_to_read_ahead_is_told_by_the_request_that_meets_it(
    scripted: Scripted,
) -> None:
    editor = await scripted("fill", read_fails=True)
    at = editor.open(LONG)
    read_ahead(editor, at)
    await read(editor, 1)
    assert (await editor.call("lacuna/getStatus")).state == "ready"
    assert await editor.ask(at) == []
    assert await editor.why() == "engine-failed"
