"""The denoising loop: forward pass, step; repeated until no position is open.

A step checks what was put forward (`check.py`), or commits in any order (`unmask.py`). Several
canvases over one context take their steps together, one after the other in each
(`Session.denoise`). `reference.py` does the same without a cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .candidate import Candidate, Rules, goes_on, row_of
from .canvas import Canvas
from .check import check
from .errors import CancelledError, EngineFailedError
from .model import Bools, Ids, Proposal
from .prompt import Cancelled
from .unmask import unmask

Forward = Callable[[Ids, Bools], Proposal]
"""Canvases [B, C] and the positions wanted [B, C] -> a proposal; knows context and position."""


Observe = Callable[[Candidate, Canvas, float], None]
"""Called after a step of the first candidate: it, its canvas before the step, ms of the step."""


@dataclass(frozen=True, slots=True)
class Denoising:
    """What all candidates for one canvas share on their way."""

    forward: Forward
    rules: Rules
    cancelled: Cancelled
    observe: Observe | None = None

    def run(self, candidates: list[Candidate]) -> None:
        """Fills every canvas that is not given up. Raises CancelledError between two steps."""
        while running := [c for c in candidates if goes_on(c.canvas, self.rules)]:
            start, before = time.perf_counter(), candidates[0].canvas
            for candidate, proposal in zip(running, self.proposed(running), strict=True):
                step(candidate, proposal, self.rules)
            if running[0] is candidates[0]:
                self.tell(candidates[0], before, start)

    def alone(self, first: Candidate) -> Proposal:
        """A step of the first candidate alone; gives what its pass proposed."""
        start, before = time.perf_counter(), first.canvas
        [proposal] = self.proposed([first])
        step(first, proposal, self.rules)
        self.tell(first, before, start)
        return proposal

    def proposed(self, running: list[Candidate]) -> list[Proposal]:
        """What a pass over each canvas proposes. Raises CancelledError before it."""
        if self.cancelled():
            raise CancelledError("cancelled before a denoising step")
        proposals = self.forward(*inputs(running, self.rules))
        return [proposal_of(proposals, row) for row in range(len(running))]

    def tell(self, first: Candidate, before: Canvas, start: float) -> None:
        """Tells of a step that the first candidate took since `start`, from the canvas `before`."""
        if self.observe is not None:
            self.observe(first, before, (time.perf_counter() - start) * 1e3)


def inputs(running: list[Candidate], rules: Rules) -> tuple[Ids, Bools]:
    """The canvases as one batch, and the positions a proposal is wanted for.

    Where tokens are checked a pass is given them too, and no more of a canvas than the position
    behind them, or `window` positions after its closed part if its masks are to draft.
    """
    rows = [row_of(candidate, rules) for candidate in running]
    size = len(running[0].canvas)
    if all(rules.checks(candidate.passes) for candidate in running):
        size = max(int(np.flatnonzero(wanted)[-1]) + 1 for _, wanted in rows)
    ids, wanted = (np.stack([part[:size] for part in parts]) for parts in zip(*rows, strict=True))
    return ids, wanted


def proposal_of(proposals: Proposal, row: int) -> Proposal:
    """The proposal of one canvas of a batch: [C, K] and [C]."""
    others, ahead = proposals.others, proposals.ahead
    return Proposal(
        proposals.ids[row],
        proposals.log_probs[row],
        proposals.end_log_prob[row],
        proposals.current_log_prob[row],
        others and (lambda places, tokens: others((row, *places), tokens)),
        ahead and (lambda place: ahead((row, *place))),
    )


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
