"""The server as an editor meets it: a real process spoken to over its pipes, its model scripted."""

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from lsp_editor import SERVER, URI, Editor, Scripted
from lsprotocol import types
from pygls.exceptions import JsonRpcException

SOURCE = "def load(path):\n    with open(path) as f:\n        return ▮\n"


async def test_ghost_text_and_what_became_of_it(scripted: Scripted) -> None:
    editor = await scripted("ad(f)")
    at = editor.open("import json\nx = json.lo▮\n")
    [item] = await editor.ask(at)
    assert item.insert_text == item.filter_text == "load(f)"
    assert item.range == types.Range(types.Position(1, 9), at)
    assert item.command is not None
    assert item.command.command == "lacuna.accepted"
    [offer] = item.command.arguments or []
    for _ in range(2):  # telling twice counts once
        editor.tell("lacuna/shown", id=offer)
        editor.tell("lacuna/partiallyAccepted", id=offer, acceptedLength=3)
        editor.tell("lacuna/accepted", id=offer)
        command = types.ExecuteCommandParams("lacuna.accepted", [offer])
        await editor.workspace_execute_command_async(command)
    editor.tell("lacuna/shown", id="unknown")
    assert await editor.counts() == {
        "requested": 1,
        "shown": 1,
        "accepted": 1,
        "partiallyAccepted": 1,
        "cancelled": 0,
        "nothing": 0,
    }
    assert await editor.why() is None


async def test_an_invoked_request_gives_several(scripted: Scripted) -> None:
    editor = await scripted("a")
    at = editor.open("x = f(▮)\n")
    items = await editor.ask(at, invoked=True)
    assert 2 <= len(items) <= 3
    assert len({item.insert_text for item in items}) == len(items)
    editor.configure(candidates=1)
    assert len(await editor.ask(at, invoked=True)) == 1


async def test_what_the_model_is_not_sure_of_comes_only_when_asked_for(scripted: Scripted) -> None:
    editor = await scripted("json.load(f)", options={"minProbability": 1})
    at = editor.open(SOURCE)
    assert await editor.ask(at) == []
    assert await editor.why() == "unsure"
    assert await editor.ask(at, invoked=True)
    editor.configure(minProbability=0.1)
    assert await editor.ask(at)


async def test_what_was_cut_for_want_of_probability_is_whole_when_asked_for(
    scripted: Scripted,
) -> None:
    """Its first line has a probability of 0.939, all of it 0.838."""
    lines = "    a = f(1)\n    return a"
    editor = await scripted(lines, options={"minProbability": 0.93, "candidates": 1})
    at = editor.open("def load(path):\n▮\n\n\nx = 1\n")
    assert [item.insert_text for item in await editor.ask(at)] == ["    a = f(1)"]
    assert [item.insert_text for item in await editor.ask(at, invoked=True)] == [lines]


async def test_the_trace_shows_every_step(scripted: Scripted) -> None:
    editor = await scripted("json.load(f)")
    assert (await editor.call("lacuna/trace")).id is None
    [item] = await editor.ask(editor.open(SOURCE))
    trace = await editor.call("lacuna/trace")
    assert item.command is not None
    assert (trace.id,) == item.command.arguments
    assert [step.index for step in trace.steps] == list(range(len(trace.steps)))
    last = trace.steps[-1]
    assert last.ms > 0
    assert "".join(cell.text for cell in last.cells if cell.state != "end") == "json.load(f)"
    assert {cell.state for cell in last.cells} <= {"masked", "new", "committed", "remasked", "end"}
    assert all(0 <= cell.probability <= 1 for cell in last.cells)
    assert await editor.call("lacuna/trace", id=trace.id) == trace
    assert (await editor.call("lacuna/trace", id="?")).id is None


async def test_the_trace_tells_of_the_suggestion_that_its_steps_wrote(scripted: Scripted) -> None:
    editor = await scripted("width + 1")
    items = await editor.ask(editor.open("x = ▮\n"), invoked=True)
    assert len(items) == 3
    told = {}
    for item in items:
        assert item.command is not None and item.command.arguments is not None
        [number] = item.command.arguments
        if (trace := await editor.call("lacuna/trace", id=number)).steps:
            told[item.insert_text] = trace
    assert list(told) == ["width + 1"]
    assert await editor.call("lacuna/trace") == told["width + 1"]


