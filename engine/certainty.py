"""How probable a fill is, line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import exp


def line_probabilities(
    text: str,
    tokens: Sequence[int],
    log_probs: Sequence[float],
    text_of: Callable[[Sequence[int]], str],
) -> tuple[float, ...]:
    """The probability of each beginning of `text` that ends where one of its lines does.

    `text` is a beginning of what `text_of` makes of the tokens; a token that ended it counts, and
    so does the end's own log-probability, which may follow those of the tokens.
    """
    written = [0.0, *accumulate(log_probs)]
    lengths = [len(text_of(tokens[:count])) for count in range(len(tokens) + 1)]
    ends = [place for place, character in enumerate(text) if character == "\n"] + [len(text)]
    count, found = 0, []
    for end in ends:
        while count < len(tokens) and lengths[count] <= end:
            count += 1
        found.append(exp(written[count if lengths[count] > end else -1]))
    return tuple(found)
