"""The canvas: the gap's positions, each a committed token or open. Data without policy.

Once the end id is committed at a position, all positions right of it hold it too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .model import Bools, Floats, Ids


@dataclass(frozen=True, slots=True)
class Canvas:
    """C positions; every operation gives a new canvas."""

    ids: Ids
    """[C]; the mask id where open."""
    log_probs: Floats
    """[C] natural-log probability of a token when it was committed; 0 elsewhere."""
    mask_id: int
    end_id: int

    @classmethod
    def masked(cls, size: int, mask_id: int, end_id: int) -> Canvas:
        """All positions open."""
        return cls(np.full(size, mask_id, np.int64), np.zeros(size, np.float32), mask_id, end_id)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def open(self) -> Bools:
        """[C] the positions still to be filled."""
        found: Bools = self.ids == self.mask_id
        return found

    @property
    def is_full(self) -> bool:
        """Whether no position is open."""
        return not self.open.any()

    @property
    def length(self) -> int:
        """How many positions stand before the end; all of them while no end is committed."""
        ends = np.flatnonzero(self.ids == self.end_id)
        return int(ends[0]) if len(ends) else len(self)

    @property
    def is_closed(self) -> bool:
        """Whether the end is committed."""
        return self.length < len(self)

    @property
    def tokens(self) -> list[int]:
        """The committed tokens before the end, open positions left out."""
        return [int(i) for i in self.ids[: self.length] if i != self.mask_id]

    @property
    def last_committed(self) -> int:
        """The rightmost position with a token before the end; -1 when there is none."""
        held = np.flatnonzero(~self.open[: self.length])
        return int(held[-1]) if len(held) else -1

    @property
    def beginning(self) -> Canvas:
        """What stands before the first open position, on a canvas of its own."""
        count = int(np.argmax(np.append(self.open, True)))
        return replace(self, ids=self.ids[:count], log_probs=self.log_probs[:count])

    def commit(self, where: Bools, tokens: Ids, log_probs: Floats) -> Canvas:
        """Puts tokens [C] at the positions `where` [C]; an end id closes all to its right."""
        ids = np.where(where, tokens, self.ids)
        kept = np.where(where, log_probs, self.log_probs).astype(np.float32)
        canvas = replace(self, ids=ids, log_probs=kept)
        end = canvas.length
        return canvas.closed_at(end, float(kept[end])) if canvas.is_closed else canvas

    def closed_at(self, position: int, log_prob: float = 0.0) -> Canvas:
        """The same with the end, of this log-probability, from `position` on."""
        ids, log_probs = self.ids.copy(), self.log_probs.copy()
        ids[position:] = self.end_id
        log_probs[position:] = 0.0
        log_probs[position] = log_prob
        return replace(self, ids=ids, log_probs=log_probs)

    def masked_at(self, where: Bools) -> Canvas:
        """The same with the positions `where` [C] open again."""
        ids = np.where(where, self.mask_id, self.ids)
        return replace(self, ids=ids, log_probs=np.where(where, 0.0, self.log_probs))
