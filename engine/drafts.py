"""What is put forward for the next pass to check: tokens that are likely behind the closed part.

Three sources. The model's drafter writes on token by token; what the surroundings went on with
where they say the same is weighed against it, more the longer they agree; and a model without a
drafter has the masks' own proposals, which do not know of each other. A draft that is wrong costs
its places in a pass, and never changes the text.
"""

from __future__ import annotations

import numpy as np

from .lookup import repeated
from .model import Drafting, Floats, Ids

COPIES = (0.0, 0.4, 0.6, 0.75, 0.85, 0.9, 0.95)
"""Chance that a text goes on as it did before, by how many of its last tokens agree."""
FADING = 0.7
"""Weight of a place in the surroundings beside the next one nearer to the gap."""


def drafted(
    drafting: Drafting, written: Ids, suffix: Ids, most: int, least: float, end_id: int
) -> tuple[Ids, Floats]:
    """Up to `most` tokens that go on after `written`, as long as all of them together are right
    with a probability of `least`, and that probability at each; none from an end on."""
    text, chances = written, [1.0]
    while len(chances) <= most:
        tokens, probability = mixed(drafting, text, suffix)
        best = int(probability.argmax())
        chance = chances[-1] * float(probability[best])
        if chance < least or tokens[best] == end_id:
            break
        text = np.append(text, tokens[best])
        chances.append(chance)
    return text[len(written) :], np.array(chances[1:], np.float32)


def mixed(drafting: Drafting, text: Ids, suffix: Ids) -> tuple[Ids, Floats]:
    """Tokens that may come next and their probabilities, the drafter's and the surroundings'."""
    own = np.exp(drafting.after(int(text[-1])))
    places = repeated(text, suffix)
    share = COPIES[places.agree]
    if not share:
        return drafting.tokens, own
    followers = places.known[places.ends]
    weights = FADING ** np.arange(len(followers))[::-1]
    weights *= share / weights.sum()
    at = np.minimum(np.searchsorted(drafting.tokens, followers), len(own) - 1)
    knows = drafting.tokens[at] == followers
    probability = own * (1 - share)
    np.add.at(probability, at[knows], weights[knows])
    others, index = np.unique(followers[~knows], return_inverse=True)
    rest = np.bincount(index, weights[~knows], len(others))
    return np.concatenate([drafting.tokens, others]), np.concatenate([probability, rest])
