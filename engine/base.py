"""The base of a gap's text: what follows from the prefix alone, and how likely a text is after it.

It is the same model read causally, without a canvas and without sight of the suffix. What it reads
after the prefix is kept apart from the context cache, so a request leaves nothing there but its
prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .clock import Clock
from .context import ContextCache, Run
from .errors import CancelledError
from .healing import Cut
from .model import Floats, Ids, Model, Proposal
from .prompt import Cancelled
from .tokenizer import Tokenizer

SPARE = 16
"""Positions kept free: a text may be a few tokens more as the tokenizer cuts it than as it was
written, and what was taken back is spelled first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the base reads it after the prefix, token by token."""

    tokens: tuple[int, ...]
    """[n] of the text taken back and the text itself, as the tokenizer cuts them."""
    log_probs: Floats
    """[n] natural-log probability of each after all before it; where it spells the text taken back,
    given that one does that."""
    best: Ids
    """[n + 1] what the base would have written at each place, and after the last."""
    best_log_probs: Floats
    """[n + 1] the log-probability of that."""


@dataclass(frozen=True)
class Base:
    """The base behind the prefix of one gap, less the tokens taken back (healing.py).

    Its methods raise CancelledError before a pass.
    """

    model: Model
    cache: ContextCache
    tokenizer: Tokenizer
    cut: Cut
    """The prefix, and how to read what comes after it."""
    cancelled: Cancelled
    clock: Clock

    @property
    def room(self) -> int:
        """How many tokens of a fill it can read behind the prefix: a model knows as many positions
        as there are around and on its largest canvas."""
        card = self.model.card
        positions = card.max_before + card.canvas_sizes[-1] + card.max_suffix
        return positions - len(self.cut.ids) - SPARE

    def prefix(self, tokens: Sequence[int]) -> Ids:
        """The prefix with tokens after it."""
        return np.concatenate([self.cut.ids, np.array(tokens, np.int64)])

    def next(self, tokens: Sequence[int]) -> tuple[Ids, Floats]:
        """The K tokens it proposes after `tokens`, their log-probabilities; reads what is new."""
        ids = self.prefix(tokens)
        known = min(self._run.shared(ids), len(ids) - 1)
        proposal = self._pass(ids[known:], known)
        return proposal.ids[-1], proposal.log_probs[-1]

    def read(self, text: str) -> Reading:
        """How it reads a text, in one pass."""
        tokens = self.tokenizer.encode(self.cut.owed.decode("utf-8") + text)
        start = len(self.cut.ids) - 1
        proposal = self._pass(np.array([self.cut.ids[-1], *tokens], np.int64), start)
        return Reading(
            tuple(tokens),
            proposal.current_log_prob[:-1],
            proposal.ids[:, 0],
            proposal.log_probs[:, 0],
        )

    @cached_property
    def _run(self) -> Run:
        """What has been read: the prefix without its last token, and what came after."""
        card, ids = self.model.card, self.cut.ids[:-1]
        run = Run.empty(card.layers, card.kv_heads, card.head_size)
        with self.clock.measured("context"):
            run.put(ids, 0, self.cache.before(ids, self.cancelled))
        return run

    def _pass(self, ids: Ids, start: int) -> Proposal:
        """One forward pass over `ids` at positions start, start + 1, ..."""
        run = self._run
        if self.cancelled():
            raise CancelledError("cancelled between two passes of the base")
        with self.clock.measured("base"):
            past = run.first(start) if start else None
            among = self._among(ids, start)
            new, proposal = self.model.next_log_probs(ids, start, past, among)
            run.put(ids, start, new)
        return proposal

    def _among(self, ids: Ids, start: int) -> dict[int, Ids]:
        """What may be written after each of `ids` while the text taken back is not spelled."""
        kept = len(self.cut.ids)
        healing = self.cut.healing
        owed = self.cut.rest(self._run.ids[kept:start].tolist())
        among = {}
        for place, token in enumerate(ids):
            if start + place >= kept:
                owed = owed[len(healing.pieces[token]) :]
            if not owed:
                break
            among[place] = healing.spelling(owed)
        return among