@pytest.mark.parametrize(
    ("encoding", "start", "end"), [("utf-8", 12, 14), ("utf-16", 10, 12), ("utf-32", 9, 11)]
)
async def test_positions_in_every_encoding(
    scripted: Scripted, encoding: str, start: int, end: int
) -> None:
    """After `x = "😋"; ` stands `lo`, the typed token."""
    editor = await scripted("ad(f)", encoding=encoding)
    editor.open('x = "😋"; lo\n')
    [item] = await editor.ask(types.Position(0, end))
    assert item.insert_text == "load(f)"
    assert item.range == types.Range(types.Position(0, start), types.Position(0, end))


async def test_changes_are_followed_in_the_agreed_encoding(scripted: Scripted) -> None:
    editor = await scripted("f(x)")
    at = editor.open('x = "😋▮\n')
    at = editor.type('é";\ny = ', at)
    whole = types.TextDocumentContentChangeWholeDocument('y = "😋" + \n')
    document = types.VersionedTextDocumentIdentifier(3, URI)
    assert len(await editor.ask(types.Position(1, 4))) == 1
    editor.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))
    assert len(await editor.ask(types.Position(0, 11))) == 1
    assert (await editor.counts())["requested"] == 2


# Without inline completion


async def test_editors_without_ghost_text_get_completions(scripted: Scripted) -> None:
    editor = await scripted("\n    return x +\\\n        1", inline=False)
    provider = editor.capabilities.completion_provider
    assert provider is not None
    at = editor.open("def f(x):▮\n")
    result = await editor.text_document_completion_async(
        types.CompletionParams(types.TextDocumentIdentifier(URI), at)
    )
    assert isinstance(result, types.CompletionList)
    assert result.is_incomplete
    [item] = result.items
    assert item.label == "return x +\\ …"
    assert item.sort_text is not None
    assert item.sort_text < "00000"  # what other servers begin theirs with
    assert item.text_edit == types.TextEdit(types.Range(at, at), "\n    return x +\\\n        1")
    assert item.command is not None
    assert item.command.command == "lacuna.accepted"


async def test_typing_on_does_not_cost_a_popup_its_entry(scripted: Scripted, gate: Path) -> None:
    """An editor may not ask again while it waits for an answer: it filters that by what is typed
    meanwhile."""
    editor = await scripted("f.read()", step_gate=str(gate), inline=False)
    at = editor.open("def load(f):\n    return ▮\n")
    params = types.CompletionParams(types.TextDocumentIdentifier(URI), at)
    asked = asyncio.ensure_future(editor.text_document_completion_async(params))
    await editor.until("computing")
    editor.type("f", at)
    await editor.counts()
    gate.touch()
    result = await asked
    assert isinstance(result, types.CompletionList)
    [item] = result.items
    assert item.text_edit == types.TextEdit(types.Range(at, at), "f.read()")


async def test_a_document_that_closes_costs_a_popup_its_entry(
    scripted: Scripted, gate: Path
) -> None:
    editor = await scripted("one", step_gate=str(gate), inline=False)
    at = editor.open("x = ▮\n")
    document = types.TextDocumentIdentifier(URI)
    params = types.CompletionParams(document, at)
    asked = asyncio.ensure_future(editor.text_document_completion_async(params))
    await editor.until("computing")
    editor.text_document_did_close(types.DidCloseTextDocumentParams(document))
    await editor.counts()
    gate.touch()
    result = await asked
    assert isinstance(result, types.CompletionList)
    assert not result.items


async def test_editors_with_ghost_text_are_not_offered_both(scripted: Scripted) -> None:
    editor = await scripted()
    assert editor.capabilities.completion_provider is None
    assert editor.capabilities.inline_completion_provider is not None


