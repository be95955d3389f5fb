"""The way of a gap: span -> prompt -> fills -> edits. All that fills goes this way.

It knows no LSP and no tensor; where the span comes from (`spans.choose`, `spans.choose_lines`) and
what becomes of the edits is the caller's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from engine import Engine, Fill, FillOptions
from engine.engine import never
from engine.prompt import Cancelled, Finish, Mode, OnStep
from lsp_server.change import Edit
from lsp_server.critic import critic_of
from lsp_server.edits import BREAKS_SYNTAX, REPEATS_ITSELF, verbatim
from lsp_server.mending import least_indent, line_below
from lsp_server.nothing import Nothing
from lsp_server.pieces import shown_edit
from lsp_server.prompt import prompt_for
from lsp_server.spans import Span, SpanKind

_OVER_AND_OVER = re.compile(r"(.{1,24}?)\1{5,}\s*\Z", re.DOTALL)
CHARACTERS_PER_TOKEN = 3
"""Of code, about."""
SECOND_TRY = 3
"""Candidates that are asked for when fewer gave nothing because of their syntax, unless what was
sure leaves no other one as sure.

A fill that is empty, or what follows anyway, is the model's way to say that nothing is missing.
"""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A fill that may be shown, as an edit of its span's document."""

    edit: Edit
    span: Span
    fill: Fill

    @property
    def reach(self) -> tuple[int, int]:
        """The code points that change: the gap, and what the edit replaces beyond it."""
        return min(self.edit.start, self.span.start), max(self.edit.end, self.span.end)

    @property
    def text(self) -> str:
        """What stands in its reach once it is in the document; for whole lines all of them."""
        return self.edit.within(self.span.document.text, *self.reach)


Found = tuple[Suggestion, ...] | Nothing


def infill(
    span: Span,
    engine: Engine,
    options: FillOptions,
    *,
    related: str = "",
    cancelled: Cancelled = never,
    on_step: OnStep | None = None,
) -> Found:
    """At most `options.candidates` suggestions for a span, best first, or why there are none.

    A fill is at most `options.max_tokens` long, and at most as long as the span allows; as much of
    it is suggested as has a probability of `options.least_probability`. One that is held to a
    format is whole, not mended, and as long as that allows. `related` are lines of other files
    (related.py). Raises what `Engine.fill` raises: CancelledError, PromptError, EngineFailedError.
    """
    prompt, critic = prompt_for(span, related), critic_of(span)

    def judge(fill: Fill) -> Edit | Nothing:
        if options.format is not None:
            return verbatim(span, fill.text)
        if is_stuck(fill):
            return REPEATS_ITSELF
        return shown_edit(span, fill, options.least_probability)

    rejected: list[Nothing] = []
    for wanted in _within(span, options):
        fills = engine.fill(prompt, wanted, cancelled=cancelled, on_step=on_step, critic=critic)
        judged = [(judge(fill), fill) for fill in fills]
        if shown := [Suggestion(e, span, fill) for e, fill in judged if isinstance(e, Edit)]:
            return _distinct(shown)[: options.candidates]
        rejected += [edit for edit, _ in judged if isinstance(edit, Nothing)]
        if BREAKS_SYNTAX not in rejected:
            break
    return rejected[0]


def is_stuck(fill: Fill) -> bool:
    """Whether a fill never came to an end because it says one thing over and over."""
    return fill.finish is Finish.LENGTH and _OVER_AND_OVER.search(fill.text) is not None


def _within(span: Span, options: FillOptions) -> list[FillOptions]:
    """The options for the first and for a second try."""
    first = options
    if options.format is None:
        first = replace(
            options,
            max_tokens=min(options.max_tokens, span.max_tokens),
            likely_tokens=(span.end - span.start) // CHARACTERS_PER_TOKEN,
            stop_at_newline=options.stop_at_newline or span.stop_at_newline,
        )
    if options.mode is not Mode.DIFFUSION or span.kind is SpanKind.BLOCK:
        # The base does not see what follows, and a block may go on for long: both are told where
        # to stop.
        first = replace(
            first,
            least_indent=least_indent(span),
            stop_line=line_below(span),
        )
    if options.candidates >= SECOND_TRY or options.least_probability > 0.5:
        return [first]
    return [first, replace(first, candidates=SECOND_TRY)]


def _distinct(suggestions: list[Suggestion]) -> tuple[Suggestion, ...]:
    """Without those whose edit an earlier one makes already; mending makes fills equal."""
    first = {suggestion.edit: suggestion for suggestion in reversed(suggestions)}
    return tuple(s for s in suggestions if first[s.edit] is s)
