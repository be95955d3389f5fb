"""Fixtures: the two Neovims, each with the real server or with the scripted one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from desk import Desk, Opener, Scripted
from driver import Neovim
from get_neovim import NEOVIMS


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


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """A scripted server for an editor of the test's own."""
    return Scripted(tmp_path)


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
