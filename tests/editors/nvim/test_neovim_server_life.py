"""The server's life in the editor: started when needed, restarted, kept from what is private."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from desk import Desk, Opener, Scripted
from driver import Neovim
from get_neovim import neovim_0_12

from lsp_server.globs import matches

RESTARTS = 5


def restarts(nvim: Neovim) -> int:
    """How often the server has been started again since the user last did."""
    return int(nvim.lua("return require('lacuna.client').restarts()"))


def opened(editor: Opener, scripted: Scripted, more: str = "") -> Neovim:
    return editor(f"{{ cmd = {scripted.command}, {more} }}")


def test_no_server_is_started_for_a_buffer_that_is_no_file(
    editor: Opener, scripted: Scripted
) -> None:
    nvim = opened(editor, scripted)
    nvim.rpc.command("enew")
    nvim.never(lambda: scripted.events("started"), "started for nothing", 0.5)
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")


def test_a_dead_server_is_started_again_and_takes_the_buffers_back(
    editor: Opener, scripted: Scripted
) -> None:
    nvim = opened(editor, scripted)
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    scripted.tell("total = 1\n")
    nvim.server().kill()
    nvim.says("signal 9")
    nvim.until(nvim.attached, "the server has the buffer again")
    nvim.keys("i")
    nvim.type("total")
    nvim.shows(" = 1")


def test_a_server_that_keeps_dying_is_left_off_and_says_why(
    editor: Opener, scripted: Scripted
) -> None:
    nvim = opened(editor, scripted)
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    scripted.tell("", die_on="boom")
    nvim.keys("i")
    for number in range(RESTARTS + 1):
        # Counted, for a server that is gone is soon back.
        nvim.until(lambda n=number: restarts(nvim) == n and nvim.attached(), "the server has it")
        nvim.keys("<C-u>boom")
    nvim.says("exit code 7 (the script says so)")
    nvim.says(f"It was started again {RESTARTS} times and stays off.")
    assert len(scripted.events("started")) == RESTARTS
    nvim.never(nvim.attached, "started once more", 1)
    assert nvim.lua("return require('lacuna').statusline()") == "Lacuna off"
    nvim.keys("<Esc>:LacunaWhy<CR>")
    nvim.until(lambda: nvim.notices().count("stays off") == 2, "the reason")

    scripted.tell("total = 1\n")
    nvim.keys(":LacunaRestart<CR>")
    nvim.until(nvim.attached, "the server has the buffer")


def test_a_death_long_after_the_one_before_counts_as_the_first(
    editor: Opener, scripted: Scripted
) -> None:
    nvim = opened(editor, scripted)
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")

    def restarts_when_killed() -> int:
        killed = nvim.server()
        killed.kill()
        # Another process, for a server that is gone is soon back.
        nvim.until(lambda: nvim.servers() not in ([], [killed]), "another server")
        nvim.until(nvim.attached, "the server has the buffer again")
        return restarts(nvim)

    assert [restarts_when_killed() for _ in range(2)] == [1, 2]
    nvim.lua("local now = vim.uv.now; vim.uv.now = function() return now() + 600000 end")
    assert restarts_when_killed() == 1


def test_stopping_is_for_good_until_asked_to_start(editor: Opener, scripted: Scripted) -> None:
    nvim = opened(editor, scripted)
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    process = nvim.server()
    nvim.rpc.command("LacunaStop")
    process.wait(60)
    nvim.open("b.py", "")
    nvim.never(nvim.attached, "started though stopped", 1)
    nvim.rpc.command("LacunaWhy")
    nvim.says(":LacunaRestart starts it")
    nvim.rpc.command("LacunaRestart")
    nvim.until(nvim.attached, "the server has the buffer")


@pytest.mark.parametrize("forced", ["false", "true"])
def test_stopping_it_by_neovims_own_means_is_for_good_too(
    editor: Opener, scripted: Scripted, forced: str
) -> None:
    nvim = opened(editor, scripted)
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    process = nvim.server()
    nvim.rpc.exec_lua(f"vim.lsp.get_clients({{ name = 'lacuna' }})[1]:stop({forced})")
    process.wait(60)
    nvim.never(nvim.attached, "started though stopped", 2)
    assert "the server ended" not in nvim.notices()
    nvim.rpc.command("LacunaWhy")
    nvim.says("You stopped the server; :LacunaRestart starts it")
    nvim.rpc.command("LacunaRestart")
    nvim.until(nvim.attached, "the server has the buffer")


def test_restarting_ends_a_server_that_hangs(editor: Opener, scripted: Scripted) -> None:
    nvim = opened(editor, scripted)
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    hung = nvim.server()
    scripted.tell("", hang_on="boom")
    nvim.keys("iboom")
    nvim.until(scripted.requests, "a request")
    nvim.keys("<Esc>:LacunaRestart<CR>")
    hung.wait(60)
    nvim.until(nvim.attached, "the server has the buffer")
    assert "the server ended" not in nvim.notices()


def test_neovims_own_restart_of_the_server_is_gone_along_with(
    tmp_path: Path, scripted: Scripted
) -> None:
    setup = f"{{ cmd = {scripted.command} }}"
    with Neovim(neovim_0_12(), tmp_path / "home", setup) as nvim:  # 0.11 has no :lsp
        nvim.open("a.py", "")
        nvim.until(nvim.attached, "the server has the buffer")
        first = nvim.server()
        nvim.rpc.command("lsp restart lacuna")
        first.wait(60)
        nvim.until(nvim.attached, "the new server has the buffer")
        second = nvim.server()
        scripted.tell("total = 1\n")
        nvim.keys("i")
        nvim.type("total")
        nvim.shows(" = 1")
        nvim.keys("<Esc>")
        nvim.rpc.command("LacunaRestart")
        second.wait(60)
        nvim.until(nvim.attached, "the third server has the buffer")
        assert "the server ended" not in nvim.notices()

        third = nvim.server()
        nvim.rpc.command("lsp restart lacuna")
        nvim.rpc.command("LacunaStop")
        third.wait(60)
        nvim.until(lambda: len(scripted.events("started")) == 2, "a fourth server")
        nvim.until(lambda: not nvim.servers(), "no server left")


def test_before_setup_nothing_is_stopped_or_started(editor: Opener, scripted: Scripted) -> None:
    nvim = editor(
        "(function()\n"
        "  local client = require('lacuna.client')\n"
        "  client.stop()\n"
        "  client.restart()\n"
        "  before = client.gone()\n"
        f"  return {{ cmd = {scripted.command} }}\n"
        "end)()"
    )
    assert "setup() has not been called" in str(nvim.lua("return before"))
    assert nvim.notices().count("setup() has not been called") == 2
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")


def test_a_server_starts_where_no_log_can_be_written(editor: Opener, scripted: Scripted) -> None:
    nvim = editor(
        "(function()\n"
        "  vim.fn.mkdir(require('lacuna.client').log_path(), 'p')\n"  # a folder has its name
        f"  return {{ cmd = {scripted.command} }}\n"
        "end)()"
    )
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    scripted.tell("", die_on="boom")
    nvim.keys("iboom")
    nvim.says("the server ended with exit code 7. It is started again")
    nvim.until(nvim.attached, "the server has the buffer again")
    assert nvim.notices().count("the server runs without a log: ") == 1
    assert f"lacuna-{nvim.process.pid}.log: Is a directory." in nvim.notices()
    nvim.keys("<Esc>:checkhealth lacuna<CR>")
    nvim.until(lambda: "the server has no log: " in nvim.text(), "the report")
    nvim.log.rmdir()


def test_where_neovim_has_no_folder_for_logs_that_is_told(
    editor: Opener, scripted: Scripted, tmp_path: Path
) -> None:
    state = tmp_path / "home" / "state"
    state.parent.mkdir()
    state.write_text("")
    nvim = opened(editor, scripted)
    nvim.open("a.py", "")
    nvim.says("Neovim has no folder for its logs (Vim:E739")
    nvim.rpc.command("doautocmd BufEnter")
    assert nvim.notices().count("E739") == 1
    state.unlink()
    nvim.rpc.command("LacunaRestart")
    nvim.until(nvim.attached, "the server has the buffer")


def test_what_another_neovims_server_wrote_is_not_the_reason_of_a_death(
    binary: Path, tmp_path: Path, scripted: Scripted
) -> None:
    setup = f"{{ cmd = {scripted.command} }}"
    scripted.tell("", die_on="boom")
    # In one home, so that the logs are in one folder.
    with Neovim(binary, tmp_path / "home", setup) as one:
        one.open("a.py", "")
        one.until(one.attached, "the server has the buffer")
        with Neovim(binary, tmp_path / "home", setup) as other:
            other.open("b.py", "")
            other.until(other.attached, "the server has the buffer")
            other.keys("iboom")
            other.says("exit code 7 (the script says so)")
            one.server().kill()
            one.says("the server ended with signal 9. It is started again")


def test_old_logs_of_neovims_that_have_ended_are_removed(
    editor: Opener, scripted: Scripted, tmp_path: Path
) -> None:
    folder = tmp_path / "home/state/nvim"
    folder.mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    now = time.time()
    for name, hours in (
        (f"lacuna-{ended.pid}.log", 25),
        (f"lacuna-{os.getpid()}.log", 25),  # its process runs
        ("lacuna-99999999.log", 23),
        ("lsp.log", 25),
    ):
        (folder / name).write_text("words\n")
        os.utime(folder / name, (now - hours * 3600,) * 2)
    nvim = opened(editor, scripted)
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    left = {path.name for path in folder.glob("*.log")}
    kept = {f"lacuna-{os.getpid()}.log", "lacuna-99999999.log", "lsp.log", nvim.log.name}
    assert left == kept


def test_a_server_that_is_not_installed_is_named_with_the_remedy(editor: Opener) -> None:
    nvim = editor("{ cmd = { 'no-such-lacuna', 'serve' } }")
    nvim.open("a.py", "")
    nvim.says('"no-such-lacuna" was not found. Install it (:help lacuna-installation)')


def left_alone(nvim: Neovim, server: Scripted, name: str, reason: str) -> None:
    """Types into a file that must not be shown to the server, and asks why nothing comes."""
    nvim.open("open.lua", "")
    nvim.until(nvim.attached, "the server has an ordinary file")
    nvim.open(name, "x" * 200)
    if not nvim.rpc.eval("&filetype"):
        nvim.rpc.command("setfiletype sh")
    nvim.keys("A=")
    nvim.never(nvim.attached, "shown to the server", 0.3)
    seen = [Path(str(event["uri"])).name for event in server.events("opened")]
    assert Path(name).name not in seen
    nvim.keys("<Esc>:LacunaWhy<CR>")
    nvim.says(f"({reason})")


@pytest.mark.parametrize(
    "name", [".env", "deep/down/secrets.py", "server.pem", "Keys/ID_RSA.py", ".env.local"]
)
def test_secrets_never_reach_the_server(desk: Desk, name: str) -> None:
    left_alone(desk.nvim, desk.server, name, "excluded")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("excludedGlobs = { 'gen/*' }", "excluded"),
        ("maxFileBytes = 100", "too-large"),
        ("disabledLanguages = { 'python' }", "disabled-language"),
    ],
)
def test_what_the_user_excludes_never_reaches_the_server(
    editor: Opener, scripted: Scripted, settings: str, reason: str
) -> None:
    nvim = opened(editor, scripted, f"settings = {{ {settings} }}")
    left_alone(nvim, scripted, "gen/a.py", reason)


def test_a_link_to_a_secret_never_reaches_the_server(desk: Desk) -> None:
    (desk.nvim.home / "linked.pem").write_text("")
    (desk.nvim.home / "link.py").symlink_to("linked.pem")
    left_alone(desk.nvim, desk.server, "link.py", "excluded")


def test_a_glob_that_neovim_cannot_read_is_left_to_the_server(
    editor: Opener, scripted: Scripted
) -> None:
    globs = "{ '**/secret**', '**.pem', 'a[', '[z-a]', 'gen/*' }"
    nvim = opened(editor, scripted, f"settings = {{ excludedGlobs = {globs} }}")
    assert nvim.notices() == ""
    left_alone(nvim, scripted, "gen/a.py", "excluded")
    told = nvim.lua("return vim.lsp.get_clients({ name = 'lacuna' })[1].config.init_options")
    assert told["excludedGlobs"] == ["**/secret**", "**.pem", "a[", "[z-a]", "gen/*"]


@pytest.mark.parametrize(
    ("name", "glob", "excluded"),
    [
        ("private/a.py", "private/", True),
        ("src/a.py", "./src/a.py", True),
        ("ab.py", "a[^0-9].py", True),
        ("a1.py", "a[^0-9].py", False),
    ],
)
def test_a_glob_is_read_as_the_server_reads_it(
    desk: Desk, name: str, glob: str, excluded: bool
) -> None:
    assert matches(f"/home/{name}", [glob]) is excluded
    desk.nvim.open(name, "")
    code = (
        "local settings = require('lacuna.config').current.settings\n"
        "local before = settings.excludedGlobs\n"
        "settings.excludedGlobs = { ... }\n"
        "local alone = require('lacuna.scope').left_alone(0)\n"
        "settings.excludedGlobs = before\n"
        "return alone and alone.reason or ''"
    )
    assert desk.nvim.lua(code, glob) == ("excluded" if excluded else "")


@pytest.mark.parametrize("disabled", ["python", "python.django"])
def test_a_filetype_of_several_parts_is_disabled_by_its_name_or_its_first_part(
    editor: Opener, scripted: Scripted, disabled: str
) -> None:
    nvim = opened(editor, scripted, f"settings = {{ disabledLanguages = {{ '{disabled}' }} }}")
    nvim.open("views", "")
    nvim.rpc.command("setfiletype python.django")
    nvim.never(nvim.attached, "shown to the server", 0.3)
    nvim.rpc.command("LacunaWhy")
    nvim.says("(disabled-language)")


@pytest.mark.parametrize(
    ("filetype", "language"),
    [
        ("python.django", "python"),
        ("sh.zsh", "shellscript"),
        ("javascript.jsx", "javascriptreact"),
    ],
)
def test_the_server_is_told_the_language_of_a_filetype_of_several_parts(
    desk: Desk, filetype: str, language: str
) -> None:
    desk.sit("").keys("<Esc>")  # then the server has done what it was asked before
    desk.nvim.open(f"{language}_script", "")
    desk.nvim.rpc.command(f"setfiletype {filetype}")
    opened = desk.nvim.until(lambda: desk.server.events("opened"), "the server has the buffer")
    assert [event["language"] for event in opened] == [language]


def test_the_server_is_told_when_the_language_changes(desk: Desk) -> None:
    nvim = desk.sit("")  # then the server has closed the file of the test before
    nvim.keys("<Esc>")
    nvim.open("language.txt", "")
    for filetype in ("python", "python", "python.django", "sh"):
        nvim.rpc.command(f"set filetype={filetype}")
        nvim.until(nvim.attached, "the server has the buffer")
    nvim.until(lambda: len(desk.server.events("opened")) == 3, "the buffer opened again")
    opened = [event["language"] for event in desk.server.events("opened")]
    assert opened == ["plaintext", "python", "shellscript"]
    assert named(desk.server.events("closed")) == ["language.txt", "language.txt"]
    desk.server.tell("echo 1\n")
    nvim.keys("i")
    nvim.type("echo")
    nvim.shows(" 1")


def named(events: list[dict[str, object]]) -> list[str]:
    """The names of the files in these events."""
    return [Path(str(event["uri"])).name for event in events]


def test_a_buffer_with_another_name_is_suggested_in_at_once(desk: Desk) -> None:
    nvim = desk.sit("total = 1\n")
    nvim.keys("<Esc>")
    nvim.rpc.command("file renamed.py")
    nvim.keys("i")
    nvim.type("total")
    nvim.shows(" = 1")
    assert named(desk.server.events("closed")) == [f"{desk.files}.py"]
    assert named(desk.server.events("opened")) == ["renamed.py"]


def test_a_buffer_that_is_refused_another_name_is_still_suggested_in(desk: Desk) -> None:
    desk.nvim.open("taken.py", "")
    nvim = desk.sit("total = 1\n")
    nvim.keys("<Esc>")
    nvim.rpc.command("silent! file taken.py")
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.keys("i")
    nvim.type("total")
    nvim.shows(" = 1")


def test_a_buffer_that_is_given_a_secret_name_is_closed_on_the_server(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.keys("<Esc>")
    nvim.rpc.command("file secrets.py")
    nvim.until(lambda: desk.server.events("closed"), "the buffer closed")
    nvim.never(nvim.attached, "shown to the server", 0.3)
    assert named(desk.server.events("closed")) == [f"{desk.files}.py"]


def test_a_file_that_outgrows_the_limit_is_asked_about_no_more(
    editor: Opener, scripted: Scripted
) -> None:
    nvim = opened(editor, scripted, "settings = { maxFileBytes = 20 }")
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.keys("i")
    nvim.type("x" * 30)
    nvim.holds("x" * 30)
    nvim.never(
        lambda: [text for text in scripted.requests() if len(text) > 20],
        "asked about a large file",
        0.6,
    )


def test_requests_wait_for_mains_power(desk: Desk, tmp_path: Path) -> None:
    battery = tmp_path / "power" / "BAT0"
    battery.mkdir(parents=True)
    (battery / "type").write_text("Battery\n")
    (battery / "status").write_text("Discharging\n")
    on_battery = "require('lacuna.power').supplies = ..."
    policy_is = "require('lacuna.config').current.battery = ...\nrequire('lacuna.power').forget()"
    mains = desk.nvim.lua("return require('lacuna.power').supplies")
    desk.nvim.lua(on_battery, str(battery.parent))
    try:
        for policy, percent, asks in (
            ("saver", 80, True),
            ("saver", 10, False),
            ("pause", 80, False),
            ("ignore", 10, True),
        ):
            (battery / "capacity").write_text(f"{percent}\n")
            desk.nvim.lua(policy_is, policy)
            nvim = desk.sit("")
            nvim.type("x")
            if asks:
                nvim.until(desk.requests, f"a request with {policy} at {percent} %")
            else:
                nvim.never(desk.requests, f"asked with {policy} at {percent} %", 0.5)
                assert nvim.lua("return require('lacuna').statusline()") == "Lacuna paused"
                nvim.keys("<Esc>:LacunaWhy<CR>")
                nvim.says("(battery)")
            nvim.keys("<Esc>")
    finally:
        desk.nvim.lua(on_battery, mains)
        desk.nvim.lua(policy_is, "saver")


def test_pausing_a_language_leaves_the_others(desk: Desk) -> None:
    desk.nvim.rpc.command("LacunaPause python")
    try:
        nvim = desk.sit("")
        nvim.type("x")
        nvim.never(desk.requests, "asked while paused", 0.6)
        nvim.rpc.command("set filetype=python.django")
        nvim.type("x")
        nvim.never(desk.requests, "asked while its first part is paused", 0.6)
        nvim.keys("<Esc>")
        nvim.open("a.lua", "")
        nvim.until(nvim.attached, "the server has the buffer")
        nvim.keys("i")
        nvim.type("y")
        nvim.until(lambda: desk.requests()[-1:] == ["y"], "a request for Lua")
    finally:
        desk.nvim.rpc.command("LacunaResume")
