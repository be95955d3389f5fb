"""Which of the tokens proposed for a place is taken: the most probable, or one drawn by chance.

What a critic has doubted has no chance, and what was taken back must be spelled.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .candidate import ENDS, Candidate, Rules
from .healing import Healing
from .model import NOTHING, Floats, Ids, Proposal


def drawn(
    ids: Ids, scores: Floats, rules: Rules, seed: tuple[int, int], first: int = 0
) -> tuple[Ids, Floats]:
    """One of K tokens [n, K] of these log-probabilities for each of n positions from `first` on,
    and its own. A position's noise is its own too, so that what is drawn there does not depend on
    how many passes went over it, or what they were given."""
    noisy = scores
    if rules.temperature > 0:
        noisy = scores / rules.temperature + np.stack(
            [
                np.random.default_rng((*seed, first + n)).gumbel(size=len(row))
                for n, row in enumerate(ids)
            ]
        )
    rows, best = np.arange(len(ids)), noisy.argmax(axis=1)
    return ids[rows, best], scores[rows, best]


def without(proposal: Proposal, banned: Ids, end_id: int, rules: Rules) -> Proposal:
    """The proposal with no chance left for what is banned [n, C]; as it was where that is all that
    is proposed."""
    if not len(banned):
        return proposal
    ids = proposal.ids
    ends = ids == end_id if rules.newline is None else (ids == end_id) | rules.newline[ids]
    hit = (ids[None] == banned[:, :, None]).any(axis=0)
    goes_on = (banned == ENDS).any(axis=0)
    hit |= ends & goes_on[:, None]
    stuck = (hit | ~np.isfinite(proposal.log_probs)).all(axis=1)
    hit[stuck], goes_on[stuck] = False, False
    return replace(
        proposal,
        log_probs=np.where(hit, -np.inf, proposal.log_probs),
        end_log_prob=np.where(goes_on, -np.inf, proposal.end_log_prob),
    )


def spell(
    candidate: Candidate, proposal: Proposal, rules: Rules, tokens: Ids, log_probs: Floats
) -> slice:
    """Draws anew, in `tokens` and `log_probs` [C], what must spell the text taken back.

    Gives the positions that do so, all after the closed part.
    """
    canvas = candidate.canvas
    start = place = canvas.last_committed + 1
    if rules.hold is not None:
        return slice(start, start)
    while place < len(proposal.ids):
        owed = rules.cut.rest([*canvas.ids[:start].tolist(), *tokens[start:place].tolist()])
        if not owed:
            break
        banned = candidate.banned[:, place] if len(candidate.banned) else NOTHING
        ids, scores = spelling(proposal, place, owed, rules.cut.healing, banned)
        one, its = drawn(ids[None], scores[None], rules, candidate.seed, place)
        tokens[[place]], log_probs[[place]] = one, its
        place += 1
    return slice(start, place)


def spelling(
    proposal: Proposal, place: int, owed: bytes, healing: Healing, banned: Ids = NOTHING
) -> tuple[Ids, Floats]:
    """The tokens that may stand at a place where `owed` is to be spelled: those of the K proposed,
    or where none of them may, of the whole vocabulary, less what is `banned` there unless that is
    all. Their log-probabilities are given that one of them stands there: what was typed is no
    guess."""
    ids, log_probs = proposal.ids[place], proposal.log_probs[place]
    fit = np.array([healing.spells(token, owed) for token in ids.tolist()])
    if (fit & np.isfinite(log_probs)).any():
        ids, log_probs = ids[fit], log_probs[fit]
    else:
        assert proposal.others is not None
        ids = healing.spelling(owed)
        others = ids[~np.isin(ids, banned)]
        ids = others if len(others) else ids
        log_probs = proposal.others(np.array([place]), ids)[0]
    whole = np.logaddexp.reduce(log_probs)
    return ids, log_probs - whole if np.isfinite(whole) else log_probs