async def test_the_entry_selected_in_the_popup_is_respected(scripted: Scripted) -> None:
    editor = await scripted("(f)", "(f)", ")")
    at = editor.open("x = json.lo▮\n")
    entry = types.Range(types.Position(0, 9), at)
    selected = types.SelectedCompletionInfo(entry, "loads")
    [item] = await editor.ask(at, selected=selected)
    assert (item.insert_text, item.range) == ("loads(f)", entry)
    at = editor.open("x = f(json.lo▮)\n")
    entry = types.Range(types.Position(0, 11), at)
    [item] = await editor.ask(at, selected=types.SelectedCompletionInfo(entry, "load"))
    assert (item.insert_text, item.range) == ("load(f)", entry)


# Typing along


async def test_typing_what_is_shown_needs_no_model(scripted: Scripted) -> None:
    editor = await scripted("json.load(f)", "never")
    at = editor.open(SOURCE)
    await editor.ask(at)
    for typed in ("j", "son", "."):
        at = editor.type(typed, at)
    [item] = await editor.ask(at)
    assert item.insert_text == "load(f)"
    assert item.range == types.Range(at, at)
    at = editor.type("lo", at)
    [item] = await editor.ask(at)
    assert item.insert_text == "load(f)"
    [again] = await editor.ask(at)
    assert again == item


async def test_typing_something_else_asks_the_model_again(scripted: Scripted) -> None:
    editor = await scripted("json.load(f)", "read()", "1")
    at = editor.open(SOURCE)
    await editor.ask(at)
    at = editor.type("f.", at)
    assert [item.insert_text for item in await editor.ask(at)] == ["read()"]
    at = editor.type("read()", at)  # all of it: nothing is left to show
    assert [item.insert_text for item in await editor.ask(at)] != ["read()"]


# While the model loads, and when it fails


async def test_while_loading_answers_are_empty_and_come_at_once(
    scripted: Scripted, gate: Path
) -> None:
    editor = await scripted("one", load_gate=str(gate), wait=False)
    at = editor.open("x = ▮\n")
    await editor.until("loading")
    assert await editor.ask(at) == []
    assert await editor.why() == "loading"
    assert editor.progress == ["begin"]
    gate.touch()
    status = await editor.until("ready")
    assert (status.model, status.provider) == ("scripted", "cpu")
    assert len(await editor.ask(at)) == 1
    assert editor.progress == ["begin", "end"]
    assert await editor.why() is None


async def test_a_model_that_cannot_be_loaded_leaves_the_server_alive(scripted: Scripted) -> None:
    editor = await scripted("one", options={"model": "broken"}, wait=False)
    at = editor.open("x = ▮\n")
    status = await editor.until("error")
    assert "the script says that loading fails" in status.message
    assert "`lacuna doctor --model broken` checks" in status.message
    assert await editor.ask(at) == []
    assert await editor.why() == "no-engine"
    editor.configure(model="")
    await editor.until("ready")
    assert len(await editor.ask(at)) == 1


async def test_the_engine_failing_in_a_request_does_not_harm_the_next(scripted: Scripted) -> None:
    editor = await scripted("one", "two", fail_on=[0])
    at = editor.open("x = ▮\n")
    assert await editor.ask(at) == []
    assert editor.statuses[-1].state == "error"
    assert "the script says that this request fails" in editor.statuses[-1].message
    assert await editor.why() == "engine-failed"
    [item] = await editor.ask(at)
    assert item.insert_text == "two"
    assert (await editor.until("ready")).latencyMs > 0


async def test_an_error_nobody_has_thought_of_is_told_once_and_logged(scripted: Scripted) -> None:
    editor = await scripted(crash=True)
    assert await editor.ask(editor.open("secret = ▮\n")) == []
    assert "nobody has thought of this" in (await editor.until("error")).message
    assert await editor.why() == "engine-failed"
    await editor.leave()
    assert b"ZeroDivisionError" in editor.log
    assert b"secret" not in editor.log


# Settings


