"""A program in a terminal of its own: what it draws, and keys for it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

SIZE = (24, 100)
PATIENCE_S = 60


class Terminal:
    """Runs a command until it ends by itself, or the test does."""

    def __init__(self, command: list[str], home: Path) -> None:
        self.drawn = b""
        """Everything drawn so far, control sequences among it."""
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, SIZE)
        folders = {f"XDG_{name}_HOME": str(home) for name in ("CONFIG", "CACHE", "DATA", "STATE")}
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **folders, "HOME": str(home), "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until_drawn(self, text: str, keys: str) -> None:
        """Presses keys and waits for what they draw."""
        before = len(self.drawn)
        self.press(keys)
        self.until(lambda: text.encode() in self.drawn[before:], f"{text!r} is drawn")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Reads what is drawn until something holds; raises AssertionError when it never does."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, f"never seen: {what}. Drawn last: {self.drawn[-2000:]!r}"
            self._read()

    def ended(self) -> int:
        """Waits for the program to end; its exit code."""
        self.until(lambda: self._process.poll() is not None, "the program ends")
        return self._process.returncode

    def _read(self) -> None:
        if select.select([self._ours], [], [], 0.1)[0]:
            try:
                self.drawn += os.read(self._ours, 65536)
            except OSError:  # nobody holds the other end any more
                time.sleep(0.05)
