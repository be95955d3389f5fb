"""Tasks in the format of HumanEval-Infilling are solved and judged by their tests."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.infilling import InfillingTask, by_engine, canonical, judged, tasks_of
from bench.sandbox import Limits
from engine import FillOptions
from engine.fake import scripted_engine

FILE = Path(__file__).with_name("infilling.jsonl")
ROOT = Path(__file__).resolve().parents[2]


def test_the_example_file_is_sound():
    outcomes = judged(list(tasks_of(FILE)), canonical, Limits())
    assert len(outcomes) == 5
    assert {name: outcome.reason for name, outcome in outcomes.items() if not outcome.passed} == {}


def test_every_example_fails_without_its_solution():
    outcomes = judged(list(tasks_of(FILE)), lambda task: "", Limits())
    assert not any(outcome.passed for outcome in outcomes.values())


def test_a_compressed_file_is_read_alike(tmp_path):
    packed = tmp_path / "tasks.jsonl.gz"
    packed.write_bytes(gzip.compress(FILE.read_bytes()))
    assert list(tasks_of(packed)) == list(tasks_of(FILE))


@pytest.mark.parametrize("line", ['{"task_id": "a"}', "no JSON", "[1]"])
def test_a_line_that_is_no_task_is_named(tmp_path, line):
    path = tmp_path / "tasks.jsonl"
    path.write_text(FILE.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(ValueError, match=r"tasks\.jsonl, line 6: is no task"):
        list(tasks_of(path))


def task(**changes: str) -> InfillingTask:
    facts = {
        "task_id": "one",
        "prompt": "def twice(x):\n",
        "suffix": "",
        "canonical_solution": "    return 2 * x\n",
        "test": "def check(candidate):\n    assert candidate(4) == 8\n",
        "entry_point": "twice",
    }
    return InfillingTask(**{**facts, **changes})


def test_an_engine_fills_a_gap_of_whole_lines_and_the_line_end_is_put_back():
    one = task(prompt="def twice(x):\n    x += x\n", suffix="\n", canonical_solution="    return x")
    lines = task(prompt="def twice(x):\n", suffix="    return y\n")
    solve = by_engine(scripted_engine(["    return x", "    y = x + x"]), FillOptions())
    assert [solve(one), solve(lines)] == ["    return x", "    y = x + x\n"]
    assert judged([lines], lambda _: "    y = x + x\n", Limits())["one"].passed


def test_a_wrong_fill_fails_with_the_reason():
    outcome = judged([task()], lambda _: "    return x\n", Limits())["one"]
    assert (outcome.passed, outcome.reason) == (False, "AssertionError")


def test_the_command_says_each_outcome_and_ends_with_json():
    command = [sys.executable, "-m", "bench.infilling", str(FILE), "--canonical", "--count", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    *lines, last = done.stdout.splitlines()
    assert lines == ["Example/one-line: passed", "Example/end-of-line: passed"]
    expected = {"file": "infilling.jsonl", "tasks": 2, "passed": 2, "pass@1": 1.0}
    assert json.loads(last) == expected


def test_a_file_that_is_not_there_is_bad_usage():
    command = [sys.executable, "-m", "bench.infilling", "no-such-file.jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 2 and "no-such-file.jsonl" in done.stderr