async def test_another_model_is_loaded_at_once(scripted: Scripted) -> None:
    editor = await scripted("one", "two")
    at = editor.open("x = ▮\n")
    await editor.ask(at)
    told = len(editor.statuses)
    editor.configure(threads=1)
    await editor.call("lacuna/getStatus")
    await editor.until("ready")
    assert [status.state for status in editor.statuses[told:]] == ["loading", "ready"]
    assert editor.statuses[-1].message.endswith(" on cpu, 1 thread")
    assert [item.insert_text for item in await editor.ask(at)] == ["one"], "the script begins anew"


async def test_bad_settings_are_told_with_their_path(scripted: Scripted) -> None:
    editor = await scripted("abc, d", options={"threshold": 7, "maxTokens": 4, "colour": "red"})
    [message] = editor.messages
    assert message.startswith("lacuna.threshold must be a number from 0 to 1, not 7")
    [logged] = editor.logged
    assert logged.startswith("lacuna.colour is no setting")
    [item] = await editor.ask(editor.open("x = f(▮)\n"))
    assert item.insert_text == "abc"


async def test_switched_off_and_on_again(scripted: Scripted) -> None:
    editor = await scripted("one", options={"enabled": False}, wait=False)
    await editor.until("off")
    at = editor.open("x = ▮\n")
    assert await editor.ask(at) == []
    assert await editor.why() == "disabled"
    editor.workspace_did_change_configuration(
        types.DidChangeConfigurationParams({"other": {"enabled": True}})
    )
    editor.configure(enabled=True)
    await editor.until("ready")
    assert len(await editor.ask(at)) == 1


async def test_what_was_asked_under_other_settings_is_not_answered(
    scripted: Scripted, gate: Path
) -> None:
    editor = await scripted("one", step_gate=str(gate))
    at = editor.open("x = ▮\n")
    answer = editor.ask(at)
    await editor.until("computing")
    editor.configure(enabled=False)
    await editor.until("off")
    gate.touch()
    assert await answer == []
    assert await editor.ask(at) == []


async def test_the_same_settings_again_cancel_nothing(scripted: Scripted, gate: Path) -> None:
    editor = await scripted("one", step_gate=str(gate), options={"candidates": 2})
    answer = editor.ask(editor.open("x = ▮\n"))
    await editor.until("computing")
    editor.configure(candidates=2)
    await editor.counts()
    gate.touch()
    assert [item.insert_text for item in await answer] == ["one"]


async def test_a_failure_is_not_forgotten_by_what_is_cancelled(
    scripted: Scripted, gate: Path
) -> None:
    editor = await scripted("one", "two", fail_on=[0], step_gate=str(gate))
    at = editor.open("x = ▮\n")
    gate.touch()
    assert await editor.ask(at) == []
    await editor.until("error")
    gate.unlink()
    told, answer = len(editor.statuses), editor.ask(at)
    await editor.until("computing")
    editor.type("y", at)
    await editor.counts()
    gate.touch()
    assert await answer == []
    await editor.counts()
    assert [status.state for status in editor.statuses[told:]] == ["computing", "error"]


async def test_a_failure_is_forgotten_once_a_request_succeeds(
    scripted: Scripted, gate: Path
) -> None:
    """Though one that began while it was told of is cancelled then."""
    other = "file:///project/other.py"
    editor = await scripted("one", "two", "three", fail_on=[0], step_gate=str(gate))
    at, there = editor.open("x = ▮\n"), editor.open("y = ▮\n", uri=other)
    gate.touch()
    assert await editor.ask(at) == []
    await editor.until("error")
    gate.unlink()
    stale, answer = editor.ask(at), editor.ask(there, uri=other)
    await editor.until("computing")
    editor.type("z", at)
    await editor.counts()
    gate.touch()
    assert await stale == []
    assert len(await answer) == 1
    assert (await editor.call("lacuna/getStatus")).state == "ready"


