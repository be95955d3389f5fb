"""Runs a program that nobody has read, and says whether it ran to its end; if not, why.

What is covered: a new process in a session of its own, in an empty folder that is removed; Python
in isolated mode; no network and a process tree of its own where `unshare` may be used; limits on
memory, processor time, wall time, file size and processes; everything it started is killed.
What is not: it may read what its user may read. It is for programs that are wrong, not for ones
that are malicious. Needs a POSIX system.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

ISOLATIONS = (
    ("--net", "--pid", "--fork", "--kill-child"),
    ("--map-root-user", "--net", "--pid", "--fork", "--kill-child"),
)
"""Arguments of `unshare`: as root may use it, as a user may where the kernel lets him."""

BOOTSTRAP = r"""
import json, os, resource, signal, sys

limits, sign, program = json.load(sys.stdin)
FORKS = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
         "subprocess.Popen"}

def leave(reason):
    # Without a traceback: where memory or time is out there is none for one.
    os.write(2, reason.encode() + b"\n")
    os._exit(1)

def forbid(event, details):
    if event in FORKS:
        raise PermissionError(f"{event} is not allowed here")

signal.signal(signal.SIGXCPU, lambda *_: leave("out of processor time"))
for name, bounds in limits.items():
    resource.setrlimit(getattr(resource, name), bounds)
sys.addaudithook(forbid)  # root is free of the limit on processes
try:
    exec(compile(program, "program.py", "exec"), {"__name__": "__main__"})
except MemoryError:
    leave("out of memory")
os.write(2, sign.encode())
"""
"""Limits itself, runs the program, and signs at the very end: a program that leaves early, even
with exit code 0, has not run to its end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use."""

    wall_seconds: float = 10.0
    cpu_seconds: int = 8
    memory_mb: int = 1024
    """Of addresses, which are more than what is resident."""
    file_mb: int = 1
    """Of each file, what it says on standard error included."""

    def of_process(self) -> dict[str, tuple[int, int]]:
        """Name in `resource` -> soft and hard limit."""
        return {
            "RLIMIT_AS": (self.memory_mb * 2**20,) * 2,
            "RLIMIT_CPU": (self.cpu_seconds, self.cpu_seconds + 1),
            "RLIMIT_FSIZE": (self.file_mb * 2**20,) * 2,
            "RLIMIT_NPROC": (0, 0),
            "RLIMIT_CORE": (0, 0),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended."""

    passed: bool
    reason: str = ""
    """Why it did not pass, in one line."""


def run(program: str, limits: Limits | None = None) -> Outcome:
    """Runs a program of Python until its end or one of its limits."""
    limits = limits or Limits()
    sign = secrets.token_hex(16)
    order = json.dumps([limits.of_process(), sign, program]).encode()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*isolation(), sys.executable, "-I", "-B", "-c", BOOTSTRAP],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
        try:
            process.communicate(order, timeout=limits.wall_seconds)
        except subprocess.TimeoutExpired:
            return Outcome(False, f"still running after {limits.wall_seconds:g} s")
        finally:
            _kill_session(process)
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    if said.endswith(sign) and process.returncode == 0:
        return Outcome(True)
    return Outcome(False, _reason(said, process.returncode))


@cache
def isolation() -> tuple[str, ...]:
    """The command before the command that takes the network away; empty where none may."""
    unshare = shutil.which("unshare")
    for arguments in ISOLATIONS if unshare else ():
        command = (unshare or "", *arguments)
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return ()


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and whatever it left running in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _reason(said: str, code: int) -> str:
    """The last thing a failed program said, or by what it was ended."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if code < 0 or code > 128:
        number = -code if code < 0 else code - 128
        return f"killed by {signal.Signals(number).name}"
    return lines[-1][:200] if lines else f"left before its end, with exit code {code}"
