"""Which of several fills comes first."""

from __future__ import annotations

from collections.abc import Iterable

from .prompt import Fill


def ranked(fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """The different ones, the most probable first; of fills with the same text only that one.

    The probability of the whole text, which favours no length, told right from wrong better than
    the mean of its tokens, and better than both with what the base says (export/LOG.md). Whether a
    fill parses it does not know: the caller drops what breaks a parse.
    """
    best: dict[str, Fill] = {}
    for fill in fills:
        if fill.text not in best or fill.probability > best[fill.text].probability:
            best[fill.text] = fill
    return tuple(sorted(best.values(), key=lambda fill: fill.probability, reverse=True))
