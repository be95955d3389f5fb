"""The ordinary way to complete: the base writes on after the prefix, one token a pass.

It does not see the suffix; where a fill runs into what follows is mended when edits are made. A
text ends at the base's own end token, at the line break of one line, where a line leaves its block
(extent.py), or at the limit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .base import Base
from .certainty import beginnings
from .extent import end_of
from .model import Floats
from .prompt import Cell, Fill, FillOptions, Finish
from .tokenizer import REPLACEMENT
from .trace import Trace, seen


@dataclass(frozen=True, slots=True)
class LeftToRight:
    """One request."""

    base: Base
    options: FillOptions
    end_id: int

    def fills(self, trace: Trace | None = None) -> list[Fill]:
        """A fill of each candidate, one after the other; `trace` is told of the first.

        Without a temperature each other one is held to the next most probable token where text is
        first added, with one each draws its own, as `siblings.py` has it.
        """
        greedy = self.options.temperature == 0
        return [
            self.written(
                rank=candidate if greedy else 0,
                random=np.random.default_rng(self.options.seed + candidate),
                trace=None if candidate else trace,
            )
            for candidate in range(self.options.candidates)
        ]

    def written(
        self,
        tokens: Sequence[int] = (),
        log_probs: Sequence[float] | Floats = (),
        cells: Sequence[Cell] = (),
        *,
        random: np.random.Generator | None = None,
        rank: int = 0,
        trace: Trace | None = None,
    ) -> Fill:
        """Writes on after `tokens` of these log-probabilities, of which `cells` are the picture.

        Draws from `random`, where there is a temperature; else takes the most probable.
        """
        tokens, log_probs, cells = list(tokens), [*map(float, log_probs)], list(cells)
        room, before = self.options.max_tokens - self.base.cut.count(tokens), len(log_probs)
        finish = self._finish(tokens, room)
        while finish is None:
            start = time.perf_counter()
            ids, scores = self.base.next(tokens)
            place = self._drawn(scores, random)
            if rank and self.base.cut.adds([*tokens, int(ids[0])]):
                place, rank = min(rank, int(np.isfinite(scores).sum()) - 1), 0
            token, text = int(ids[place]), self.base.cut.text(tokens)
            log_probs.append(float(scores[place]))
            if token == self.end_id:
                finish = Finish.END
            else:
                tokens.append(token)
                room -= self.base.cut.adds(tokens)
                finish = self._finish(tokens, room)
            if trace:
                added = self._text(tokens)[len(text) :]
                state = "new" if added or finish is None else "end"
                cell = Cell(added, state, float(np.exp(log_probs[-1])))
                cells = [*map(seen, cells), cell]
                trace.after_base(cells, (time.perf_counter() - start) * 1e3)
        return self._fill(tokens, log_probs, len(log_probs) - before, finish)

    def _drawn(self, scores: Floats, random: np.random.Generator | None) -> int:
        """The place of a token among those proposed: the first, or with a temperature drawn."""
        if self.options.temperature == 0 or random is None:
            return 0
        return int((scores / self.options.temperature + random.gumbel(size=len(scores))).argmax())

    def _finish(self, tokens: Sequence[int], room: int) -> Finish | None:
        """Why the text ends after `tokens`; None while it goes on."""
        if end := end_of(self.base.cut.text(tokens), self.options):
            return end[1]
        return Finish.LENGTH if room <= 0 else None

    def _text(self, tokens: Sequence[int]) -> str:
        """The text of `tokens` up to where it ends."""
        text = self.base.cut.text(tokens)
        end = end_of(text, self.options)
        return text[: end[0]] if end else text

    def _fill(self, tokens: list[int], log_probs: list[float], passes: int, finish: Finish) -> Fill:
        mean = float(np.mean(log_probs)) if log_probs else 0.0
        # A character may be cut in two where the limit fell.
        text = self._text(tokens).rstrip(REPLACEMENT)
        return Fill(
            text=text,
            tokens=self.base.cut.count(tokens) + (finish is Finish.END),
            steps=passes,
            finish=finish,
            mean_log_prob=mean,
            base_log_prob=mean,
            beginnings=beginnings(text, tokens, log_probs, self.base.cut.text),
        )
