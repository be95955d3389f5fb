"""The gaps that every system is asked to fill, as they travel to it, and what comes back.

They are the first of `export.held_out`, the set of the model's card: one line and several, Python
and JavaScript, of packages that no training saw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine import FillOptions, Prompt
from export.held_out import HeldOut
from lsp_server.document import Document
from lsp_server.mending import least_indent
from lsp_server.spans import Span, choose

STATES = ("cold", "warm", "typed")
"""cold: the file was never seen. warm: all but the last TYPED characters before the gap are cached.
typed: it was filled one character ago, which has been typed since."""
TYPED = 8
"""Characters typed since the last request; about three tokens."""


@dataclass(frozen=True, slots=True)
class Task:
    """A gap without its solution, small enough for a pipe."""

    language: str
    text: str
    """The file without the middle."""
    start: int
    """Where the middle was, in code points."""

    @classmethod
    def of(cls, gap: HeldOut) -> Task:
        return cls(gap.language, gap.document.text, gap.span.start)

    def opened(self) -> Span:
        """The span that the server would fill, of the file as it would hold it."""
        document = Document.open("", self.language, 0, self.text)
        span = choose(document, self.start)
        assert isinstance(span, Span)
        return span


@dataclass(frozen=True, slots=True)
class Made:
    """What a system put into a gap, and what it took."""

    text: str
    tokens: int
    """Tokens made, the end among them where the system made one."""
    passes: int
    """Forward passes that made or checked them (NFE); reading the context is none."""
    seconds: float
    """From the prompt's text to the complete fill's text."""


def before_typing(prompt: Prompt) -> Prompt:
    """The prompt as it was TYPED characters ago, with another character where those are now.

    That one makes whoever remembers them forget them, so this leads to the same cache from any.
    """
    kept, typed = prompt.prefix[:-TYPED], prompt.prefix[-TYPED:]
    return Prompt(kept + ("~" if typed[:1] != "~" else "^"), prompt.suffix)


def key_before(prompt: Prompt) -> Prompt:
    """The prompt before its last character was typed."""
    return Prompt(prompt.prefix[:-1], prompt.suffix)


def within(span: Span, options: FillOptions) -> FillOptions:
    """The options with the span's limits, as the server sets them for Lacuna.

    All systems are held to them. A peer that sees no suffix would otherwise write on to its token
    limit, and no editor would wait for that.
    """
    return replace(
        options,
        max_tokens=span.max_tokens,
        stop_at_newline=span.stop_at_newline,
        least_indent=least_indent(span),
    )
