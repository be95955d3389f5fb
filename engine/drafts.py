"""What is put forward for the next pass to check: tokens that are likely behind the closed part.

Three sources. The model's drafter writes on token by token; what the surroundings went on with
where they say the same is weighed against it, more the longer they agree; and a model without a
drafter has the masks' own proposals, which do not know of each other. A draft that is wrong costs
its places in a pass, and never changes the text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .candidate import Candidate, Rules
from .choose import put_forward
from .healing import Cut
from .lookup import repeated
from .model import Drafting, Floats, Ids, Proposal

COPIES = (0.0, 0.15, 0.3, 0.35, 0.45, 0.55, 0.7)
"""Chance that a text goes on as it did before, by how many of its last tokens agree."""
FADING = 0.9
"""Weight of a place in the surroundings beside the next one nearer to the gap."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a draft ends."""

    most: int
    """Tokens."""
    least: float
    """Probability that all of them together are right."""
    end_id: int
    """It ends before this one, which the pass that checks what is before it finds by itself."""


def first_draft(
    rules: Rules, end_id: int, start: Callable[[], Drafting] | None, expected: Ids
) -> Ids:
    """What is put forward before the first pass: what is expected, else what the drafter makes of
    the prefix; without one what was taken back and what it went on with before."""
    cut, choice = rules.cut, rules.choice
    most = choice.window - 1
    if len(expected):
        return expected[:most]
    if start is not None:
        bounds = Bounds(most, choice.threshold, end_id)
        return drafted(start(), cut.ids, rules.suffix, bounds, cut)[0]
    written = np.concatenate([cut.ids, cut.taken])
    copied = repeated(written, rules.suffix).following(max(most - len(cut.taken), 0))
    return np.concatenate([cut.taken, copied])


def next_draft(candidate: Candidate, proposal: Proposal, rules: Rules) -> tuple[Ids, Floats]:
    """What is put forward behind what a pass has closed, and with what probability: what followed
    a doubted token, once; else what the drafter makes of the pass; without one what its masks
    propose, or what the text went on with before, whichever is longer."""
    canvas, choice = candidate.canvas, rules.choice
    stand, most = canvas.last_committed + 1, choice.window - 1
    if len(candidate.rest):
        rest, candidate.rest = candidate.rest, candidate.rest[:0]
        return rest, np.full(len(rest), choice.threshold, np.float32)
    written = np.concatenate([rules.cut.ids, np.array(canvas.tokens, np.int64)])
    if proposal.ahead is not None:
        bounds = Bounds(most, choice.threshold, canvas.end_id)
        return drafted(proposal.ahead(stand - 1), written, rules.suffix, bounds)
    own, probability = candidate.guesses[stand:], candidate.probabilities[stand:]
    count = put_forward(own, probability, canvas.end_id, choice.threshold)
    copied = repeated(written, rules.suffix).following(most)
    if len(copied) > count:
        return copied, np.full(len(copied), choice.threshold, np.float32)
    return own[:count], probability[:count]


def drafted(
    drafting: Drafting, written: Ids, suffix: Ids, bounds: Bounds, cut: Cut | None = None
) -> tuple[Ids, Floats]:
    """Tokens that go on after `written`, and the probability that all up to each are right.

    Behind a `cut` prefix, which `written` then is, the first of them spell what was taken back.
    """
    text, chances = written, [1.0]
    while len(chances) <= bounds.most:
        owed = cut.rest(text[len(written) :].tolist()) if cut else b""
        spelling = cut.healing.spelling(owed) if cut and owed else None
        token, probability = likeliest(drafting, text, suffix, bounds.end_id, spelling)
        chance = chances[-1] * probability
        if chance < bounds.least:
            break
        text = np.append(text, token)
        chances.append(chance)
    return text[len(written) :], np.array(chances[1:], np.float32)


def likeliest(
    drafting: Drafting, text: Ids, suffix: Ids, end_id: int, spelling: Ids | None = None
) -> tuple[int, float]:
    """The token that comes next most likely, and its probability: a mixture of what the drafter
    thinks and of what followed in the surroundings. It is one of `spelling`, if that is given."""
    places = repeated(text, suffix)
    share, followers = COPIES[places.agree], places.known[places.ends][::-1]
    weights = FADING ** np.arange(len(followers))
    weights /= max(weights.sum(), 1e-9)
    own = np.exp(drafting.after(int(text[-1])))
    own[drafting.tokens == end_id] = 0.0
    chances = share * np.bincount(followers, weights, drafting.tokens[-1] + 1)
    chances[drafting.tokens] += (1 - share) * own
    if spelling is not None:
        may = spelling[spelling < len(chances)]
        chances = np.bincount(may, chances[may], len(chances)) / max(chances[may].sum(), 1e-9)
    token = int(chances.argmax())
    return token, float(chances[token])