async def test_files_that_are_left_alone(scripted: Scripted) -> None:
    options = {
        "disabledLanguages": ["markdown"],
        "maxFileBytes": 100,
        "excludedGlobs": ["**/no/**"],
    }
    editor = await scripted("one", options=options)
    for uri, language, text, reason in (
        ("file:///a.md", "markdown", "x = ▮\n", "disabled-language"),
        ("file:///no/a%20b.py", "python", "x = ▮\n", "excluded"),
        ("file:///a.py", "python", "é" * 60 + "x = ▮\n", "too-large"),
        ("file:///b.py", "python", "\0\x01x = ▮\n", "binary"),
        ("file:///c.py", "python", "▮", "empty-file"),
    ):
        at = editor.open(text, uri=uri, language=language)
        assert await editor.ask(at, uri=uri) == []
        assert await editor.why(uri) == reason
    assert await editor.ask(types.Position(0, 0), uri="file:///never-opened.py") == []
    assert await editor.why("file:///never-opened.py") == "not-open"
    editor.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier("file:///a.md"))
    )
    assert await editor.why("file:///a.md") == "not-open"


async def test_a_link_to_a_file_that_is_left_alone_is_too(
    scripted: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "secrets.py").write_text("TOKEN = 1\n")
    (tmp_path / "config.py").symlink_to("secrets.py")
    (tmp_path / "open.py").symlink_to("gone.py")
    editor = await scripted("one")
    for name, offered, reason in (("config.py", 0, "excluded"), ("open.py", 1, None)):
        uri = (tmp_path / name).as_uri()
        at = editor.open("x = ▮\n", uri=uri)
        assert len(await editor.ask(at, uri=uri)) == offered
        assert await editor.why(uri) == reason


async def test_a_document_with_a_uri_that_is_none_is_served(scripted: Scripted) -> None:
    editor = await scripted("one", options={"excludedGlobs": ["**/no/**"]})
    for uri, offered, reason in (
        ("http://[bad/no/x.py", 0, "excluded"),
        ("http://[bad/x.py", 1, None),
    ):
        at = editor.open("x = ▮\n", uri=uri)
        assert len(await editor.ask(at, uri=uri)) == offered
        assert await editor.why(uri) == reason


async def test_one_line_only(scripted: Scripted) -> None:
    editor = await scripted("\n    a()\n    b()", "\n    a()\n    b()")
    at = editor.open("def f():▮\n")
    [item] = await editor.ask(at)
    assert item.insert_text == "\n    a()\n    b()"
    editor.configure(multiline="never")
    assert all("\n" not in item.insert_text for item in await editor.ask(at))


# Whole lines


async def test_lines_are_filled_anew(scripted: Scripted) -> None:
    editor = await scripted("b = a + 1\nd = b")
    editor.open("a = 1\nb = 2\nc = 3\n")
    document = {"uri": URI, "version": 1}
    found = await editor.call("lacuna/fillLines", textDocument=document, startLine=1, endLine=1)
    assert (found.version, found.reason, found.text) == (1, None, "b = a + 1\nd = b")
    [edit] = found.edits
    assert (edit.range.start.line, edit.range.end.line) == (1, 1)
    assert edit.newText in found.text


async def test_lines_that_cannot_be_filled(scripted: Scripted) -> None:
    editor = await scripted("x")
    editor.open("a = 1\nb = 2\n")
    for uri, version, first, last, reason in (
        (URI, 0, 0, 0, "stale"),
        (URI, 1, 2, 1, "reversed-lines"),
        (URI, 1, 0, 9, "outside-file"),
        (URI, 1, -1, 0, "outside-file"),
        ("file:///other.py", 1, 0, 0, "not-open"),
    ):
        document = {"uri": uri, "version": version}
        found = await editor.call(
            "lacuna/fillLines", textDocument=document, startLine=first, endLine=last
        )
        assert (found.edits, found.text, found.reason) == ([], "", reason)
        assert found.detail


async def test_lines_of_a_text_that_has_changed_are_stale(scripted: Scripted, gate: Path) -> None:
    editor = await scripted("b = a + 1", step_gate=str(gate))
    editor.open("a = 1\nb = 2\n")
    document = {"uri": URI, "version": 1}
    filling = editor.call("lacuna/fillLines", textDocument=document, startLine=1, endLine=1)
    found = asyncio.ensure_future(filling)
    await editor.until("computing")
    editor.type("y", types.Position(0, 0))
    await editor.counts()
    gate.touch()
    assert (await found).reason == "stale"


