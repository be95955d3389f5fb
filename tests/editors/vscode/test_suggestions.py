"""Lacuna as its user meets it in VS Code: the real extension, the real server, the real model.

What the model suggests is its own affair and changes with its weights. What must hold is that the
editor writes what it has shown, and nothing else.
"""

from __future__ import annotations

import pytest
from workbench import LACUNA, CodeServer, Workbench, until

pytestmark = [pytest.mark.model, pytest.mark.editor]

READ = '''\
import json


def load_settings(path):
    """Read the settings from a JSON file."""
    with open(path) as handle:
        return {}


def save_settings(path, settings):
    """Write the settings to a JSON file."""
    with open(path, "w") as handle:
        json.dump(settings, handle, indent=2)
'''
FILL = '''\
def mean(values):
    """The arithmetic mean of the values."""
    pass


def median(values):
    """The middle one of the sorted values."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
'''
# Unlike the other files, which would tell the model all of it at once.
COUNT = """\
import re

WORD = re.compile(r"[a-z]+")


def count_words(text):
    counts = {}
    for word in\x20
        counts[word] = counts.get(word, 0) + 1
    return counts
"""
FACE = """\
def greet(name):
    face = "😋"; greeting = {}
    print(face, greeting)
    return greeting
"""
# No line of it makes the editor indent by itself, which would be another test.
STEADY = "".join(
    f"total_{n} = sum(value * {n} for value in values if value > {n})\n" for n in range(3)
)
FILES = {
    "typing.py": READ.format(""),
    "cycling.py": READ.format(""),
    "filling.py": FILL,
    "words.py": FACE.format(""),
    "denoising.py": COUNT,
    "steady.py": "",
    ".env": "TOKEN=abc\nOTHER=\n",
}


def shown_at(page: Workbench, name: str, line: int, typed: str) -> str:
    """Type at the end of a line of a file; the ghost text that comes."""
    page.open(name)
    page.to_line_end(line)
    page.type(typed)
    return page.wait_for_ghost()


def test_what_is_shown_while_typing_is_what_tab_writes(page: Workbench) -> None:
    # The blank is typed, not in the file: a suggestion comes for keys, not for a cursor that moves.
    page.open("typing.py")
    page.to_line_end(7)
    page.keys("Backspace")
    ghost = shown_at(page, "typing.py", 7, " ")
    page.picture("ghost-text")
    page.keys("Tab")
    page.save()
    assert page.files["typing.py"].read_text() == READ.format(ghost)
    assert page.status_text().endswith(" ms"), "the status bar tells the latency"


def test_cycling_shows_another_candidate_and_tab_writes_that_one(page: Workbench) -> None:
    page.open("cycling.py")
    page.to_line_end(7)
    page.command("Lacuna: Suggest Here")
    first = page.wait_for_ghost()
    page.keys("Alt+]")
    second = until(
        lambda: ((seen := page.wait_for_ghost()) != first and seen) or None, "another is shown"
    )
    page.picture("cycling")
    page.keys("Alt+[")
    until(lambda: page.ghost() == first, "the first is shown again")
    page.keys("Alt+]")
    until(lambda: page.ghost() == second, "the other is shown again")
    page.keys("Tab")
    page.save()
    assert page.files["cycling.py"].read_text() == READ.format(second)


def test_a_word_is_taken_by_the_editors_own_key_after_an_emoji(page: Workbench) -> None:
    page.open("words.py")
    page.to_line_end(2)
    page.command("Lacuna: Suggest Here")  # the model is not sure enough of it to come by itself
    ghost = page.wait_for_ghost()
    page.keys("Control+ArrowRight")
    page.save()
    before, after = FACE.split("{}")
    written = page.files["words.py"].read_text()
    assert written.startswith(before) and written.endswith(after)
    word = written.removeprefix(before).removesuffix(after)
    assert word and ghost.startswith(word)


def test_filled_lines_are_compared_and_then_applied(page: Workbench) -> None:
    page.open("filling.py")
    page.select_lines(3, 3)
    page.command("Lacuna: Fill the Selected Lines")
    page.button("Apply").wait_for()
    compared = until(lambda: page.lines(".modified .view-lines"), "the difference is drawn")
    page.picture("fill-lines")
    assert page.files["filling.py"].read_text() == FILL, "nothing is written before Apply"
    page.button("Apply").click()
    page.page.locator(".monaco-diff-editor").wait_for(state="detached")
    page.save()
    written = page.files["filling.py"].read_text()
    assert written != FILL
    assert written.split("\n") == compared
    assert written.splitlines()[:2] == FILL.splitlines()[:2]
    assert written.endswith(FILL[FILL.index("\n\n\ndef median") :])


def test_a_file_of_secrets_is_left_alone_and_why_says_so(page: Workbench) -> None:
    page.open(".env")
    page.to_line_end(2)
    page.type("abc")
    page.page.wait_for_timeout(2000)
    assert page.ghost() == ""
    page.command("Lacuna: Why Was Nothing Suggested?")
    page.notification("excludedGlobs")


def test_no_key_is_lost_in_steady_typing_and_the_server_comes_to_rest(page: Workbench) -> None:
    page.open("steady.py")
    page.to_line_end(1)
    page.type(STEADY, delay_ms=1000 // 8)
    until(lambda: server_is_idle(page), "the server is idle")
    page.keys("Escape")
    page.save()
    assert page.files["steady.py"].read_text() == STEADY


def server_is_idle(page: Workbench) -> bool:
    """Whether the language server has used no processor for half a second."""
    before = page.server.language_server_seconds()
    page.page.wait_for_timeout(500)
    return page.server.language_server_seconds() == before


def test_the_last_suggestion_is_played_step_by_step(page: Workbench) -> None:
    page.open("denoising.py")
    page.to_line_end(8)
    page.command("Lacuna: Suggest Here")  # all of it: what comes by itself may take one step
    ghost = page.wait_for_ghost()
    page.command("Lacuna: Show How the Last Suggestion Was Denoised")
    panel = page.webview()
    panel.locator(".caption", has_text="step").wait_for()
    slider = panel.locator("input[type=range]")
    steps = int(slider.get_attribute("max") or 0) + 1
    assert steps > 1
    slider.press("Home")
    assert panel.locator(".tokens .masked").count() > 0, "the first step leaves positions masked"
    slider.press("End")
    panel.locator(".caption", has_text=f"step {steps} of {steps}").wait_for()
    page.picture("denoising")
    assert panel.locator(".tokens .masked").count() == 0
    tokens = "".join(panel.locator(".tokens .token").all_text_contents()).replace("↵", "")
    assert ghost.strip() in tokens


def test_the_output_tells_of_the_server_and_nothing_of_the_code(
    page: Workbench, code_server: CodeServer
) -> None:
    output = code_server.output()
    assert str(LACUNA) in output
    for word in ("settings", "handle", "median", "greeting", "TOKEN"):
        assert word not in output
