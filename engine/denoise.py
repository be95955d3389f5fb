"""The denoising loop: forward pass, step; repeated until no position is open.

A step checks what was put forward (`check.py`), or commits in any order (`unmask.py`). Several
canvases over one context take their steps together, each in a pass of its own: one fills the
machine, so that three at once were hardly faster (`docs/speed.md`). `reference.py` does the same
without a cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .candidate import Candidate, Rules, goes_on, row_of
from .canvas import Canvas
from .check import check
from .clock import Clock
from .errors import CancelledError, EngineFailedError
from .model import Bools, Ids, Proposal
from .prompt import Cancelled
from .unmask import unmask

Forward = Callable[[Ids, Bools], Proposal]
"""A canvas [C] and the positions wanted [C] -> a proposal; knows context and position."""


Observe = Callable[[Candidate, Canvas, float], None]
"""Called after a step of the first candidate: it, its canvas before the step, ms of the step."""


@dataclass(frozen=True, slots=True)
class Denoising:
    """What all candidates for one canvas share on their way."""

    forward: Forward
    rules: Rules
    cancelled: Cancelled
    observe: Observe | None = None
    clock: Clock = field(default_factory=Clock)

    def run(self, candidates: list[Candidate]) -> None:
        """Fills every canvas that is not given up. Raises CancelledError before a step."""
        while running := [c for c in candidates if goes_on(c.canvas, self.rules)]:
            start, before = time.perf_counter(), candidates[0].canvas
            for candidate in running:
                self.step(candidate, self.proposed(candidate))
            if running[0] is candidates[0]:
                self.tell(candidates[0], before, start)

    def alone(self, first: Candidate) -> Proposal:
        """A step of the first candidate alone; gives what its pass proposed."""
        start, before = time.perf_counter(), first.canvas
        proposal = self.proposed(first)
        self.step(first, proposal)
        self.tell(first, before, start)
        return proposal

    def proposed(self, candidate: Candidate) -> Proposal:
        """What a pass over a candidate's canvas proposes. Raises CancelledError before it."""
        if self.cancelled():
            raise CancelledError("cancelled before a denoising step")
        return self.forward(*row_of(candidate, self.rules))

    def step(self, candidate: Candidate, proposal: Proposal) -> None:
        """The step that a pass over a candidate proposes, and what is drafted behind it."""
        with self.clock.measured("denoise"):
            step(candidate, proposal, self.rules)

    def tell(self, first: Candidate, before: Canvas, start: float) -> None:
        """Tells of a step that the first candidate took since `start`, from the canvas `before`."""
        if self.observe is not None:
            self.observe(first, before, (time.perf_counter() - start) * 1e3)


def step(candidate: Candidate, proposal: Proposal, rules: Rules) -> None:
    """Commits on one candidate what a forward pass over it proposes.

    Raises EngineFailedError where that is nothing: no number is largest among those that are none.
    """
    opened = int(candidate.canvas.open.sum())
    if rules.checks(candidate.passes):
        check(candidate, proposal, rules)
    else:
        unmask(candidate, proposal, rules)
    if candidate.canvas.open.sum() >= opened:
        raise EngineFailedError("what the model proposes are no numbers; its weights are broken")
