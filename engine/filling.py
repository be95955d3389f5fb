"""One gap filled canvas by canvas, from its tokens to fills.

All candidates share the first pass and take the steps of their first canvas together; what does not
fit it goes on in a next canvas, with the filled one appended to the prefix.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from .candidate import Candidate, Rules, is_done
from .canvas import Canvas
from .certainty import beginnings
from .choose import most_likely_length
from .clock import Clock
from .context import ContextCache, Surroundings
from .denoise import Denoising, Forward
from .drafts import first_draft
from .extent import end_of
from .healing import Cut
from .model import NOTHING, Bools, Context, Ids, Model, Proposal
from .prompt import Cancelled, Critic, Fill, FillOptions, Finish
from .repair import reopened
from .siblings import drawn_apart, has_begun, held_apart
from .tokenizer import REPLACEMENT
from .trace import Trace

SHORT = 16
"""Positions that a canvas has at least, where nothing is known of the text's length."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What has been filled so far."""

    gap: Surroundings
    """What stands around the next canvas."""
    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    steps: int = 0
    finish: Finish | None = None
    """None while no canvas has ended."""
    seed: int = 0

    def after(self, candidate: Candidate, max_before: int) -> Draft:
        """The draft with one more canvas."""
        canvas = candidate.canvas
        finish = Finish.END if canvas.is_closed else None
        if not canvas.is_full:  # given up; what stands behind a gap says nothing without it
            canvas, finish = canvas.beginning, Finish.UNSURE
        held = canvas.log_probs[: canvas.length + canvas.is_closed]
        return Draft(
            self.gap.followed_by(np.array(canvas.tokens, np.int64), max_before),
            (*self.tokens, *canvas.tokens),
            (*self.log_probs, *map(float, held)),
            self.steps + candidate.passes,
            finish,
            candidate.seed[0],
        )


