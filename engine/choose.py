"""Which positions of a canvas to commit at a step: policies as pure functions of numpy arrays.

Every policy takes what a step believes and gives the positions it commits; none knows a model. What
later steps contradict is opened again by `contradicted`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from .model import Bools, Floats, Ids, shared


class Policy(StrEnum):
    """How a denoising step chooses what it commits."""

    SELF_CHECK = "self-check"
    THRESHOLD = "threshold"
    TOP_K = "top-k"
    ENTROPY = "entropy"
    STABLE = "stable"
    ONE = "one"


SURE = 0.9
"""Probability that is as good as certain."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A policy with its numbers."""

    policy: Policy = Policy.SELF_CHECK
    threshold: float = 0.05
    """Probability down to which SELF_CHECK puts a draft forward, and from which on THRESHOLD and
    STABLE commit a token."""
    window: int = 8
    """Positions after the closed part that a pass of SELF_CHECK looks at."""
    top_k: int = 4
    """Tokens a step for TOP_K."""
    entropy: float = 0.35
    """Nats a step may risk for ENTROPY."""
    divergence: float = 0.01
    """Nats below which a distribution has to have moved at each of the last steps for STABLE."""

    @property
    def certain(self) -> float:
        """From what probability on an end is taken at once behind a text that has no gaps."""
        return self.threshold if self.policy in (Policy.THRESHOLD, Policy.STABLE) else SURE


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What a step believes about each position [C]."""

    eligible: Bools
    """Open positions that may be committed now: the text's and the end's own."""
    text: Bools
    """Those of them before the end."""
    probability: Floats
    """Of the token proposed there."""
    entropy: Floats
    """Of its whole distribution, in nats; where that is known in part only, a lower bound."""
    moved: Floats
    """The larger of the last two Kullback-Leibler divergences of a step's distribution from that of
    the step before, in nats; infinite while there are not two."""


def choose(beliefs: Beliefs, choice: Choice, steps_left: int | None) -> Bools:
    """The positions to commit: at least one of the text, and all of them at the last step.

    With `steps_left` of a budget at least an even share of what is open is committed, as in LLaDA's
    linear schedule (arXiv 2502.09992); a policy may be quicker. Without a budget, where the policy
    is sure of nothing, the leftmost position of the text is taken: most is known about it, and the
    base was trained to read from the left. The end waits until all text before it is committed:
    committed earlier it forces the rest to be as long as was guessed when little was known.
    """
    if choice.policy is Policy.SELF_CHECK:
        chosen = leftmost(replace(beliefs, eligible=beliefs.text))
    elif choice.policy is Policy.THRESHOLD:
        chosen = above_threshold(beliefs, choice.threshold)
    elif choice.policy is Policy.TOP_K:
        chosen = most_probable(beliefs, choice.top_k)
    elif choice.policy is Policy.ENTROPY:
        chosen = within_entropy(beliefs, choice.entropy)
    elif choice.policy is Policy.STABLE:
        chosen = stable(beliefs, choice.threshold, choice.divergence)
    else:
        chosen = most_probable(beliefs, 1)
    if steps_left is not None and steps_left <= 1:
        return beliefs.eligible
    open_text = int(beliefs.text.sum())
    if open_text == 0:
        return beliefs.eligible
    least = 1 if steps_left is None else -(-open_text // steps_left)
    if (chosen & beliefs.text).sum() < least:
        text = replace(beliefs, eligible=beliefs.text)
        chosen = chosen | (leftmost(text) if steps_left is None else most_probable(text, least))
    return chosen if (chosen >= beliefs.text).all() else chosen & beliefs.text


def agreed(draft: Ids, own: Ids) -> int:
    """How many tokens of a canvas stand after a pass that was given a draft from some place on.

    `own` [n] is what it proposes from there on. A closed position looks left only, so what it
    proposes for the next one is what a left-to-right model would write: as long as that is the
    token put forward it stands, and the first own token instead of another or behind the last
    stands too. So n tokens put forward and right cost one pass, and the text is the same as with
    one token a pass: speculative decoding (Leviathan et al., arXiv 2211.17192) where drafter and
    checker are one pass of one model (TiDAR, arXiv 2511.08923).
    """
    return min(shared(draft, own) + 1, len(own))


def put_forward(own: Ids, probability: Floats, end_id: int, least: float) -> int:
    """How many of the tokens a pass proposes [n] the next one is to check: those it is sure of, up
    to the first it is not, or the end, which needs no check of its own."""
    doubtful = np.flatnonzero((probability < least) | (own == end_id))
    return int(doubtful[0]) if len(doubtful) else len(own)


def above_threshold(beliefs: Beliefs, threshold: float) -> Bools:
    """All positions whose token reaches a probability (Fast-dLLM, arXiv 2505.22618)."""
    return beliefs.eligible & (beliefs.probability >= threshold)


def most_probable(beliefs: Beliefs, count: int) -> Bools:
    """The `count` positions with the most probable tokens.

    LLaDA's low-confidence remasking (arXiv 2502.09992), and with a count of 1 the slowest and most
    careful way, against which the others are measured.
    """
    score = np.where(beliefs.eligible, beliefs.probability, -np.inf)
    chosen = np.zeros(len(score), bool)
    chosen[np.argsort(-score, kind="stable")[:count]] = True
    return chosen & beliefs.eligible


def leftmost(beliefs: Beliefs) -> Bools:
    """The first position that may be committed."""
    first: Bools = beliefs.eligible & (np.cumsum(beliefs.eligible) == 1)
    return first


def within_entropy(beliefs: Beliefs, budget: float) -> Bools:
    """The most certain positions whose joint error stays bounded (EB-Sampler, arXiv 2505.24857).

    In the order of entropy, as many as keep the sum of their entropies less the largest of them,
    a bound on what treating them as independent can lose, within `budget` nats; so always one.
    """
    order = np.argsort(np.where(beliefs.eligible, beliefs.entropy, np.inf), kind="stable")
    order = order[: int(beliefs.eligible.sum())]
    risk = np.cumsum(beliefs.entropy[order]) - beliefs.entropy[order]
    chosen = np.zeros(len(beliefs.eligible), bool)
    chosen[order[risk <= budget]] = True
    return chosen


def stable(beliefs: Beliefs, threshold: float, divergence: float) -> Bools:
    """Probable positions whose distribution has settled (KLASS, arXiv 2511.05664).

    Settled is what moved by less than `divergence` nats at each of the last two steps, the history
    that its authors use; the first two passes commit only what every step has to.
    """
    return above_threshold(beliefs, threshold) & (beliefs.moved < divergence)


def contradicted(held: Bools, probability: Floats, threshold: float, most: int) -> Bools:
    """The positions to open again of those held: improbable by now, the least probable `most`.

    The narrow-out of WINO (arXiv 2507.18578). With fewer of them than the step has committed every
    step gains, so that there are never more steps than positions.
    """
    doubtful = held & (probability < threshold)
    order = np.argsort(np.where(doubtful, probability, np.inf), kind="stable")
    opened = np.zeros(len(held), bool)
    opened[order[: max(most, 0)]] = True
    return opened & doubtful


def most_likely_length(
    end_log_prob: Floats, least: int, most: int, possible: Bools | None = None
) -> int:
    """How many positions stand before the end: one decision from the whole canvas.

    `end_log_prob` [C]: log-probability of the end at each position. A canvas that ends after n
    tokens has the end at n and everywhere right of it, so the n that makes this pattern most
    likely is taken, of those from `least` to `most` (at most C, which is no end at all) that are
    `possible` [C + 1].
    """
    end = np.minimum(end_log_prob.astype(np.float64), -1e-9)
    text = np.log(-np.expm1(end))
    likelihood = np.concatenate([[0.0], np.cumsum(text)]) + np.append(np.cumsum(end[::-1])[::-1], 0)
    if possible is not None:
        likelihood = np.where(possible, likelihood, -np.inf)
    return least + int(np.argmax(likelihood[least : most + 1]))
