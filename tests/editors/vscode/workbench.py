"""VS Code as its user meets it: a code-server process, and a page with keys and eyes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from get_vscode import CACHE, VSCode, VSCodeMissingError
from playwright.sync_api import Browser, FrameLocator, Locator, Page
from servers import servers_of

T = TypeVar("T")

LACUNA = Path(sys.executable).with_name("lacuna")
PATIENCE_S = 90
"""How long a step may take: the machine may be busy with other work, and no test is about speed."""
SETTINGS: dict[str, Any] = {
    "editor.inlineSuggest.enabled": True,
    # What the editor would add to the text by itself, so that a test knows what it has typed.
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.autoClosingBrackets": "never",
    "editor.minimap.enabled": False,
    "diffEditor.useInlineViewWhenSpaceIsLimited": False,
    "files.autoSave": "off",
    "security.workspace.trust.enabled": False,
    "workbench.startupEditor": "none",
    "workbench.enableExperiments": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "telemetry.telemetryLevel": "off",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "update.mode": "none",
    "git.enabled": False,
    "window.restoreWindows": "none",
}
CHROMIUM = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    # Nothing outside this machine is asked for, whatever VS Code would like to look up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class CodeServer:
    """A running code-server with the extension installed from its .vsix."""

    def __init__(self, vscode: VSCode, vsix: Path, folder: Path) -> None:
        self.folder = folder
        self._vscode = vscode
        for name in ("home", "tmp", "data/User", "data/Machine", "extensions"):
            (folder / name).mkdir(parents=True)
        (folder / "config.yaml").write_text("auth: none\n")
        self._log = folder / "code-server.log"
        installing = self._start("--install-extension", str(vsix))
        if installing.wait(PATIENCE_S):
            raise VSCodeMissingError(
                f"the .vsix is not installed:\n{self._log.read_text()[-1500:]}"
            )
        self._process = self._start(
            *("--bind-addr", "127.0.0.1:0", "--auth", "none", "--ignore-last-opened"),
            *("--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"),
            "--disable-getting-started-override",
        )
        self.address = self._listening()

    def configure(self, user: dict[str, Any], machine: dict[str, Any]) -> None:
        """Write the user's settings, and those that count only as the machine's."""
        for name, settings in (("User", {**SETTINGS, **user}), ("Machine", machine)):
            (self.folder / "data" / name / "settings.json").write_text(json.dumps(settings))

    def output(self) -> str:
        """What stands in the extension's output channel, in all windows so far."""
        files = sorted(self.folder.glob("data/logs/**/Lacuna.log"))
        return "".join(file.read_text() for file in files)

    def language_server_seconds(self) -> float:
        """Processor time that the running `lacuna serve` has used."""
        servers = servers_of(self._process.pid)
        assert servers, "a language server runs"
        return sum(sum(server.cpu_times()[:2]) for server in servers)

    def stop(self) -> None:
        """End the process and all its children, extension hosts and language servers."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        folders = (
            "--user-data-dir",
            self.folder / "data",
            "--extensions-dir",
            self.folder / "extensions",
        )
        config = ("--config", self.folder / "config.yaml")
        node = self._vscode.node
        environment = {
            "PATH": os.pathsep.join([str(node.parent), *folders_without_lacuna()]),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "EXTENSIONS_GALLERY": '{"serviceUrl":""}',
        }
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [node, self._vscode.entry, *folders, *config, *words],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _listening(self) -> str:
        def address() -> str | None:
            if self._process.poll() is not None:
                raise VSCodeMissingError(f"code-server ended:\n{self._log.read_text()[-1500:]}")
            found = re.search(r"listening on http://(127\.0\.0\.1:\d+)", self._log.read_text())
            return found and found[1]

        return until(address, "code-server listens")


def notebook(*cells: str) -> str:
    """A Jupyter notebook of Python whose first cell is prose and the others code."""
    code = {"cell_type": "code", "execution_count": None, "outputs": []}
    prose = {"cell_type": "markdown"}
    written = [
        {"id": f"cell{n}", "metadata": {}, "source": text, **(code if n else prose)}
        for n, text in enumerate(cells)
    ]
    metadata = {"language_info": {"name": "python"}}
    return json.dumps({"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def cells_of(file: Path) -> list[str]:
    """The texts of a notebook's cells as they are saved."""
    return ["".join(cell["source"]) for cell in json.loads(file.read_text())["cells"]]


