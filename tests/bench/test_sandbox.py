"""Programs that nobody has read are run, and what is wrong with them is said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench import sandbox
from bench.sandbox import Limits, run

FEW = Limits(wall_seconds=60, cpu_seconds=3, memory_mb=256)


def test_a_program_that_runs_to_its_end_passes():
    assert run("assert sum(range(4)) == 6\nprint('done')", FEW) == sandbox.Outcome(True)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("assert 1 + 1 == 3, 'wrong sum'", "AssertionError: wrong sum"),
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("def f(:", "SyntaxError"),
        ("while True: pass", "out of processor time"),
        ("held = []\nwhile True: held.append(bytearray(2**24))", "out of memory"),
        ("import os\nos.fork()", "os.fork is not allowed here"),
        ("import subprocess\nsubprocess.run(['true'])", "subprocess.Popen is not allowed here"),
        ("open('large', 'wb').write(bytes(2**24))", "File too large"),
        ("import ctypes\nctypes.string_at(0)", "killed by SIGSEGV"),
        ("import sys\nsys.exit(0)", "left before its end"),
        ("import os\nos._exit(0)", "left before its end"),
    ],
)
def test_a_program_that_fails_says_why(program, reason):
    outcome = run(program, FEW)
    assert not outcome.passed
    assert reason in outcome.reason and "\n" not in outcome.reason


def test_a_program_that_waits_is_ended_with_all_that_it_started():
    start = time.monotonic()
    outcome = run("import time\ntime.sleep(600)", Limits(wall_seconds=1))
    assert outcome == sandbox.Outcome(False, "still running after 1 s")
    assert time.monotonic() - start < 300


def test_it_runs_in_a_folder_of_its_own_that_is_gone_afterwards():
    told = run("import os\nraise ValueError(os.getcwd() + ' ' + str(os.listdir()))", FEW)
    folder, content = told.reason.removeprefix("ValueError: ").split(" ", 1)
    assert content == "[]" and not Path(folder).exists()


def test_it_does_not_get_our_environment(monkeypatch):
    monkeypatch.setenv("LACUNA_MODEL", "here")
    assert run("import os\nassert 'LACUNA_MODEL' not in os.environ", FEW).passed


@pytest.mark.skipif(not sandbox.isolation(), reason="this machine does not let us use unshare")
def test_it_has_no_network():
    program = "import socket\nsocket.create_connection(('192.0.2.1', 9), 5)"
    assert "unreachable" in run(program, FEW).reason
