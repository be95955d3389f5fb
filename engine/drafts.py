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
FADING = 0.9
"""Weight of a place in the surroundings beside the next one nearer to the gap."""


def drafted(
    drafting: Drafting, written: Ids, suffix: Ids, most: int, least: float, end_id: int
) -> tuple[Ids, Floats]:
    """Up to `most` tokens that go on after `written`, as long as all of them together are right
    with a probability of `least`, and that probability at each.

    The end is none of them: the pass that checks what is before it finds it by itself.
    """
    text, chances = written, [1.0]
    while len(chances) <= most:
        token, probability = likeliest(drafting, text, suffix, end_id)
        chance = chances[-1] * probability
        if chance < least:
            break
        text = np.append(text, token)
        chances.append(chance)
    return text[len(written) :], np.array(chances[1:], np.float32)


def likeliest(drafting: Drafting, text: Ids, suffix: Ids, end_id: int) -> tuple[int, float]:
    """The token that comes next most likely, and its probability: a mixture of what the drafter
    thinks and of what followed in the surroundings."""
    log_probs = np.where(drafting.tokens == end_id, -np.inf, drafting.after(int(text[-1])))
    places = repeated(text, suffix)
    share = COPIES[places.agree]
    followers = places.known[places.ends][::-1]
    tokens, of = np.unique(followers, return_inverse=True)
    copied = np.bincount(of, FADING ** np.arange(len(of)), len(tokens))
    own = drafting.tokens[[log_probs.argmax()]]
    tokens, copied = np.append(tokens, own), np.append(copied, 0.0)
    at = np.minimum(np.searchsorted(drafting.tokens, tokens), len(log_probs) - 1)
    known = np.where(drafting.tokens[at] == tokens, np.exp(log_probs[at]), 0.0)
    probability = (1 - share) * known + share * copied / max(float(copied.sum()), 1e-9)
    best = int(probability.argmax())
    return int(tokens[best]), float(probability[best])
