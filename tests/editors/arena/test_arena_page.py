"""The arena's page in a real browser, with the keyboard, the mouse and two eyes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

SOURCES = ("engine", "lsp_server", "--seed", "3")
MARKUP = """\
// What a page would take for markup if it were careless; and long enough for a gap to have
// something to go by, which is why these lines go on as they do, although there is nothing more to
// be said of any of it. Now it begins.
function shout(text) {
  const loud = render(text, "<img src=x onerror=alert(1)>", `</div><script>alert(2)</script>`);
  const louder = render(loud, "<b>", "&lt;", "<style>body { display: none }</style>");
  return document.body.append(loud, louder, "<i>");
}
"""
TURNED = """\
// What a page would draw the wrong way round if it were careless, which must be long enough for a
// gap to have something to go by, and so it says a few words more than there would be to say.
// And some more of them, until there are two hundred characters.
function mayEnter(user) {
  if (user.role !== "admin\u202e \u2066// only admins\u2069 \u2066") return name("\u200b\x1b\x85");
}
"""
SEEN = (
    'user.role !== "adminU+202E U+2066// only adminsU+2069 U+2066"',
    'return name("U+200BU+001BU+0085")',
)
CONTRAST = """node => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  let behind = node;
  while (channels(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const pair = [getComputedStyle(node).color, getComputedStyle(behind).backgroundColor];
  const [high, low] = pair.map((colour) => light(channels(colour))).sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}"""
"""The contrast of a text with what is behind it, as WCAG 2 has it."""


def cards(page: Page) -> Locator:
    """The suggestions, and behind them what stood there."""
    return page.locator("main .card")


def test_rounds_are_played_by_keyboard(arena_page: Callable[..., Any]) -> None:
    arena = arena_page(*SOURCES)
    page = arena.page
    arena.wait_for_round(1)
    first, second = cards(page).all()
    assert first.inner_text() != second.inner_text()
    expect(page.locator("main")).not_to_contain_text("diffusion")
    expect(page.locator("#standing th", has_text="mode=")).to_have_count(2)
    page.keyboard.press("1")
    arena.wait_for_reveal()
    assert {"A: mode=diffusion", "B: mode=left-to-right"} == {
        card.locator("header span").first.inner_text() for card in (first, second)
    }
    expect(first).to_have_class("card chosen")
    expect(page.get_by_role("status").first).to_contain_text("You took the first, which is ")
    expect(cards(page).nth(2)).to_contain_text("What stood there")
    expect(page.locator("#verdict")).to_contain_text("1 decided vote")
    expect(page.get_by_role("button")).to_have_count(1)
    page.keyboard.press("2")  # it has been voted on
    page.keyboard.press("Enter")
    arena.wait_for_round(2)
    expect(page.get_by_role("button")).to_have_count(4)
    page.keyboard.press("x")
    arena.wait_for_reveal()
    page.keyboard.press("Space")
    arena.wait_for_round(3)
    expect(page.locator("#counts")).to_contain_text("1 decided, 0 equally good, 1 both bad")
    assert "1 decided, 0 equally good, 1 both bad" in arena.interrupt()
    page.keyboard.press("0")
    ended = "The arena has ended. How the votes stand is in the terminal."
    expect(page.get_by_text(ended)).to_be_visible()
    assert {url.removeprefix(arena.address) for url in arena.asked} == {"", "round", "vote"}
    assert [told for told in arena.complaints if "ERR_CONNECTION_REFUSED" not in told] == []


def test_rounds_are_played_by_mouse(arena_page: Callable[..., Any]) -> None:
    arena = arena_page(*SOURCES)
    page = arena.page
    arena.wait_for_round(1)
    page.get_by_role("button", name="equally good").click()
    arena.wait_for_reveal()
    expect(page.get_by_role("button", name="next")).to_be_focused()
    page.get_by_role("button", name="next").click()
    arena.wait_for_round(2)
    page.get_by_role("button", name="the second").click()
    arena.wait_for_reveal()
    expect(cards(page).nth(1)).to_have_class("card chosen")
    assert arena.complaints == []


def test_a_page_that_is_loaded_again_shows_the_same_round(
    arena_page: Callable[..., Any],
) -> None:
    arena = arena_page(*SOURCES)
    arena.wait_for_round(1)
    before = arena.page.locator("main").inner_text()
    arena.page.reload()
    arena.wait_for_round(1)
    assert arena.page.locator("main").inner_text() == before


def test_a_page_whose_round_was_voted_on_elsewhere_goes_on(
    arena_page: Callable[..., Any],
) -> None:
    arena = arena_page(*SOURCES)
    arena.wait_for_round(1)
    other = arena.page.context.new_page()
    other.goto(arena.address)
    other.get_by_role("button", name="both bad").click(timeout=30_000)
    other.get_by_role("button", name="next").wait_for()
    arena.page.keyboard.press("1")
    arena.wait_for_round(2)
    expect(arena.page.locator("#counts")).to_contain_text("0 decided, 0 equally good, 1 both bad")


def test_code_is_shown_as_text_whatever_it_is(
    arena_page: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "markup.js"
    path.write_text(MARKUP)
    arena = arena_page(path, "--seed", "1")
    arena.wait_for_round(1)
    shown = arena.page.locator("main").inner_text()
    assert "<img src=x onerror=alert(1)>" in shown and "</div><script>alert(2)</script>" in shown
    assert arena.page.locator("img, main b, main i, main style, main script").count() == 0
    assert arena.complaints == []


def test_characters_that_are_not_seen_are_shown_by_their_number(
    arena_page: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "turned.js"
    path.write_text(TURNED, "utf-8")
    arena = arena_page(path, "--seed", "1")
    arena.wait_for_round(1)
    arena.page.keyboard.press("x")
    arena.wait_for_reveal()
    shown = arena.page.locator("main").inner_text()
    assert all(line in shown for line in SEEN)
    assert not set("\u202e\u2066\u2069\u200b\x1b\x85") & set(shown)
    expect(arena.page.locator(".unseen").first).to_have_text("U+202E")
    assert arena.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_can_be_read_by_day_and_by_night(
    arena_page: Callable[..., Any], scheme: str, width: int
) -> None:
    arena = arena_page(*SOURCES, color_scheme=scheme, viewport={"width": width, "height": 860})
    page = arena.page
    arena.wait_for_round(1)
    arena.picture(f"arena-{scheme}-{width}-blind")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("2")
    arena.wait_for_reveal()
    arena.picture(f"arena-{scheme}-{width}-revealed")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for text in (
        *("h1", ".soft", ".text", "[class^=k-]", ".number", "ins:not(.caret)", ".figures"),
        *("#verdict", "button", "kbd"),
    ):
        nodes = page.locator(text).all()
        assert nodes and min(node.evaluate(CONTRAST) for node in nodes) >= 4.5, text
