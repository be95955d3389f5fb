"""The held-out set is fixed, and scores mean what they say."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pytest

from export import evaluate
from export.held_out import Answer, HeldOut, digest, held_out, held_out_files
from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.related import Related
from lsp_server.spans import SpanKind, choose

FILE = '''\
"""Numbers and what is done with them, so that there is something to read before the first gap.

The file is long enough for gaps: two hundred characters come before the first one, and more after.
"""


def mean(values, default=0.0):
    """The mean of some values, or a default when there are none of them."""
    if not values:
        return default
    return sum(values) / len(values)


def spread(values):
    """How far values lie apart, from the least of them to the largest."""
    lowest, highest = min(values), max(values)
    return highest - lowest
'''
GO = "package add\n\n" + "".join(
    f"func add{n}(x int) int {{\n\treturn x + {n} * {n}\n}}\n\n" for n in range(20)
)
COUNTS = {"python": 30, "javascript": 5}


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "held-python.txt").write_text(FILE)
    script = "".join(f"function add{n}(x) {{\n  return x + {n} * {n};\n}}\n\n" for n in range(20))
    (tmp_path / "held-javascript.txt").write_text(script)
    return tmp_path


def gap(before: str, middle: str, after: str) -> HeldOut:
    document = Document.open("", "python", 0, before + after)
    return HeldOut("python", document, choose(document, len(before)), middle)


def test_the_set_is_the_same_each_time_and_named_by_its_content(corpus):
    first, second = held_out(corpus, COUNTS), held_out(corpus, COUNTS)
    assert digest(first) == digest(second)
    assert len(first) == 35
    (corpus / "held-python.txt").write_text(FILE.replace("values", "things"))
    assert digest(held_out(corpus, COUNTS)) != digest(first)


def test_a_corpus_may_have_one_language_and_less_than_is_wanted(corpus):
    (corpus / "held-javascript.txt").unlink()
    assert {one.language for one in held_out(corpus, COUNTS)} == {"python"}
    (corpus / "held-python.txt").write_text("x = 1\n")
    with pytest.raises(FileNotFoundError, match=r"no gap in held-python\.txt"):
        held_out(corpus, COUNTS)
    (corpus / "held-python.txt").unlink()
    with pytest.raises(FileNotFoundError, match="no held-out files; `python -m export corpus`"):
        held_out(corpus, COUNTS)


def test_where_neither_python_nor_javascript_is_held_out_the_set_is_of_what_is(corpus):
    (corpus / "held-go.txt").write_text(GO)
    assert {one.language for one in held_out(corpus)} == {"python", "javascript"}
    (corpus / "held-python.txt").unlink()
    (corpus / "held-javascript.txt").unlink()
    assert {one.language for one in held_out(corpus)} == {"go"}
    with pytest.raises(FileNotFoundError, match="no held-out files"):
        held_out(corpus, COUNTS)


def test_of_a_small_file_hardly_a_gap_is_drawn_twice(corpus):
    found = held_out(corpus, {"python": 500})
    places = {(one.whole, one.span.start, one.middle) for one in found}
    assert 50 < len(found) < 500
    assert len(found) <= len(places) + max(1, len(found) // 100)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--base --adapter a", "--adapter: not allowed with argument --base"),
        ("--base --model a", "--model: not allowed with argument --base"),
        ("--model a --adapter a", "--adapter: not allowed with argument --model"),
        ("--base --related", "--related: not allowed with argument --base"),
        ("--count 0", "--count: '0' is not a whole number of at least 1"),
        ("--show -1", "--show: '-1' is not a whole number of at least 0"),
        ("--threads -1", "--threads: '-1' is not a whole number of at least 0"),
    ],
)
def test_arguments_that_say_nothing_together_or_alone_are_refused(capsys, arguments, said):
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    with pytest.raises(SystemExit, match="2"):
        evaluate.run(parser.parse_args(["--corpus", "none", *arguments.split()]))
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("evaluate --corpus {0}", "export evaluate: {0}: no held-out files; `python -m export"),
        ("train --init {0} --to {0}/run", "export train: {0}: no card.json, so this is no model"),
        (
            "examples --corpus {0}/none --to {0}",
            "export examples: {0}/none: no corpus",
        ),
    ],
)
def test_what_is_missing_is_said_in_a_line(tmp_path, command, said):
    command = [sys.executable, "-m", "export", *command.format(tmp_path).split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"python -m {said.format(tmp_path)}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.model
def test_another_language_is_measured_instead_where_it_is_asked_for(corpus):
    command = [sys.executable, "-m", "export", "evaluate", "--corpus", str(corpus)]
    done = subprocess.run([*command, "--language", "go"], capture_output=True, text=True)
    assert (done.returncode, "no held-out files" in done.stderr) == (2, True)
    (corpus / "held-go.txt").write_text(GO)
    done = subprocess.run([*command, "--language", "go", "--count", "1"], capture_output=True)
    facts = json.loads(done.stdout.splitlines()[-1])
    assert (facts["gaps"], facts["files"]) == (1, 1)
    assert {group.split()[0] for group in facts if group.endswith((" line", " block"))} == {"go"}


def test_every_gap_put_back_is_the_file_and_is_what_the_server_asks_for(corpus):
    for one in held_out(corpus, COUNTS):
        assert one.whole == FILE or one.language == "javascript"
        assert one.middle.strip()
        assert choose(one.document, one.span.start) == one.span
        if one.span.stop_at_newline:
            assert "\n" not in one.middle


def test_lines_of_other_held_out_files_and_not_those_of_its_own(corpus):
    other = FILE.replace("Numbers", "Figures")
    (corpus / "held-python.txt").write_text(FILE + "\0" + other)
    files, middle = held_out_files(corpus), "highest - lowest"
    its = gap(FILE[: FILE.index(middle)], middle, "\n")
    assert evaluate.beside(its, files, Related()).startswith('"""Figures')
    assert evaluate.beside(its, files[:2], Related()) == "", "the other one is not among these"


