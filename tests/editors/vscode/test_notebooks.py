"""Notebooks in VS Code: cells have what files have, and each of them is filled as a part of the
notebook."""

from __future__ import annotations

import pytest
from workbench import Workbench, cells_of, notebook, until

pytestmark = [pytest.mark.model, pytest.mark.editor]

CELLS = [
    "# Study",
    "def weekly_totals(readings, weeks):\n    return [sum(readings[week]) for week in weeks]",
    "readings = load()\nweeks = range(8)\n",
    "",
    "print(totals)",
]
FILES = {
    "plain.py": "",
    "typing.ipynb": notebook(*CELLS),
    "empty.ipynb": notebook(*CELLS),
    "filling.ipynb": notebook(*CELLS[:3], "totals = None", CELLS[4]),
    "secrets.ipynb": notebook(*CELLS),
}


def test_a_name_of_the_cell_above_is_shown_and_tab_writes_it_into_the_cell(
    page: Workbench,
) -> None:
    page.open("typing.ipynb")
    page.to_end_of_cell(2)
    page.type("totals = weekly_")
    ghost = page.wait_for_ghost()
    page.picture("notebook")
    assert ghost.startswith("totals")
    page.keys("Tab")
    page.save()
    assert cells_of(page.files["typing.ipynb"]) == [
        *CELLS[:2],
        f"{CELLS[2]}totals = weekly_{ghost}",
        *CELLS[3:],
    ]


def test_an_empty_cell_is_filled_between_the_cells_around_it(page: Workbench) -> None:
    page.open("empty.ipynb")
    page.to_end_of_cell(3)
    page.command("Lacuna: Suggest Here")
    ghost = page.wait_for_ghost()
    page.picture("empty-cell")
    page.keys("Tab")
    page.save()
    assert cells_of(page.files["empty.ipynb"]) == [*CELLS[:3], ghost, CELLS[4]]


def test_lines_of_a_cell_are_compared_and_then_applied(page: Workbench) -> None:
    page.open("filling.ipynb")
    page.to_end_of_cell(3)
    page.command("Lacuna: Fill the Selected Lines")
    page.button("Apply").wait_for()
    [compared] = until(lambda: page.lines(".modified .view-lines"), "the difference is drawn")
    page.picture("fill-lines-of-a-cell")
    assert page.page.locator(".squiggly-error").count() == 0, "it is read as Python, not as JSON"
    page.button("Apply").click()
    page.page.locator(".monaco-diff-editor").wait_for(state="detached")
    page.save()
    written = cells_of(page.files["filling.ipynb"])
    assert compared != "totals = None"
    assert written == [*CELLS[:3], compared, CELLS[4]]


def test_a_notebook_of_secrets_is_left_alone_and_why_says_so(page: Workbench) -> None:
    page.open("secrets.ipynb")
    page.to_end_of_cell(2)
    page.type("totals = weekly_")
    page.page.wait_for_timeout(2000)
    assert page.ghost() == ""
    page.command("Lacuna: Why Was Nothing Suggested?")
    page.notification("excludedGlobs")
