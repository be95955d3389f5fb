"""A command on a terminal, as a person runs it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable


class Terminal:
    """A process on a pseudo-terminal, and what it wrote there."""

    def __init__(self, arguments: list[str]) -> None:
        self._screen, far_end = pty.openpty()
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
        self.process = subprocess.Popen(
            arguments, stdin=far_end, stdout=far_end, stderr=far_end, env=environment
        )
        os.close(far_end)
        self._seen = ""

    def until(self, is_enough: Callable[[str], bool], seconds: float = 200) -> str:
        """What was seen when it is enough; fails with it when it never is."""
        deadline = time.monotonic() + seconds
        while not is_enough(self._seen):
            assert time.monotonic() < deadline, self._seen
            if select.select([self._screen], [], [], 0.1)[0]:
                try:
                    self._seen += os.read(self._screen, 65536).decode("utf-8", "replace")
                except OSError:  # the far end is closed
                    assert is_enough(self._seen) or self.process.wait(10) is not None
                    break
        return self._seen

    def wait(self) -> int:
        return self.process.wait(30)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._screen)
