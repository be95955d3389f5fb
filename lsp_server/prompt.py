"""From a span to the prompt: the text before and after the gap, cut to a constant size.

It knows text, not tokens: the engine keeps what fits its model, so the cut here is generous. It
only sees to it that a request costs the same in a file of 50 lines and of 50,000.
"""

from __future__ import annotations

import re

from engine.prompt import Prompt
from lsp_server.document import Document, with_line_feeds
from lsp_server.spans import Span

PREFIX_CHARACTERS = 4_000
"""At least so much text is given before the gap, where there is so much."""
HOP_CHARACTERS = 4_000
"""The prefix begins anew only after so much more text."""
SUFFIX_CHARACTERS = 2_000
"""At least so much text is given after the gap, where there is so much."""

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character: an editor may send one, UTF-8 cannot hold it."""


def prompt_for(span: Span, related: str = "") -> Prompt:
    """The prompt for a gap; `related` are lines of other files (related.py)."""
    return prompt_around(span.document, span.start, span.end, related)


def prompt_around(document: Document, start: int, end: int, related: str = "") -> Prompt:
    r"""The text around start..end: whole lines unless they are huge, line ends as \n, no BOM."""
    prefix = _last_of(document.before + document.text[:start])
    suffix = _first_of(document.text[end:] + document.after)
    return Prompt(_plain(prefix), _plain(suffix), _plain(related))


def _last_of(text: str) -> str:
    """The end of what stands before a gap, from a line start that stays while one types.

    A window that slid with the cursor would give the engine another first token at each keystroke,
    and nothing of its cached context could be used again. So the start jumps from line to line over
    HOP_CHARACTERS at once.
    """
    hop = (len(text) - PREFIX_CHARACTERS) // HOP_CHARACTERS * HOP_CHARACTERS
    if hop <= 0:
        return text
    line_start = text.rfind("\n", 0, hop) + 1
    return text[line_start if hop - line_start < HOP_CHARACTERS else hop :]


def _first_of(text: str) -> str:
    """The beginning of what stands after a gap, up to the end of a line."""
    line_end = text.find("\n", SUFFIX_CHARACTERS - 1) + 1
    return text[: line_end if 0 < line_end < 2 * SUFFIX_CHARACTERS else SUFFIX_CHARACTERS]


def _plain(text: str) -> str:
    """Text as a model was trained on it."""
    text = with_line_feeds(text.removeprefix("\ufeff"))
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
