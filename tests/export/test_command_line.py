"""Each command needs what it uses and no more, and says what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from export.__main__ import COMMANDS

WITHOUT = "import sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(), None)); "
RUN = WITHOUT + "import export.__main__; export.__main__.main()"
"""As `python -m export` on a machine that lacks some packages."""


def run(missing: str, command: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-c", RUN, missing, *command.split()]
    return subprocess.run(whole, capture_output=True, text=True)


def test_the_help_needs_no_package_and_tells_of_every_command() -> None:
    done = run("torch onnx gguf tree_sitter tokenizers rich", "--help")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert [f"{name} {summary}" in told for name, summary in COMMANDS.items()] == [True] * 6


@pytest.mark.parametrize(
    ("command", "option", "missing"),
    [
        ("corpus", "--own", "torch onnx gguf tokenizers safetensors onnxruntime"),
        ("examples", "--corpus", "torch onnx gguf safetensors onnxruntime"),
        ("train", "--drafter-rate", "tree_sitter tokenizers onnx gguf onnxruntime rich"),
        ("folder", "--adapter-only", "tree_sitter onnxruntime rich"),
    ],
)
def test_a_command_needs_no_package_of_another(command: str, option: str, missing: str) -> None:
    done = run(missing, f"{command} --help")
    assert done.returncode == 0, done.stderr
    assert option in done.stdout


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("train --examples nowhere", "torch"),
        ("parity", "onnx"),
        ("folder --adapter misspelt --to nowhere", "tokenizers"),
    ],
)
def test_what_is_not_installed_is_said_in_a_line(command: str, missing: str) -> None:
    done = run(missing, command)
    name = command.split()[0]
    assert (done.returncode, done.stderr) == (
        2,
        f"python -m export {name}: {missing} is not installed; "
        "`pip install -e '.[cpu,export]'` brings it\n",
    )
