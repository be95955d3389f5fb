"""One's own model in one command: it opens, and its worth is told as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import Engine, FillOptions
from engine.prompt import Prompt
from export.evaluate import Score
from export.tune import Comparison

ROOT = Path(__file__).resolve().parents[2]


def tune(project: Path, to: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "export", "tune", str(project), "--to", str(to), *more]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.model
def test_a_project_makes_a_model_that_fills(tmp_path):
    project = tmp_path / "project"
    shutil.copytree(ROOT / "engine", project, ignore=shutil.ignore_patterns("__pycache__"))
    ran = tune(project, tmp_path / "mine", "--minutes", "0.2", "--gaps", "4")
    assert ran.returncode == 0, ran.stderr
    assert "4 gaps in files that neither model learned from" in ran.stdout
    engine = Engine.open(tmp_path / "mine")
    assert engine.card.name == "mine" and engine.card.has_drafter
    prompt = Prompt("def double(number):\n    return 2 * num", "\n")
    [filled] = engine.fill(prompt, FillOptions(stop_at_newline=True))
    assert filled.text == "ber"
    started = (tmp_path / "mine.work/run/log.jsonl").read_text()
    again = tune(project, tmp_path / "mine", "--minutes", "0.2", "--gaps", "4")
    assert again.returncode == 0 and "corpus ..." not in again.stdout
    assert (tmp_path / "mine.work/run/log.jsonl").read_text() == started


def test_a_project_with_hardly_any_code_is_refused(tmp_path):
    (tmp_path / "one.py").write_text("def double(number):\n    return 2 * number\n" * 10)
    ran = tune(tmp_path, tmp_path / "mine")
    assert ran.returncode == 2
    assert "characters of code to learn from, and 50000 is the least" in ran.stderr
    assert not (tmp_path / "mine").exists()


def scored(*exact: bool) -> list[Score]:
    return [
        Score(
            exact=one,
            first_line=one,
            similarity=1.0,
            parses=True,
            shown=True,
            shown_parses=True,
            shown_exact=one,
            by_itself=True,
            by_itself_exact=one,
            tokens=6,
            passes=3,
        )
        for one in exact
    ]


def test_what_is_no_more_than_chance_is_not_recommended(tmp_path):
    before, after = [True] * 5 + [False] * 9, [False] * 4 + [True] * 7 + [False] * 3
    told = Comparison(scored(*before), scored(*after)).told(tmp_path)
    assert "exactly what you wrote         5 before,    7 after" in told
    assert "6 gaps won, 4 lost" in told and "keep the model you have" in told


def test_what_is_better_is(tmp_path):
    told = Comparison(scored(*[False] * 6), scored(*[True] * 6)).told(tmp_path)
    assert "6 gaps won, 0 lost" in told and f"LACUNA_MODEL={tmp_path}" in told
