"""The denoising loop: forward pass, beliefs, choice, commit; repeated until no position is open.

Several canvases over one context take their steps together, one after the other in each
(`Session.denoise`). `reference.py` does the same without a cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .choose import (
    Beliefs,
    Choice,
    Policy,
    agreed,
    choose,
    contradicted,
    most_likely_length,
    put_forward,
)
from .drafts import Bounds, drafted
from .errors import CancelledError
from .healing import Cut, Healing
from .held import Hold
from .lookup import repeated
from .model import Drafting, Floats, Ids, Proposal
from .prompt import Cancelled

Forward = Callable[[Ids, NDArray[np.bool_]], Proposal]
"""Canvases [B, C] and the positions wanted [B, C] -> a proposal; knows context and position."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How canvases are denoised."""

    choice: Choice
    steps: int | None
    """Forward passes a canvas may take until a critic doubts it; None: as many as it needs."""
    temperature: float
    newline: NDArray[np.bool_] | None
    """[vocabulary] tokens that end the text when committed; None: it may have several lines."""
    remask: float = 0.0
    """A committed token whose probability falls below this is masked again; 0: never."""
    hold: Hold | None = None
    """The format that the text is held to."""
    cut: Cut | None = None
    """The prefix, of which the text may have to spell the end; None: nothing is known of it."""
    suffix: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """[n] the tokens after the gap, which a text may repeat."""
    drafter: bool = False
    """Whether the model writes drafts itself, so that a pass needs no masks behind them."""
    least_log_prob: float = -np.inf
    """A canvas that is less probable is given up."""

    def checks(self, passes: int) -> bool:
        """Whether the next pass checks tokens put forward, after so many; the last of a budget
        commits what it can get, and a format is not kept from left to right."""
        if self.choice.policy is not Policy.SELF_CHECK or self.hold is not None:
            return False
        return self.steps is None or passes + 1 < self.steps


ENDS = -1
"""Stands for the end, and in one line for every line break."""


@dataclass(slots=True)
class Candidate:
    """One canvas on its way."""

    canvas: Canvas
    seed: int
    """Of what is drawn for it, with a temperature."""
    passes: int = 0
    """Forward passes so far (NFE)."""
    draft: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """[n] tokens put forward for the positions after the closed part, for the next pass to check.
    """
    previous: Proposal | None = None
    guesses: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """[C] what the last step proposed, for the trace."""
    probabilities: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    """[C] and with what probability."""
    moved: Floats = field(default_factory=lambda: np.full(1, np.inf, np.float32))
    """[C] by how much the distributions moved at the last step, in nats; [1] while none was."""
    banned: Ids = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """[n, C] tokens that a critic has doubted: none is proposed again where it stood. ENDS are all
    that would end the text there."""


Observe = Callable[[Candidate, Canvas, float], None]
"""Called after a step of the first candidate: it, its canvas before the step, ms of the step."""


def denoise(
    candidates: list[Candidate],
    forward: Forward,
    rules: Rules,
    cancelled: Cancelled,
    observe: Observe | None = None,
) -> None:
    """Fills every canvas that is not given up. Raises CancelledError between two steps."""
    while running := [c for c in candidates if goes_on(c.canvas, rules)]:
        if cancelled():
            raise CancelledError("cancelled between two denoising steps")
        start = time.perf_counter()
        before = candidates[0].canvas
        proposals = forward(*inputs(running, rules))
        for row, candidate in enumerate(running):
            step(candidate, proposal_of(proposals, row), rules)
        if observe is not None and running[0] is candidates[0]:
            observe(candidates[0], before, (time.perf_counter() - start) * 1e3)


def goes_on(canvas: Canvas, rules: Rules) -> bool:
    """Whether a canvas has open positions that are worth a pass."""
    return not canvas.is_full and float(canvas.log_probs.sum()) >= rules.least_log_prob


def inputs(running: list[Candidate], rules: Rules) -> tuple[Ids, NDArray[np.bool_]]:
    """The canvases as one batch, and the positions a proposal is wanted for.

    Where tokens are checked a pass is given them too, and no more of a canvas than the position
    behind them, or `window` positions after its closed part if its masks are to draft.
    """
    rows = [row_of(candidate, rules) for candidate in running]
    size = len(running[0].canvas)
    if all(rules.checks(candidate.passes) for candidate in running):
        size = max(int(np.flatnonzero(wanted)[-1]) + 1 for _, wanted in rows)
    ids, wanted = (np.stack([part[:size] for part in parts]) for parts in zip(*rows, strict=True))
    return ids, wanted


