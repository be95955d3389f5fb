"""The server is told where a request is likely, before it is asked."""

from __future__ import annotations

import pytest
from desk import Desk, Opener, Scripted
from driver import Neovim

LINES = "one\ntwo\nthree\n"
NOTIFY = "require('lacuna.client').notifications['lacuna/status'](...)"


def at_rest(nvim: Neovim, server: Scripted) -> None:
    """Opens a file in Normal mode; the server has read at its start, and the log begins anew."""
    nvim.open("lines.py", LINES, at=(1, 1))
    nvim.until(nvim.attached, "the server has the buffer")
    # By movements of our own: what the opening causes is told only if the server ran before.
    for key, before in (("l", "o"), ("h", "")):
        nvim.keys(key)
        nvim.until(lambda at=before: server.read_ahead()[-1:] == [at], "read where the cursor is")
    server.tell("")


def test_what_is_asked_about_is_not_read_ahead(desk: Desk) -> None:
    at_rest(desk.nvim, desk.server)  # or what the opening causes could still be under way
    nvim = desk.nvim
    nvim.type('i"😀" + x')
    nvim.until(lambda: '"😀" + x' in desk.requests(), "a request")
    nvim.never(lambda: '"😀" + x' in desk.server.read_ahead(), "read where it was asked", 0.5)


def test_where_the_cursor_rests_while_inserting_is_read(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.type('"😀" + x')
    nvim.until(lambda: '"😀" + x' in desk.requests(), "a request")
    nvim.keys("<Left><Left>")
    nvim.until(lambda: desk.server.read_ahead()[-1:] == ['"😀" +'], "read where the cursor is")


def test_where_the_cursor_rests_is_read_once_after_several_movements(desk: Desk) -> None:
    at_rest(desk.nvim, desk.server)
    desk.nvim.keys("jjl")  # at once: no pause of the machine is a rest of the cursor
    desk.nvim.until(desk.server.read_ahead, "read where the cursor is")
    desk.nvim.never(lambda: len(desk.server.read_ahead()) > 1, "read more than once", 0.5)
    assert desk.server.read_ahead() == ["one\ntwo\nt"]
    assert desk.requests() == []


def test_nothing_is_read_ahead_while_paused(desk: Desk) -> None:
    at_rest(desk.nvim, desk.server)
    desk.nvim.rpc.command("LacunaPause")
    try:
        desk.nvim.type("jl")
        desk.nvim.never(desk.server.read_ahead, "read while paused", 0.5)
        desk.nvim.type("ix")
        desk.nvim.never(desk.server.read_ahead, "read while paused", 0.5)
    finally:
        desk.nvim.rpc.command("LacunaResume")


def test_where_the_cursor_is_is_read_once_the_model_is_loaded(desk: Desk) -> None:
    at_rest(desk.nvim, desk.server)
    desk.nvim.lua(NOTIFY, {"state": "loading", "message": "Loading."})
    desk.nvim.never(desk.server.read_ahead, "read by no model", 0.3)
    desk.nvim.lua(NOTIFY, {"state": "ready", "message": "Ready."})
    desk.nvim.until(lambda: desk.server.read_ahead() == [""], "read where the cursor is")


@pytest.mark.parametrize("ghost", ["own", "builtin"])
def test_whoever_draws_the_place_where_the_cursor_rests_is_read(
    editor: Opener, scripted: Scripted, ghost: str
) -> None:
    nvim = editor(f"{{ cmd = {scripted.command}, ghost = '{ghost}' }}")
    nvim.open("lines.py", LINES, at=(1, 1))
    nvim.until(nvim.attached, "the server has the buffer")
    nvim.type("j")
    nvim.until(lambda: scripted.read_ahead()[-1:] == ["one\n"], "read where the cursor is")
