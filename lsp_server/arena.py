"""`lacuna arena`: two ways of filling side by side on one's own code, and blind.

It knows the command line and the terminal; the page is `arena_server`'s.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path
from random import Random, randrange
from tempfile import TemporaryDirectory
from typing import BinaryIO

from rich.console import Console
from rich.table import Table

from lsp_server.arena_server import serving
from lsp_server.code_files import code_files
from lsp_server.contest import Standing, contestants
from lsp_server.duel import Duel
from lsp_server.gaps import gaps
from lsp_server.source_file import InputError

DONE = 0
"""Exit code."""


def run(
    *,
    paths: list[str],
    a: list[str],
    b: list[str],
    seed: int | None,
    votes: str | None,
    port: int,
    browser: bool,
) -> int:
    """Serves the arena until it is interrupted, prints how the votes stand and returns 0.

    Raises InputError for what is asked for in vain, LacunaError when an engine fails.
    """
    pair = contestants(a, b)
    files = code_files(paths, *(each.settings for each in pair))
    seed = randrange(1_000_000) if seed is None else seed
    found = gaps(files, Random(seed))
    first = next(found, None)
    if first is None:
        raise InputError(f"{', '.join(paths)}: no line of code to take something from")
    with _ledger(votes) if votes is not None else nullcontext() as ledger:
        duel = Duel(pair, ledger)
        try:
            with serving(duel, port) as address, suppress(KeyboardInterrupt):
                print(f"{address}\n{_told(len(files), seed)}", flush=True)
                with _opened(address) if browser else nullcontext():
                    # Not the stream of the gaps: who is shown first must not hang on where.
                    duel.play(chain([first], found), Random(f"order {seed}"))
        finally:
            if duel.standing.rounds:
                _print(duel.standing)
    return DONE


def _told(files: int, seed: int) -> str:
    counted = "1 file" if files == 1 else f"{files} files"
    return f"{counted} of code, --seed {seed}; Ctrl-C ends it"


@contextmanager
def _ledger(name: str) -> Iterator[BinaryIO]:
    """The file that votes are added to, without a buffer: what cannot be written is not kept for
    later. Raises InputError when it cannot be written at all."""
    try:
        begins_a_line = _ends_a_line(Path(name))
        file = Path(name).open("ab", buffering=0)  # noqa: SIM115 - it is closed below
    except OSError as error:
        raise InputError(f"--votes {name}: cannot be written ({error.strerror})") from None
    with file:
        if not begins_a_line:
            with suppress(OSError):  # a full disk is told of at the first vote
                file.write(b"\n")
        yield file


def _ends_a_line(path: Path) -> bool:
    """Whether what is added to a file begins a line; what is no regular file has no end to know."""
    if not path.is_file() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


@contextmanager
def _opened(address: str) -> Iterator[None]:
    """Opens the page in the user's browser, by way of a file that nobody else may read: the command
    line of a program is for all to see."""
    with TemporaryDirectory(prefix="lacuna-") as folder:
        path = Path(folder, "arena.html")
        path.write_text(f'<meta http-equiv="refresh" content="0; url={address}">', "utf-8")
        if not webbrowser.open(path.as_uri()):
            print("lacuna: no browser was found; open the address in one", file=sys.stderr)
        yield


def _print(standing: Standing) -> None:
    """The standing as a small table."""
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table("", "won", "exact", "median ms", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, wins, exact, ms in zip(
        standing.names, standing.wins, standing.exact, standing.ms, strict=True
    ):
        table.add_row(name, str(wins), f"{exact} of {standing.rounds}", f"{ms:.0f}")
    console.print()
    console.print(table)
    console.print(f"{standing.counts}\n{standing.verdict}", soft_wrap=True)
