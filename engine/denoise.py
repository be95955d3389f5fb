"""The denoising loop: forward pass, beliefs, choice, commit; repeated until no position is open.

Several canvases over one context run as one batch. `reference.py` does the same without a cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .choose import Beliefs, Choice, choose, contradicted, most_likely_length
from .errors import CancelledError
from .held import Hold
from .model import Floats, Ids, Proposal
from .prompt import Cancelled

Forward = Callable[[Ids, NDArray[np.bool_]], Proposal]
"""Canvases [B, C] and the positions wanted [B, C] -> a proposal; knows context and position."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How canvases are denoised."""

    choice: Choice
    steps: int | None
    """Forward passes a canvas may take; None: as many as it needs."""
    temperature: float
    newline: NDArray[np.bool_] | None
    """[vocabulary] tokens that end the text when committed; None: it may have several lines."""
    remask: float = 0.0
    """A committed token whose probability falls below this is masked again; 0: never."""
    hold: Hold | None = None
    """The format that the text is held to."""


@dataclass(slots=True)
class Candidate:
    """One canvas on its way, with its own random numbers."""

    canvas: Canvas
    random: np.random.Generator
    passes: int = 0
    """Forward passes so far (NFE)."""
    previous: Proposal | None = None
    guesses: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """[C] what the last step proposed, for the trace."""
    probabilities: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    """[C] and with what probability."""
    moved: Floats = field(default_factory=lambda: np.full(1, np.inf, np.float32))
    """[C] by how much the distributions moved at the last step, in nats; [1] while none was."""
    banned: Ids = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """[n, C] tokens that a critic has doubted: none is proposed again where it stood."""


Observe = Callable[[Candidate, Canvas, float], None]
"""Called after a step of the first candidate: it, its canvas before the step, ms of the step."""


def denoise(
    candidates: list[Candidate],
    forward: Forward,
    rules: Rules,
    cancelled: Cancelled,
    observe: Observe | None = None,
) -> None:
    """Fills every canvas. Raises CancelledError between two steps."""
    while running := [c for c in candidates if not c.canvas.is_full]:
        if cancelled():
            raise CancelledError("cancelled between two denoising steps")
        start = time.perf_counter()
        before = candidates[0].canvas
        proposals = forward(*_inputs(running, rules))
        for row, candidate in enumerate(running):
            step(candidate, proposal_of(proposals, row), rules)
        if observe is not None and running[0] is candidates[0]:
            observe(candidates[0], before, (time.perf_counter() - start) * 1e3)


def _inputs(running: list[Candidate], rules: Rules) -> tuple[Ids, NDArray[np.bool_]]:
    """The canvases as one batch, and the positions a proposal is wanted for."""
    ids = np.stack([c.canvas.ids for c in running])
    wanted = np.stack([c.canvas.open for c in running])
    if rules.remask:
        wanted |= np.arange(ids.shape[1]) < np.array([[c.canvas.length] for c in running])
    return ids, wanted


def proposal_of(proposals: Proposal, row: int) -> Proposal:
    """The proposal of one canvas of a batch: [C, K] and [C]."""
    others = proposals.others
    return Proposal(
        proposals.ids[row],
        proposals.log_probs[row],
        proposals.end_log_prob[row],
        proposals.current_log_prob[row],
        others and (lambda places, tokens: others((row, *places), tokens)),
    )


def step(candidate: Candidate, proposal: Proposal, rules: Rules) -> None:
    """Commits on one candidate what a forward pass over it proposes."""
    candidate.passes += 1
    hold, seen = rules.hold, proposal
    canvas = candidate.canvas if hold is None else hold.closed(candidate.canvas)
    proposal = _allowed(canvas, seen, candidate.banned, hold)
    tokens, log_probs, length = guess(canvas, proposal, rules, candidate.random)
    places = np.arange(len(canvas))
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
    chosen = choose(beliefs, rules.choice, steps_left)
    if hold is None:
        canvas = canvas.commit(chosen, tokens, log_probs)
    else:
        canvas = hold.committed(canvas, chosen, tokens, log_probs, seen if is_last else None)
    canvas = _cut_after_newline(_shortened(canvas, proposal, rules), rules)
    if rules.remask and not is_last:
        canvas = _contradicted_masked(canvas, candidate.canvas, seen, rules.remask)
    candidate.canvas, candidate.guesses = canvas, tokens
    candidate.previous, candidate.moved = proposal, moved
    candidate.probabilities = beliefs.probability


