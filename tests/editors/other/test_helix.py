"""A client that others have made, with the real server and the shipped model."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from get_helix import helix
from pseudo_terminal import Terminal

pytestmark = [pytest.mark.editor, pytest.mark.model]

LACUNA = Path(sys.executable).with_name("lacuna")
CONFIGURATION = f"""\
[language-server.lacuna]
command = "{LACUNA}"
args = ["serve"]

[[language]]
name = "python"
language-servers = ["lacuna"]
"""
CURSOR = "▮"
ESCAPE, ASK, TAB, ENTER = "\x1b", "\x18", "\t", "\r"
ASKED = '"method":"textDocument/completion"'
ENTRY = "snippet"
"""The kind of Lacuna's entry, which stands beside it in the popup."""

Completed = Callable[..., str]


@pytest.fixture
def completed(tmp_path: Path) -> Completed:
    """Types at the cursor of a text, and on while an entry is waited for; accepts that and saves.
    The text then."""
    languages = tmp_path / "helix" / "languages.toml"
    languages.parent.mkdir()
    languages.write_text(CONFIGURATION)
    log = tmp_path / "log"
    log.touch()

    def complete(text: str, keys: str, meanwhile: str = "") -> str:
        before, after = text.split(CURSOR)
        file = tmp_path / "code.py"
        file.write_bytes((before + after).encode())
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        command = [str(helix()), "-v", "--log", str(log), f"{file}:{line}:{column}"]
        with Terminal(command, tmp_path) as editor:
            editor.until(lambda: '"state": "ready"' in log.read_text(), "the model loaded")
            mark = len(editor.drawn)  # the entry may be drawn before the log is looked into
            editor.press("i" + keys)
            editor.until(lambda: ASKED in log.read_text(errors="replace"), "an entry is asked for")
            editor.press(meanwhile)
            editor.until(lambda: ENTRY.encode() in editor.drawn[mark:], "the entry is drawn")
            editor.until_drawn("NOR", TAB + ENTER + ESCAPE)
            editor.press(":write-quit" + ENTER)
            assert editor.ended() == 0
        assert "[ERROR]" not in log.read_text()
        return file.read_bytes().decode()

    return complete


def test_an_entry_is_accepted_behind_emoji_in_a_file_with_crlf(completed: Completed) -> None:
    text = f'import os\r\n\r\npath = "a"; print("😋", "é", os.path{CURSOR})\r\n'
    before, after = text.split(CURSOR)
    found = completed(text, ".")
    assert found.startswith(before + ".")
    assert found.endswith(after)
    assert len(found) > len(before + "." + after)
    assert found.count("\n") == found.count("\r\n") == 3
    ast.parse(found)


def test_an_entry_of_several_lines_is_accepted_as_it_is(completed: Completed) -> None:
    read = "def read_{0}(path):\n    with open(path) as file:\n        return {0}.load(file)\n\n\n"
    text = "import json\nimport toml\nimport yaml\n\n\n" + read.format("json") + read.format("toml")
    after = "\n\n\n" + read.format("pickle").rstrip() + "\n"
    found = completed(text + f"def read_yaml(path):{CURSOR}{after}", ASK)
    assert found.endswith(after)
    written = found.removeprefix(text + "def read_yaml(path):\n").removesuffix(after).splitlines()
    assert len(written) > 1
    assert written[0].startswith("    ") and not written[0].startswith("     ")
    ast.parse(found)


def test_typing_on_does_not_cost_the_entry(completed: Completed) -> None:
    text = f"def read(path):\n    with open(path) as file:\n        {CURSOR}\n"
    before, after = text.split(CURSOR)
    found = completed(text, "re", meanwhile="t")
    assert found.startswith(before + "return ")
    assert found.endswith(after)
    ast.parse(found)
