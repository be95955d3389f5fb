"""Both Neovims with the real server and the shipped model: from keys to text in the buffer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import LACUNA
from driver import Neovim

pytestmark = pytest.mark.model

READER = """\
import json


def load(path):
    with open(path) as f:
        data =
    return data


def save(path, data):
    with open(path, "w") as f:
        json.dump(data, f)
"""
HOLE = READER.split("\n").index("        data =") + 1


@pytest.fixture(scope="session")
def shared_real(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    """Opened once for each Neovim, since the model takes a while to load."""
    setup = f"{{ cmd = {{ '{LACUNA}', 'serve' }}, keys = true }}"
    with Neovim(binary, tmp_path_factory.mktemp("real") / "home", setup) as nvim:
        yield nvim


@pytest.fixture
def real(shared_real: Neovim) -> Iterator[Neovim]:
    """The shared editor, tidied up after the test."""
    yield shared_real
    print(shared_real.report())  # pytest shows it when the test has failed
    shared_real.keys("<Esc><Esc>")
    shared_real.rpc.command("silent! only! | %bwipeout!")
    shared_real.lua("notices = {}")


def ready(nvim: Neovim) -> None:
    nvim.until(nvim.attached, "the server has the buffer", 60)
    nvim.until(lambda: nvim.state() == "ready", "the model loaded", 120)


def at_the_hole(nvim: Neovim, name: str = "reader.py") -> str:
    """Types up to the hole of READER; returns the ghost text that appears there."""
    nvim.open(name, READER, at=(HOLE, 1))
    ready(nvim)
    nvim.keys("A")
    nvim.type(" ", gap=0.1)
    return nvim.until(nvim.ghost, "a ghost", 30)


def with_hole(text: str) -> str:
    """READER as a buffer shows it, with `text` in the hole."""
    return READER.replace("data =\n", f"data = {text}\n").rstrip("\n")


def counts(nvim: Neovim) -> dict[str, Any]:
    """What the server has counted."""
    nvim.lua(
        "counted = nil\n"
        "require('lacuna.client').get():request('lacuna/getStatus', vim.empty_dict(),"
        " function(_, status) counted = status.counts end)"
    )
    found: dict[str, Any] = nvim.until(lambda: nvim.lua("return counted"), "the counts")
    return found


def test_a_gap_is_filled_from_what_stands_around_it(real: Neovim) -> None:
    ghost = at_the_hole(real)
    assert real.text() == with_hole("")
    assert real.screen_row(HOLE).startswith("        data = " + ghost.split("\n")[0])
    before = counts(real)
    real.keys("<Tab>")
    real.holds(with_hole(ghost))
    ast.parse(real.text())
    real.until(lambda: counts(real)["accepted"] == before["accepted"] + 1, "the acceptance counted")
    assert counts(real)["shown"] >= 1


def test_a_word_is_accepted_and_the_rest_stays(real: Neovim) -> None:
    ghost = at_the_hole(real)
    real.keys("<M-w>")
    real.until(lambda: real.text() != with_hole(""), "a word")
    word = real.look().lines[HOLE - 1].removeprefix("        data = ")
    assert word
    assert ghost.startswith(word)
    if word != ghost:
        real.shows(ghost.removeprefix(word))


def test_a_line_is_accepted(real: Neovim) -> None:
    ghost = at_the_hole(real)
    real.keys("<M-l>")
    real.holds(with_hole(ghost.split("\n")[0]))


def test_typing_along_with_the_model(real: Neovim) -> None:
    ghost = at_the_hole(real)
    asked = counts(real)["requested"]
    real.type(ghost[:2], gap=0.1)
    real.shows(ghost[2:])
    assert counts(real)["requested"] == asked


def test_asking_by_key_brings_candidates_to_cycle_through(real: Neovim) -> None:
    at_the_hole(real)
    counted = re.compile(r"(.*) \((\d)/(\d)\)$", re.DOTALL)
    real.keys("<M-n>")
    shown = real.until(lambda: counted.match(real.ghost()), "a counted candidate", 30)
    real.keys("<M-n>")
    other = real.until(
        lambda: (seen := counted.match(real.ghost())) and seen[2] != shown[2] and seen,
        "another candidate",
    )
    assert other[1] != shown[1]
    real.keys("<Tab>")
    real.holds(with_hole(other[1]))


def test_nothing_is_drawn_once_insert_mode_is_left(real: Neovim) -> None:
    real.open("reader.py", READER, at=(HOLE, 1))
    ready(real)
    before = counts(real)
    real.keys("A")
    real.type(" ")
    real.until(lambda: counts(real)["requested"] > before["requested"], "a request", 10)
    real.keys("<Esc>")
    real.until(lambda: real.look().mode == "n", "Normal mode")
    real.never(real.ghost, "drawn in Normal mode", 2)
    assert real.text() == with_hole("")


def test_a_killed_server_comes_back_and_completes_again(real: Neovim) -> None:
    at_the_hole(real)
    killed = real.server()
    killed.kill()
    killed.wait(60)
    real.says("the server ended with signal 9. It is started again")
    real.keys("<Esc>")
    real.rpc.command("bwipeout!")
    assert at_the_hole(real, "again.py")
    assert real.server().pid != killed.pid


def test_an_emoji_before_the_cursor_shifts_nothing(real: Neovim) -> None:
    line = 'names = ["😀 é", "日本"]; total = len('
    text = f"{line}\nprint(total)\n"
    real.open("emoji.py", text, at=(1, len(line.encode()) + 1))
    ready(real)
    # At once, or one that comes by itself could be replaced while it is looked at.
    real.keys("An<M-n>")
    ghost = re.sub(r" \(\d/\d\)$", "", real.until(real.ghost, "a ghost", 30))
    real.keys("<Tab>")
    real.holds(f"{line}n{ghost}\nprint(total)")
    assert "\n" in ghost or real.look().cursor == (1, len(f"{line}n{ghost}".encode()))


def test_another_language_in_a_second_buffer(real: Neovim) -> None:
    at_the_hole(real)
    real.keys("<Esc>")
    script = (
        "function sum(items) {\n  let total = 0;\n  for (const item of items) {\n"
        "    total += item;\n  }\n  return\n}\n\nconsole.log(sum([1, 2]));\n"
    )
    real.open("sum.js", script, at=(6, 1))
    ready(real)
    real.keys("A")
    real.type(" ", gap=0.1)
    ghost = real.until(real.ghost, "a ghost in JavaScript", 30)
    real.keys("<Tab>")
    real.holds(script.replace("return\n", f"return {ghost}\n").rstrip("\n"))
    real.keys("<Esc>")
    real.rpc.command("buffer reader.py")
    assert real.text() == with_hole("")


def test_lines_are_filled_anew_and_undone(real: Neovim) -> None:
    written = READER.replace("data =\n", "data = None\n")
    real.open("reader.py", written)
    ready(real)
    real.rpc.command(f"{HOLE}LacunaFill")
    real.says("filled; u takes it back.")
    before, after = written.rstrip("\n").split("\n"), real.look().lines
    assert after != before
    assert after[: HOLE - 1] == before[: HOLE - 1]
    assert after[-(len(before) - HOLE) :] == before[HOLE:]
    ast.parse(real.text())
    real.keys("u")
    real.holds(written.rstrip("\n"))


def test_lines_are_not_filled_when_the_text_has_changed_meanwhile(real: Neovim) -> None:
    real.open("reader.py", READER)
    ready(real)
    real.rpc.command(f"{HOLE}LacunaFill | $put ='# more'")
    real.says("not filled")
    assert real.text() == READER.rstrip("\n") + "\n# more"


def test_status_and_reason_are_told(real: Neovim) -> None:
    at_the_hole(real)
    real.keys("<Esc>:LacunaStatus<CR>")
    real.says("Model ")
    real.says("requests:")
    assert real.lua("return require('lacuna').statusline()").endswith(" ms")
    real.open("empty.py", "")
    ready(real)
    before = counts(real)["nothing"]
    real.keys("i")
    real.until(lambda: counts(real)["nothing"] > before, "a request, answered with nothing")
    real.never(real.ghost, "a ghost in an empty file", 0.5)
    real.keys("<Esc>:LacunaWhy<CR>")
    real.says("(empty-file)")
