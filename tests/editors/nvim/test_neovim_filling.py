"""Lines filled anew: put in where the text is as it was."""

from __future__ import annotations

from desk import Desk
from driver import Neovim

TEXT = "one = 1\ntwo = 2"


def asked(desk: Desk) -> Neovim:
    """The editor in Normal mode, the server at work on the second line of TEXT."""
    nvim = desk.sit("", delay=60)
    nvim.keys("<Esc>")
    nvim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { ... })", *TEXT.split("\n"))
    nvim.rpc.command("2LacunaFill")
    nvim.until(lambda: desk.server.events("fill"), "a request")
    return nvim


def test_saving_does_not_keep_lines_from_being_filled(desk: Desk) -> None:
    nvim = asked(desk)
    nvim.rpc.command("write")
    desk.server.tell("")
    nvim.says("filled; u takes it back.")
    nvim.holds(TEXT.replace("two", "filled\ntwo"))
    nvim.keys("u")
    nvim.holds(TEXT)


def test_lines_are_not_filled_where_the_text_has_changed(desk: Desk) -> None:
    nvim = asked(desk)
    nvim.keys("ggx")
    nvim.holds(TEXT[1:])
    desk.server.tell("")
    nvim.says("not filled: the text has changed meanwhile")
    assert nvim.text() == TEXT[1:]
