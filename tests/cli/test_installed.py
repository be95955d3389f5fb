"""An installation that is no checkout: everything in it that the commands need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = "def doubled(numbers):\n    return [2 * number for number in \n"


@pytest.mark.model
def test_an_installation_brings_the_model_and_the_page(tmp_path):
    wheel = built(tmp_path / "source", tmp_path / "wheel")
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv/bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel)
    [site] = (tmp_path / "venv").glob("lib/*/site-packages")
    # What it depends on is there already; the checkout, installed beside it, is not seen so.
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    environment = {k: v for k, v in os.environ.items() if k != "LACUNA_MODEL"}
    command = [tmp_path / "venv/bin/lacuna", "fill", "-", "--language", "python", "--at", "2:38"]
    told = run(*command, input=CODE, cwd=tmp_path, env=environment)
    assert told.stdout.strip() == "numbers]"
    where = run(python, "-c", "import engine; print(engine.__file__)", cwd=tmp_path).stdout
    assert Path(where.strip()).is_relative_to(tmp_path)
    page = "from lsp_server.arena_server import page; print(page().decode())"
    assert "<h1>Lacuna arena</h1>" in run(python, "-c", page, cwd=tmp_path).stdout


WHERE = """
import engine.engine
engine.engine.__file__ = "/nowhere/engine/engine.py"
print(engine.engine.default_model_folder())
"""


def test_an_installation_for_one_user_brings_the_model(tmp_path):
    brought = tmp_path / "share/lacuna/models/lacuna-135m"
    environment = {k: v for k, v in os.environ.items() if k != "LACUNA_MODEL"}
    environment["PYTHONUSERBASE"] = str(tmp_path)
    for expected in (Path(sysconfig.get_path("data"), brought.relative_to(tmp_path)), brought):
        told = run(sys.executable, "-c", WHERE, env=environment).stdout
        assert told.strip() == str(expected)
        brought.mkdir(parents=True, exist_ok=True)


def built(source: Path, to: Path) -> Path:
    """The wheel, built from a copy, since building leaves files beside what it builds."""
    source.mkdir()
    for name in ("engine", "lsp_server", "export"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "models"):
        (source / name).symlink_to(ROOT / name)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", to, source)
    [wheel] = to.glob("*.whl")
    return wheel


def run(*command, **options) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], text=True, capture_output=True, **options
    )
    assert done.returncode == 0, done.stderr
    return done
