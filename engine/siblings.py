"""Several fills of one gap: how the other candidates begin beside the first one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .candidate import Candidate, Rules, ended, goes_on
from .canvas import Canvas
from .denoise import step
from .draw import spelling
from .model import Proposal


def drawn_apart(first: Candidate, proposal: Proposal, most: int, rules: Rules) -> list[Candidate]:
    """`most` other candidates after the pass that `first` is about to take its step from: their
    canvases were the same, and with a temperature each draws its own tokens."""
    seed, before = first.seed
    others = [replace(first, seed=(seed + i, before)) for i in range(1, most + 1)]
    for other in others:
        step(other, proposal, rules)
    return others


def held_apart(first: Candidate, proposal: Proposal, most: int, rules: Rules) -> list[Candidate]:
    """At most `most` other candidates, each held to another of the most probable tokens where the
    first one has first added text by its last pass: they differ where a reader looks first."""
    canvas, place = first.canvas, first_added(first.canvas, rules)
    if place == len(proposal.ids) or (rules.checks(first.passes) and canvas.open[place]):
        return []
    before = np.arange(len(canvas)) < place
    blank = Canvas.masked(len(canvas), canvas.mask_id, canvas.end_id)
    started = blank.commit(before, canvas.ids, canvas.log_probs)
    if rules.hold is not None:
        proposal = rules.hold.narrowed(started, proposal, first.banned)
    ids, scores = proposal.ids[place], proposal.log_probs[place]
    owed = rules.cut.rest(started.tokens) if not rules.hold else b""
    if owed:
        ids, scores = spelling(proposal, place, owed, rules.cut.healing)
    order = np.argsort(-scores, kind="stable")
    text = order[(ids[order] != blank.end_id) & np.isfinite(scores[order])]
    # Where a policy has left the place open its most probable token will be the first one's.
    own = canvas.ids[place] if not canvas.open[place] else ids[text[:1]]
    where = np.arange(len(blank)) == place
    others = []
    for index in text[ids[text] != own][:most]:
        tokens, log_probs = np.full(len(blank), ids[index]), np.full(len(blank), scores[index])
        held = ended(started.commit(where, tokens, log_probs), rules)
        others.append(Candidate(held, first.seed, first.passes, previous=proposal))
    return others


def has_begun(candidate: Candidate, rules: Rules) -> bool:
    """Whether it is known what a candidate first adds, or that nothing more comes of it; where
    drafts are not checked, that may come in any order."""
    canvas, place = candidate.canvas, first_added(candidate.canvas, rules)
    if not rules.checks(candidate.passes) or not goes_on(canvas, rules):
        return True
    return place < len(canvas) and not canvas.open[place]


def first_added(canvas: Canvas, rules: Rules) -> int:
    """The first position whose token does more than spell what was taken back."""
    closed = canvas.ids[: canvas.length][np.cumsum(canvas.open[: canvas.length]) == 0].tolist()
    adding = (n for n in range(len(closed)) if rules.cut.adds(closed[: n + 1]))
    return next(adding, len(closed))
