"""Fixtures: one VS Code for a module, and in it pages with the real server or the scripted one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from get_vscode import extension, vscode
from playwright.sync_api import Browser, sync_playwright
from scripted import Scripted
from workbench import ARTEFACTS, CHROMIUM, LACUNA, CodeServer, Opener, Workbench, close_pages


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What opens a page drives a real editor, and the first to do so may have to fetch it."""
    for item in items:
        if "code_server" in getattr(item, "fixturenames", ()):
            item.add_marker("editor")
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def vsix() -> Path:
    """The packaged extension."""
    return extension()


@pytest.fixture(scope="module")
def code_server(vsix: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    """A running code-server; an error, never a skip, when it cannot run here."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    server = CodeServer(vscode(), vsix, tmp_path_factory.mktemp("code-server"))
    yield server
    server.stop()


# Not for the session: Playwright keeps an event loop running in this thread, and asynchronous
# tests need to run their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=vscode().chromium, args=list(CHROMIUM)
        )
        yield chromium
        chromium.close()


@pytest.fixture
def opened(
    code_server: CodeServer, browser: Browser, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Opener]:
    """Opens files, given by name and text, in a fresh VS Code whose Lacuna server is given."""
    pages: list[Workbench] = []

    def open_files(files: dict[str, str], program: Path | None, **machine: Any) -> Workbench:
        folder = tmp_path / "workspace"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        code_server.configure({}, {"lacuna.server.path": str(program or ""), **machine})
        pages.append(Workbench(browser, code_server, [folder / name for name in files]))
        return pages[-1]

    yield open_files
    for page in pages:
        page.picture(f"{request.node.name}-at-the-end")
    close_pages(browser)


@pytest.fixture(scope="module")
def page(
    code_server: CodeServer,
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Workbench]:
    """One window with the real server and the files of a module, `FILES`: the model is loaded once.

    So each test has a file of its own.
    """
    folder = tmp_path_factory.mktemp("project")
    for name, text in request.module.FILES.items():
        (folder / name).write_text(text)
    code_server.configure({}, {"lacuna.server.path": str(LACUNA)})
    page = Workbench(browser, code_server, [folder / name for name in request.module.FILES])
    page.wait_for_status("is ready")
    yield page
    page.picture(f"{request.module.__name__.removeprefix('test_')}-at-the-end")
    close_pages(browser)


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """The scripted server."""
    folder = tmp_path / "scripted"
    folder.mkdir()
    return Scripted(folder)
