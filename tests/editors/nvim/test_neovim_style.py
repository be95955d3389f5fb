"""The Lua files are as StyLua writes them."""

from __future__ import annotations

from get_stylua import check


def test_lua_is_formatted_by_stylua() -> None:
    unformatted = check()
    assert unformatted == [], "python tests/editors/nvim/get_stylua.py --write mends it"
