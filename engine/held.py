"""A canvas held to a format: which tokens may stand where so that a whole text still fits.

Beside each place stand two sets of the automaton's states: those that what is left of it can lead
to, and those from which what is right of it, closed by an end, can lead to acceptance. A token may
be committed where it joins the two, so in any order of commits at least one text that fits is left:
no canvas runs into a dead end. That the sets are carried over the whole canvas and not from left to
right alone is what denoising asks for, as in DINGO (arXiv 2505.23061); which token is taken stays
with the policy here, where DINGO looks for the most probable text of a block.

Exact: what is allowed, and the most probable token that is. Approximate: probabilities among the
allowed, where the K proposals have one of these and many more are allowed. They are shares of what
is left of the softmax without the others of the K, so too small by what else is not allowed, and
sampling draws from the K. Where few are allowed, or none of the K, the model is asked for them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .automaton import Automaton
from .canvas import Canvas
from .errors import FormatError
from .model import NOTHING, Bools, Floats, Ids, Proposal

FEW = 1024
"""Where a place's states have so few tokens to go on with, the model is asked for all of them."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a canvas still allows. S states, C places."""

    automaton: Automaton
    left: Bools
    """[C + 1, S] the states that the places left of each can lead to."""
    right: Bools
    """[C + 1, S] those from which a text can be completed from each place on."""
    ends: Bools
    """[C + 1] whether the text can end after so many tokens; C is no end on the canvas."""

    @property
    def is_possible(self) -> bool:
        """Whether any text fits."""
        return bool((self.left[0] & self.right[0]).any())

    def allows(self, place: int, token: int) -> bool:
        """Whether a token of the text, not the end, may be committed at an open place."""
        sources, targets = self.automaton.moves(token)
        return bool((self.left[place][sources] & self.right[place + 1][targets]).any())

    def allowed(self, place: int) -> Ids:
        """All tokens that may be."""
        return self.automaton.between(self.left[place], self.right[place + 1])

    def has_few(self, place: int) -> bool:
        """Whether few tokens may be, without counting what is right of the place."""
        return int(self.automaton.fan[self.left[place]].sum()) <= FEW


class Hold:
    """A format, and the most tokens that a text may have."""

    def __init__(self, automaton: Automaton, most: int) -> None:
        self.automaton = automaton
        self.most = most
        self._reach = lru_cache(maxsize=8)(self._searched)

    def check(self, canvas: Canvas) -> None:
        """Raises FormatError when no text fits the canvas."""
        if self.reach(canvas).is_possible:
            return
        shortest = self.automaton.shortest
        problem = (
            "there is no such text"
            if shortest is None
            else f"the shortest takes {shortest} of the model's tokens, and at most "
            f"{min(self.most, len(canvas))} are allowed here"
        )
        raise FormatError(f"no fill {self.automaton.told}: {problem}")

    def reach(self, canvas: Canvas) -> Reach:
        """What a canvas allows; those asked for last are remembered."""
        limit = canvas.length if canvas.is_closed else min(self.most, len(canvas))
        least = limit if canvas.is_closed else canvas.last_committed + 1
        held = [None if i == canvas.mask_id else int(i) for i in canvas.ids[:limit]]
        return self._reach(len(canvas), tuple(held), least)

    def _searched(self, size: int, held: tuple[int | None, ...], least: int) -> Reach:
        """The reach of a canvas of `size` that ends after `least` to len(held) tokens."""
        automaton, stop = self.automaton, slice(least, len(held) + 1)
        left = np.zeros((size + 1, len(automaton.accepting)), bool)
        right = np.zeros_like(left)
        left[0, automaton.start] = True
        for place, token in enumerate(held):
            left[place + 1] = automaton.after(left[place], token)
        right[stop] = automaton.accepting
        for place, token in reversed(list(enumerate(held))):
            right[place] |= automaton.before(right[place + 1], token)
        ends = np.zeros(size + 1, bool)
        ends[stop] = (left[stop] & automaton.accepting).any(axis=1)
        return Reach(automaton, left, right, ends)

    def closed(self, canvas: Canvas) -> Canvas:
        """The canvas with its end, where only one length is left: that costs no step."""
        ends = np.flatnonzero(self.reach(canvas).ends)
        if len(ends) != 1 or canvas.is_closed or ends[0] == len(canvas):
            return canvas
        return canvas.closed_at(int(ends[0]))

    def narrowed(self, canvas: Canvas, proposal: Proposal, banned: Ids) -> Proposal:
        """What a step proposes with nothing that the format does not allow.

        Tokens that are banned [n, C] by a critic are left out where others are allowed.
        """
        reach = self.reach(canvas)
        ids, log_probs = np.zeros_like(proposal.ids), np.full_like(proposal.log_probs, -np.inf)
        end = proposal.end_log_prob.copy()
        barred = {
            int(p): banned[:, p] if len(banned) else NOTHING for p in np.flatnonzero(canvas.open)
        }
        for place, best in _best(reach, proposal, canvas.end_id, barred).items():
            ids[place], log_probs[place], end[place] = best.ids, best.log_probs, best.end
        return replace(proposal, ids=ids, log_probs=log_probs, end_log_prob=end)

    def committed(
        self,
        canvas: Canvas,
        chosen: Bools,
        tokens: Ids,
        log_probs: Floats,
        rest: Proposal | None = None,
    ) -> Canvas:
        """The canvas with tokens [C] at the places `chosen` [C]: the end, then the most probable.

        What those before it leave no room for stays open, or becomes the best of `rest` that fits.
        """
        order = np.argsort(-np.where(tokens == canvas.end_id, np.inf, log_probs), kind="stable")
        tokens, log_probs = tokens.copy(), log_probs.copy()
        for place in map(int, order[chosen[order]]):
            reach = self.reach(canvas)
            if tokens[place] != canvas.end_id and not reach.allows(place, tokens[place]):
                if rest is None:
                    continue
                best = _best(reach, rest, canvas.end_id, {place: NOTHING})[place]
                tokens[place], log_probs[place] = best.ids[0], best.log_probs[0]
            canvas = canvas.commit(np.arange(len(canvas)) == place, tokens, log_probs)
        return canvas


