"""The start of a draft: what the drafter makes of one place of a pass, before its network runs.

How it was trained is in `export/drafter.py`, which tokens are put forward in `drafts.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .model import Drafting, Floats, Ids

After = Callable[[Floats, int, int, Mapping[str, Floats]], tuple[Floats, Floats]]
"""A state [1, hidden], one more token, its position and what is in sight -> the state after it, and
log-probabilities [V]."""


@dataclass(frozen=True, slots=True)
class Drafter:
    """A small network beside the large ones."""

    tokens: Ids
    """[V] that it knows, rising."""
    begin: Floats
    """[F hidden, hidden]: what makes of a place its first state."""
    reads: Ids
    """[n, 2]: the layers and their key/value heads in whose keys and values it looks things up."""
    step: After

    def drafting(self, seen: Floats, position: int, keys: Floats, values: Floats) -> Drafting:
        """From one place of a pass, of which `seen` [F, hidden] is what its layers gave.

        `keys` and `values` [L, 1, G, n, D] are those of the n tokens in its sight.
        """
        unit = seen / np.sqrt(np.mean(seen**2, axis=1, keepdims=True))
        # Not `@`: numpy's own threads would go on spinning and take the cores from the next pass.
        state = seen[0] + np.einsum("i,ij->j", unit.ravel(), self.begin)
        sight = {}
        for index, (layer, head) in enumerate(self.reads.tolist()):
            sight[f"keys.{index}"] = keys[layer, 0, head]
            sight[f"values.{index}"] = values[layer, 0, head]
        return _Drafting(self.tokens, state[None], position, sight, self.step)


@dataclass(slots=True)
class _Drafting:
    """See model.Drafting."""

    tokens: Ids
    state: Floats
    """[1, hidden]"""
    position: int
    """Of the last token."""
    sight: Mapping[str, Floats]
    step: After

    def after(self, token: int) -> Floats:
        """See model.Drafting.after."""
        self.position += 1
        self.state, log_probs = self.step(self.state, token, self.position, self.sight)
        return log_probs
