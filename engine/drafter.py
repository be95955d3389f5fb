"""The start of a draft: what the drafter makes of one place of a pass, before its network runs.

How it was trained is in `export/drafter.py`, which tokens are put forward in `drafts.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .model import Floats, Ids

Step = Callable[[Floats, int], tuple[Floats, Floats]]
"""A state [1, hidden] and one more token -> the state after it, and log-probabilities [V]."""


@dataclass(frozen=True, slots=True)
class Drafter:
    """A small network beside the large ones."""

    tokens: Ids
    """[V] that it knows, rising."""
    begin: Floats
    """[F hidden, hidden]: what makes of a place its first state."""
    step: Step

    def drafting(self, seen: Floats) -> Drafting:
        """From one place of a pass, of which `seen` [F, hidden] is what its layers gave."""
        unit = seen / np.sqrt(np.mean(seen**2, axis=1, keepdims=True))
        # Not `@`: numpy's own threads would go on spinning and take the cores from the next pass.
        state = seen[0] + np.einsum("i,ij->j", unit.ravel(), self.begin)
        return Drafting(self.tokens, state[None], self.step)


@dataclass(slots=True)
class Drafting:
    """See model.Drafting."""

    tokens: Ids
    state: Floats
    """[1, hidden]"""
    step: Step

    def after(self, token: int) -> Floats:
        """See model.Drafting.after."""
        self.state, log_probs = self.step(self.state, token)
        return log_probs