@dataclass(frozen=True, slots=True)
class Best:
    """The best that is allowed at a place."""

    ids: Ids
    """[K] tokens of the text, most probable first."""
    log_probs: Floats
    """[K] their log-probabilities; -inf where fewer are allowed."""
    end: np.float32
    """The log-probability of the end: among what is allowed, if it is."""


def _best(
    reach: Reach, proposal: Proposal, end_id: int, barred: Mapping[int, Ids]
) -> dict[int, Best]:
    """What is best at some places; of the tokens [n] barred at each one only if no other fits."""
    found: dict[int, Best] = {}
    asked: dict[int, Ids] = {}
    for place, without in barred.items():
        ids, log_probs = proposal.ids[place], proposal.log_probs[place]
        free = np.array([reach.allows(place, token) for token in ids]) & ~np.isin(ids, without)
        free &= np.isfinite(log_probs)
        if free.any() and not reach.has_few(place):
            is_lost = ~free & ~(reach.ends[place] & (ids == end_id))
            found[place] = _left(reach, proposal, place, free, is_lost)
        else:
            tokens = reach.allowed(place)
            others = tokens[~np.isin(tokens, without)]
            asked[place] = others if len(others) else tokens
    return found | _told(reach, proposal, asked)


def _left(reach: Reach, proposal: Proposal, place: int, free: Bools, is_lost: Bools) -> Best:
    """Those of the K proposals that are `free` [K], and the share of the softmax that is left."""
    log_probs, end = proposal.log_probs[place], proposal.end_log_prob[place]
    lost = np.exp(log_probs[is_lost]).sum()
    total = np.log(max(1 - lost, np.exp(log_probs[free]).sum()))
    order = np.argsort(~free, kind="stable")
    return Best(
        proposal.ids[place][order],
        np.where(free, log_probs - total, -np.inf)[order],
        end - total if reach.ends[place] else end,
    )


def _told(reach: Reach, proposal: Proposal, asked: Mapping[int, Ids]) -> dict[int, Best]:
    """The best of the tokens asked for at each place, by what the model tells of all of them."""
    if not asked:
        return {}
    assert proposal.others is not None, "this model cannot be held to a format"
    tokens = np.unique(np.concatenate(list(asked.values())))
    log_probs = proposal.others(np.array(list(asked)), tokens)
    found, size = {}, proposal.ids.shape[1]
    for row, (place, allowed) in zip(log_probs, asked.items(), strict=True):
        scores, end = row[np.searchsorted(tokens, allowed)], proposal.end_log_prob[place]
        total = np.logaddexp.reduce(np.append(scores, end if reach.ends[place] else -np.inf))
        order = np.argsort(-scores, kind="stable")[:size]
        missing = size - len(order)
        found[place] = Best(
            np.pad(allowed[order], (0, missing)),
            np.pad(scores[order] - total, (0, missing), constant_values=-np.inf),
            end - total if reach.ends[place] else end,
        )
    return found
