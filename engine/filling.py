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
from numpy.typing import NDArray

from .candidate import Candidate, Rules, is_done
from .canvas import Canvas
from .certainty import beginnings
from .check import first_draft
from .choose import most_likely_length
from .clock import Clock
from .context import ContextCache, Surroundings
from .denoise import Forward, Observe, denoise, proposed, step
from .errors import CancelledError
from .extent import end_of
from .healing import Cut
from .model import NOTHING, Context, Ids, Model, Proposal
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
class Kept:
    """The part of a fill that stays when the rest is drafted anew."""

    text: str
    tokens: int
    room: int
    """Tokens that may follow."""


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
    written: str = ""
    """What the prefix ends with already of the fill."""
    before: int = 0
    """And how many tokens that is."""

    def fills(self, gap: Surroundings) -> list[Fill]:
        """A fill of each candidate; the prefix of the gap is that of `cut`."""
        begun_drafts = self._first_canvas(gap)
        return [
            self._fill(self._finished(d, self.trace if not i else None))
            for i, d in enumerate(begun_drafts)
        ]

    def rest(self, gap: Surroundings, kept: Kept, candidate: int, *, watched: bool) -> Fill:
        """A candidate's fill anew behind the part of it that the prefix ends with already."""
        seed = self.options.seed + candidate
        options = replace(self.options, candidates=1, max_tokens=kept.room, seed=seed)
        trace = self.trace if watched else None
        if trace:
            trace.canvas += 1
        filling = replace(
            self,
            options=options,
            cut=self.cut.healing.whole(gap.prefix),
            expected=NOTHING,
            trace=trace,
            critic=behind(self.critic, kept.text) if self.critic else None,
            written=kept.text,
            before=kept.tokens,
        )
        return filling.fills(gap)[0]

    def _first_canvas(self, gap: Surroundings) -> list[Draft]:
        seeds = [(self.options.seed + i, self.before) for i in range(self.options.candidates)]
        rules = self._rules(Draft(gap), self.cut)
        sizes = starting_sizes(self.model.card.canvas_sizes, self.options)
        for passes, size in enumerate(sizes):
            start = time.perf_counter()
            context = self._context(gap, size)
            forward = self._forward(gap, context)
            first = self._candidate(size, context, rules, seeds[0], self.expected)
            first.passes, blank = passes, first.canvas
            proposal = self._proposed(first, forward, rules)
            ends = proposal.end_log_prob
            if rules.checks(passes) or size == sizes[-1] or passes + 1 == rules.steps:
                break
            if most_likely_length(ends, 0, size) < size:
                break
        others = drawn_apart(first, proposal, seeds[1:], rules) if rules.temperature else []
        step(first, proposal, rules)
        observe = self.trace.after_step if self.trace else None
        if observe:
            observe(first, blank, (time.perf_counter() - start) * 1e3)
        if not rules.temperature and seeds[1:]:
            others = self._held_apart(first, proposal, forward, rules, observe)
        candidates = [first, *others]
        denoise(candidates, forward, rules, self.cancelled, observe)
        self._repair(candidates, forward, rules, self._critic_behind(()), observe)
        return [Draft(gap).after(c, self.model.card.max_before) for c in candidates]

    def _held_apart(
        self,
        first: Candidate,
        proposal: Proposal,
        forward: Forward,
        rules: Rules,
        observe: Observe | None,
    ) -> list[Candidate]:
        """The other candidates, once it is known what the first one adds."""
        while not has_begun(first, rules):
            before, start = first.canvas, time.perf_counter()
            proposal = self._proposed(first, forward, rules)
            step(first, proposal, rules)
            if observe:
                observe(first, before, (time.perf_counter() - start) * 1e3)
        return held_apart(first, proposal, self.options.candidates - 1, rules)

    def _proposed(self, candidate: Candidate, forward: Forward, rules: Rules) -> Proposal:
        """What a pass over one candidate alone proposes. Raises CancelledError before it."""
        if self.cancelled():
            raise CancelledError("cancelled before a denoising step")
        return proposed(candidate, forward, rules)

    def _rules(self, draft: Draft, cut: Cut) -> Rules:
        """The rules for the next canvas of a draft."""
        return replace(
            self.rules,
            cut=cut,
            suffix=draft.gap.suffix,
            least_log_prob=self.rules.least_log_prob - sum(draft.log_probs),
            ends=None if self.options.format else partial(self._has_ended, draft.tokens),
        )

    def _has_ended(self, before: tuple[int, ...], tokens: Sequence[int]) -> bool:
        """Whether a fill that goes on with `tokens` behind those of earlier canvases ends there."""
        return self._end_of(self.cut.text((*before, *tokens))) is not None

    def _critic_behind(self, before: tuple[int, ...]) -> Critic | None:
        """The critic of what comes behind the tokens of earlier canvases, up to where it ends."""
        critic = self.critic
        if critic is None:
            return None

        def doubts(text: str) -> Sequence[tuple[int, int]]:
            end = None if self.options.format else self._end_of(text)
            return critic(text[: max(end[0], 0)] if end else text)

        return behind(doubts, self.cut.text(before))

    def _repair(
        self,
        candidates: list[Candidate],
        forward: Forward,
        rules: Rules,
        critic: Critic | None,
        observe: Observe | None,
    ) -> None:
        """Opens and denoises again what the critic doubts in fills that end on this canvas."""
        for _ in range(self.options.repair if critic else 0):
            assert critic is not None
            ended = [candidate for candidate in candidates if is_done(candidate.canvas, rules)]
            doubted = [c for c in ended if reopened(c, rules.cut, rules, critic)]
            if not doubted:
                return
            watched = observe if doubted[0] is candidates[0] else None
            denoise(doubted, forward, rules, self.cancelled, watched)

    def _finished(self, draft: Draft, trace: Trace | None) -> Draft:
        """The draft with as many further canvases as it needs and may have."""
        while self._goes_on(draft):
            size = self.model.card.canvas_sizes[-1]
            if trace:
                trace.canvas += 1
            observe: Observe | None = trace.after_step if trace else None
            context = self._context(draft.gap, size)
            forward = self._forward(draft.gap, context)
            rules = self._rules(draft, self.cut.healing.whole(draft.gap.prefix))
            seed = draft.seed, self.before + len(draft.tokens)
            candidate = self._candidate(size, context, rules, seed)
            denoise([candidate], forward, rules, self.cancelled, observe)
            critic = self._critic_behind(draft.tokens)
            self._repair([candidate], forward, rules, critic, observe)
            draft = draft.after(candidate, self.model.card.max_before)
        return draft if draft.finish else replace(draft, finish=Finish.LENGTH)

    def _goes_on(self, draft: Draft) -> bool:
        """Whether a draft needs a further canvas and may have it."""
        if draft.finish is not None or self.cut.count(draft.tokens) >= self.options.max_tokens:
            return False
        return self.options.format is None and self._end_of(self.cut.text(draft.tokens)) is None

    def _end_of(self, text: str) -> tuple[int, Finish] | None:
        """After how many code points of a text behind what is written the fill ends, and why; fewer
        than none where it ends in what is written."""
        found = end_of(self.written + text, self.options)
        return found and (found[0] - len(self.written), found[1])

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
        text, written = self.cut.text(tokens), self.written
        if self.options.format is None:
            text = text.rstrip(REPLACEMENT)
            if end := self._end_of(text):
                written = written[: len(written) + min(end[0], 0)]
                text, finish = text[: max(end[0], 0)], end[1]
        return Fill(
            text=written + text,
            tokens=len(tokens) - spelling + (finish is Finish.END),
            steps=draft.steps,
            finish=finish,
            mean_log_prob=float(np.mean(log_probs)) if log_probs else 0.0,
            beginnings=beginnings(text, tokens, log_probs, self.cut.text),
        )

    def _candidate(
        self,
        size: int,
        context: Context,
        rules: Rules,
        seed: tuple[int, int],
        expected: Ids = NOTHING,
    ) -> Candidate:
        """An open canvas, with what its first pass checks."""
        card = self.model.card
        blank = Canvas.masked(size, card.mask_id, card.end_id)
        candidate = Candidate(blank, seed)
        if rules.checks(0):
            with self.clock.measured("denoise"):
                start = context.start and partial(context.start, context)
                candidate.draft = first_draft(rules, card.end_id, start, expected)
        return candidate

    def _context(self, gap: Surroundings, size: int) -> Context:
        """What stands around canvases of one size, read as far as it is new."""
        with self.clock.measured("context"):
            return self.cache.around(gap, size, self.cancelled)

    def _forward(self, gap: Surroundings, context: Context) -> Forward:
        """The model over canvases in this gap."""

        def forward(canvases: Ids, wanted: NDArray[np.bool_]) -> Proposal:
            last = np.full((len(canvases), 1), gap.prefix[-1], np.int64)
            with self.clock.measured("denoise"):
                rows = np.concatenate([last, canvases], axis=1)
                return self.model.denoise(rows, gap.position, context, wanted)

        return forward


def behind(critic: Critic, text: str) -> Critic:
    """A critic of what comes after `text`, which it does not doubt any more."""

    def doubts(rest: str) -> list[tuple[int, int]]:
        size = len(text)
        found = critic(text + rest)
        return [(max(start - size, 0), end - size) for start, end in found if end > size]

    return doubts


def starting_sizes(sizes: Sequence[int], options: FillOptions) -> Sequence[int]:
    """The canvas sizes to try in turn, each when no end is in sight on the one before.

    A model takes the size for a hint of how long the text is (`export/LOG.md`). So the first has
    room for what is likely, and 16 positions where the card has such a size; none is larger than
    the fill may become. A format has the largest one.
    """
    if options.format is not None:
        return sizes[-1:]
    last = len(sizes) - 1
    enough = next((i for i, size in enumerate(sizes) if size >= options.max_tokens), last)
    likely = next((i for i, size in enumerate(sizes) if size > options.likely_tokens), last)
    short = max((i for i, size in enumerate(sizes) if size <= SHORT), default=0)
    return sizes[min(max(likely, short), enough) : enough + 1]