def row_of(candidate: Candidate, rules: Rules) -> tuple[Ids, NDArray[np.bool_]]:
    """One canvas [C] as a pass is given it, and the positions [C] wanted of it."""
    canvas, places = candidate.canvas, np.arange(len(candidate.canvas))
    if not rules.checks(candidate.passes):
        return canvas.ids, canvas.open | (bool(rules.remask) & (places < canvas.length))
    start, ids = canvas.last_committed + 1, canvas.ids.copy()
    draft = candidate.draft[: len(canvas) - start]
    ids[start : start + len(draft)] = draft
    reach = len(draft) + 1 if rules.drafter else rules.choice.window
    return ids, (places >= start) & (places < start + reach)


def proposal_of(proposals: Proposal, row: int) -> Proposal:
    """The proposal of one canvas of a batch: [C, K] and [C]."""
    others, ahead = proposals.others, proposals.ahead
    return Proposal(
        proposals.ids[row],
        proposals.log_probs[row],
        proposals.end_log_prob[row],
        proposals.current_log_prob[row],
        others and (lambda places, tokens: others((row, *places), tokens)),
        ahead and (lambda place: ahead((row, *place))),
    )


def step(candidate: Candidate, proposal: Proposal, rules: Rules) -> None:
    """Commits on one candidate what a forward pass over it proposes."""
    if rules.checks(candidate.passes):
        check(candidate, proposal, rules)
        return
    candidate.passes += 1
    hold, seen = rules.hold, proposal
    canvas = candidate.canvas if hold is None else hold.closed(candidate.canvas)
    if hold is None:
        proposal = without(seen, candidate.banned, canvas.end_id, rules)
    else:
        proposal = hold.narrowed(canvas, seen, candidate.banned)
    tokens, log_probs, length = guess(canvas, proposal, rules, candidate.seed)
    places = np.arange(len(canvas))
    spelling = np.zeros(len(canvas), bool)
    spelling[spell(canvas, proposal, rules, candidate.seed, tokens, log_probs)] = True
    eligible = canvas.open & (places <= length) & np.isfinite(log_probs)
    moved = divergence(candidate.previous, proposal)
    beliefs = Beliefs(
        eligible=eligible,
        text=eligible & (places < length),
        probability=np.exp(log_probs),
        entropy=entropy(proposal),
        moved=np.maximum(candidate.moved, moved),
    )
    steps_left = None if rules.steps is None else rules.steps - candidate.passes + 1
    is_last = steps_left is not None and steps_left <= 1
    chosen = choose(beliefs, rules.choice, steps_left) | spelling
    if hold is None:
        canvas = canvas.commit(chosen, tokens, log_probs)
    else:
        canvas = hold.committed(canvas, chosen, tokens, log_probs, seen if is_last else None)
    canvas = cut_after_newline(_shortened(canvas, proposal, rules), rules)
    if rules.remask and not is_last:
        canvas = _contradicted_masked(canvas, candidate.canvas, seen, rules.remask)
    candidate.canvas, candidate.guesses = canvas, tokens
    candidate.previous, candidate.moved = proposal, moved
    candidate.probabilities = beliefs.probability


def check(candidate: Candidate, proposal: Proposal, rules: Rules) -> None:
    """Commits what a pass confirms of the tokens put forward, and puts new ones forward."""
    candidate.passes += 1
    canvas, start = candidate.canvas, candidate.canvas.last_committed + 1
    reach = max(rules.choice.window, len(candidate.draft) + 1)
    size = min(len(proposal.ids), start + reach)
    proposal = without(proposal, candidate.banned[:, : len(proposal.ids)], canvas.end_id, rules)
    fed = row_of(candidate, rules)[0][start:size]
    tokens = np.full(len(canvas), canvas.end_id, np.int64)
    log_probs = np.full(len(canvas), -np.inf, np.float32)
    tokens[:size], log_probs[:size] = drawn(
        proposal.ids[:size], proposal.log_probs[:size], rules, candidate.seed
    )
    spell(canvas, proposal, rules, candidate.seed, tokens, log_probs)
    stand = start + agreed(fed, tokens[start:size])
    places = np.arange(len(canvas))
    canvas = canvas.commit((places >= start) & (places < stand), tokens, log_probs)
    candidate.canvas = cut_after_newline(canvas, rules)
    candidate.guesses, candidate.probabilities = tokens, np.exp(log_probs)
    if candidate.canvas.is_full:
        return
    draft, probability = next_draft(candidate, proposal, stand, size, rules)
    put = slice(stand, min(stand + len(draft), len(canvas)))
    candidate.draft = candidate.guesses[put] = draft[: put.stop - stand]
    candidate.probabilities[put] = probability[: put.stop - stand]


