"""The canvas as a person sees it after each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .candidate import Candidate
from .canvas import Canvas
from .healing import Cut
from .prompt import Cell, OnStep, Step
from .tokenizer import Tokenizer


@dataclass(slots=True)
class Trace:
    """Tells `on_step` of every step of the candidate it observes."""

    tokenizer: Tokenizer
    cut: Cut
    """The prefix that the first canvas follows."""
    on_step: OnStep
    canvas: int = 0
    """Which canvas of the fill is being denoised."""
    index: int = 0
    """Steps told so far."""

    def after_step(self, candidate: Candidate, before: Canvas, ms: float) -> None:
        """Tells of the step that took a candidate from the canvas `before` to its present one."""
        cells = tuple(self._cell(candidate, before, place) for place in range(len(before)))
        self.on_step(Step(self.canvas, self.index, cells, ms))
        self.index += 1

    def after_base(self, cells: Sequence[Cell], ms: float) -> None:
        """Tells of a pass of the base, after which `cells` are the fill from its start."""
        self.canvas = 0
        self.on_step(Step(self.canvas, self.index, tuple(cells), ms))
        self.index += 1

    def _cell(self, candidate: Candidate, before: Canvas, place: int) -> Cell:
        canvas = candidate.canvas
        token = int(canvas.ids[place])
        if token == canvas.mask_id:
            state = "remasked" if before.ids[place] != canvas.mask_id else "masked"
            guess = int(candidate.guesses[place])
            text = "" if guess == canvas.end_id else self.tokenizer.decode([guess])
            return Cell(text, state, float(candidate.probabilities[place]))
        if token == canvas.end_id:
            return Cell("", "end", float(np.exp(canvas.log_probs[place])))
        state = "committed" if before.ids[place] == token else "new"
        return Cell(self._text(canvas, place), state, float(np.exp(canvas.log_probs[place])))

    def _text(self, canvas: Canvas, place: int) -> str:
        """What a committed token adds: none of the text taken back, which the first ones spell."""
        if self.canvas or canvas.open[:place].any():
            return self.tokenizer.decode([int(canvas.ids[place])])
        ids = canvas.ids.tolist()
        return self.cut.text(ids[: place + 1])[len(self.cut.text(ids[:place])) :]


def seen(cell: Cell) -> Cell:
    """A cell one step later, when nothing happened to it."""
    return replace(cell, state="committed") if cell.state == "new" else cell
