"""One canvas on its way from masks to text, and the rules that it goes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .canvas import Canvas
from .choose import Choice, Policy
from .healing import Cut
from .held import Hold
from .model import NOTHING, Bools, Floats, Ids, Proposal


@dataclass(frozen=True, slots=True)
class Rules:
    """How canvases are denoised."""

    choice: Choice
    steps: int | None
    """Forward passes a canvas may take until a critic doubts it; None: as many as it needs."""
    temperature: float
    newline: Bools | None
    """[vocabulary] tokens that end the text when committed; None: it may have several lines."""
    cut: Cut
    """The prefix, of which the text may have to spell the end."""
    remask: float = 0.0
    """A committed token whose probability falls below this is masked again; 0: never."""
    hold: Hold | None = None
    """The format that the text is held to."""
    suffix: Ids = field(default_factory=lambda: NOTHING)
    """[n] the tokens after the gap, which a text may repeat."""
    drafter: bool = False
    """Whether the model writes drafts itself, so that a pass needs no masks behind them."""
    least_log_prob: float = -np.inf
    """A canvas that is less probable is given up."""
    ends: Callable[[Sequence[int]], bool] | None = None
    """Whether a text that begins with these tokens of the canvas ends in them; None: nothing ends
    it but the end token."""

    def checks(self, passes: int) -> bool:
        """Whether the next pass checks tokens put forward, after so many; the last of a budget
        commits what it can get, and a format is not kept from left to right."""
        if self.choice.policy is not Policy.SELF_CHECK or self.hold is not None:
            return False
        return self.steps is None or passes + 1 < self.steps


ENDS = -1
"""Stands for the end, and in one line for every line break."""


@dataclass(slots=True)
class Candidate:
    """One canvas on its way."""

    canvas: Canvas
    seed: tuple[int, int]
    """Of what is drawn for it, with a temperature: its own, and how many tokens of the fill stand
    before its canvas."""
    passes: int = 0
    """Forward passes so far (NFE)."""
    draft: Ids = field(default_factory=lambda: NOTHING)
    """[n] tokens put forward for the positions after the closed part, for the next pass to check.
    """
    rest: Ids = field(default_factory=lambda: NOTHING)
    """[n] what followed a token that a critic has doubted, to be put forward behind another one."""
    previous: Proposal | None = None
    guesses: Ids = field(default_factory=lambda: NOTHING)
    """[C] what the last step proposed: for the trace and, without a drafter, to draft from."""
    probabilities: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    """[C] and with what probability."""
    moved: Floats = field(default_factory=lambda: np.full(1, np.inf, np.float32))
    """[C] by how much the distributions moved at the last step, in nats; [1] while none was."""
    banned: Ids = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """[n, C] tokens that a critic has doubted: none is proposed again where it stood. ENDS are all
    that would end the text there."""


def row_of(candidate: Candidate, rules: Rules) -> tuple[Ids, Bools]:
    """A canvas as a pass is given it, and the positions wanted of it.

    Where tokens are checked a pass is given them too, and no more of a canvas than the position
    behind them, or `window` positions after its closed part if its masks are to draft.
    """
    canvas, places = candidate.canvas, np.arange(len(candidate.canvas))
    if not rules.checks(candidate.passes):
        return canvas.ids, canvas.open | (bool(rules.remask) & (places < canvas.length))
    start, ids = canvas.last_committed + 1, canvas.ids.copy()
    draft = candidate.draft[: len(canvas) - start]
    ids[start : start + len(draft)] = draft
    reach = max(len(draft) + 1, 0 if rules.drafter else rules.choice.window)
    return ids[: start + reach], places[: start + reach] >= start


def goes_on(canvas: Canvas, rules: Rules) -> bool:
    """Whether a canvas has open positions that are worth a pass."""
    return not canvas.is_full and float(canvas.log_probs.sum()) >= rules.least_log_prob


def is_done(canvas: Canvas, rules: Rules) -> bool:
    """Whether the text ends on a canvas: with an end, or so that what stands there ends it."""
    if canvas.is_closed or not canvas.is_full:
        return canvas.is_closed
    return rules.ends is not None and rules.ends(canvas.tokens)


def ended(canvas: Canvas, rules: Rules) -> Canvas:
    """Closes a text that has come to its end: one line at its first committed line feed, several
    lines where what stands before the first open position says so."""
    if rules.newline is not None:
        return _after_newline(canvas, rules.newline, rules.cut)
    if rules.ends is None or canvas.is_full:
        return canvas
    known = canvas.beginning
    return canvas.closed_at(len(known)) if rules.ends(known.tokens) else canvas


def _after_newline(canvas: Canvas, newline: Bools, cut: Cut) -> Canvas:
    breaks = np.flatnonzero(newline[canvas.ids[: canvas.length]])
    ids = canvas.ids.tolist()
    # A line feed taken back and spelled again is none of the text's.
    ends = (int(n) + 1 for n in breaks if "\n" in cut.text(ids[: n + 1]))
    after = next(ends, canvas.length)
    return canvas.closed_at(after) if after < canvas.length else canvas
