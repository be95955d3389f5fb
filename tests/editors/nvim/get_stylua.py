"""StyLua over the Neovim client: its WebAssembly build from npm, run by node, kept in `.cache/`.

    python tests/editors/nvim/get_stylua.py [--write]

prints the files that are not formatted, and with --write formats them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CLIENT = ROOT / "editors" / "nvim"
CACHE = ROOT / ".cache" / "stylua"
PACKAGE = CACHE / "node_modules" / "@johnnymorganz" / "stylua"
VERSION = "2.5.2"
RUNNER = Path(__file__).with_name("stylua.mjs")


class StyluaMissingError(Exception):
    """StyLua could not be obtained or started; says why and what to do."""


def check(*, write: bool = False) -> list[str]:
    """The Lua files that are not formatted; with `write` they are now."""
    install()
    files = sorted(str(path.relative_to(ROOT)) for path in CLIENT.rglob("*.lua"))
    if not files:
        raise StyluaMissingError(f"there are no Lua files under {CLIENT}")
    options = ["--write"] if write else []
    command = ["node", RUNNER, PACKAGE, CLIENT / "stylua.toml", *options, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or done.stderr:
        raise StyluaMissingError(f"node exited {done.returncode}: {done.stderr.strip()[-1000:]}")
    return done.stdout.splitlines()


def install() -> None:
    """Fetch the package, unless it is in the cache."""
    if (PACKAGE / "package.json").exists():
        return
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise StyluaMissingError(f"{tool} is not on PATH; install Node.js 20 or newer.")
    CACHE.mkdir(parents=True, exist_ok=True)
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
    command = ["npm", "install", *flags, "--prefix", CACHE, f"@johnnymorganz/stylua@{VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StyluaMissingError(f"npm exited {done.returncode}: {done.stderr.strip()[-1000:]}")


if __name__ == "__main__":
    print("\n".join(check(write="--write" in sys.argv[1:])))
