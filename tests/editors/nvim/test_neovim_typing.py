"""Suggestions while typing: asked for sparingly, shown where they fit, gone where they do not."""

from __future__ import annotations

import pytest
from desk import Desk

TARGET = "total = price * count\nprint(total)\n"


def test_the_rest_of_the_line_appears_as_ghost_text(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total = ")
    nvim.shows("price * count")
    assert nvim.screen_row(1) == "total = price * count"
    assert nvim.text() == "total = "


def test_no_key_of_a_run_is_a_request_but_the_last(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.shows("total = price * count")
    with desk.waiting(typing=4000, deleting=4000):  # shorter than the run, and long for one gap
        nvim.type("X" * 12, gap=0.35)  # off the suggestion's path: every key could ask
        nvim.until(lambda: len(desk.requests()) > 1, "a request after the run")
    assert desk.requests() == ["", "X" * 12]


def test_after_a_key_that_deletes_another_time_is_waited(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.type("total")
    nvim.until(lambda: "total" in desk.requests(), "a request")
    with desk.waiting(typing=60000, deleting=20):
        nvim.keys("<BS>")
        nvim.until(lambda: desk.requests()[-1] == "tota", "a request")
        nvim.keys("x")
        nvim.never(lambda: desk.requests()[-1] == "totax", "asked before it was time", 0.5)


def test_typing_along_keeps_the_suggestion_without_a_request(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.shows("total = price * count")
    for done in range(1, len("total = price")):
        nvim.type(TARGET[done - 1])
        nvim.shows("total = price * count"[done:])
    nvim.never(lambda: len(desk.requests()) > 1, "asked again while typing along", 0.6)


def test_a_suggestion_that_no_longer_fits_is_gone_at_the_key(desk: Desk) -> None:
    nvim = desk.sit(TARGET, delay=0.5)
    nvim.shows("total = price * count")
    nvim.type("tox")
    nvim.until(lambda: nvim.text() == "tox", "the keys")
    assert nvim.ghost() == ""


def test_a_suggestion_comes_between_the_keys_of_who_types_steadily(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.type("total = ", gap=0.22)  # in 1.3 of this, as was waited once, the next key comes
    desk.server.tell(TARGET)

    def comes_before_the_next(key: str) -> bool:
        nvim.type(key, gap=0.22)
        return nvim.ghost() != ""

    # Once in several keys: a busy machine may take longer than one.
    assert any(comes_before_the_next(key) for key in "price * c")


def test_a_reply_to_a_text_that_has_changed_is_not_drawn(desk: Desk) -> None:
    nvim = desk.sit(TARGET, delay=60)
    nvim.until(desk.requests, "a request")
    nvim.rpc.options["eventignore"] = "all"  # so that nothing can cancel it
    try:
        nvim.rpc.current.buffer[:] = ["# written by a program", ""]
        assert not desk.server.events("cancelled")
        desk.server.tell(TARGET)  # now it replies
        nvim.never(nvim.ghost, "drawn at a changed text", 0.6)
        assert not desk.server.events("cancelled")
    finally:
        nvim.rpc.options["eventignore"] = ""


def test_a_reply_to_a_place_that_was_left_is_not_drawn(desk: Desk) -> None:
    nvim = desk.sit("ab = 1\n", delay=0.6)
    nvim.type("ab")
    nvim.until(lambda: "ab" in desk.requests(), "a request")
    nvim.keys("<Left>")
    nvim.never(nvim.ghost, "drawn at a place that was left", 1.2)


@pytest.mark.parametrize("leave", ["<Esc>", "<C-c>", "<C-o>:split<CR>"])
def test_leaving_insert_mode_takes_the_suggestion_away(desk: Desk, leave: str) -> None:
    nvim = desk.sit(TARGET)
    nvim.shows("total = price * count")
    nvim.keys(leave)
    nvim.until(lambda: nvim.ghost() == "", "no ghost")


@pytest.mark.parametrize("leave", ["<Esc>", "<C-c>", "x"])
def test_leaving_or_typing_on_cancels_the_request_on_the_server(desk: Desk, leave: str) -> None:
    nvim = desk.sit(TARGET, delay=60)
    nvim.until(desk.requests, "a request")
    nvim.keys(leave)
    nvim.until(lambda: desk.server.events("cancelled"), "the request cancelled")


def test_the_second_line_and_on_stand_below(desk: Desk) -> None:
    nvim = desk.sit("if ready:\n    start()\n    wait()\n", lines=3)
    nvim.type("if ")
    nvim.shows("ready:\n    start()\n    wait()")
    assert [nvim.screen_row(row) for row in (1, 2, 3)] == ["if ready:", "    start()", "    wait()"]


def test_positions_after_an_emoji_are_right(desk: Desk) -> None:
    nvim = desk.sit('smile = "😀é" + name\n')
    nvim.type('smile = "😀é" + ')
    nvim.shows("name")
    nvim.keys("<Tab>")
    nvim.until(lambda: nvim.text() == 'smile = "😀é" + name', "the accepted text")


def test_the_menu_of_the_editor_comes_first(desk: Desk) -> None:
    nvim = desk.sit("alpha alphabet\nalpha\n", delay=0.1)
    nvim.type("alpha alphabet\nalp")
    nvim.shows("ha")
    asked = len(desk.requests())
    nvim.keys("<C-n>")
    nvim.until(lambda: nvim.rpc.funcs.pumvisible(), "the menu")
    nvim.until(lambda: nvim.ghost() == "", "no ghost beside the menu")
    nvim.never(lambda: len(desk.requests()) > asked, "asked beside the menu", 0.6)


def test_a_waiting_request_is_forgotten_when_the_buffer_is_left(desk: Desk) -> None:
    with desk.waiting(typing=60000, deleting=60000):
        nvim = desk.sit(TARGET)
        nvim.keys("<Esc>")
    with desk.waiting(typing=500, deleting=500):
        nvim.keys("i<Esc>")  # at once
        nvim.never(desk.requests, "asked outside of insert mode", 0.8)