@dataclass(frozen=True, slots=True)
class Filling:
    """One request."""

    model: Model
    cache: ContextCache
    options: FillOptions
    rules: Rules
    cancelled: Cancelled
    clock: Clock
    cut: Cut
    """The prefix, and what was taken back of it."""
    expected: Ids = field(default_factory=lambda: NOTHING)
    """What may come after the cut prefix: the rest of a fill that is being typed out."""
    trace: Trace | None = None
    critic: Critic | None = None

    def fills(self, gap: Surroundings) -> list[Fill]:
        """A fill of each candidate; the prefix of the gap is that of `cut`."""
        blank, count = Draft(gap, seed=self.options.seed), self.options.candidates
        first, *others = self._first_canvas(blank, count, self.trace)
        drafts = [self._finished(first, self.trace), *map(self._finished, others)]
        return [self._fill(draft) for draft in drafts]

    def anew(self, gap: Surroundings, kept: tuple[int, ...], candidate: int) -> Fill:
        """A candidate's fill that begins with the tokens `kept`, as if they were certain, and is
        drafted anew behind them."""
        around = gap.followed_by(np.array(kept, np.int64), self.model.card.max_before)
        seed, certain = self.options.seed + candidate, (0.0,) * len(kept)
        trace = None if candidate else self.trace
        if trace:
            trace.canvas += 1
        [draft] = self._first_canvas(Draft(around, kept, certain, seed=seed), 1, trace)
        return self._fill(self._finished(draft, trace))

    def _first_canvas(self, draft: Draft, count: int, trace: Trace | None) -> list[Draft]:
        """What becomes of a draft on a canvas of its own in each of `count` candidates."""
        start = time.perf_counter()
        denoising, first, proposal = self._first_pass(draft, trace)
        rules, canvas = denoising.rules, first.canvas
        others = drawn_apart(first, proposal, count - 1, rules) if rules.temperature else []
        denoising.step(first, proposal)
        denoising.tell(first, canvas, start)
        if count > 1 and not rules.temperature:
            while not has_begun(first, rules):
                proposal = denoising.alone(first)
            others = held_apart(first, proposal, count - 1, rules)
        return self._denoised(draft, denoising, [first, *others])

    def _first_pass(
        self, draft: Draft, trace: Trace | None
    ) -> tuple[Denoising, Candidate, Proposal]:
        """A pass over the smallest canvas that has an end in sight, or is not to have one."""
        room = self.options.max_tokens - self.cut.count(draft.tokens)
        sizes = starting_sizes(self.model.card.canvas_sizes, self.options, room)
        for passes, size in enumerate(sizes):
            denoising, first = self._begun(draft, size, trace)
            first.passes = passes
            proposal = denoising.proposed(first)
            rules = denoising.rules
            if rules.checks(passes) or passes + 1 == rules.steps:
                break
            if most_likely_length(proposal.end_log_prob, 0, size) < size:
                break
        return denoising, first, proposal

    def _begun(self, draft: Draft, size: int, trace: Trace | None) -> tuple[Denoising, Candidate]:
        """The next canvas of a draft: what its candidates share, and an open one with what its
        first pass checks."""
        gap, card, is_first = draft.gap, self.model.card, not draft.tokens
        with self.clock.measured("context"):
            context = self.cache.around(gap, size, self.cancelled)
        cut = self.cut if is_first else self.cut.healing.whole(gap.prefix)
        rules = replace(
            self.rules,
            cut=cut,
            suffix=gap.suffix,
            least_log_prob=self.rules.least_log_prob - sum(draft.log_probs),
            ends=partial(self._has_ended, draft.tokens),
        )
        seed = draft.seed, len(draft.tokens)
        candidate = Candidate(Canvas.masked(size, card.mask_id, card.end_id), seed)
        if rules.checks(0):
            with self.clock.measured("denoise"):
                start = context.start and partial(context.start, context)
                expected = self.expected if is_first else NOTHING
                candidate.draft = first_draft(rules, card.end_id, start, expected)
        forward = self._forward(gap, context)
        observe = trace.after_step if trace else None
        return Denoising(forward, rules, self.cancelled, observe, self.clock), candidate

    def _denoised(
        self, draft: Draft, denoising: Denoising, candidates: list[Candidate]
    ) -> list[Draft]:
        """The draft with the canvas of each candidate, on which what the critic doubts in a fill
        that ends there is opened and denoised again."""
        denoising.run(candidates)
        if self.critic is not None:
            critic, rules = self._critic_behind(self.critic, draft.tokens), denoising.rules
            for _ in range(self.options.repair):
                ended = [candidate for candidate in candidates if is_done(candidate.canvas, rules)]
                doubted = [c for c in ended if reopened(c, rules, critic)]
                if not doubted:
                    break
                denoising.run(candidates)
        return [draft.after(c, self.model.card.max_before) for c in candidates]

    def _has_ended(self, before: tuple[int, ...], tokens: Sequence[int]) -> bool:
        """Whether a fill that goes on with `tokens` behind those of earlier canvases ends there."""
        return self._end_of(self.cut.text((*before, *tokens))) is not None

    def _critic_behind(self, critic: Critic, before: tuple[int, ...]) -> Critic:
        """A critic of what comes behind the tokens of earlier canvases, up to where it ends."""

        def doubts(text: str) -> Sequence[tuple[int, int]]:
            end = self._end_of(text)
            return critic(text[: end[0]] if end else text)

        return behind(doubts, self.cut.text(before))

    def _finished(self, draft: Draft, trace: Trace | None = None) -> Draft:
        """The draft with as many further canvases as it needs and may have."""
        while self._goes_on(draft):
            if trace:
                trace.canvas += 1
            denoising, candidate = self._begun(draft, self.model.card.canvas_sizes[-1], trace)
            [draft] = self._denoised(draft, denoising, [candidate])
        return draft if draft.finish else replace(draft, finish=Finish.LENGTH)

    def _goes_on(self, draft: Draft) -> bool:
        """Whether a draft needs a further canvas and may have it."""
        if draft.finish is not None or self.cut.count(draft.tokens) >= self.options.max_tokens:
            return False
        return self.options.format is None and self._end_of(self.cut.text(draft.tokens)) is None

    def _end_of(self, text: str) -> tuple[int, Finish] | None:
        """After how many code points a text ends, and why; a format says that itself."""
        return end_of(text, self.options) if self.options.format is None else None

    def _fill(self, draft: Draft) -> Fill:
        """What a draft says, as text."""
        assert draft.finish is not None
        spelling = len(draft.tokens) - self.cut.count(draft.tokens)
        most, finish = spelling + self.options.max_tokens, draft.finish
        if self.options.format is not None:
            most = len(draft.tokens)  # the hold has kept it short; a part of it would not fit
        tokens, log_probs = draft.tokens, draft.log_probs
        if len(tokens) > most:
            tokens, log_probs, finish = tokens[:most], log_probs[:most], Finish.LENGTH
        # A character may be cut in two where the limit fell.
        text = self.cut.text(tokens)
        if self.options.format is None:
            text = text.rstrip(REPLACEMENT)
        if end := self._end_of(text):
            text, finish = text[: end[0]], end[1]
        return Fill(
            text=text,
            tokens=len(tokens) - spelling + (finish is Finish.END),
            steps=draft.steps,
            finish=finish,
            mean_log_prob=float(np.mean(log_probs)) if log_probs else 0.0,
            beginnings=beginnings(text, tokens, log_probs, self.cut.text),
        )

    def _forward(self, gap: Surroundings, context: Context) -> Forward:
        """The model over canvases in this gap."""

        def forward(canvas: Ids, wanted: Bools) -> Proposal:
            with self.clock.measured("denoise"):
                row = np.append(gap.prefix[-1], canvas)
                return self.model.denoise(row, gap.position, context, wanted)

        return forward


def behind(critic: Critic, text: str) -> Critic:
    """A critic of what comes after `text`, which it does not doubt any more."""

    def doubts(rest: str) -> list[tuple[int, int]]:
        size = len(text)
        found = critic(text + rest)
        return [(max(start - size, 0), end - size) for start, end in found if end > size]

    return doubts


def starting_sizes(sizes: Sequence[int], options: FillOptions, room: int) -> Sequence[int]:
    """The canvas sizes to try in turn for as many tokens as there is room for, each when no end is
    in sight on the one before.

    A model takes the size for a hint of how long the text is (`export/LOG.md`). So the first has
    room for what is likely, and 16 positions where the card has such a size; none is larger than
    the fill may become. A format has the largest one.
    """
    if options.format is not None:
        return sizes[-1:]
    last = len(sizes) - 1
    enough = next((i for i, size in enumerate(sizes) if size >= room), last)
    likely = next((i for i, size in enumerate(sizes) if size > options.likely_tokens), last)
    short = max((i for i, size in enumerate(sizes) if size <= SHORT), default=0)
    return sizes[min(max(likely, short), enough) : enough + 1]
