"""Gaps are cut at places and to ends that a person at a cursor would meet."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from export.gaps import (
    AT_CURSOR,
    CUTS,
    Gap,
    Line,
    block,
    cut,
    lines,
    nothing,
    to_closer,
    to_line_end,
    to_quote,
    within_line,
)
from lsp_server.spans import SpanKind

CODE = '''\
import json
from pathlib import Path


class Store:
    """Keeps things in a file."""

    def __init__(self, path, things=None):
        self.path = Path(path)
        self.things = dict(things or {})

    def load(self):
        with self.path.open() as file:
            self.things = json.load(file)
        return self

    def save(self):
        text = json.dumps(self.things, indent=2)
        self.path.write_text(text, encoding="utf-8")

    def keys(self, prefix=""):
        found = [key for key in self.things if key.startswith(prefix)]
        if not found:
            raise KeyError(f"nothing begins with {prefix}")
        return sorted(found, key=len)
'''


def line_of(text: str, part: str) -> Line:
    at = text.index(part)
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    return Line(text, start, end if end >= 0 else len(text))


def middles(how, part: str, tries: int = 200) -> set[str]:
    rng = Random(1)
    line = line_of(CODE, part)
    bounds = (how(line, "python", rng) for _ in range(tries))
    return {CODE[slice(*b)] for b in bounds if b is not None}


def test_to_the_line_end_may_start_anywhere_even_before_the_indentation():
    found = middles(to_line_end, "self.path = ")
    assert "        self.path = Path(path)" in found
    assert "self.path = Path(path)" in found
    assert "h)" in found
    assert all(m.endswith("Path(path)") or "self.path = Path(path)".endswith(m) for m in found)


def test_to_a_closer_ends_before_the_bracket_that_is_already_there():
    assert middles(to_closer, "text = json") >= {"self.things, indent=2"}
    assert all(not m.endswith(")") for m in middles(to_closer, "text = json"))
    # The bracket of another line closes nothing here.
    assert middles(to_closer, "return self\n") == set()


def test_to_a_quote_stays_within_the_string():
    found = middles(to_quote, "encoding=")
    assert "utf-8" in found
    assert all('"' not in m for m in found)


def test_a_block_is_the_whole_body_and_nothing_after_it():
    body = "with self.path.open() as file:\n            self.things = json.load(file)\n"
    body += "        return self"
    assert middles(block, "def load") == {body, "\n        " + body}
    assert middles(block, "return self\n") == set()


def test_a_block_that_the_text_breaks_off_in_is_no_gap():
    text = "def f(x):\n    if x:\n        return 1\n"
    head = line_of(text, "def f")
    assert block(head, "python", Random(0)) is None


def test_a_javascript_block_ends_before_its_bracket():
    text = "function f(x) {\n  const y = x + 1;\n  return y;\n}\nf(1);\n"
    rng = Random(0)
    found = {text[slice(*block(line_of(text, "function"), "javascript", rng))] for _ in range(50)}
    assert found == {
        "const y = x + 1;\n  return y;",
        "\n  const y = x + 1;\n  return y;",
    }


def test_lines_are_whole_and_now_and_then_keep_their_line_end():
    found = middles(lines, "with self.path")
    assert "with self.path.open() as file:" in found
    assert "        with self.path.open() as file:\n" in found
    assert any(m.count("\n") == 3 for m in found)


def test_words_within_a_line_leave_the_rest_of_it():
    found = middles(within_line, "return sorted")
    assert "sorted" in found
    assert all("\n" not in m for m in found)


def test_nothing_is_a_complete_line():
    assert middles(nothing, "return sorted") == {""}


@pytest.fixture(scope="module")
def many() -> list[Gap]:
    rng = Random(3)
    tried = (cut(CODE, 1, len(CODE) - 1, "python", rng) for _ in range(3000))
    return [gap for gap in tried if gap is not None]


def test_every_kind_the_server_asks_for_is_cut(many):
    kinds = Counter(gap.kind for gap in many)
    for kind in SpanKind:
        if kind not in (SpanKind.DECORATOR, SpanKind.COMMENT):
            assert kinds[kind] > 0, kind


def test_no_cursor_stands_in_the_middle_of_a_word_unless_a_word_is_cut_out(many):
    for gap in many:
        left, right = CODE[gap.start - 1 : gap.start], CODE[gap.end : gap.end + 1]
        if gap.start == gap.end:
            assert not (left.isalnum() and right.isalnum())


def test_one_line_kinds_are_one_line(many):
    for gap in many:
        if gap.kind not in (SpanKind.BLOCK, SpanKind.LINES):
            assert "\n" not in CODE[gap.start : gap.end]


def test_empty_middles_are_few_and_only_at_line_ends(many):
    empty = [gap for gap in many if not CODE[gap.start : gap.end].strip()]
    assert 0 < len(empty) < 0.1 * len(many)
    assert all(CODE[gap.end] == "\n" for gap in empty)


def test_evaluation_has_no_empty_middles_and_no_parts_of_lines():
    assert nothing not in AT_CURSOR
    assert within_line not in AT_CURSOR
    assert set(AT_CURSOR) < set(CUTS)
