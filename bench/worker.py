"""A system in a process of its own: `python -m bench.worker NAME ...`, started by `Worker`.

So its peak of memory is its own, and its crash is one failed fill. Both sides are here: JSON lines
through pipes, one request at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from engine.prompt import Mode

from .spans import Made, Task
from .systems import FillInTheMiddle, Lacuna, LlamaCpp, System, Transformers, Variant
from .variants import FIM, PEERS

NAMES = ("lacuna", *PEERS)
LOADING_SECONDS = 180
FILL_SECONDS = 120
"""A system that takes longer is ended, and the fill counts as failed."""
WARM_UP = Task("python", "def double(x):\n    return \n\n\nprint(double(1))\n", 26)
"""What is filled before anything is measured; some systems die at it."""
CRASHES = 3
"""After so many a system is left out of the rest of the run."""


class WorkerFailedError(Exception):
    """A system could not be started or did not answer; the message says what it said last."""


@dataclass(frozen=True, slots=True)
class Models:
    """What the systems load."""

    folder: Path | None
    """Lacuna's model folder; None: the shipped one."""
    gguf: Path
    """The base that all others run."""
    fim: Path | None = None
    """What `FIM` runs instead, as GGUF."""

    def command(self, name: str) -> list[str]:
        """What starts the system of this name."""
        folder = [str(self.folder)] if self.folder else []
        gguf = self.fim if name == FIM and self.fim else self.gguf
        return [sys.executable, "-m", "bench.worker", name, str(gguf), *folder]


class Worker:
    """The near side of one system's process."""

    def __init__(self, command: Sequence[str]) -> None:
        """Raises WorkerFailedError when the system cannot be loaded here."""
        self._command = command
        self._crashes = 0
        self._process: subprocess.Popen[str] | None = None
        self.versions: dict[str, str] = self._start()

    @property
    def is_given_up(self) -> bool:
        return self._crashes >= CRASHES

    def fill(self, task: Task, variant: Variant, state: str) -> tuple[Made, float]:
        """The fill, and the process's peak of memory so far in MB.

        Raises WorkerFailedError; the next call starts the system anew.
        """
        if self._process is None:
            self._start()
        request = {"task": asdict(task), "variant": asdict(variant), "state": state}
        answer = self._asked(json.dumps(request), FILL_SECONDS)
        return Made(**answer["made"]), answer["peak_mb"]

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for thread in self._listening:
            thread.join(1)
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):  # what it was still to be told
                cast(IO[str], stream).close()

    def _start(self) -> dict[str, str]:
        process = subprocess.Popen(
            self._command,
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._process = process
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._said: list[str] = []
        self._listening = [
            threading.Thread(target=self._listen, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._overhear, args=(process.stderr,), daemon=True),
        ]
        for thread in self._listening:
            thread.start()
        versions: dict[str, str] = self._asked(None, LOADING_SECONDS)["versions"]
        return versions

    def _listen(self, stream: IO[str]) -> None:
        """Takes the answers; an empty one stands for its end."""
        for line in stream:
            self._lines.put(line)
        self._lines.put("")

    def _overhear(self, stream: IO[str]) -> None:
        """Remembers the last things that it or its libraries said."""
        for line in stream:
            self._said = [*self._said[-20:], line.strip()]

    def _asked(self, request: str | None, seconds: float) -> dict[str, Any]:
        """The answer to a request, or to the start. Raises WorkerFailedError."""
        process = self._process
        assert process is not None and process.stdin is not None
        try:
            if request is not None:
                process.stdin.write(request + "\n")
                process.stdin.flush()
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise self._failed(f"no answer in {seconds} s") from None
        except OSError:
            line = ""
        if not line:
            raise self._failed(self._last_words(process))
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise self._failed(answer["failed"])
        return answer

    def _last_words(self, process: subprocess.Popen[str]) -> str:
        """What it said when it died, or what killed it."""
        code = process.wait()
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        self._listening[1].join(1)
        return next(filter(None, reversed(self._said)), f"ended with exit code {code}")

    def _failed(self, reason: str) -> WorkerFailedError:
        self._crashes += 1
        self.close()
        return WorkerFailedError(reason)


def peak_mb() -> float:
    """The largest resident memory of this process so far, files mapped into it included."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [x for x in status.read_text().splitlines() if x.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    # What `getrusage` gives is in bytes on macOS, and where there is no /proc it is mostly that.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def opened(name: str, models: Models) -> System:
    """The system of this name. Raises ImportError when it is not installed."""
    if name == "lacuna":
        return Lacuna(models.folder)
    if name == "llama.cpp":
        return LlamaCpp(models.folder, models.gguf)
    if name == "llama.cpp Q8_0":
        return LlamaCpp.in_eight_bits(models.folder, models.gguf)
    if name == FIM:
        return FillInTheMiddle(models.folder, models.gguf)
    return Transformers(models.folder, models.gguf)


def answered(system: System, request: Mapping[str, Any]) -> dict[str, Any]:
    """One request: the cache is brought into its state, then the fill is made."""
    span = Task(**request["task"]).opened()
    variant = Variant.read(request["variant"])
    if request["state"] == "warm":
        system.read(span, variant)
    elif request["state"] == "typed":
        system.type(span, variant)
    else:
        system.forget()
    made = system.fill(span, variant)
    return {"made": asdict(made), "peak_mb": peak_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.worker", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path, nargs="?")
    arguments = parser.parse_args()
    # Libraries print what they like; the pipe is for answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        system = opened(arguments.name, Models(arguments.folder, arguments.gguf))
    except ImportError as error:
        print(json.dumps({"failed": f"not installed ({error})"}), file=answers)
        return
    system.fill(WARM_UP.opened(), Variant("warm-up", {"mode": Mode.VERIFIED}))
    print(json.dumps({"versions": system.versions()}), file=answers)
    for line in sys.stdin:
        print(json.dumps(answered(system, json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
