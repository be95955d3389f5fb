"""How probable a fill is, and each beginning of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp

_IN_A_WORD = re.compile(r"\w\w")


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


def sure(text: str, known: Sequence[Beginning], least: float, *, has_ended: bool) -> Iterator[str]:
    """The beginnings of a text that have at least this probability, longest first, without the
    blanks that follow: those that end where a line does, and in the first line that says something
    where a word does. One that has not ended may go on with a word where it stops.
    """
    longest = len(text) + 1
    for beginning in reversed(known):
        shown = text[: beginning.end].rstrip()
        if beginning.probability < least or not 0 < len(shown) < longest:
            continue
        if _can_end(text, len(shown), has_ended):
            longest = len(shown)
            yield shown


def _can_end(text: str, end: int, has_ended: bool) -> bool:
    rest = text[end:].lstrip(" \t")
    if not rest:
        return has_ended
    if rest[0] == "\n":
        return True
    return "\n" not in text[:end].lstrip() and not _IN_A_WORD.match(text, end - 1)
