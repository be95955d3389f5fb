"""Fixtures: one VS Code for a module, and in it pages with the real server or the scripted one."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from get_vscode import extension, vscode
from playwright.sync_api import Browser, sync_playwright
from workbench import ARTEFACTS, CHROMIUM, CodeServer, Workbench

LACUNA = Path(sys.executable).with_name("lacuna")
SCRIPTED = Path(__file__).with_name("scripted_lacuna.py")

Opener = Callable[..., Workbench]


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


def close_pages(browser: Browser) -> None:
    """All of them, one that failed to open too: it would start servers while the next test runs."""
    for context in browser.contexts:
        context.close()


class Scripted:
    """A server that does as it is told; `program` starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "lacuna"
        self.program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{SCRIPTED}" "{folder}" "$@"\n'
        )
        self.program.chmod(0o755)
        self.tell()

    def tell(self, **script: Any) -> None:
        """What to do from now on: texts, after, why, lines, die, hold, loads, ends_after_s."""
        # At once, since the server may be reading it.
        written = self.folder / "script.json.new"
        written.write_text(json.dumps({"texts": [], **script}))
        written.replace(self.folder / "script.json")

    def wheel(self) -> Path:
        """A Python package that installs the server, as `lacuna-ls` installs Lacuna's."""
        path = self.folder / "scripted_lacuna-1-py3-none-any.whl"
        info = "scripted_lacuna-1.dist-info"
        command = [sys.executable, str(SCRIPTED), str(self.folder), "serve"]
        files = {
            "scripted.py": f"import os\ndef main():\n    os.execv({command[0]!r}, {command!r})\n",
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: scripted-lacuna\nVersion: 1\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": "[console_scripts]\nlacuna = scripted:main\n",
        }
        record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in {**files, f"{info}/RECORD": record}.items():
                archive.writestr(name, text)
        return path

    def heard(self, *names: str) -> list[dict[str, Any]]:
        """The events of these names, oldest first."""
        path = self.folder / "heard.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [heard for heard in map(json.loads, lines) if heard["event"] in names]


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """The scripted server."""
    folder = tmp_path / "scripted"
    folder.mkdir()
    return Scripted(folder)
