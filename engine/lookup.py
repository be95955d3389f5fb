"""Tokens that may come next because they did before: code repeats itself.

Where the last tokens of a fill stand in its surroundings too, what follows them is put forward
for the model to check, which costs it nothing. Prompt lookup decoding (Saxena, 2023), the n-gram
case of inference with reference (Yang et al., arXiv 2304.04487). Pure.
"""

from __future__ import annotations

import numpy as np

from .model import Ids

LONGEST = 6
"""Tokens beyond which it does not matter how many agree."""


def repeated(written: Ids, suffix: Ids, most: int) -> Ids:
    """Up to `most` tokens that followed the last tokens of `written` before, in it or in `suffix`.

    Of several places the one that shares most tokens counts, of those the last in `written`. None
    where the last token is new.
    """
    known = np.concatenate([suffix, written])
    ends = np.flatnonzero(known[:-1] == written[-1])
    for length in range(2, min(LONGEST, len(written)) + 1):
        longer = ends[ends >= length - 1]
        longer = longer[known[longer - length + 1] == written[-length]]
        if not len(longer):
            break
        ends = longer
    start = int(ends[-1]) + 1 if len(ends) else len(known)
    return known[start : start + max(most, 0)]
