"""Fixtures: arenas with the shipped model, and pages of a real Chromium that show them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from get_vscode import vscode
from playwright.sync_api import Browser, Page, expect, sync_playwright
from workbench import CHROMIUM, PATIENCE_S

LACUNA = Path(sys.executable).with_name("lacuna")
ROOT = Path(__file__).resolve().parents[3]
ARTEFACTS = ROOT / "test-artefacts" / "arena"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What opens a page drives a real browser with the shipped model, and may have to fetch it."""
    for item in items:
        if "arena_page" in getattr(item, "fixturenames", ()):
            item.add_marker("editor")
            item.add_marker("model")
            item.add_marker(pytest.mark.timeout(900))


@dataclass
class ArenaPage:
    """A page with an arena behind it, and what the browser has to say of it."""

    page: Page
    process: subprocess.Popen[str]
    address: str
    complaints: list[str] = field(default_factory=list)
    """What the console was told, errors of scripts and of the page's policy among it."""
    asked: list[str] = field(default_factory=list)
    """The address of every request."""

    def wait_for_round(self, number: int) -> None:
        told = f"Round {number}: which one would you take?"
        self.page.get_by_text(told, exact=True).wait_for(timeout=1e3 * PATIENCE_S)

    def wait_for_reveal(self) -> None:
        self.page.get_by_role("button", name="next").wait_for(timeout=1e3 * PATIENCE_S)

    def interrupt(self) -> str:
        """Ctrl-C; what was said after the address, and nothing on standard error."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert (err, self.process.returncode) == ("", 0)
        return out

    def picture(self, name: str) -> None:
        """What the page looks like, for people."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")


Opener = Callable[..., ArenaPage]

expect.set_options(timeout=1e3 * PATIENCE_S)


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A shell starts what runs in the background deaf to interrupts, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Not for the session: Playwright keeps an event loop running in this thread.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A running Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=vscode().chromium, args=list(CHROMIUM))
        yield browser
        browser.close()


@pytest.fixture
def arena_page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Starts `lacuna arena` with some arguments and opens its page, `looks` being Playwright's."""
    opened: list[ArenaPage] = []

    def open_page(*arguments: str | Path, **looks: object) -> ArenaPage:
        process = subprocess.Popen(
            [LACUNA, "arena", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        context = chromium.new_context(**looks)
        context.set_default_timeout(1e3 * PATIENCE_S)
        one = ArenaPage(context.new_page(), process, address)
        opened.append(one)
        one.page.on("console", lambda message: one.complaints.append(message.text))
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.on("request", lambda asked: one.asked.append(asked.url))
        one.page.goto(address)
        return one

    yield open_page
    for one in opened:
        one.picture(f"{request.node.name}-at-the-end")
        one.page.context.close()
        one.process.kill()
        one.process.communicate()
