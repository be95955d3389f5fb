"""Packages of Debian's testing suite, unpacked into a folder of their own.

Nobody has to be root for that, and neither apt's sources nor the system's libraries are touched.
What is unpacked brings its own C library, since it needs a newer one than most machines have.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUITE = "forky"
LOADER = "usr/lib64/ld-linux-x86-64.so.2"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


class EditorMissingError(Exception):
    """An editor could not be obtained or started; says why, and what to do."""


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """One process at a time fills the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def unpack(folder: Path, *packages: str, library: str | None = None) -> Path:
    """Empties `folder` and unpacks the packages below it; where their tree stands.

    `library` is an expression for one more that the first of them needs, whose name moves.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise EditorMissingError(f"{tool} is not on PATH; it comes from Debian's packages.")
    shutil.rmtree(folder, ignore_errors=True)
    options = _private_apt(folder / "apt")
    run(["apt-get", *options, "-qq", "update"])
    if library is not None:
        packages = (*packages, _found(library, packages[0], options))
    debs = folder / "debs"
    debs.mkdir()
    run(["apt-get", *options, "-qq", "download", *packages], cwd=debs)
    root = folder / "root"
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg-deb", "-x", str(deb), str(root)])
    shutil.rmtree(folder / "apt")
    shutil.rmtree(debs)
    if not (root / LOADER).exists():
        raise EditorMissingError(f"{LOADER} is missing; only x86-64 is set up here.")
    return root


def run(command: list[str], cwd: Path | None = None) -> str:
    """The command's standard output; raises EditorMissingError with the end of its error output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = done.stderr.strip()[-500:]
        raise EditorMissingError(f"{' '.join(command[:2])} ... exited {done.returncode}: {tail}")
    return done.stdout


def _found(library: str, package: str, options: list[str]) -> str:
    name = re.search(library, run(["apt-cache", *options, "show", package]))
    if name is None:
        raise EditorMissingError(f"Debian's {SUITE} lists no {package} that needs {library}.")
    return name[0]


def _private_apt(folder: Path) -> list[str]:
    """Options of apt-get: all state in `folder`, one suite of the mirror the system uses."""
    for name in ("lists/partial", "cache/archives/partial", "sources", "preferences"):
        (folder / name).mkdir(parents=True)
    (folder / "sources" / "debian.sources").write_text(
        f"Types: deb\nURIs: {_mirror()}\nSuites: {SUITE}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": folder / "sources",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": folder / "preferences",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _mirror() -> str:
    """The address of the mirror this system already uses, from apt's sources in either format."""
    for path in sorted(Path("/etc/apt").glob("sources.list*/**/*.sources")):
        if found := re.search(r"^URIs:\s*(\S+/debian)/?\s*$", path.read_text(), re.MULTILINE):
            return found[1]
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.list")]:
        if path.exists() and (
            found := re.search(r"^deb\s.*?(\S+/debian)/?\s", path.read_text(), re.MULTILINE)
        ):
            return found[1]
    raise EditorMissingError("No Debian mirror stands in apt's sources; it is taken from Debian.")
