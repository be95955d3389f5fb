"""How far a fill goes of itself: to the end of its line, of its block, or to what follows. Pure."""

from __future__ import annotations

import re

from .prompt import FillOptions, Finish

CLOSERS = ")]}"
TAB = 4
"""Columns of a tab, where indentations are compared."""


def end_of(text: str, options: FillOptions) -> tuple[int, Finish] | None:
    """After how many code points a text that may go on ends, and why; None while it does not."""
    if options.stop_at_newline:
        end = text.find("\n")
        return (end, Finish.NEWLINE) if end >= 0 else None
    ends = [
        (block_end(text, options.least_indent), Finish.DEDENT),
        (line_above(text, options.stop_line), Finish.SUFFIX),
    ]
    return min(((end, why) for end, why in ends if end is not None), default=None)


def block_end(text: str, least_indent: int) -> int | None:
    """Where a text leaves a block whose lines are indented by `least_indent` columns or more.

    The first line stands where the cursor is, so it is never outside. A line outside ends the text
    before its line feed; one that begins with a closing bracket belongs to the block, and ends it
    when it is complete. None while the text stays inside.
    """
    for line in re.finditer(r"(?<=\n)([ \t]*)([^ \t\n])[^\n]*", text):
        if line[0].isspace() or width(line[1]) >= least_indent:
            continue
        if line[2] not in CLOSERS:
            return line.start() - 1
        return line.end() if text[line.end() :] else None
    return None


def line_above(text: str, stop: str) -> int | None:
    """Where the line above the first one that is `stop` ends; None while there is none."""
    if not stop:
        return None
    found = re.search(rf"^{re.escape(stop)}[ \t]*\n", text, re.MULTILINE)
    return max(found.start() - 1, 0) if found else None


def width(indent: str) -> int:
    """Columns of an indentation."""
    return len(indent.expandtabs(TAB))
