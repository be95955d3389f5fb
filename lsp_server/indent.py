"""Indentation: a line's own, and one level of it as the lines around have it."""

from __future__ import annotations

from collections import Counter

from lsp_server import syntax
from lsp_server.document import Document

_LOOK_AROUND_LINES = 200
"""How far around the cursor the indentation is read."""


def indentation(line: str) -> str:
    """The blanks and tabs a line starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def indent_unit(document: Document, line: int) -> str:
    """One level of indentation: as the lines around have it, else as the language is written."""
    return seen_indent_unit(document, line) or _default_unit(document.language)


def seen_indent_unit(document: Document, line: int) -> str | None:
    """The step by which lines around a line go deeper most often: a tab or 2 to 8 spaces."""
    first = max(line - _LOOK_AROUND_LINES, 0)
    last = min(line + _LOOK_AROUND_LINES, len(document.line_starts) - 1)
    steps: Counter[str] = Counter()
    above = ""
    for text in map(document.line, range(first, last + 1)):
        if not text.strip():
            continue
        indent = indentation(text)
        if len(indent) > len(above):
            steps["\t" if "\t" in indent else " " * (len(indent) - len(above))] += 1
        above = indent
    # One space is what continuation lines of block comments have.
    likely = [step for step, _ in steps.most_common() if step == "\t" or 2 <= len(step) <= 8]
    return likely[0] if likely else None


def _default_unit(language: str) -> str:
    if syntax.canonical(language) == "go":
        return "\t"
    return " " * (2 if syntax.canonical(language).startswith(("javascript", "type")) else 4)
