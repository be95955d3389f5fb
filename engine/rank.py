"""Which of several fills comes first: what the denoiser was sure of and the base finds likely.

The two know different things. The denoiser's certainty is that of each token when it was committed,
with the suffix in sight but other tokens still open; the base reads the whole text in order, but
without the suffix. Whether a fill parses neither says: the caller drops what breaks a parse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .base import Base
from .prompt import Fill


def distinct(fills: Iterable[Fill]) -> list[Fill]:
    """Of fills with the same text only the most probable; in the order given."""
    best: dict[str, Fill] = {}
    for fill in fills:
        if fill.text not in best or fill.mean_log_prob > best[fill.text].mean_log_prob:
            best[fill.text] = fill
    return list(best.values())


def ranked(fills: Iterable[Fill], base: Base) -> tuple[Fill, ...]:
    """The different ones, best first. Where there are several, the base reads each in one pass."""
    found = distinct(fills)
    if len(found) > 1:
        found = [fill if fill.base_log_prob is not None else read(fill, base) for fill in found]
    return tuple(sorted(found, key=score, reverse=True))


def read(fill: Fill, base: Base) -> Fill:
    """A fill with what the base says of it."""
    log_probs = base.read(fill.text).log_probs
    mean = float(log_probs.mean()) if len(log_probs) else 0.0
    return replace(fill, base_log_prob=mean, checks=fill.checks + 1)


def score(fill: Fill) -> float:
    """The mean log-probability of a token for the denoiser plus that for the base."""
    return fill.mean_log_prob + (fill.base_log_prob or 0.0)
