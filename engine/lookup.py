"""Tokens that may come next because they did before: code repeats itself.

Where the last tokens of a fill stand in its surroundings too, what follows them is put forward
for the model to check, which costs it nothing. Prompt lookup decoding (Saxena, 2023), the n-gram
case of inference with reference (Yang et al., arXiv 2304.04487). Pure.
"""

from __future__ import annotations

import numpy as np

from .model import Ids

LONGEST, SHORTEST = 6, 1
"""Tokens that must agree: as many as possible, from the one to the other."""


def repeated(written: Ids, suffix: Ids, most: int) -> Ids:
    """Up to `most` tokens that followed the last tokens of `written` before, in it or in `suffix`.

    Of several places the one that shares most tokens counts, of those the last in `written`. None
    where the last token is new.
    """
    known = np.concatenate([suffix, written])
    for length in range(min(LONGEST, len(written), len(known) - 1), SHORTEST - 1, -1):
        places = np.lib.stride_tricks.sliding_window_view(known[:-1], length)
        found = np.flatnonzero((places == written[-length:]).all(axis=1))
        if len(found):
            start = int(found[-1]) + length
            return known[start : start + max(most, 0)]
    return known[:0]
