"""Taking a suggestion: whole, by words, by lines, another candidate, or none; and undoing it."""

from __future__ import annotations

import pytest
from desk import Desk

TARGET = "total = price * count\nprint(total)\nreturn total\n"


def test_accepting_the_whole_puts_all_lines_in_and_the_cursor_behind_them(desk: Desk) -> None:
    nvim = desk.sit(TARGET.rstrip("\n"), lines=3)
    nvim.type("total = ")
    nvim.shows("price * count\nprint(total)\nreturn total")
    nvim.keys("<Tab>")
    nvim.holds(TARGET.rstrip("\n"))
    assert nvim.look().cursor == (3, len("return total"))
    nvim.until(lambda: nvim.ghost() == "", "no ghost")


def test_what_follows_is_asked_for_at_once(desk: Desk) -> None:
    nvim = desk.sit(TARGET, lines=2)
    nvim.type("total = ")
    nvim.shows("price * count\nprint(total)")
    with desk.waiting(typing=60000, deleting=60000):
        nvim.keys("<Tab>")
        nvim.shows("\nreturn total")


def test_accepting_word_by_word_asks_the_server_nothing(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total =")
    nvim.shows(" price * count")
    asked = len(desk.requests())
    for step in ("total = price", "total = price *"):
        nvim.keys("<M-w>")
        nvim.holds(step)
    nvim.shows(" count")
    assert len(desk.requests()) == asked
    nvim.keys("<M-w>")
    nvim.holds("total = price * count")


def test_accepting_line_by_line(desk: Desk) -> None:
    nvim = desk.sit(TARGET, lines=3)
    nvim.type("total = ")
    nvim.shows("price * count\nprint(total)\nreturn total")
    nvim.keys("<M-l>")
    nvim.holds("total = price * count")
    nvim.shows("\nprint(total)\nreturn total")
    nvim.keys("<M-l>")
    nvim.holds("total = price * count\nprint(total)")


def test_the_server_is_told_what_was_shown_and_accepted(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total = ")
    nvim.shows("price * count")
    nvim.keys("<M-w>")
    nvim.shows(" * count")
    nvim.keys("<Tab>")
    identity = nvim.until(lambda: desk.told("accepted"), "the server told")[0]["id"]
    assert identity in [event["id"] for event in desk.told("shown")]
    typed = str(identity).split(":")[2]
    assert "total = price".startswith(typed)
    assert desk.told("partiallyAccepted") == [
        {
            "event": "partiallyAccepted",
            "id": identity,
            "acceptedLength": len("total = price") - len(typed),
        }
    ]


def test_lengths_are_told_in_the_units_of_the_protocol(desk: Desk) -> None:
    nvim = desk.sit('x = "😀é" + "b"\n')
    nvim.shows('x = "😀é" + "b"')
    for _ in range(4):
        nvim.keys("<M-w>")
    nvim.holds('x = "😀é')
    nvim.until(lambda: len(desk.told("partiallyAccepted")) == 4, "the server told")
    last = desk.told("partiallyAccepted")[-1]
    assert last["acceptedLength"] == len('x = "😀é'.encode())  # Neovim and pygls agree on UTF-8


def test_what_is_accepted_in_a_dos_file_has_no_carriage_returns(desk: Desk) -> None:
    nvim = desk.sit(TARGET.rstrip("\n").replace("\n", "\r\n"), lines=3)
    nvim.rpc.command("setlocal fileformat=dos")
    nvim.type("total = ")
    nvim.shows("price * count\nprint(total)\nreturn total")
    nvim.keys("<M-l><M-l>")
    nvim.holds("total = price * count\nprint(total)")
    nvim.shows("\nreturn total")
    nvim.until(lambda: len(desk.told("partiallyAccepted")) == 2, "the server told")
    last = desk.told("partiallyAccepted")[-1]
    typed = str(last["id"]).split(":")[2]
    assert last["acceptedLength"] == len("total = price * count\r\nprint(total)") - len(typed)
    nvim.keys("<Tab>")
    nvim.holds(TARGET.rstrip("\n"))


def test_undo_takes_back_the_suggestion_and_not_what_was_typed(desk: Desk) -> None:
    nvim = desk.sit(TARGET, lines=2)
    nvim.type("total = ")
    nvim.shows("price * count\nprint(total)")
    nvim.keys("<Tab>")
    nvim.holds("total = price * count\nprint(total)")
    nvim.type("  # sum")
    nvim.keys("<Esc>u")
    nvim.holds("total = price * count\nprint(total)")
    nvim.keys("u")
    nvim.holds("total = ")
    nvim.keys("u")
    nvim.holds("")


def test_cycling_shows_the_candidates_in_turn(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total = ")
    nvim.shows("price * count")
    nvim.keys("<M-n>")
    nvim.shows("PRICE * COUNT (2/2)")
    nvim.keys("<M-n>")
    nvim.shows("price * count (1/2)")
    nvim.keys("<M-p>")
    nvim.shows("PRICE * COUNT (2/2)")
    nvim.keys("<Tab>")
    nvim.holds("total = PRICE * COUNT")


def test_cycling_comes_to_the_candidates_only_that_fit_what_was_typed_since(desk: Desk) -> None:
    nvim = desk.sit("")
    desk.server.tell(TARGET, others=["total = other(1)", "total = prime"])
    nvim.type("total = ")
    nvim.shows("price * count")
    nvim.keys("<M-n>")
    nvim.shows("other(1) (2/3)")
    nvim.keys("<M-p>")
    nvim.shows("price * count (1/3)")
    asked = len(desk.requests())
    for key, shown in (
        ("p", "rice * count (1/2)"),
        ("<M-n>", "rime (2/2)"),
        ("<M-n>", "rice * count (1/2)"),
        ("<M-p>", "rime (2/2)"),
        ("<BS>", "prime (3/3)"),
    ):
        nvim.keys(key)
        nvim.shows(shown)
    assert len(desk.requests()) == asked


@pytest.mark.parametrize(
    ("key", "rest", "other"),
    [("p", "rice * count", "RICE * COUNT"), ("<M-w>", " * count", " * COUNT")],
)
def test_candidates_are_asked_for_anew_where_no_other_fits(
    desk: Desk, key: str, rest: str, other: str
) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total = ")
    nvim.shows("price * count")
    nvim.keys("<M-n><M-n>")
    nvim.shows("PRICE * COUNT (2/2)")
    nvim.keys("<M-n>")
    nvim.shows("price * count (1/2)")
    nvim.keys(key)
    nvim.shows(rest)
    nvim.keys("<M-n>")
    nvim.shows(f"{other} (2/2)")


def test_the_first_other_candidate_is_another_within_a_word_too(desk: Desk) -> None:
    nvim = desk.sit("")
    desk.server.tell(TARGET, others=["total = prime"], from_word=True)
    nvim.type("total = pr")
    nvim.shows("ice * count")
    nvim.keys("<M-n>")
    nvim.shows("ime (2/2)")


def test_what_is_shown_stays_when_there_is_no_other(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total = ")
    nvim.shows("price * count")
    desk.server.tell("")
    nvim.keys("<M-n>")
    nvim.until(desk.requests, "a request")
    nvim.never(lambda: nvim.ghost() != "price * count", "taken away", 0.5)


def test_asking_by_key_is_not_overtaken_by_the_key_before(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total = ")
    nvim.shows("price * count")
    desk.server.tell("total = x + y\n")
    nvim.keys("x<M-n>")
    nvim.shows(" + y (1/2)")


def test_asking_by_key_works_while_paused(desk: Desk) -> None:
    desk.nvim.rpc.command("LacunaPause")
    try:
        nvim = desk.sit(TARGET)
        nvim.type("total = ")
        nvim.never(nvim.ghost, "shown while paused", 0.6)
        assert desk.requests() == []
        nvim.keys("<M-n>")
        nvim.shows("price * count (1/2)")
    finally:
        desk.nvim.rpc.command("LacunaResume")


def test_dismissing_takes_it_away_until_the_next_key(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total = ")
    nvim.shows("price * count")
    nvim.keys("<C-]>")
    nvim.until(lambda: nvim.ghost() == "", "no ghost")
    nvim.never(nvim.ghost, "shown again without a key", 0.6)
    nvim.type("p")
    nvim.shows("rice * count")


def test_the_accepting_key_is_itself_when_nothing_is_shown(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.rpc.command("setlocal shiftwidth=4 softtabstop=4")
    nvim.type("x")
    nvim.keys("<Tab>")
    nvim.holds("x   ")


def test_escape_and_a_letter_in_quick_succession_still_leave_insert_mode(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.type("one two")
    nvim.keys("<M-b><M-w>")  # how a terminal may send <Esc>b, and <Esc>w
    nvim.until(lambda: nvim.look().mode == "n", "Normal mode")
    assert nvim.text() == "one two"


def test_an_accepting_key_that_comes_early_waits_for_what_follows(desk: Desk) -> None:
    nvim = desk.sit(TARGET, lines=2)
    nvim.type("total = ")
    nvim.shows("price * count\nprint(total)")
    desk.server.tell(TARGET, lines=2, delay=60)
    nvim.keys("<Tab><Tab><M-w>")
    nvim.until(desk.requests, "a request")
    nvim.keys("<M-l><Tab>")
    nvim.until(lambda: nvim.lua("return vim.fn.getchar(1)") == 0, "all keys are read")
    desk.server.tell(TARGET, lines=2)
    nvim.shows("\nreturn total")
    assert nvim.text() == "total = price * count\nprint(total)"
    assert nvim.look().mode == "i"
    nvim.keys("<M-w>")
    nvim.holds("total = price * count\nprint(total)\nreturn")


@pytest.mark.parametrize("waits", [False, True])
def test_with_another_key_typed_meanwhile_the_accepting_key_is_itself(
    desk: Desk, waits: bool
) -> None:
    nvim = desk.sit(TARGET, lines=2)
    nvim.type("total = ")
    nvim.shows("price * count\nprint(total)")
    desk.server.tell(TARGET, lines=2, delay=1)
    nvim.keys("<Tab>")
    nvim.until(desk.requests, "a request")
    nvim.keys("#")
    if waits:
        nvim.until(lambda: len(desk.requests()) == 2, "a request after the key")
    nvim.keys("<Tab>")
    nvim.holds("total = price * count\nprint(total)#   ")


def test_what_follows_is_waited_for_no_longer_than_the_server_lives(desk: Desk) -> None:
    nvim = desk.sit(TARGET, lines=2)
    nvim.type("total = ")
    nvim.shows("price * count\nprint(total)")
    desk.server.tell(TARGET, lines=2, die_on="print")
    nvim.keys("<Tab>")
    nvim.says("the server ended")
    desk.server.tell("")
    nvim.until(nvim.attached, "the server has the buffer again")
    nvim.keys("<Tab>")
    nvim.holds("total = price * count\nprint(total)    ")


def test_a_macro_records_the_accepting_key_once(desk: Desk) -> None:
    nvim = desk.sit("")
    nvim.keys("<Esc>qqcc1<Tab>2<Esc>q")
    nvim.holds("1   2")
    nvim.keys("o<Esc>@q")
    nvim.holds("1   2\n1   2")


def test_a_key_typed_just_before_the_accepting_key_counts(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.type("total = ")
    nvim.shows("price * count")
    nvim.keys("p<Tab>")
    nvim.holds("total = price * count")
    nvim.keys("<C-u>total = ")
    nvim.shows("price * count")
    nvim.keys("#<Tab>")
    nvim.holds("total = #   ")


def test_nothing_is_suggested_beside_the_text(desk: Desk) -> None:
    nvim = desk.sit(TARGET)
    nvim.rpc.command("set virtualedit=all")
    try:
        nvim.type("total = ")
        nvim.shows("price * count")
        nvim.keys("<Right><Right><Tab>")
        nvim.holds("total =     ")
        nvim.keys("<BS>")
        nvim.until(lambda: nvim.text() == "total = ", "the text")
        nvim.shows("price * count")
        nvim.keys("<Right>")
        nvim.until(lambda: nvim.ghost() == "", "no ghost beside the text")
    finally:
        nvim.rpc.command("set virtualedit=")


BRACKETS = """
local candidate = require('lacuna.candidate')
local row, col, encoding, line, item = ...
vim.api.nvim_buf_set_lines(0, 0, -1, false, { line })
local made = candidate.from_item(item, 0, row, col, encoding)
require('lacuna.ghost').draw({ buf = 0, row = row, col = col }, candidate.fit(made, 0, row, col))
"""


@pytest.mark.parametrize(
    ("line", "col", "text", "start", "end", "drawn"),
    [
        ("f()", 2, "x, y)", 2, 3, "f(x, y)"),
        ("f(())", 3, "a), b)", 3, 5, "f((a), b)"),
        ('print("")', 7, 'hi")', 7, 9, 'print("hi")'),
        ("ret", 3, "return x", 0, 3, "return x"),
        ("f(old)", 2, "new", 2, 5, "f(new)"),
    ],
)
def test_what_is_replaced_is_drawn_as_it_will_be(
    desk: Desk, line: str, col: int, text: str, start: int, end: int, drawn: str
) -> None:
    nvim = desk.sit("")
    edge = {"line": 0, "character": start}, {"line": 0, "character": end}
    item = {"insertText": text, "range": {"start": edge[0], "end": edge[1]}}
    nvim.keys("<Esc>")
    nvim.lua(BRACKETS, 0, col, "utf-8", line, item)
    assert nvim.screen_row(1) == drawn


def test_the_users_own_bracket_stays_until_the_one_that_replaces_it_is_accepted(
    desk: Desk,
) -> None:
    nvim = desk.sit("")
    desk.server.tell("f(foo(a), b)", closing=")")
    nvim.keys("f()<Left>")
    nvim.until(lambda: nvim.text() == "f()", "the text")
    nvim.keys("<M-n>")
    nvim.shows("foo(a), b (1/2)")
    for step in ("f(foo)", "f(foo()", "f(foo(a)", "f(foo(a),)", "f(foo(a), b)"):
        nvim.keys("<M-w>")
        nvim.holds(step)


def test_a_tab_in_a_suggestion_is_drawn_as_wide_as_it_will_be(desk: Desk) -> None:
    nvim = desk.sit("if x {\n\treturn\n}\n", lines=3)
    nvim.rpc.command("setlocal tabstop=4")
    nvim.type("if")
    nvim.shows(" x {\n    return\n}")
