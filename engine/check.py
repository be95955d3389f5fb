"""A step that checks: tokens put forward stand as far as they are those the model writes itself.

TiDAR's idea (arXiv 2511.08923) for a gap with a suffix; see also Set Block Decoding (arXiv
2509.04185).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .candidate import Candidate, Rules, ended, row_of
from .choose import agreed, put_forward
from .drafts import Bounds, drafted
from .draw import drawn, spell, without
from .lookup import repeated
from .model import Drafting, Floats, Ids, Proposal


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
    spell(canvas, proposal, rules, candidate, tokens, log_probs)
    stand = start + agreed(fed, tokens[start:size])
    places = np.arange(len(canvas))
    canvas = canvas.commit((places >= start) & (places < stand), tokens, log_probs)
    candidate.canvas = ended(canvas, rules)
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
    written = np.concatenate([rules.cut.ids, np.array(canvas.tokens, np.int64)])
    most = choice.window - 1
    if len(candidate.rest):
        rest, candidate.rest = candidate.rest, candidate.rest[:0]
        return rest, np.full(len(rest), choice.threshold, np.float32)
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