def next_draft(
    candidate: Candidate, proposal: Proposal, stand: int, size: int, rules: Rules
) -> tuple[Ids, Floats]:
    """What is put forward behind the first `stand` positions of a canvas, which are closed, and
    with what probability: `size` is how far the pass proposed."""
    canvas, choice = candidate.canvas, rules.choice
    before = rules.cut.ids if rules.cut else np.zeros(0, np.int64)
    written = np.concatenate([before, np.array(canvas.tokens, np.int64)])
    most = choice.window - 1
    if proposal.ahead is not None:
        bounds = Bounds(most, choice.threshold, canvas.end_id)
        return drafted(proposal.ahead((stand - 1,)), written, rules.suffix, bounds)
    own, probability = candidate.guesses[stand:size], candidate.probabilities[stand:size]
    count = put_forward(own, probability, canvas.end_id, choice.threshold)
    copied = repeated(written, rules.suffix).following(most)
    if len(copied) > count:
        return copied, np.full(len(copied), choice.threshold, np.float32)
    return own[:count], probability[:count]


def first_draft(
    rules: Rules, end_id: int, start: Callable[[], Drafting] | None, expected: Ids
) -> Ids:
    """What is put forward before the first pass: what is expected, else what the drafter makes of
    the prefix; without one what was taken back and what it went on with before."""
    assert rules.cut is not None
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


def spell(
    canvas: Canvas,
    proposal: Proposal,
    rules: Rules,
    seed: int,
    tokens: Ids,
    log_probs: Floats,
) -> slice:
    """Draws anew, in `tokens` and `log_probs` [C], what must spell the text taken back.

    Gives the positions that do so, all after the closed part.
    """
    start = place = canvas.last_committed + 1
    if rules.cut is None or rules.hold is not None:
        return slice(start, start)
    while place < len(proposal.ids):
        owed = rules.cut.rest([*canvas.ids[:start].tolist(), *tokens[start:place].tolist()])
        if not owed:
            break
        ids, scores = spelling(proposal, place, owed, rules.cut.healing)
        tokens[[place]], log_probs[[place]] = drawn(ids[None], scores[None], rules, seed, place)
        place += 1
    return slice(start, place)


def spelling(proposal: Proposal, place: int, owed: bytes, healing: Healing) -> tuple[Ids, Floats]:
    """The tokens that may stand at a place where `owed` is to be spelled: those of the K proposed,
    or where none of them may, of the whole vocabulary. Their log-probabilities are given that one
    of them stands there: what was typed is no guess."""
    ids, log_probs = proposal.ids[place], proposal.log_probs[place]
    fit = np.array([healing.spells(token, owed) for token in ids.tolist()])
    if (fit & np.isfinite(log_probs)).any():
        ids, log_probs = ids[fit], log_probs[fit]
    else:
        assert proposal.others is not None
        ids = healing.spelling(owed)
        log_probs = proposal.others((np.array([place]),), ids)[0]
    whole = np.logaddexp.reduce(log_probs)
    return ids, log_probs - whole if np.isfinite(whole) else log_probs


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


def guess(canvas: Canvas, proposal: Proposal, rules: Rules, seed: int) -> tuple[Ids, Floats, int]:
    """The token proposed for each position [C], its log-probability [C], and the length.

    Before the length tokens of the text are proposed, at it the end; with a temperature the text's
    tokens are drawn from the K proposals (Gumbel's trick), and keep their own probability.
    """
    text = proposal.ids != canvas.end_id
    scores = np.where(text, proposal.log_probs, -np.inf)
    tokens, log_probs = drawn(proposal.ids, scores, rules, seed)
    length = _length(canvas, proposal, rules)
    if length < len(canvas):
        tokens[length] = canvas.end_id
        log_probs[length] = proposal.end_log_prob[length]
    return tokens, log_probs, length


def drawn(ids: Ids, scores: Floats, rules: Rules, seed: int, first: int = 0) -> tuple[Ids, Floats]:
    """One of K tokens [n, K] of these log-probabilities for each of n positions from `first` on,
    and its own. A position's noise is its own too, so that what is drawn there does not depend on
    how many passes went over it, or what they were given."""
    noisy = scores
    if rules.temperature > 0:
        noisy = scores / rules.temperature + np.stack(
            [
                np.random.default_rng((seed, first + n)).gumbel(size=len(row))
                for n, row in enumerate(ids)
            ]
        )
    rows, best = np.arange(len(ids)), noisy.argmax(axis=1)
    return ids[rows, best], scores[rows, best]


