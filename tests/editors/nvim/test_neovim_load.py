"""Three minutes of typing, eight keys a second: no key lost, nothing stale taken, no heat after."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path

import psutil
import pytest
from desk import LACUNA
from driver import ROOT, Neovim
from get_neovim import neovim_0_12

pytestmark = pytest.mark.model

SECONDS = float(os.environ.get("LACUNA_LOAD_SECONDS", "180"))
KEYS_PER_SECOND = 8
IN_BURSTS = 14
"""Keys a second between two pauses; the pauses bring the mean down to KEYS_PER_SECOND."""
IDLE_AFTER = 1.0
"""Seconds after the last key by which the server must be idle, not counting those it was ready to
compute but other programs held the processor."""
IDLE = 0.05
"""Share of one core that counts as idle."""
WATCHED = 0.5
"""Seconds over which that share is taken."""
PATIENCE = 60.0

HEAD = '"""Shapes and what they measure."""\n\nimport math\n\n\n'
ARTEFACTS = ROOT / "test-artefacts"
TAIL = "\n\ndef total_area(shapes):\n    return sum(shape.area() for shape in shapes)\n"


def source() -> Iterator[str]:
    """Lines of Python without end, as a person would type them."""
    for number in count(1):
        yield from (
            f"class Shape{number}:",
            "    def __init__(self, width, height):",
            "        self.width = width",
            "        self.height = height",
            "",
            "    def area(self):",
            "        return self.width * self.height",
            "",
            "    def diagonal(self):",
            "        return math.sqrt(self.width ** 2 + self.height ** 2)",
            "",
            "",
        )


@dataclass
class Typist:
    """Types in bursts, pausing where people think, and knows what must stand in the buffer."""

    nvim: Neovim
    written: str = ""
    """What stands between HEAD and the cursor, by the typist's own account."""
    keys: int = 0
    accepted: list[str] = field(default_factory=list)
    deviations: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(8))
    started: float = field(default_factory=time.monotonic)
    due: float = field(default_factory=time.monotonic)

    def press(self, keys: str, count: int = 1) -> None:
        """Presses keys when they are due."""
        time.sleep(max(0.0, self.due - time.monotonic()))
        self.nvim.keys(keys)
        self.keys += count
        self.due += count * self.chance.uniform(0.4, 1.6) / IN_BURSTS

    def think(self) -> None:
        """Pauses for as long as the mean speed allows."""
        self.due = max(self.due, self.started + self.keys / KEYS_PER_SECOND)
        time.sleep(max(0.0, self.due - time.monotonic()))

    def type(self, character: str) -> None:
        """Types one character."""
        self.press({"\n": "<CR>", "<": "<lt>"}.get(character, character))
        self.written += character

    def accept(self, ghost: str) -> None:
        """Presses Tab on the ghost that is shown: exactly that must come."""
        self.press("<Tab>")
        self.written += ghost
        self.accepted.append(ghost)
        self.expect()

    def accept_along(self, ghost: str) -> None:
        """Types the ghost's first key and Tab in one burst: still exactly the ghost."""
        self.press({"<": "<lt>", "\n": "<CR>"}.get(ghost[0], ghost[0]) + "<Tab>", count=2)
        self.written += ghost
        self.accepted.append(ghost)
        self.expect()

    def deviate(self, ghost: str) -> None:
        """Types another key than the ghost's and Tab in one burst: Tab must be Tab."""
        other = "#" if ghost[0] != "#" else "!"
        self.press(f"{other}<Tab>", count=2)
        self.deviations += 1
        self.expect(self.written + f"{other}\t")
        self.press("<BS><BS>", count=2)

    def expect(self, written: str | None = None) -> None:
        """What must stand in the buffer does."""
        text = HEAD + (self.written if written is None else written) + TAIL
        try:
            self.nvim.holds(text.rstrip("\n"))
        except AssertionError:
            assert self.nvim.text() == text.rstrip("\n")  # shows where they differ
            raise


def work(typist: Typist, seconds: float) -> None:
    """Types for some time; takes what is suggested, or ignores it rudely, whenever it thinks."""
    reactions = cycle([typist.accept, typist.deviate, typist.accept_along, None])
    for line in source():
        for character in f"{line}\n":
            if time.monotonic() > typist.started + seconds:
                return
            typist.type(character)
            if typist.written.endswith((" = ", "return ", "(", "def ")):
                typist.think()
                ghost = typist.nvim.ghost()
                react = next(reactions) if ghost.strip("\n") else None
                if react:
                    react(ghost)
                if react in (typist.accept, typist.accept_along):
                    typist.type("\n")
                    break


@dataclass(frozen=True)
class Times:
    """What a process has had of the machine, in seconds."""

    at: float
    cpu: float
    queued: float
    """Ready to run while others ran, summed over its threads."""

    @classmethod
    def of(cls, process: psutil.Process) -> Times:
        cpu = process.cpu_times()
        queued = 0
        for statistics in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # a thread that has ended
                queued += int(statistics.read_text().split()[1])
        return cls(time.monotonic(), cpu.user + cpu.system, queued / 1e9)


def until_idle(process: psutil.Process) -> Times:
    """The times at the first moment from which on the process uses next to nothing."""
    end = time.monotonic() + PATIENCE
    while True:
        before = Times.of(process)
        time.sleep(WATCHED)
        share = (Times.of(process).cpu - before.cpu) / WATCHED
        if share < IDLE:
            return before
        assert time.monotonic() < end, f"the server still uses {share:.0%} of a core"


@pytest.mark.timeout(SECONDS + 300)
def test_typing_under_load(tmp_path: Path) -> None:
    setup = f"{{ cmd = {{ '{LACUNA}', 'serve' }}, keys = true }}"
    with Neovim(neovim_0_12(), tmp_path / "home", setup) as nvim:
        nvim.open("shapes.py", HEAD + TAIL, at=(HEAD.count("\n") + 1, 1))
        nvim.rpc.command("setlocal noexpandtab formatoptions=")
        nvim.until(lambda: nvim.state() == "ready", "the model loaded", 120)
        server = nvim.server()
        start = Times.of(server)
        nvim.keys("i")
        typist = Typist(nvim)
        work(typist, SECONDS)
        last_key = Times.of(server)
        idle = until_idle(server)
        typist.expect()
        status = nvim.lua(
            "local lsp = require('lacuna.client').get()\n"
            "return lsp:request_sync('lacuna/getStatus', vim.empty_dict(), 60000).result"
        )
        late = idle.at - last_key.at
        queued = idle.queued - last_key.queued
        worked = idle.cpu - last_key.cpu
        report = {
            "keys": typist.keys,
            "seconds": round(last_key.at - typist.started, 1),
            "accepted": len(typist.accepted),
            "deviations": typist.deviations,
            "server_cpu_seconds": round(idle.cpu - start.cpu, 1),
            "idle_after_seconds": round(late, 2),
            "of_these_waiting_for_a_core": round(queued, 2),
            "status": status,
        }
        print(json.dumps(report))
        ARTEFACTS.mkdir(exist_ok=True)
        (ARTEFACTS / "neovim-load.json").write_text(json.dumps(report, indent=2) + "\n")
        assert typist.accepted, "nothing was ever shown to accept"
        assert typist.deviations, "nothing was ever shown to ignore"
        assert typist.keys >= 0.9 * SECONDS * KEYS_PER_SECOND, "the editor could not keep up"
        assert min(late - queued, worked) <= IDLE_AFTER, f"the server computed on for {late:.1f} s"
