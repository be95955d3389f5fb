"""A critic's doubts about a filled canvas, masked again and denoised anew with the rest fixed.

A left-to-right model has to write on from the first mistake; a canvas can be opened where the
mistake is. The engine knows no grammar: the critic is given from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .candidate import ENDS, Candidate, Rules
from .canvas import Canvas
from .healing import Cut
from .model import Bools
from .prompt import Critic


def reopened(candidate: Candidate, rules: Rules, critic: Critic) -> bool:
    """Opens what the critic doubts in a full canvas; False when it doubts nothing.

    The tokens in doubt are not proposed there again; where the end is, or the break that ends a
    line, the text goes on. Neighbours are open too, since a mistake is often beside where it shows,
    but may come back. Doubts that reach the last token open the end as well, for what is missing is
    missing there. Where tokens are checked from left to right all that follows the first doubt is
    open, and put forward again once another token stands in its place. Under the other policies it
    is open where the text taken back is touched, which is spelled from the left.
    """
    canvas, cut = candidate.canvas, rules.cut
    doubts = critic(cut.text(canvas.tokens))
    if not doubts:
        return False
    doubted = tokens_of(canvas, cut, doubts)
    was = np.where(doubted, canvas.ids, canvas.mask_id)
    first = int(doubted.argmax()) if doubted.any() else canvas.length
    if first == len(canvas):
        return False  # what is in doubt does not stand on this canvas
    if first == canvas.length or (rules.newline is not None and rules.newline[was[first]]):
        was[first] = ENDS
    earlier = candidate.banned if len(candidate.banned) else np.zeros((0, len(canvas)), np.int64)
    candidate.banned = np.concatenate([earlier, was[None]])
    if rules.checks(candidate.passes):
        candidate.canvas = canvas.masked_at(np.arange(len(canvas)) >= first)
        candidate.draft, candidate.rest = canvas.ids[:0], canvas.ids[first + 1 : canvas.length]
    else:
        opened = _with_neighbours(canvas, doubted)
        first = int(opened.argmax())
        if rules.hold is None and cut.rest(canvas.ids[:first].tolist()):
            opened[first:] = True
        candidate.canvas = canvas.masked_at(opened)
    return True


def tokens_of(canvas: Canvas, cut: Cut, doubts: Sequence[tuple[int, int]]) -> Bools:
    """[C] the positions before the end whose text is in doubt."""
    ends = [len(cut.text(canvas.tokens[: n + 1])) for n in range(canvas.length)]
    doubted = np.zeros(len(canvas), np.bool_)
    for place, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        doubted[place] = any(start < max(b, a + 1) and end > a for a, b in doubts)
    return doubted


def _with_neighbours(canvas: Canvas, doubted: Bools) -> Bools:
    """[C] what is in doubt, what is beside it, and the end if the last token is among these."""
    opened = doubted.copy()
    opened[1:] |= doubted[:-1]
    opened[:-1] |= doubted[1:]
    at_end = canvas.length == 0 or not doubted.any() or bool(opened[canvas.length - 1])
    opened[canvas.length :] = at_end
    return opened
