"""Verified filling: the denoiser drafts, the base checks the draft left to right in one pass.

Self-speculation (Zhang et al., arXiv 2309.08168) with the two readers of this model: the draft sees
the suffix, the check only what stands before each token. What it guarantees of a fill, where tokens
are as the tokenizer cuts prefix and fill together or as the base wrote them: each was for the base,
given all before it, at least `agreement` times as probable as the token the base would have written
itself. It is a share of the most probable one, as in min-p sampling (arXiv 2407.01082): where the
base is sure it insists, where it is not any likely token will do.

With an agreement of 1 the text is a beginning of the base's greedy text, and what the suffix knows
is lost but for the length. Below, the draft's choice among likely tokens stands, and the base only
bars what it holds to be a slip. Where a fill ends it cannot judge: that is the denoiser's matter.

The default of 0.01 was the cheapest of four bounds among which quality did not differ measurably
(export/LOG.md has the figures).

At the first doubted token the base's own takes its place and the rest is drafted anew behind it, at
most `redrafts` times; then the base writes the rest. All this in exact arithmetic: activations that
are quantised pass by pass give a token slightly other probabilities in another pass.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from .base import Base, Reading
from .certainty import beginnings
from .context import Surroundings
from .extent import end_of
from .filling import Filling
from .left_to_right import LeftToRight
from .prompt import Cell, Fill, Finish
from .tokenizer import REPLACEMENT
from .trace import Trace, seen


@dataclass(frozen=True, slots=True)
class Verified:
    """One request."""

    base: Base
    filling: Filling
    """What drafts."""

    @property
    def _writer(self) -> LeftToRight:
        """What writes the rest in the end: greedily, for a token drawn might not be agreed."""
        options = replace(self.filling.options, temperature=0.0)
        return LeftToRight(self.base, options, self.filling.model.card.end_id)

    def fills(self, gap: Surroundings) -> list[Fill]:
        """A fill of each candidate."""
        return [
            self._verified(draft, gap, candidate)
            for candidate, draft in enumerate(self.filling.fills(gap))
        ]

    def _verified(self, draft: Fill, gap: Surroundings, candidate: int) -> Fill:
        """A draft of the whole gap with all that the base doubts written otherwise."""
        trace = None if candidate else self.filling.trace
        fill = draft
        while True:
            reading, agreed = self._checked(fill, trace)
            fill = replace(fill, checks=fill.checks + 1)
            if agreed == len(reading.tokens):
                return self._agreed(fill, reading)
            kept = (*reading.tokens[:agreed], int(reading.best[agreed]))
            if fill.checks > self.filling.options.redrafts or not self._goes_on(kept):
                break
            anew = self.filling.anew(gap, kept, candidate)
            steps = fill.steps + anew.steps
            fill = replace(fill, text=anew.text, finish=anew.finish, steps=steps)
        rest = self._writer.written(
            reading.tokens[:agreed],
            reading.log_probs[:agreed],
            [seen(cell) for cell in self._cells(reading, agreed)],
            trace=trace,
        )
        return replace(rest, steps=fill.steps + rest.steps, checks=fill.checks)

    def _checked(self, fill: Fill, trace: Trace | None) -> tuple[Reading, int]:
        """How the base reads a fill, and with how many of its first tokens it agrees."""
        start = time.perf_counter()
        reading = self.base.read(fill.text)
        share = self.filling.options.agreement
        least = math.log(share) if share else -math.inf
        agrees = reading.log_probs >= reading.best_log_probs[:-1] + least
        agrees |= np.array(reading.tokens, np.int64) == reading.best[:-1]
        agreed = len(agrees) if agrees.all() else int(np.argmin(agrees))
        if trace:
            cells = self._cells(reading, agreed)
            if agreed < len(agrees):
                correction = (*reading.tokens[:agreed], int(reading.best[agreed]))
                cells.append(self._cell(correction, reading.best_log_probs[agreed], "new"))
            trace.after_base(cells, (time.perf_counter() - start) * 1e3)
        return reading, agreed

    def _goes_on(self, kept: tuple[int, ...]) -> bool:
        """Whether a rest can be drafted behind tokens: no end, all spelled that was taken back, no
        character cut in two."""
        if (
            kept[-1] == self.filling.model.card.end_id
            or self.base.cut.rest(kept)
            or self.base.cut.count(kept) >= self.filling.options.max_tokens
        ):
            return False
        text = self.base.cut.text(kept)
        return not text.endswith(REPLACEMENT) and end_of(text, self.filling.options) is None

    def _agreed(self, fill: Fill, reading: Reading) -> Fill:
        mean = float(reading.log_probs.mean()) if len(reading.log_probs) else 0.0
        tokens = self.base.cut.count(reading.tokens) + (fill.finish is Finish.END)
        known = reading.log_probs.tolist()
        parts = beginnings(fill.text, reading.tokens, known, self.base.cut.text)
        fill = replace(fill, beginnings=parts)
        return replace(fill, tokens=tokens, mean_log_prob=mean, base_log_prob=mean)

    def _cells(self, reading: Reading, count: int) -> list[Cell]:
        """The picture of the first tokens read, agreed."""
        return [
            self._cell(reading.tokens[: n + 1], reading.log_probs[n], "committed")
            for n in range(count)
        ]

    def _cell(self, tokens: tuple[int, ...], log_prob: float, state: str) -> Cell:
        """The last of some tokens."""
        text = self.base.cut.text(tokens)[len(self.base.cut.text(tokens[:-1])) :]
        return Cell(text, state, math.exp(log_prob))