def _length(canvas: Canvas, proposal: Proposal, rules: Rules) -> int:
    """Where the end most likely stands, given what is committed; C for nowhere on this canvas."""
    committed = np.where(canvas.ids == canvas.end_id, 0.0, -np.inf)
    end = np.where(canvas.open, proposal.end_log_prob, committed)
    possible = rules.hold.reach(canvas).ends if rules.hold else None
    length = most_likely_length(end, canvas.last_committed + 1, canvas.length, possible)
    # Where the end is committed already, everything open is text.
    return len(canvas) if length == canvas.length else length


def _shortened(canvas: Canvas, proposal: Proposal, rules: Rules) -> Canvas:
    """Closes the open tail behind a text with no gaps where the end is certain, at no step."""
    tail = np.arange(len(canvas)) > canvas.last_committed
    if canvas.open[~tail].any():
        return canvas
    certain = canvas.open & tail & (np.exp(proposal.end_log_prob) >= rules.choice.certain)
    certain &= np.cumsum(canvas.open) == 1
    if rules.hold is not None:
        canvas = rules.hold.closed(canvas)
        certain &= canvas.open & rules.hold.reach(canvas).ends[:-1]
    if not certain.any():
        return canvas
    first = int(np.flatnonzero(certain)[0])
    return canvas.closed_at(first, float(proposal.end_log_prob[first]))


def cut_after_newline(canvas: Canvas, rules: Rules) -> Canvas:
    """Ends a one-line text at its first committed line feed."""
    if rules.newline is None:
        return canvas
    breaks = np.flatnonzero(rules.newline[canvas.ids[: canvas.length]])
    if rules.cut is not None:  # a line feed taken back and spelled again is none of the text's
        ids = canvas.ids.tolist()
        breaks = np.array([n for n in breaks if "\n" in rules.cut.text(ids[: n + 1])], np.int64)
    after = int(breaks[0]) + 1 if len(breaks) else canvas.length
    return canvas.closed_at(after) if after < canvas.length else canvas


def _contradicted_masked(
    canvas: Canvas, before: Canvas, proposal: Proposal, threshold: float
) -> Canvas:
    """The canvas after a step with those tokens of the canvas before it open that it contradicts.

    What is opened waits for the next pass. WINO judges a token by a copy of the canvas that does
    not show it, Saber (arXiv 2510.18165) by the fall of its probability since it was committed;
    here the model sees the token it judges, for which it has to be trained.
    """
    is_text = np.arange(len(canvas)) < canvas.length
    committed = int((before.open & ~canvas.open & is_text).sum())
    probability = np.exp(proposal.current_log_prob)
    opened = contradicted(~before.open & is_text, probability, threshold, committed - 1)
    return canvas.masked_at(opened)


def entropy(proposal: Proposal) -> Floats:
    """[C] entropy in nats of the K proposals and the rest as one outcome: a lower bound."""
    known = np.exp(proposal.log_probs)
    rest = np.clip(1.0 - known.sum(axis=1), 1e-9, 1.0)
    finite = np.where(np.isfinite(proposal.log_probs), proposal.log_probs, 0.0)
    found: Floats = (-(known * finite).sum(axis=1) - rest * np.log(rest)).astype(np.float32)
    return found


def divergence(before: Proposal | None, now: Proposal) -> Floats:
    """[C] Kullback-Leibler divergence in nats of now from before, over the tokens both propose;
    infinite where before was no pass over the whole canvas."""
    if before is None or len(before.ids) != len(now.ids):
        return np.full(len(now.ids), np.inf, np.float32)
    # What was not asked for has log-probability -inf; -100 is as good as nothing and subtracts.
    then, present = np.maximum(before.log_probs, -100.0), np.maximum(now.log_probs, -100.0)
    same = now.ids[:, :, None] == before.ids[:, None, :]
    earlier = np.where(same, then[:, None, :], -100.0).max(axis=2)
    # A token that is new among the proposals was at most as probable as the last of the old ones.
    earlier = np.maximum(earlier, then.min(axis=1, keepdims=True))
    known = np.exp(present)
    gaps = present - earlier
    found: Floats = np.maximum((known * gaps).sum(axis=1), 0.0).astype(np.float32)
    return found


def proposed(candidate: Candidate, forward: Forward, rules: Rules) -> Proposal:
    """What a pass over one candidate alone proposes."""
    return proposal_of(forward(*inputs([candidate], rules)), 0)