class Workbench:
    """A folder open in VS Code, with one file in the editor."""

    def __init__(self, browser: Browser, server: CodeServer, files: Sequence[Path]) -> None:
        self.server = server
        self.files = {file.name: file for file in files}
        self.page: Page = browser.new_page(viewport={"width": 1200, "height": 600})
        self.page.set_default_timeout(PATIENCE_S * 1000)
        folder = files[0].parent
        # A notebook would be opened as text: VS Code does not know of notebooks yet.
        texts = [file for file in files if file.suffix != ".ipynb"]
        payload = [["openFile", f"vscode-remote://{server.address}{file}"] for file in texts]
        query = f"folder={quote(str(folder))}&payload={quote(json.dumps(payload))}"
        self.page.goto(f"http://{server.address}/?{query}", wait_until="domcontentloaded")
        self.page.wait_for_selector(".monaco-editor .view-line")

    # --- Keys ---

    def keys(self, *presses: str) -> None:
        for press in presses:
            self.page.keyboard.press(press)

    def type(self, text: str, delay_ms: int = 40) -> None:
        self.page.keyboard.type(text, delay=delay_ms)

    def open(self, name: str) -> None:
        """Bring a file of the folder to the front."""
        self.keys("Escape", "Control+p")
        self.page.locator(".quick-input-widget input.input").fill(name)
        self.page.locator(".quick-input-list .monaco-list-row.focused", has_text=name).wait_for()
        self.keys("Enter")
        self.page.locator(f".tab.active[data-resource-name='{name}']").wait_for()

    def to_line_end(self, line: int) -> None:
        """Put the cursor at the end of a line, counted from 1."""
        self.page.locator(".monaco-editor .view-lines").first.click()
        self.keys("Control+Home", *["ArrowDown"] * (line - 1), "End")

    def to_end_of_cell(self, number: int) -> None:
        """Put the cursor at the end of a cell of code, counted from 0 with those of prose."""
        # The notebooks behind other tabs stay in the page.
        row = f".monaco-list-row[data-index='{number}']:not([inert] *)"
        self.page.locator(f"{row} .monaco-editor").click()
        self.keys("Control+End")

    def select_lines(self, first: int, last: int) -> None:
        self.to_line_end(first)
        self.keys("Home", *["Shift+ArrowDown"] * (last - first), "Shift+End")

    def command(self, title: str) -> None:
        """Run a command by its title, as the command palette lists it."""
        self.keys("F1")
        box = self.page.locator(".quick-input-widget input.input")
        box.wait_for()
        box.fill(f">{title}")
        entry = self.page.locator(".quick-input-list .monaco-list-row.focused", has_text=title)
        entry.first.wait_for()
        self.keys("Enter")

    def save(self) -> None:
        """Save what has been changed, and wait until the tab says that it is saved."""
        dirty = self.page.locator(".tab.active.dirty")
        dirty.wait_for()
        self.keys("Control+s")
        dirty.wait_for(state="detached")

    # --- Eyes ---

    def ghost(self) -> str:
        """The grey text in the page, lines and all; "" when there is none."""
        # The first line is spread over pieces by highlighting, the others stand below as lines.
        pieces = self.page.locator(".ghost-text-decoration, .ghost-text-decoration-preview")
        lines = ["".join(pieces.all_text_contents())]
        lines += self.page.locator(".suggest-preview-text .view-line").all_text_contents()
        return "\n".join(lines).replace("\xa0", " ").rstrip("\n")

    def wait_for_ghost(self) -> str:
        """The ghost text, once it is drawn in full: its lines do not appear all at once."""

        def settled() -> str | None:
            seen = self.ghost()
            self.page.wait_for_timeout(200)
            return seen if seen == self.ghost() else None

        return until(settled, "ghost text appears")

    def wait_for_no_ghost(self) -> None:
        until(lambda: self.ghost() == "", "the ghost text is gone")

    def lines(self, editor: str = "") -> list[str]:
        """The lines that an editor shows, from the top."""
        drawn = self.page.locator(f"{editor} .view-line")
        tops = drawn.evaluate_all("lines => lines.map(line => [line.offsetTop, line.textContent])")
        return [text.replace("\xa0", " ") for _, text in sorted(tops)]

    def webview(self) -> FrameLocator:
        """The page inside the panel beside the editor."""
        return self.page.frame_locator("iframe.webview").frame_locator("iframe#active-frame")

    @property
    def status(self) -> Locator:
        return self.page.locator("#lacuna\\.lacuna\\.lacuna\\.status")

    def status_text(self) -> str:
        return " ".join(self.status.all_text_contents()).replace("\xa0", " ").strip()

    def status_label(self) -> str:
        """What a screen reader says of the status bar item, which is its tooltip."""
        return self.status.locator("a").get_attribute("aria-label") or ""

    def wait_for_status(self, pattern: str) -> str:
        """Wait until the status bar item's label matches."""

        def matching() -> str | None:
            label = self.status_label() if self.status.count() else ""
            return label if re.search(pattern, label) else None

        return until(matching, f"the status bar matches {pattern!r}")

    def notification(self, pattern: str) -> Locator:
        found = self.page.locator(".notification-toast", has_text=re.compile(pattern))
        found.first.wait_for()
        return found.first

    def button(self, title: str) -> Locator:
        """A command among the buttons right of the editor's tabs."""
        return self.page.locator(f".editor-actions .action-label:text-is('{title}')")

    def picture(self, name: str) -> Path:
        """A screenshot among the test artefacts."""
        path = ARTEFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


ARTEFACTS = CACHE.parents[1] / "test-artefacts" / "vscode"


Opener = Callable[..., Workbench]
"""Opens files, given by name and text, in a VS Code whose server is given."""


def close_pages(browser: Browser) -> None:
    """All of them, one that failed to open too: it would start servers while the next test runs."""
    for context in browser.contexts:
        context.close()


def folders_without_lacuna() -> list[str]:
    """PATH, but for an activated environment: a test says itself which server is run."""
    folders = os.environ["PATH"].split(os.pathsep)
    return [folder for folder in folders if not Path(folder, "lacuna").exists()]


def until(look: Callable[[], T | None], what: str) -> T:
    """What `look` sees as soon as it is true; fails when it does not become so in time."""
    end = time.monotonic() + PATIENCE_S
    while True:
        late = time.monotonic() >= end  # told first: who was stopped meanwhile looks once more
        if seen := look():
            return seen
        assert not late, f"waited {PATIENCE_S} s in vain until {what}"
        time.sleep(0.05)
