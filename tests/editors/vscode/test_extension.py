"""The extension's own promises, in a real VS Code with a server that says what it is told to."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import psutil
import pytest
from scripted import Scripted
from workbench import CodeServer, Opener, Workbench, notebook, until

SOURCE = "def total(values):\n    return \n"


def typed(page: Workbench, text: str) -> str:
    """Type at the end of the second line, and wait for what is suggested."""
    page.wait_for_status("is ready")
    page.to_line_end(2)
    page.type(text)
    return page.wait_for_ghost()


def test_a_suggestion_is_shown_and_accepted_and_both_are_reported(
    opened: Opener, scripted: Scripted
) -> None:
    scripted.tell(texts=["um(values)"], after="return s")
    page = opened({"a.py": SOURCE}, scripted.program)
    assert typed(page, "s") == "um(values)"
    until(lambda: scripted.heard("shown"), "it is reported as shown")
    page.keys("Tab")
    until(lambda: scripted.heard("accepted"), "it is reported as accepted")
    page.save()
    assert page.files["a.py"].read_text() == "def total(values):\n    return sum(values)\n"
    assert [event["id"] for event in scripted.heard("shown")] == ["0"]
    assert [event["id"] for event in scripted.heard("accepted")] == ["0"]


def test_what_follows_a_suggestion_is_asked_for_at_once(opened: Opener, scripted: Scripted) -> None:
    scripted.tell(texts=["um"], after="return s")
    page = opened({"a.py": SOURCE}, scripted.program)
    assert typed(page, "s") == "um"
    scripted.tell(texts=["(values)"], after="return sum")
    page.keys("Tab")
    until(lambda: page.ghost() == "(values)", "the next piece is shown")
    heard = [event["event"] for event in scripted.heard("readAhead", "request")]
    assert heard[-2:] == ["request", "request"], "the server is not told of a place to wait at"
    page.keys("Tab")
    page.save()
    assert page.files["a.py"].read_text() == "def total(values):\n    return sum(values)\n"


def test_typing_along_keeps_the_suggestion_without_a_new_request(
    opened: Opener, scripted: Scripted
) -> None:
    scripted.tell(texts=["um(values)"], after="return s")
    page = opened({"a.py": SOURCE}, scripted.program)
    typed(page, "s")
    asked = len(scripted.heard("request"))
    for key, rest in [("u", "m(values)"), ("m", "(values)"), ("(", "values)")]:
        page.type(key)
        until(lambda rest=rest: page.ghost() == rest, f"the ghost text is {rest}")
    assert len(scripted.heard("request")) == asked
    page.type("x")
    page.wait_for_no_ghost()
    until(lambda: len(scripted.heard("request")) > asked, "leaving it asks again")


def test_a_word_accepted_is_reported_in_part(opened: Opener, scripted: Scripted) -> None:
    scripted.tell(texts=["um(values) + 1"], after="return s")
    page = opened({"a.py": SOURCE}, scripted.program)
    typed(page, "s")
    page.keys("Control+ArrowRight")
    heard = until(lambda: scripted.heard("partiallyAccepted"), "a word is reported")
    taken = "um(values) + 1"[: heard[0]["acceptedLength"]]
    assert 0 < len(taken) < len("um(values) + 1")
    until(lambda: page.ghost() == "um(values) + 1"[len(taken) :], "the rest stays")
    page.save()
    assert page.files["a.py"].read_text() == f"def total(values):\n    return s{taken}\n"
    assert scripted.heard("accepted") == []


def test_a_line_is_accepted_by_the_key_that_the_user_gave_it(
    opened: Opener, scripted: Scripted, code_server: CodeServer
) -> None:
    keys = [{"key": "ctrl+alt+l", "command": "editor.action.inlineSuggest.acceptNextLine"}]
    (code_server.folder / "data/User/keybindings.json").write_text(json.dumps(keys))
    scripted.tell(texts=["um(\n        values\n    )"], after="return s")
    page = opened({"a.py": SOURCE}, scripted.program)
    assert typed(page, "s") == "um(\n        values\n    )"
    page.picture("lines")
    page.keys("Control+Alt+l")
    until(lambda: page.ghost() == "        values\n    )", "the other lines stay")
    page.save()
    assert page.files["a.py"].read_text() == "def total(values):\n    return sum(\n\n"
    assert [event["acceptedLength"] for event in scripted.heard("partiallyAccepted")] == [4]


@pytest.mark.parametrize(
    ("delay_ms", "least", "most"),
    [(0, 1, 10), (200, 4, 12)],  # bounds for a machine that holds keys back
    ids=["a run of keys is one request", "steady keys are one each"],
)
def test_keys_are_asked_about_when_no_other_follows_at_once(
    opened: Opener, scripted: Scripted, delay_ms: int, least: int, most: int
) -> None:
    scripted.tell(texts=["!"], after="abcdefghijkl")
    page = opened({"a.txt": "\n\n"}, scripted.program)
    page.wait_for_status("is ready")
    page.to_line_end(2)
    page.type("abcdefghijkl", delay_ms=delay_ms)
    page.wait_for_ghost()
    asked = [event["before"] for event in scripted.heard("request")]
    assert asked[-1] == "\nabcdefghijkl"
    assert least <= len(asked) <= most


def test_what_is_asked_about_is_not_read_ahead(opened: Opener, scripted: Scripted) -> None:
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    page.to_line_end(2)
    line = "    return "
    for key in "sum":
        line += key
        page.type(key)
        until(
            lambda line=line: any(e["before"].endswith(line) for e in scripted.heard("request")),
            "it is asked there",
        )
        page.page.wait_for_timeout(500)
    told = {event["character"] for event in scripted.heard("readAhead")}
    asked = {len(line) - 2, len(line) - 1, len(line)}
    # All of them would be; one may be, where the machine is busy between the key and the request.
    assert told and not asked <= told, "only where it stood before"


def test_where_the_cursor_comes_to_rest_the_server_reads_ahead(
    opened: Opener, scripted: Scripted
) -> None:
    page = opened({"a.py": SOURCE * 20}, scripted.program)
    page.wait_for_status("is ready")
    page.to_line_end(1)
    last = {"event": "readAhead", "file": "a.py", "line": 0, "character": len("def total(values):")}
    until(lambda: scripted.heard("readAhead")[-1:] == [last], "it is told of the first line")
    told = len(scripted.heard("readAhead"))
    page.keys(*["ArrowDown"] * 12)
    until(lambda: scripted.heard("readAhead")[-1]["line"] == 12, "it is told of where it rests")
    assert len(scripted.heard("readAhead")) - told < 12, "one, and some more on a busy machine"
    assert scripted.heard("request") == []


def test_the_server_is_told_of_each_cell_once_and_of_where_the_cursor_rests(
    opened: Opener, scripted: Scripted
) -> None:
    cells = ["# Study", "def total(values):\n    return", "print(total([]))"]
    page = opened({"a.py": SOURCE, "study.ipynb": notebook(*cells)}, scripted.program)
    page.wait_for_status("is ready")
    page.open("study.ipynb")
    [told] = until(lambda: scripted.heard("openedNotebook"), "the server is told of the notebook")
    assert told["cells"] == cells
    page.to_end_of_cell(1)
    place = {"line": 1, "character": len("    return")}
    until(
        lambda: any(place.items() <= last.items() for last in scripted.heard("readAhead")[-1:]),
        f"it reads ahead at {place}",
    )
    assert not [event for event in scripted.heard("opened") if "ipynb" in event["uri"]]


def test_a_server_that_has_loaded_its_model_reads_where_the_cursor_is(
    opened: Opener, scripted: Scripted
) -> None:
    scripted.tell(loads=True)
    page = opened({"a.py": SOURCE}, scripted.program)
    until(lambda: scripted.heard("started"), "the server loads its model")
    page.to_line_end(1)
    place = {
        "event": "readAhead",
        "file": "a.py",
        "line": 0,
        "character": len("def total(values):"),
    }
    # What is told meanwhile cannot be read yet.
    until(lambda: scripted.heard("readAhead")[-1:] == [place], "it is told of the first line")
    told = len(scripted.heard("readAhead"))
    scripted.tell()
    until(lambda: scripted.heard("readAhead")[told:] == [place], "it is told where the cursor is")


def test_a_pause_asks_nothing_and_shows_in_the_status_bar(
    opened: Opener, scripted: Scripted
) -> None:
    scripted.tell(texts=["um(values)"], after="return s")
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    page.command("Lacuna: Pause or Resume for This Language")
    page.wait_for_status("paused for python")
    until(lambda: last_settings(scripted)["disabledLanguages"] == ["python"], "the server knows")
    told = len(scripted.heard("readAhead"))
    page.to_line_end(2)
    page.type("s")
    page.page.wait_for_timeout(1000)
    assert (page.ghost(), scripted.heard("request")) == ("", [])
    assert len(scripted.heard("readAhead")) == told
    page.command("Lacuna: Why Was Nothing Suggested?")
    page.notification("it is paused for python")
    page.command("Lacuna: Pause or Resume for This Language")
    page.wait_for_status("is ready")
    page.keys("Backspace")
    page.type("s")
    assert page.wait_for_ghost() == "um(values)"


def test_what_the_workspace_pauses_is_resumed_in_the_workspace(
    opened: Opener, scripted: Scripted
) -> None:
    paused = {"lacuna.enabled": False, "lacuna.disabledLanguages": ["python"]}
    files = {"a.py": SOURCE, ".vscode/settings.json": json.dumps(paused)}
    page = opened(files, scripted.program)
    page.open("a.py")
    page.wait_for_status("paused everywhere")
    page.command("Lacuna: Pause or Resume Everywhere")
    page.wait_for_status("paused for python")
    page.command("Lacuna: Pause or Resume for This Language")
    page.wait_for_status("is ready")
    resumed = {"lacuna.enabled": True, "lacuna.disabledLanguages": []}
    assert json.loads(page.files["settings.json"].read_text()) == resumed


def last_settings(scripted: Scripted) -> dict[str, Any]:
    heard = scripted.heard("configured")
    return heard[-1]["settings"]["lacuna"] if heard else {"disabledLanguages": None}


def test_a_setting_changed_while_the_server_starts_is_told_when_it_runs(
    opened: Opener, scripted: Scripted
) -> None:
    scripted.tell(hold=True)
    page = opened({"a.py": SOURCE}, scripted.program)
    until(lambda: scripted.heard("initializing"), "the server is being initialized")
    page.command("Lacuna: Pause or Resume for This Language")
    page.wait_for_status("paused for python")
    scripted.tell()
    until(lambda: last_settings(scripted)["disabledLanguages"] == ["python"], "the server knows")
    page.command("Lacuna: Pause or Resume for This Language")
    page.wait_for_status("is ready")
    assert len(scripted.heard("configured")) <= 2


def test_why_gives_the_servers_reason(opened: Opener, scripted: Scripted) -> None:
    reason = {"reason": "breaks-syntax", "detail": "The suggestion would not have parsed."}
    scripted.tell(why=reason)
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    page.command("Lacuna: Why Was Nothing Suggested?")
    page.notification("The suggestion would not have parsed")


def test_a_dead_server_is_restarted_and_the_reason_is_shown(
    opened: Opener, scripted: Scripted
) -> None:
    scripted.tell(texts=["um(values)"], after="return s")
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    os.kill(scripted.heard("started")[0]["pid"], signal.SIGKILL)
    until(lambda: len(scripted.heard("started")) == 2, "the server is restarted")
    page.wait_for_status("is ready")
    assert typed(page, "s") == "um(values)"


def test_restarts_that_overlap_leave_one_server(
    opened: Opener, scripted: Scripted, code_server: CodeServer
) -> None:
    keys = [{"key": "ctrl+alt+l", "command": "lacuna.restartServer"}]
    (code_server.folder / "data/User/keybindings.json").write_text(json.dumps(keys))
    scripted.tell(ends_after_s=1)
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    page.to_line_end(1)
    page.keys(*["Control+Alt+l"] * 3)
    until(lambda: len(scripted.heard("started")) > 1, "another server is started")

    def running() -> list[bool]:
        return [psutil.pid_exists(event["pid"]) for event in scripted.heard("started")]

    until(lambda: sum(running()) == 1 and running()[-1], "one server is left")
    page.page.wait_for_timeout(3000)
    until(lambda: sum(running()) == 1 and running()[-1], "one server is left, and stays")


def test_a_server_that_keeps_dying_is_left_after_five_restarts_with_the_reason(
    opened: Opener, scripted: Scripted
) -> None:
    scripted.tell(die="start")
    page = opened({"a.py": SOURCE}, scripted.program)
    label = page.wait_for_status("restarted 5 times already")
    assert "exit code 7: told to die at start" in label
    assert len(scripted.heard("started")) == 6
    page.picture("error")
    scripted.tell()
    page.command("Lacuna: Restart the Server")
    page.wait_for_status("is ready")


def test_a_wrong_path_is_an_error_that_says_what_to_do(opened: Opener, scripted: Scripted) -> None:
    page = opened({"a.py": SOURCE}, scripted.folder / "nowhere")
    label = page.wait_for_status("lacuna.server.path names .*nowhere")
    assert "Correct or clear it" in label
    page.status.click()
    page.page.locator(".quick-input-list", has_text="Install or Update the Server").wait_for()


def test_a_program_whose_python_is_gone_says_so_and_offers_to_install_one(
    opened: Opener, scripted: Scripted
) -> None:
    broken = scripted.folder / "broken"
    broken.write_text("#!/nowhere/python3\n")
    broken.chmod(0o755)
    page = opened({"a.py": SOURCE}, broken)
    label = page.wait_for_status("has a problem")
    remedy = "Run Lacuna: Install or Update the Server."
    assert f"{broken} cannot be run, since its interpreter is missing. {remedy}" in label
    warning = page.notification("its interpreter is missing").inner_text()
    assert "Set lacuna.server.package to" in warning


def test_open_settings_shows_those_of_the_machine_too(opened: Opener, scripted: Scripted) -> None:
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    page.command("Lacuna: Open Settings")
    page.page.locator(".settings-toc-container", has_text="Server").wait_for()
    page.picture("settings")


def test_the_offer_to_install_is_not_made_again_when_the_user_says_so(
    opened: Opener, scripted: Scripted
) -> None:
    page = opened({"a.py": SOURCE}, None)
    page.notification("the server is not installed").get_by_text("Don't Ask Again").click()
    page.page.locator(".notification-toast").wait_for(state="detached")
    page.command("Lacuna: Restart the Server")
    page.wait_for_status("The server is not installed")
    page.page.wait_for_timeout(1000)
    assert page.page.locator(".notification-toast").count() == 0


def test_one_click_installs_a_server_and_starts_it(opened: Opener, scripted: Scripted) -> None:
    scripted.tell(texts=["um(values)"], after="return s")
    page = opened({"a.py": SOURCE}, None, **{"lacuna.server.package": str(scripted.wheel())})
    page.wait_for_status("The server is not installed. Click to see how to install it.")
    warning = page.notification("the server is not installed")
    assert "what lacuna.server.package names" in warning.inner_text()
    warning.get_by_text("Install", exact=True).click()
    page.notification("Installing the Lacuna server")
    page.wait_for_status("is off: the server is being installed")
    page.picture("installing")
    page.wait_for_status("is ready")
    assert typed(page, "s") == "um(values)"


def test_an_installation_of_nothing_says_what_to_set_and_stops_no_server(
    opened: Opener, scripted: Scripted
) -> None:
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    page.command("Lacuna: Install or Update the Server")
    warning = page.notification("Set lacuna.server.package to /path/to/checkout")
    warning.get_by_text("Open Setting", exact=True).click()
    page.page.locator(".setting-item-title", has_text="Package").wait_for()
    page.picture("package-setting")
    assert "is ready" in page.status_label()
    assert len(scripted.heard("started")) == 1


def test_an_installation_that_is_passed_over_says_what_is_run_instead(
    opened: Opener, scripted: Scripted
) -> None:
    package = {"lacuna.server.package": str(scripted.wheel())}
    page = opened({"a.py": SOURCE}, scripted.program, **package)
    page.wait_for_status("is ready")
    page.command("Lacuna: Install or Update the Server")
    page.notification(f"{scripted.program} is run and not what was installed")


def test_an_installation_that_fails_says_why(opened: Opener, scripted: Scripted) -> None:
    page = opened(
        {"a.py": SOURCE}, None, **{"lacuna.server.package": str(scripted.folder / "no.whl")}
    )
    page.wait_for_status("The server is not installed|is ready|has a problem")
    page.command("Lacuna: Install or Update the Server")
    page.notification("was not installed.*no.whl")


def test_filled_lines_can_be_discarded(opened: Opener, scripted: Scripted) -> None:
    scripted.tell(lines="    return sum(values)")
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    page.select_lines(2, 2)
    page.command("Lacuna: Fill the Selected Lines")
    page.button("Discard").click()
    page.page.locator(".monaco-diff-editor").wait_for(state="detached")
    assert page.files["a.py"].read_text() == SOURCE
    assert page.page.locator(".tab.dirty").count() == 0
    assert scripted.heard("fillLines") == [{"event": "fillLines", "start": 1, "end": 1}]


def test_filled_lines_are_not_applied_to_a_file_that_has_changed(
    opened: Opener, scripted: Scripted
) -> None:
    scripted.tell(lines="    return sum(values)")
    page = opened({"a.py": SOURCE}, scripted.program)
    page.wait_for_status("is ready")
    page.select_lines(2, 2)
    page.command("Lacuna: Fill the Selected Lines")
    page.button("Apply").wait_for()
    page.page.locator(".monaco-diff-editor .original .view-lines").click()
    page.type("x")
    page.button("Apply").click()
    page.notification("the file has changed since")
    page.button("Discard").click()
    page.page.locator(".monaco-diff-editor").wait_for(state="detached")
    page.save()
    written = page.files["a.py"].read_text()
    assert written.replace("x", "") == SOURCE and "x" in written
