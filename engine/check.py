"""A step that checks: tokens put forward stand as far as they are those the model writes itself.

TiDAR's idea (arXiv 2511.08923) for a gap with a suffix; see also Set Block Decoding (arXiv
2509.04185).
"""

from __future__ import annotations

import numpy as np

from .candidate import Candidate, Rules, ended
from .choose import agreed
from .drafts import next_draft
from .draw import drawn, spell, without
from .model import Proposal


def check(candidate: Candidate, proposal: Proposal, rules: Rules) -> None:
    """Commits what a pass confirms of the tokens put forward, and puts new ones forward."""
    candidate.passes += 1
    canvas, size = candidate.canvas, len(proposal.ids)
    proposal = without(proposal, candidate.banned[:, :size], canvas.end_id, rules)
    tokens = np.full(len(canvas), canvas.end_id, np.int64)
    log_probs = np.full(len(canvas), -np.inf, np.float32)
    tokens[:size], log_probs[:size] = drawn(proposal.ids, proposal.log_probs, rules, candidate.seed)
    spell(candidate, proposal, rules, tokens, log_probs)
    start = canvas.last_committed + 1
    stand = start + agreed(candidate.draft, tokens[start:size])
    places = np.arange(len(canvas))
    canvas = canvas.commit((places >= start) & (places < stand), tokens, log_probs)
    candidate.canvas = ended(canvas, rules)
    candidate.guesses, candidate.probabilities = tokens, np.exp(log_probs)
    if not candidate.canvas.is_full:
        draft, chances = next_draft(candidate, proposal, rules)
        put = slice(stand, min(stand + len(draft), len(canvas)))
        candidate.draft = candidate.guesses[put] = draft[: put.stop - stand]
        candidate.probabilities[put] = chances[: put.stop - stand]
