"""What is taken for a repetition and for a silenced checker, and what only looks like one.

In the tables ▮ is the cursor.
"""

from __future__ import annotations

import pytest

from lsp_server.document import Document
from lsp_server.mending import mended
from lsp_server.nothing import Nothing
from lsp_server.spans import Span, choose

CURSOR = "▮"


def made_of(language: str, source: str, fill: str) -> str:
    """The mended fill, or the reason why there is none."""
    before, after = source.split(CURSOR)
    document = Document.open("file:///x", language, 1, before + after)
    span = choose(document, len(before))
    assert isinstance(span, Span)
    made = mended(span, fill)
    return made.reason if isinstance(made, Nothing) else made


@pytest.mark.parametrize(
    ("language", "source", "fill"),
    [
        ("lua", "function f()\n  if x then\n    g()\n  end\n▮\n", "end"),
        ("ruby", "def f\n  if x\n    g\n  ▮\nend\n", "end"),
        ("shellscript", "if a; then\n  if b; then\n    c\n  fi\n▮\n", "fi"),
        ("html", "<div>\n  <div>\n    a\n  </div>\n▮\n", "</div>"),
        ("python", "def f(x):\n    if x:\n        return 0\n    ▮\n", "return 0"),
        ("go", "func f() error {\n\tif x {\n\t\t▮\n\t}\n\treturn nil\n}\n", "return nil"),
    ],
)
def test_a_line_as_at_another_depth_is_no_repetition(language: str, source: str, fill: str) -> None:
    assert made_of(language, source, fill) == fill


@pytest.mark.parametrize(
    ("language", "source", "fill", "reason"),
    [
        ("lua", "if x then\n  end\n  ▮\n", "end", "repeats-line-above"),
        ("ruby", "def f\n  ▮\n  end\n", "end", "repeats-suffix"),
        ("python", "▮\n\nx = 1\ny = 2\n", "x = 1", "repeats-suffix"),
    ],
)
def test_a_line_as_at_its_own_depth_is_one(
    language: str, source: str, fill: str, reason: str
) -> None:
    assert made_of(language, source, fill) == reason


@pytest.mark.parametrize(
    ("language", "source", "fill", "made"),
    [
        ("yaml", "docs: ▮\n", "https://eslint.org/docs", "https://eslint.org/docs"),
        ("markdown", "See ▮\n", "https://prettier-ignore.dev", "https://prettier-ignore.dev"),
        ("javascript", "const a = ▮;\n", '"//eslint.org/docs"', '"//eslint.org/docs"'),
        ("python", "x = ▮\n", '"see #noqa in docs"', '"see #noqa in docs"'),
        ("python", "x = ▮\n", '"a # noqa"  # noqa: E501', '"a # noqa"'),
        ("javascript", "let a = ▮\n", "1 // eslint-disable-line", "1"),
        ("yaml", "a: ▮\n", "1  # noqa", "1"),
    ],
)
def test_only_a_comment_silences_a_checker(
    language: str, source: str, fill: str, made: str
) -> None:
    assert made_of(language, source, fill) == made


def test_every_comment_that_silences_one_goes() -> None:
    source = "def f(x):\n    ▮\n\n\ndef g():\n    pass\n"
    fill = "a = x.y  # type: ignore\n    # as in g\n    return a  # noqa"
    assert made_of("python", source, fill) == "a = x.y\n    # as in g\n    return a"
