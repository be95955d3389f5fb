"""A step that commits open positions in any order, of which a policy chooses."""

from __future__ import annotations

import numpy as np

from .candidate import Candidate, Rules, ended
from .canvas import Canvas
from .choose import Beliefs, choose, contradicted, most_likely_length
from .draw import drawn, spell, without
from .model import Floats, Ids, Proposal


def unmask(candidate: Candidate, proposal: Proposal, rules: Rules) -> None:
    """Commits on one candidate what a policy chooses of what a forward pass proposes."""
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
    spelling[spell(candidate, proposal, rules, tokens, log_probs)] = True
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
    canvas = ended(_shortened(canvas, proposal, rules), rules)
    if is_last and hold is None and not canvas.is_full:
        # The length was guessed before the text taken back was spelled over it.
        canvas = canvas.closed_at(int(canvas.open.argmax()))
    if rules.remask and not is_last:
        canvas = _contradicted_masked(canvas, candidate.canvas, seen, rules)
    candidate.canvas, candidate.guesses = canvas, tokens
    candidate.previous, candidate.moved = proposal, moved
    candidate.probabilities = beliefs.probability


def guess(
    canvas: Canvas, proposal: Proposal, rules: Rules, seed: tuple[int, int]
) -> tuple[Ids, Floats, int]:
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


def _contradicted_masked(
    canvas: Canvas, before: Canvas, proposal: Proposal, rules: Rules
) -> Canvas:
    """The canvas after a step with those tokens of the canvas before it open that it contradicts;
    but for those that spell what was taken back, which is done from the left.

    What is opened waits for the next pass. WINO judges a token by a copy of the canvas that does
    not show it, Saber (arXiv 2510.18165) by the fall of its probability since it was committed;
    here the model sees the token it judges, for which it has to be trained.
    """
    is_text = np.arange(len(canvas)) < canvas.length
    committed = int((before.open & ~canvas.open & is_text).sum())
    probability = np.exp(proposal.current_log_prob)
    held = ~before.open & is_text
    if rules.hold is None:
        tokens = canvas.ids.tolist()
        held &= [not rules.cut.rest(tokens[:place]) for place in range(len(tokens))]
    opened = contradicted(held, probability, rules.remask, committed - 1)
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
