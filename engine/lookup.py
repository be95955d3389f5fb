"""Tokens that may come next because they did before: code repeats itself.

Where the last tokens of a fill stand in its surroundings too, what follows them there may follow
here. Prompt lookup decoding (Saxena, 2023), the n-gram case of inference with reference (Yang et
al., arXiv 2304.04487). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .model import Ids

LONGEST = 6
"""Tokens beyond which it does not matter how many agree."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the last tokens of a text stood before."""

    known: Ids
    """[n] the surroundings, then the text."""
    ends: Ids
    """[m] places behind as many of its last tokens as have stood anywhere, the nearest last."""
    agree: int
    """How many tokens that is; 0 where the last one is new, and there are no places."""

    def following(self, most: int) -> Ids:
        """Up to `most` tokens that followed at the last of the places."""
        return self.known[self.ends[-1] :][:most] if len(self.ends) else self.known[:0]


def repeated(written: Ids, suffix: Ids) -> Places:
    """Where `written` [at least one] has ended like this before, in itself or in `suffix`."""
    known = np.concatenate([suffix, written])
    ends, agree = np.flatnonzero(known[:-1] == written[-1]), 1
    for length in range(2, min(LONGEST, len(written)) + 1):
        longer = ends[ends >= length - 1]
        longer = longer[known[longer - length + 1] == written[-length]]
        if not len(longer):
            break
        ends, agree = longer, length
    return Places(known, ends + 1, agree if len(ends) else 0)