def _allowed(canvas: Canvas, proposal: Proposal, banned: Ids, hold: Hold | None) -> Proposal:
    """The proposal without what a critic has doubted and what a format does not allow."""
    if hold is None:
        return without(proposal, banned)
    return hold.narrowed(canvas, proposal, banned)


def without(proposal: Proposal, banned: Ids) -> Proposal:
    """The proposal with no chance left for the tokens banned [n, C], ends not among them."""
    if not len(banned):
        return proposal
    hit = (proposal.ids[None] == banned[:, :, None]).any(axis=0)
    return replace(proposal, log_probs=np.where(hit, -np.inf, proposal.log_probs))


def guess(
    canvas: Canvas, proposal: Proposal, rules: Rules, random: np.random.Generator
) -> tuple[Ids, Floats, int]:
    """The token proposed for each position [C], its log-probability [C], and the length.

    Before the length tokens of the text are proposed, at it the end; with a temperature the text's
    tokens are drawn from the K proposals (Gumbel's trick), and keep their own probability.
    """
    text = proposal.ids != canvas.end_id
    scores = np.where(text, proposal.log_probs, -np.inf)
    if rules.temperature > 0:
        noise = random.gumbel(size=scores.shape).astype(np.float32)
        best = (scores / rules.temperature + noise).argmax(axis=1)
    else:
        best = scores.argmax(axis=1)
    rows = np.arange(len(canvas))
    tokens, log_probs = proposal.ids[rows, best], scores[rows, best]
    length = _length(canvas, proposal, rules)
    if length < len(canvas):
        tokens[length] = canvas.end_id
        log_probs[length] = proposal.end_log_prob[length]
    return tokens, log_probs, length


def _length(canvas: Canvas, proposal: Proposal, rules: Rules) -> int:
    """Where the end most likely stands, given what is committed; C for nowhere on this canvas."""
    committed = np.where(canvas.ids == canvas.end_id, 0.0, -np.inf)
    end = np.where(canvas.open, proposal.end_log_prob, committed)
    possible = rules.hold.reach(canvas).ends if rules.hold else None
    length = most_likely_length(end, canvas.last_committed + 1, canvas.length, possible)
    # Where the end is committed already, everything open is text.
    return len(canvas) if length == canvas.length else length


def _shortened(canvas: Canvas, proposal: Proposal, rules: Rules) -> Canvas:
    """Closes the open tail behind a text with no gaps where the end is as certain as the threshold
    asks: it costs no step."""
    tail = np.arange(len(canvas)) > canvas.last_committed
    if canvas.open[~tail].any():
        return canvas
    certain = canvas.open & tail & (np.exp(proposal.end_log_prob) >= rules.choice.threshold)
    certain &= np.cumsum(canvas.open) == 1
    if rules.hold is not None:
        canvas = rules.hold.closed(canvas)
        certain &= canvas.open & rules.hold.reach(canvas).ends[:-1]
    if not certain.any():
        return canvas
    first = int(np.flatnonzero(certain)[0])
    return canvas.closed_at(first, float(proposal.end_log_prob[first]))


def _cut_after_newline(canvas: Canvas, rules: Rules) -> Canvas:
    """Ends a one-line text at its first committed line feed."""
    if rules.newline is None:
        return canvas
    breaks = np.flatnonzero(rules.newline[canvas.ids[: canvas.length]])
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
    """[C] Kullback-Leibler divergence in nats of now from before, over the tokens both propose."""
    if before is None:
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


def begun(first: Candidate, proposal: Proposal, seeds: list[int], rules: Rules) -> list[Candidate]:
    """All candidates after the first pass, which they share: their canvases were all the same.

    With a temperature each draws its own tokens, with seeds[1:]. Without one, each other candidate
    is held to the next most probable token of the text at position 0, so that they differ where a
    reader looks first; there may be fewer of them than seeds.
    """
    blank = first.canvas
    others = []
    if rules.temperature > 0:
        for seed in seeds[1:]:
            other = Candidate(blank, np.random.default_rng(seed))
            step(other, proposal, rules)
            others.append(other)
    else:
        if rules.hold is not None:
            proposal = rules.hold.narrowed(blank, proposal, first.banned)
        is_text = (proposal.ids[0] != blank.end_id) & np.isfinite(proposal.log_probs[0])
        text = np.flatnonzero(is_text)
        where = np.arange(len(blank)) == 0
        for place in text[1 : len(seeds)]:
            tokens, log_probs = proposal.ids[:, place], proposal.log_probs[:, place]
            canvas = _cut_after_newline(blank.commit(where, tokens, log_probs), rules)
            others.append(Candidate(canvas, first.random, passes=1, previous=proposal))
    step(first, proposal, rules)
    return [first, *others]
