"""How probable a fill is, and each beginning of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp

_IN_A_WORD = re.compile(r"\w\w")
_ENDS_A_LINE = re.compile(r"[ \t]*(\n|\Z)")


@dataclass(frozen=True, slots=True)
class Beginning:
    """`text[:end]` of a fill."""

    end: int
    """In code points."""
    probability: float
    """Of its tokens, as they had it when they were committed."""


def beginnings(
    text: str,
    tokens: Sequence[int],
    log_probs: Sequence[float],
    text_of: Callable[[Sequence[int]], str],
) -> tuple[Beginning, ...]:
    """Each beginning of `text` that one of its tokens ends; then all of it, with what ended it.

    `text` is a beginning of what `text_of` makes of the tokens. To all of it a token counts that
    goes on behind it, and the end's own log-probability, which may follow those of the tokens.
    """
    known, found = [exp(total) for total in accumulate(log_probs)], []
    whole = known[-1] if known else 1.0
    for count, probability in enumerate(known[: len(tokens)], 1):
        so_far = text_of(tokens[:count])
        if len(so_far) > len(text):
            whole = probability
            break
        if so_far and text.startswith(so_far):  # it does not where a character is cut in two
            found.append(Beginning(len(so_far), probability))
    return (*found, Beginning(len(text), whole))


def sure(text: str, known: Sequence[Beginning], least: float) -> Iterator[str]:
    """What of a text has at least this probability, longest first: all of it, beginnings that end
    where a line does, and those of its first line that end where a word does; without the blanks
    that follow. All of it where nothing is known.
    """
    longest = len(text) + 1
    if not known or known[-1].probability >= least:
        yield text
        longest = len(text.rstrip())
    for beginning in reversed(known):
        shown = text[: beginning.end].rstrip()
        if beginning.probability >= least and 0 < len(shown) < longest and _ends(text, len(shown)):
            longest = len(shown)
            yield shown


def _ends(text: str, end: int) -> bool:
    """Whether a person would see a text end there: at a line's end, or, in its first line, not
    within a word."""
    if _ENDS_A_LINE.match(text, end):
        return True
    return "\n" not in text[:end] and not _IN_A_WORD.match(text, end - 1)