async def test_bad_parameters_are_named(scripted: Scripted) -> None:
    editor = await scripted(wait=False)
    version = {"textDocument": {"uri": URI, "version": "1"}, "startLine": 0, "endLine": 0}
    for method, params, wrong in (
        ("lacuna/fillLines", {}, "params.textDocument.version is missing"),
        ("lacuna/fillLines", version, "params.textDocument.version must be int"),
        ("lacuna/why", {"textDocument": 3}, "params.textDocument.uri is missing"),
        ("lacuna/trace", {"id": 3}, "params.id must be str"),
    ):
        with pytest.raises(JsonRpcException, match=wrong) as raised:
            await editor.call(method, **params)
        assert raised.value.code == types.ErrorCodes.InvalidParams


async def test_a_request_that_is_none_of_the_protocol_is_answered(scripted: Scripted) -> None:
    editor = await scripted()
    method = types.TEXT_DOCUMENT_INLINE_COMPLETION
    document, at = {"uri": URI}, {"line": "secret", "character": 0}
    for number, (params, wrong) in enumerate(
        (
            ({"textDocument": document}, "params.position: required field missing"),
            (
                {"textDocument": document, "position": at, "context": {"triggerKind": 1}},
                f"{method}: params.position.line: invalid value for type, expected int",
            ),
            ({"textDocument": 3}, "params.textDocument.uri: invalid value for type"),
            (5, "params: invalid value for type"),
        )
    ):
        with pytest.raises(JsonRpcException, match=wrong) as raised:
            await editor.demand(number, method, params=params)
        assert raised.value.code == types.ErrorCodes.InvalidParams
        assert "secret" not in raised.value.message
    assert (await editor.demand(9, "lacuna/getStatus")).state == "ready"  # with no parameters
    assert editor.messages == editor.logged == []


async def test_a_notification_that_is_none_of_the_protocol_is_logged_in_plain_words(
    scripted: Scripted,
) -> None:
    editor = await scripted()
    editor.send({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {}})
    editor.tell("lacuna/shown", id=5)
    editor.send([{"jsonrpc": "2.0", "id": 1, "method": "lacuna/getStatus"}])
    await editor.call("lacuna/getStatus")
    prefix = "Lacuna could not handle a message of the editor: "
    assert editor.logged == [
        prefix + "textDocument/didOpen: params.textDocument: required field missing",
        prefix + "params.id must be str",
        prefix + "a message must be one object of JSON-RPC",
    ]
    assert editor.messages == []
    await editor.leave()
    assert b"Traceback" not in editor.log


async def test_a_request_before_the_handshake_is_refused() -> None:
    editor = Editor()
    await editor.begin(sys.executable, str(SERVER), json.dumps({"texts": ["one"]}))
    with pytest.raises(JsonRpcException, match="the first request must be initialize") as raised:
        await editor.demand(1, "lacuna/getStatus")
    assert raised.value.code == types.ErrorCodes.ServerNotInitialized
    await editor.shake_hands("utf-16", None, inline=True, process_id=None)
    await editor.until("ready")
    await editor.leave()


async def test_a_request_after_goodbye_is_refused(scripted: Scripted) -> None:
    editor = await scripted()
    await editor.shutdown_async(None)
    with pytest.raises(JsonRpcException, match="the server has been shut down") as raised:
        await editor.call("lacuna/getStatus")
    assert raised.value.code == types.ErrorCodes.InvalidRequest
    editor.exit(None)
    assert await editor.ended() == 0


# Texts of all kinds


KINDS = [
    ("python", "\ufeffdef f():▮\r\nx = 1\r\n", "\n    a()", "\r\n    a()"),
    ("go", "package a\n\nfunc f() {\n\t▮\n}\n", "g()\n    h()", "g()\n\th()"),
    ("python", "s = '😋😋'; x = ▮", "len(s)", "len(s)"),
    ("brainfuck", "+++[\n  ▮\n", "-]", "-]"),
    ("python", "def f(:\n    x = 1\n\ny = g(▮\n", "1)", "1)"),
    ("python", "\x02\x7f ‮ x = ▮ \ud83d", "1", "1"),
]


