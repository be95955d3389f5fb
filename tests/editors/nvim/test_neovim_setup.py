"""What the plugin takes and tells: keys, options, commands, help, health, who draws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from desk import Desk, Opener, Scripted
from driver import PLUGIN, ROOT, Neovim
from get_neovim import neovim_0_12

KEYS = "return vim.inspect(vim.api.nvim_get_keymap('i'))"


def test_setup_without_keys_takes_no_key(editor: Opener, scripted: Scripted) -> None:
    nvim = editor(f"{{ cmd = {scripted.command} }}")
    assert "Lacuna" not in nvim.lua(KEYS)
    nvim.lua("require('lacuna').setup({ keys = { accept_word = '<C-l>' } })")
    assert nvim.lua(KEYS).count("Lacuna: accept word") == 1
    assert nvim.lua("return vim.fn.maparg('<M-n>', 'i')") == ""


def test_a_key_that_was_mapped_before_keeps_its_work(editor: Opener, scripted: Scripted) -> None:
    scripted.tell("xyz = 1\n")
    nvim = editor(
        "(function()\n"
        "  vim.keymap.set('i', '<Tab>', function() return 'before' end, { expr = true })\n"
        f"  return {{ cmd = {scripted.command}, keys = true }}\n"
        "end)()"
    )
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.keys("i<Tab>")
    nvim.holds("before")
    nvim.keys("<C-u>xyz")
    nvim.shows(" = 1")
    nvim.keys("<Tab>")
    nvim.holds("xyz = 1")
    nvim.lua("require('lacuna').setup({ keys = true })")
    nvim.keys("<C-u><Tab>")
    nvim.holds("before")


# A mapping that yields its own key, mapped again, as Neovim allows; here it gives up in the end.
ITSELF = """(function()
  called = 0
  function itself()
    called = called + 1
    if called > 50 then error('for ever') end
    return vim.keycode(vim.fn.pumvisible() == 1 and '<C-n>' or '<Tab>')
  end
  vim.cmd('imap <expr> <Tab> v:lua.itself()')
  return { cmd = %s, keys = true }
end)()"""


def test_a_mapping_that_falls_back_to_its_own_key_comes_to_an_end(
    editor: Opener, scripted: Scripted
) -> None:
    scripted.tell("x   y = 1\n")
    nvim = editor(ITSELF % scripted.command)
    nvim.open("a.py", "")
    nvim.rpc.command("setlocal shiftwidth=4 softtabstop=4")
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.keys("ix<Tab>")
    nvim.holds("x   ")
    assert nvim.lua("return called") == 1
    nvim.shows("y = 1")
    nvim.keys("<Tab>")
    nvim.holds("x   y = 1")
    assert nvim.lua("return called") == 1
    nvim.keys("<CR><Tab><Tab>")  # in one go
    nvim.holds("x   y = 1\n        ")
    assert nvim.lua("return called") == 3


@pytest.mark.parametrize("ends", ["error('it fails')", "return ''"])
def test_a_mapping_that_yields_nothing_runs_again_at_the_next_press(
    editor: Opener, scripted: Scripted, ends: str
) -> None:
    scripted.tell("xyz = 1\n")
    nvim = editor(
        "(function()\n"
        "  called = 0\n"
        f"  local function nothing() called = called + 1; {ends} end\n"
        "  vim.keymap.set('i', '<Tab>', nothing, { expr = true, remap = true })\n"
        f"  return {{ cmd = {scripted.command}, keys = true }}\n"
        "end)()"
    )
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.keys("i")
    nvim.keys("<Tab>")
    nvim.until(lambda: nvim.lua("return called") == 1, "the mapping run")
    nvim.keys("<Tab>")
    nvim.until(lambda: nvim.lua("return called") == 2, "the mapping run again")
    nvim.keys("xyz")
    nvim.shows(" = 1")
    nvim.keys("<Tab>")
    nvim.holds("xyz = 1")


def test_a_mapping_to_another_key_that_was_mapped_still_comes_to_that(
    editor: Opener, scripted: Scripted
) -> None:
    nvim = editor(
        "(function()\n"
        "  vim.cmd('imap <Tab> <M-w>')\n"
        "  vim.cmd('imap <M-w> one<Space>')\n"
        f"  return {{ cmd = {scripted.command}, keys = true }}\n"
        "end)()"
    )
    nvim.open("a.py", "")
    nvim.keys("i<Tab><Tab>")
    nvim.holds("one one ")
    nvim.keys("<Esc>qqo<Tab><Tab><Esc>q@q")
    nvim.holds("one one \none one \none one ")


def mapped(nvim: Neovim, key: str) -> str:
    """What `key` does in Insert mode, by the description of its mapping."""
    return str(nvim.lua("return vim.fn.maparg(..., 'i', false, true).desc or ''", key))


def test_another_setup_gives_back_the_keys_of_the_one_before(
    editor: Opener, scripted: Scripted
) -> None:
    setup = f"require('lacuna').setup({{ cmd = {scripted.command}, keys = %s }})"
    nvim = editor(f"{{ cmd = {scripted.command} }}")
    nvim.lua("vim.keymap.set('i', '<C-y>', 'mine', { desc = 'mine' })")
    nvim.lua("vim.keymap.set('i', '<M-l>', function() end, { desc = 'also mine' })")
    nvim.lua(setup % "true")
    nvim.lua(setup % "{ accept = '<C-y>' }")
    assert mapped(nvim, "<C-y>") == "Lacuna: accept"
    assert mapped(nvim, "<M-l>") == "also mine"
    assert mapped(nvim, "<M-w>") == ""
    nvim.open("a.py", "")
    nvim.keys("i<C-y>")
    nvim.holds("mine")

    nvim.lua(setup % "{ next = '<C-y>', dismiss = '<C-l>' }")
    nvim.lua("vim.keymap.set('i', '<C-l>', 'new', { desc = 'new' })")
    nvim.lua(setup % "false")
    assert mapped(nvim, "<C-y>") == "mine"
    assert mapped(nvim, "<C-l>") == "new"
    assert "Lacuna" not in nvim.lua(KEYS)


def test_a_mapping_that_the_buffer_hides_is_kept_too(editor: Opener, scripted: Scripted) -> None:
    nvim = editor(
        "(function()\n"
        "  vim.keymap.set('i', '<C-y>', 'everywhere')\n"
        "  vim.keymap.set('i', '<C-y>', 'here', { buffer = true })\n"
        f"  return {{ cmd = {scripted.command}, keys = {{ accept = '<C-y>' }} }}\n"
        "end)()"
    )
    nvim.rpc.command("new")
    nvim.keys("i<C-y>")
    nvim.holds("everywhere")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{ gohst = 'own' }", 'there is no option "gohst"'),
        ("{ ghost = 'theirs' }", 'ghost must be "own" or "builtin", not "theirs"'),
        ("{ cmd = 'lacuna serve' }", 'cmd must be a list of words, not "lacuna serve"'),
        ("{ keys = { acept = '<Tab>' } }", "keys must be true, false or a table of keys"),
        ("{ keys = { accept = '' } }", "keys must be true, false or a table of keys"),
        ("{ debounce = { max = 500 } }", "debounce must be a table of typing and deleting in ms"),
        ("{ debounce = { typing = -1 } }", "debounce must be a table of typing and deleting"),
        ("{ battery = true }", 'battery must be "ignore", "saver" or "pause", not true'),
        ("{ settings = '*.pem' }", 'settings must be a table of server settings, not "*.pem"'),
        (
            "{ settings = { excludedGlobs = '*.pem' } }",
            'settings.excludedGlobs must be a list of strings, not "*.pem"; the default is used',
        ),
        (
            "{ settings = { excludedGlobs = { '*.pem', 1 } } }",
            'settings.excludedGlobs must be a list of strings, not { "*.pem", 1 }',
        ),
        (
            "{ settings = { disabledLanguages = { python = true } } }",
            "settings.disabledLanguages must be a list of strings",
        ),
        (
            "{ settings = { maxFileBytes = '2 MB' } }",
            'settings.maxFileBytes must be a whole number from 0 to 100000000, not "2 MB"',
        ),
        ("{ settings = { maxFileBytes = -1 } }", "settings.maxFileBytes must be a whole number"),
    ],
)
def test_a_bad_option_is_named_and_its_default_used(desk: Desk, options: str, message: str) -> None:
    problems = desk.nvim.lua(
        "local config = require('lacuna.config')\n"
        "local before = config.current\n"
        f"local problems = config.set({options})\n"
        "local rest = vim.deep_equal(config.current, config.defaults())\n"
        "config.current = before\n"
        "return { problems, rest }"
    )
    assert message in problems[0][0]
    assert problems[1] is True


def test_a_bad_setting_costs_none_of_the_others(desk: Desk) -> None:
    problems, settings = desk.nvim.lua(
        "local config = require('lacuna.config')\n"
        "local before = config.current\n"
        "local problems = config.set({ settings = { maxFileBytes = '2 MB', steps = 4,"
        " excludedGlobs = { 'private/*' }, disabledLanguages = 'python' } })\n"
        "local settings = config.current.settings\n"
        "config.current = before\n"
        "return { problems, settings }"
    )
    named = [problem.split(" must be ")[0] for problem in problems]
    assert named == ["settings.disabledLanguages", "settings.maxFileBytes"]
    assert settings == {
        "disabledLanguages": [],
        "excludedGlobs": ["private/*"],
        "maxFileBytes": 2000000,
        "steps": 4,
    }


def test_the_server_is_told_its_settings_once(editor: Opener, scripted: Scripted) -> None:
    nvim = editor(f"{{ cmd = {scripted.command}, settings = {{ threshold = 5 }} }}")
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.keys("ix")
    nvim.until(scripted.requests, "a request")
    told = [event["settings"] for event in scripted.events("settings")]
    assert len(told) == 1
    assert "'threshold': 5" in str(told)


def test_once_the_model_is_loaded_it_is_asked_without_a_key(desk: Desk) -> None:
    notify = "require('lacuna.client').notifications['lacuna/status'](...)"
    nvim = desk.sit("")
    nvim.until(desk.requests, "a request, answered with nothing")
    desk.server.tell("total = 1\n")
    nvim.lua(notify, {"state": "loading", "message": "Loading."})
    nvim.never(desk.requests, "asked without a reason", 0.5)
    nvim.lua(notify, {"state": "ready", "message": "Ready."})
    nvim.shows("total = 1")


def help_text() -> str:
    return (PLUGIN / "doc" / "lacuna.txt").read_text()


def test_the_help_opens_and_names_all_there_is(desk: Desk, tmp_path: Path) -> None:
    doc = tmp_path / "doc"
    doc.mkdir()
    (doc / "lacuna.txt").write_text(help_text())
    nvim = desk.nvim
    nvim.rpc.command(f"helptags {doc}")
    nvim.rpc.command(f"set runtimepath+={tmp_path}")
    for topic in ("lacuna", "lacuna-options", "lacuna-keys", ":LacunaFill", "lacuna-builtin"):
        nvim.rpc.command(f"help {topic}")
        assert nvim.rpc.eval("&buftype") == "help"
        nvim.rpc.command("helpclose")
    commands = nvim.lua("return vim.tbl_keys(vim.api.nvim_get_commands({}))")
    for command in (name for name in commands if name.startswith("Lacuna")):
        assert f"*:{command}*" in help_text()
    for option in nvim.lua("return vim.tbl_keys(require('lacuna.config').defaults())"):
        assert f"*lacuna-option-{option}*" in help_text()
    for name in nvim.lua("return vim.tbl_keys(require('lacuna'))"):
        assert f"*lacuna.{name}()*" in help_text()


def test_the_help_has_the_settings_of_the_protocol() -> None:
    protocol = (ROOT / "docs" / "protocol.md").read_text()
    section = protocol.split("## Settings")[1].split("\n## ")[0]
    settings = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert "excludedGlobs" in settings
    for setting in settings:
        assert re.search(rf"^ *{setting}\b", help_text(), re.MULTILINE), setting


def test_health_tells_what_works_and_what_does_not(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.keys("<Esc>")
    nvim.rpc.command("checkhealth lacuna")
    report = nvim.text()
    assert "ERROR" not in report
    for words in ("Neovim 0.1", "server runs", "<Tab>", "ghost text"):
        assert words in report, report
    nvim.rpc.command("bwipeout!")
    nvim.lua("require('lacuna.config').current.cmd = { 'no-such-lacuna' }")
    try:
        nvim.rpc.command("checkhealth lacuna")
        assert re.search(r"ERROR.*no-such-lacuna", nvim.text())
    finally:
        nvim.lua("require('lacuna.config').current.cmd = ...", [])


def test_the_statusline_follows_the_server(desk: Desk) -> None:
    nvim = desk.sit("")
    line = "return require('lacuna').statusline()"
    notify = "require('lacuna.client').notifications['lacuna/status'](...)"
    try:
        for status, shown in (
            ({"state": "loading", "message": "Loading."}, "Lacuna loading"),
            ({"state": "ready", "message": "Ready."}, "Lacuna ready"),
            ({"state": "computing", "message": "Computing."}, "Lacuna …"),
            ({"state": "ready", "message": "Ready.", "latencyMs": 84}, "Lacuna 84 ms"),
            ({"state": "error", "message": "The model is gone. Get it."}, "Lacuna error"),
        ):
            nvim.lua(notify, status)
            assert nvim.lua(line) == shown
        nvim.says("The model is gone. Get it.")
    finally:
        nvim.lua(notify, {"state": "ready", "message": "Ready."})
    nvim.keys("<Esc>")
    nvim.rpc.command("enew")
    assert nvim.lua(line) == ""


def test_a_failure_is_told_once_until_the_server_is_well_again(desk: Desk) -> None:
    nvim = desk.sit("")
    computing = {"state": "computing", "message": "Computing."}
    first, second = ({"state": "error", "message": f"Failure {n}."} for n in (1, 2))

    def told(*statuses: dict[str, str]) -> list[str]:
        nvim.lua("notices = {}")
        for status in statuses:
            nvim.lua("require('lacuna.client').notifications['lacuna/status'](...)", status)
        return nvim.notices().splitlines()

    try:
        one, two = "Lacuna: Failure 1.", "Lacuna: Failure 2."
        assert told(computing, first, computing, first, computing, first) == [one]
        assert told(computing, second, computing, first, second) == [two]
        for state in ("ready", "off", "loading"):
            assert told({"state": state, "message": ""}, first, computing, first) == [one]
        nvim.lua("for _, hear in ipairs(require('lacuna.client').on_gone) do hear() end")
        assert told(first, computing, first) == [one]
    finally:
        told({"state": "ready", "message": "Ready."})


def test_the_statusline_says_paused_of_what_lasts_only(desk: Desk) -> None:
    nvim = desk.sit("")
    line = "return require('lacuna').statusline()"
    notify = "require('lacuna.client').notifications['lacuna/status'](...)"
    nvim.lua(notify, {"state": "ready", "message": "Ready."})
    nvim.keys("alpha alphabet alp<C-n>")
    nvim.until(lambda: nvim.rpc.funcs.pumvisible(), "the menu")
    assert nvim.lua(line) == "Lacuna ready"
    nvim.keys("<C-e><Esc>")
    nvim.lua("vim.fn.setreg('q', ':lua seen = require(\"lacuna\").statusline()\\r')")
    nvim.keys("@q")
    nvim.until(lambda: nvim.lua("return seen"), "the macro run")
    assert nvim.lua("return seen") == "Lacuna ready"
    nvim.lua("seen = nil")
    nvim.rpc.command("LacunaPause")
    try:
        assert nvim.lua(line) == "Lacuna paused"
    finally:
        nvim.rpc.command("LacunaResume")


COUNT = """
told = 0
watch = vim.api.nvim_create_autocmd('User', {
  pattern = 'LacunaStatus',
  callback = function() told = told + 1 end,
})
"""


def test_an_event_tells_of_pausing_and_resuming(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.keys("<Esc>")
    nvim.until(lambda: nvim.look().mode == "n", "Normal mode")
    nvim.lua(COUNT)
    try:
        for command, events in (("Pause", 1), ("Resume", 2), ("Pause python", 3), ("Resume", 4)):
            nvim.rpc.command(f"Lacuna{command}")
            assert nvim.lua("return told") == events
    finally:
        nvim.lua("vim.api.nvim_del_autocmd(watch)")


def test_an_event_tells_that_the_server_stays_off(editor: Opener) -> None:
    nvim = editor("{ cmd = { 'no-such-lacuna', 'serve' } }")
    nvim.lua(COUNT)
    nvim.open("a.py", "")
    nvim.says("was not found")
    assert nvim.lua("return told") == 1


ATTACHED = """vim.api.nvim_create_autocmd('LspAttach', {
  callback = function(args) vim.lsp.inline_completion.enable(true, { bufnr = args.buf }) end,
})"""


MARKS = "return #vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace(...), 0, -1, {})"


def draws_once(nvim: Neovim) -> None:
    nvim.keys("i")
    nvim.type("total")
    nvim.shows(" = 1")
    nvim.never(lambda: nvim.lua(MARKS, "nvim.lsp.inline_completion"), "drawn by Neovim too", 0.6)
    assert nvim.ghost() == " = 1"


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ("vim.lsp.inline_completion.enable()", ""),
        (ATTACHED, ""),
        ("", "vim.lsp.inline_completion.enable()"),
        ("", "vim.lsp.inline_completion.enable(true, { bufnr = 0 })"),
    ],
)
def test_nothing_is_drawn_twice_where_neovim_draws_too(
    tmp_path: Path, scripted: Scripted, early: str, late: str
) -> None:
    scripted.tell("total = 1\n")
    setup = f"(function() {early} return {{ cmd = {scripted.command} }} end)()"
    with Neovim(neovim_0_12(), tmp_path / "home", setup) as nvim:  # 0.11 draws nothing itself
        nvim.open("a.py", "")
        nvim.until(nvim.attached, "the server has the buffer")
        nvim.lua(late)
        draws_once(nvim)


def test_nothing_is_drawn_twice_after_neovims_own_restart(
    tmp_path: Path, scripted: Scripted
) -> None:
    scripted.tell("total = 1\n")
    setup = f"(function() {ATTACHED} return {{ cmd = {scripted.command} }} end)()"
    with Neovim(neovim_0_12(), tmp_path / "home", setup) as nvim:  # 0.11 has no :lsp
        nvim.open("a.py", "")
        nvim.until(nvim.attached, "the server has the buffer")
        first = nvim.server()
        nvim.rpc.command("lsp restart lacuna")
        first.wait(60)
        nvim.until(nvim.attached, "the new server has the buffer")
        draws_once(nvim)


def builtin(editor: Opener, scripted: Scripted) -> Neovim:
    setup = f"{{ cmd = {scripted.command}, keys = true, ghost = 'builtin' }}"
    return editor(setup, namespace="nvim.lsp.inline_completion")


def test_neovims_own_ghost_text_may_be_chosen(editor: Opener, scripted: Scripted) -> None:
    scripted.tell("total = 1\n")
    nvim = builtin(editor, scripted)
    has = nvim.lua("return vim.lsp.inline_completion ~= nil")
    if not has:
        nvim.says('ghost = "builtin" needs Neovim 0.12; "own" is used')
        nvim.namespace = "lacuna"
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.keys("i")
    nvim.type("total")
    nvim.shows(" = 1")
    nvim.keys("<Tab>")
    nvim.holds("total = 1")
    other = "lacuna" if has else "nvim.lsp.inline_completion"
    assert nvim.lua(MARKS, other) == 0


def test_pausing_holds_for_neovims_own_ghost_text_too(editor: Opener, scripted: Scripted) -> None:
    nvim = builtin(editor, scripted)
    nvim.rpc.command("LacunaPause")
    nvim.open("a.py", "")
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.keys("i")
    nvim.type("x")
    nvim.never(scripted.requests, "asked while paused", 0.6)
    nvim.keys("<Esc>:LacunaResume<CR>ay")
    nvim.until(scripted.requests, "a request")