def test_the_true_middle_scores_full_marks():
    one = gap("def f(x):\n    return ", "x + 1", "\n\n\nprint(f(1))\n")
    score = evaluate.score(one, Answer("x + 1", 4, 2))
    assert (score.exact, score.first_line, score.similarity) == (True, True, 1.0)
    assert score.parses and score.shown and score.shown_parses
    # Blanks at the end do not count, others do.
    assert evaluate.score(one, Answer("x + 1  ", 4, 2)).exact
    assert not evaluate.score(one, Answer(" x + 1", 4, 2)).exact


def test_a_fill_that_breaks_the_file_is_counted_and_not_shown():
    one = gap("def f(x):\n    return ", "x + 1", "\n\n\nprint(f(1))\n")
    score = evaluate.score(one, Answer("(x +", 4, 2))
    assert not score.exact and not score.parses
    assert not score.shown and score.shown_parses


def test_a_bracket_brought_twice_is_mended_before_it_is_shown():
    one = gap("def f(x):\n    print(", "x, 1", ")\n\n\nprint(f(1))\n")
    score = evaluate.score(one, Answer("x, 1)", 4, 2))
    assert not score.exact and not score.parses
    assert score.shown_exact and score.shown_parses


def test_the_first_line_of_a_block_counts_alone():
    one = gap("def f(x):\n    ", "y = x + 1\n    return y", "\n\n\nprint(f(1))\n")
    assert one.span.kind is SpanKind.BLOCK
    score = evaluate.score(one, Answer("y = x + 1\n    return x", 4, 2))
    assert score.first_line and not score.exact and 0.9 < score.similarity < 1


def test_what_is_shown_by_itself_is_judged_by_itself():
    one = gap("def f(x):\n    ", "y = x + 1\n    return y", "\n\n\nprint(f(1))\n")
    text, start = "y = x + 1\n    return y", one.span.start
    edits = [Edit(start, start, shown) for shown in (text, "y = x", "y = 1")]
    whole, part, wrong, nothing = (
        evaluate.score(one, Answer(text, 4, 2, edit)) for edit in (*edits, None)
    )
    assert (whole.by_itself, whole.by_itself_right) == (True, True)
    assert (part.by_itself, part.by_itself_right) == (True, True)
    assert (wrong.by_itself, wrong.by_itself_right, wrong.exact) == (True, False, True)
    assert not nothing.by_itself
    summary = evaluate.summary([whole, part, wrong, nothing])
    assert (summary["by_itself"], summary["of_that_right"]) == (75.0, 66.7)


def test_summaries_are_means_and_ratios_of_sums():
    one = gap("def f(x):\n    return ", "x + 1", "\n\n\nprint(f(1))\n")
    scores = [
        evaluate.score(one, Answer("x + 1", 6, 2)),
        evaluate.score(one, Answer("x + 2", 2, 2)),
    ]
    groups = evaluate.grouped([one, one], scores)
    assert set(groups) == {"all", "line-end", "python line"}
    summary = evaluate.summary(groups["python line"])
    assert summary["gaps"] == 2
    assert summary["exact"] == 50.0
    assert summary["tokens_a_pass"] == 2.0
    assert summary["tokens_a_pass_exact"] == 3.0
    assert "| python line | 2 | 50.0 |" in evaluate.table(groups)
