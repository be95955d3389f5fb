"""Fixtures: the two Neovims, each with the real server or with the scripted one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from driver import Neovim
from get_neovim import NEOVIMS

SCRIPTED = Path(__file__).with_name("scripted_server.py")
LACUNA = Path(sys.executable).with_name("lacuna")

Opener = Callable[..., Neovim]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives a real editor."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("editor")


@pytest.fixture(scope="session", params=list(NEOVIMS))
def binary(request: pytest.FixtureRequest) -> Path:
    """A Neovim of each supported version; an error, never a skip, when it cannot run here."""
    return NEOVIMS[request.param]()


@pytest.fixture
def editor(binary: Path, tmp_path: Path) -> Iterator[Opener]:
    """Opens a Neovim whose setup is given as Lua; it is closed after the test."""
    with ExitStack() as stack:

        def opened(setup: str, namespace: str = "lacuna") -> Neovim:
            return stack.enter_context(Neovim(binary, tmp_path / "home", setup, namespace))

        yield opened


class Scripted:
    """What the scripted server is told, and what it has been asked."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "script.json"
        self.log = folder / "requests.jsonl"
        self.tell("")

    def tell(
        self, target: str, *, delay: float = 0.0, lines: int = 1, die_on: str | None = None
    ) -> None:
        """What it does from its next request on; see scripted_server.py. The log begins anew."""
        script = {"target": target, "delay": delay, "lines": lines, "die_on": die_on}
        self.script.write_text(json.dumps(script))
        self.log.write_text("")

    @property
    def command(self) -> str:
        """The server as the Lua list of its words."""
        words = [sys.executable, str(SCRIPTED), str(self.script), str(self.log)]
        return "{" + ", ".join(f"'{word}'" for word in words) + "}"

    def events(self, name: str) -> list[dict[str, object]]:
        """The events of this name, oldest first."""
        events = map(json.loads, self.log.read_text().splitlines())
        return [event for event in events if event["event"] == name]

    def requests(self) -> list[str]:
        """The text before the cursor in each request."""
        return [str(event["before"]) for event in self.events("request")]


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """A scripted server for an editor of the test's own."""
    return Scripted(tmp_path)


@dataclass
class Desk:
    """One editor with the scripted server and `keys = true`; each test takes a file of its own."""

    nvim: Neovim
    server: Scripted
    files: int = 0

    def sit(self, target: str, *, delay: float = 0.0, lines: int = 1) -> Neovim:
        """The editor in insert mode in an empty file, the server ready to suggest `target`."""
        self.files += 1
        self.nvim.open(f"{self.files}.py", "")
        self.nvim.until(self.nvim.attached, "the server has the buffer")
        self.server.tell(target, delay=delay, lines=lines)
        self.nvim.keys("i")
        return self.nvim

    def requests(self) -> list[str]:
        """The text before the cursor in each request since `sit`."""
        return self.server.requests()

    def leave(self) -> None:
        """Back to how it was: normal mode, one window, no file."""
        self.nvim.keys("<Esc><Esc>")
        self.nvim.rpc.command("silent! only! | %bwipeout!")
        self.nvim.lua("notices = {}")


@pytest.fixture(scope="session")
def shared_desk(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Opened once for each Neovim."""
    folder = tmp_path_factory.mktemp("desk")
    server = Scripted(folder)
    setup = f"{{ cmd = {server.command}, keys = true }}"
    with Neovim(binary, folder / "home", setup) as nvim:
        yield Desk(nvim, server)


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    """The shared desk, tidied up after the test."""
    yield shared_desk
    print(shared_desk.nvim.report())  # pytest shows it when the test has failed
    shared_desk.leave()
