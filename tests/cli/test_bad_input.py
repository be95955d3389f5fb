"""What the real command does with bad input: exit code 1 or 2, the reason, nothing changed."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]

CODE = b"def f(x):\n    return \n"


def test_an_empty_name_is_told(lacuna: Run) -> None:
    ran = lacuna("fill", "", "--at", "1:1")
    assert (ran.returncode, ran.stderr) == (2, b"lacuna: the name of the file is empty\n")


def test_files_that_cannot_be_used_are_refused(lacuna: Run, tmp_path: Path) -> None:
    binary, latin = tmp_path / "a.png", tmp_path / "b.py"
    binary.write_bytes(b"\x89PNG\0\0")
    latin.write_bytes("x = 'é'\n".encode("latin-1"))
    for path, complaint in [
        (tmp_path / "gone.py", "no such file"),
        (tmp_path, "is a folder"),
        (binary, "is a binary file"),
        (latin, "line 1 is not UTF-8; save"),
    ]:
        ran = lacuna("fill", path, "--at", "1:1")
        assert (ran.returncode, ran.stdout) == (2, b"")
        assert ran.stderr.decode().startswith(f"lacuna: {path}: {complaint}")


def test_a_notebook_is_left_to_editors(lacuna: Run, tmp_path: Path) -> None:
    path = tmp_path / "study.ipynb"
    path.write_text('{"cells": [{"source": ["total = "]}]}')
    ran = lacuna("fill", path, "--at", "1:34", "--write")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode().startswith(f"lacuna: {path}: is a notebook")


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        (["--at", "9:1"], "line 9 is outside the file, which has 3"),
        (["--at", "2:13"], "column 13 is outside line 2 (columns 1 to 12)"),
        (["--lines", "2-4"], "line 4 is outside the file"),
    ],
)
def test_a_place_outside_the_file_is_named(lacuna: Run, place: list[str], complaint: str) -> None:
    ran = lacuna("fill", "-", *place, stdin=CODE)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert complaint in ran.stderr.decode()


def test_an_empty_file_has_nothing_to_go_by(lacuna: Run, tmp_path: Path) -> None:
    empty = tmp_path / "a.py"
    empty.touch()
    ran = lacuna("fill", empty, "--at", "1:1")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"nothing to suggest: The file is empty" in ran.stderr


def test_what_cannot_be_written_is_refused_before_anything_is_computed(
    lacuna: Run, tmp_path: Path, no_runtime: dict[str, str]
) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(CODE)
    path.chmod(0o444)
    ran = lacuna("fill", path, "--at", "2:12", "--write", **no_runtime)
    assert ran.returncode == 2
    assert b"is read-only; nothing was written" in ran.stderr
    assert path.read_bytes() == CODE
    ran = lacuna("fill", "-", "--at", "2:12", "--write", stdin=CODE, **no_runtime)
    assert ran.returncode == 2
    assert b"standard input cannot be written to" in ran.stderr


@pytest.mark.parametrize("asked", [["doctor"], ["fill", "-", "--at", "1:1"], ["serve"]])
def test_a_package_that_is_missing_is_named(lacuna: Run, tmp_path: Path, asked: list[str]) -> None:
    (tmp_path / "tree_sitter.py").write_text(
        "raise ModuleNotFoundError('No module', name='tree_sitter')"
    )
    ran = lacuna(*asked, stdin=CODE, PYTHONPATH=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr == b"lacuna: tree_sitter is missing; install Lacuna anew\n"


def test_no_onnxruntime_names_the_commands_that_install_it(
    lacuna: Run, no_runtime: dict[str, str]
) -> None:
    ran = lacuna("fill", "-", "--at", "2:12", stdin=CODE, **no_runtime)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"uv tool install '.[cpu]'" in ran.stderr
    assert b"pip install onnxruntime" in ran.stderr
    assert ran.stderr.count(b"\n") == 1


@pytest.mark.parametrize("name", ["gone", "a" * 300])
def test_no_model_folder_is_named(lacuna: Run, tmp_path: Path, name: str) -> None:
    gone = tmp_path / name
    for arguments, environment in [(["--model", gone], {}), ([], {"LACUNA_MODEL": str(gone)})]:
        ran = lacuna("fill", "-", "--at", "2:12", *arguments, stdin=CODE, **environment)
        assert (ran.returncode, ran.stdout) == (2, b"")
        assert ran.stderr.decode().startswith(f"lacuna: {gone}: no such model folder")
        assert b"--model, the setting model, the variable LACUNA_MODEL" in ran.stderr
        assert b"else install Lacuna anew" in ran.stderr


def test_a_model_folder_is_looked_for_at_home(lacuna: Run, tmp_path: Path) -> None:
    for arguments, environment in [(["--model", "~/gone"], {}), ([], {"LACUNA_MODEL": "~/gone"})]:
        ran = lacuna(
            "fill", "-", "--at", "2:12", *arguments, stdin=CODE, HOME=str(tmp_path), **environment
        )
        assert ran.stderr.decode().startswith(f"lacuna: {tmp_path}/gone: no such model folder")
    ran = lacuna("fill", "-", "--at", "2:12", stdin=CODE, LACUNA_MODEL="~noone/gone")
    assert ran.stderr.decode().startswith("lacuna: ~noone/gone: no such model folder")


def test_no_name_of_a_model_folder_means_the_default_one(lacuna: Run, tmp_path: Path) -> None:
    ran = lacuna("fill", "-", "--at", "2:12", "--model", "", stdin=CODE, LACUNA_MODEL="/gone")
    assert ran.stderr.decode().startswith("lacuna: /gone: no such model folder")


@pytest.mark.model
def test_a_damaged_model_folder_is_refused_by_file_or_key(lacuna: Run, model_copy: Path) -> None:
    tokenizer, card = model_copy / "tokenizer.json", model_copy / "card.json"
    content, facts = tokenizer.read_bytes(), card.read_text()
    altered = content.replace(b"a", b"b", 1)
    for path, damaged, complaint in [
        (tokenizer, content[:1000], f"{tokenizer}: has 1000 bytes instead of {len(content)}"),
        (tokenizer, altered, f"{tokenizer}: its content is not the published one"),
        (card, re.sub(r'"schema": \d+,', '"schema": 99,', facts).encode(), "key schema is 99"),
        (card, re.sub(r'"mask_id": \d+,', "", facts).encode(), "key mask_id is missing"),
        (card, facts.encode()[:100], f"{card}: cannot be read as JSON"),
    ]:
        whole = path.resolve()
        path.unlink()
        path.write_bytes(damaged)
        ran = lacuna("fill", "-", "--at", "2:12", "--model", model_copy, stdin=CODE)
        assert (ran.returncode, ran.stdout) == (2, b"")
        assert complaint in ran.stderr.decode()
        path.unlink()
        path.symlink_to(whole)


def test_an_interrupt_while_it_waits_for_input_is_quiet(command: str) -> None:
    process = subprocess.Popen(
        [command, "fill", "-", "--at", "1:1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin is not None
    # It reads its input after all imports, so once it took a full pipe's worth it is in there.
    process.stdin.write(b"#" * 100_000)
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


TELLING = [
    ["fill", "-", "--at", "1:2", "--json"],
    ["doctor", "--model", "/nowhere"],
    ["doctor", "--model", "/nowhere", "--json"],
    ["--version"],
]
"""Commands with an answer that needs no model."""


def told(command: str, arguments: list[str], **streams: Any) -> tuple[int, bytes | None]:
    """The exit code of the real command, its output buffered, and what it says of a failure."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    ran = subprocess.run(
        [command, *arguments],
        **{"input": CODE, "stderr": subprocess.PIPE, **streams},
        timeout=240,
        env=environment,
    )
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("arguments", TELLING)
def test_an_output_that_nobody_reads_is_quietly_given_up(
    command: str, arguments: list[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert told(command, arguments, stdout=writer) == (141, b"")
    assert told(command, arguments, stdout=writer, stderr=writer)[0] == 141
    assert told(command, ["fill", "/nowhere", "--at", "1:1"], stderr=writer)[0] == 141
    os.close(writer)


@pytest.mark.skipif(
    not Path("/dev/full").is_char_device(), reason="this system has no device that is full"
)
@pytest.mark.parametrize("arguments", TELLING)
def test_an_output_that_cannot_be_written_is_told(command: str, arguments: list[str]) -> None:
    complaint = b"lacuna: the output cannot be written (No space left on device)\n"
    with Path("/dev/full").open("wb") as full:
        assert told(command, arguments, stdout=full) == (2, complaint)
        assert told(command, arguments, stdout=full, stderr=full)[0] == 2
        assert told(command, ["fill", "/nowhere", "--at", "1:1"], stderr=full)[0] == 2


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("fill - --at 1:2 <&-", "standard input is closed; name a file"),
        ("fill /nowhere --at 1:2 --one-of @- <&-", "standard input is closed; name a file"),
        ("serve <&-", "standard input is closed; an editor speaks to the server there"),
        ("fill - --at 1:2 --json >&-", "standard output is closed; it may go to /dev/null"),
        ("serve >&-", "standard output is closed; it may go to /dev/null"),
        ("doctor >&-", "standard output is closed; it may go to /dev/null"),
    ],
)
def test_a_closed_stream_is_told(command: str, line: str, complaint: str) -> None:
    assert told("bash", ["-c", f"{command} {line}"]) == (2, f"lacuna: {complaint}\n".encode())


def test_what_goes_to_a_closed_standard_error_does_not_come_elsewhere(command: str) -> None:
    line = f"{command} fill - --at 1:2 2>&-"
    ran = subprocess.run(["bash", "-c", line], input=CODE, capture_output=True, timeout=240)
    assert (ran.returncode, ran.stdout) == (1, b"")