async def test_a_fill_in_texts_of_all_kinds(scripted: Scripted) -> None:
    editor = await scripted(*(fill for _, _, fill, _ in KINDS))
    for number, (language, text, _, inserted) in enumerate(KINDS):
        uri = f"file:///{number}"
        [item] = await editor.ask(editor.open(text, uri=uri, language=language), uri=uri)
        assert item.insert_text == inserted


async def test_fifty_thousand_lines(scripted: Scripted) -> None:
    editor = await scripted("f(x)", "g(x)")
    lines = "value = compute(1)\n" * 25_000
    at = editor.open(f"{lines}y = ▮\n{lines}")
    assert [item.insert_text for item in await editor.ask(at)] == ["f(x)"]
    at = editor.type("z + ", at)
    assert [item.insert_text for item in await editor.ask(at)] == ["g(x)"]


# Beginning and end


async def test_nothing_of_the_users_code_is_logged(scripted: Scripted) -> None:
    editor = await scripted("fill_secret", "other_secret", fail_on=[1])
    at = editor.open("text_secret = ▮\n")
    await editor.ask(at)
    at = editor.type("typed_secret + ", at)
    await editor.ask(at)
    await editor.call("lacuna/getStatus")
    await editor.leave()
    assert b"secret" not in editor.log


async def test_what_libraries_print_does_not_disturb_the_protocol(scripted: Scripted) -> None:
    editor = await scripted("one")
    assert len(await editor.ask(editor.open("x = ▮\n"))) == 1
    await editor.leave()
    assert b"a library prints something" in editor.log


@pytest.mark.parametrize("busy", [False, True])
async def test_an_editor_that_closes_its_pipe_ends_the_server(
    scripted: Scripted, busy: bool
) -> None:
    editor = await scripted("a" * 30, step_seconds=3)
    if busy:
        answer = editor.ask(editor.open("x = ▮\n"))
        await editor.until("computing")
    assert editor.process.stdin is not None
    editor.process.stdin.close()
    assert await editor.ended() == 1
    if busy:
        with pytest.raises((RuntimeError, JsonRpcException)):
            await answer


async def test_an_editor_that_is_killed_ends_the_server(scripted: Scripted) -> None:
    """Even though its pipe stays open, as it does when another child of the editor holds it."""
    parent = await asyncio.create_subprocess_exec("sleep", "600")
    editor = await scripted("one", process_id=parent.pid)
    assert editor.process.returncode is None
    parent.kill()
    await parent.wait()
    assert await editor.ended() == 1


async def test_an_editor_that_cannot_be_seen_is_not_waited_for(scripted: Scripted) -> None:
    editor = await scripted("one", process_id=2**22 + 1)
    assert len(await editor.ask(editor.open("x = ▮\n"))) == 1


async def test_a_goodbye_that_wants_no_answer(scripted: Scripted) -> None:
    """Kate asks for `shutdown` by a notification."""
    editor = await scripted()
    editor.send({"jsonrpc": "2.0", "method": "shutdown", "params": {}})
    editor.exit(None)
    assert await editor.ended() == 0
    assert b"Traceback" not in editor.log
    assert editor.logged == []


async def test_goodbye(scripted: Scripted) -> None:
    editor = await scripted("a" * 30, step_seconds=3)
    answer = editor.ask(editor.open("x = ▮\n"))
    await editor.until("computing")
    await editor.leave()  # expects exit code 0
    with pytest.raises(JsonRpcException):
        await answer
    assert b"Traceback" not in editor.log


async def test_an_idle_server_uses_no_processor(scripted: Scripted) -> None:
    import psutil

    editor = await scripted("one")
    await editor.ask(editor.open("x = ▮\n"))
    process = psutil.Process(editor.process.pid)
    before = process.cpu_times()
    time.sleep(2)
    after = process.cpu_times()
    assert after.user + after.system - before.user - before.system <= 0.02
