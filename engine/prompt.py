"""What is asked of the engine and what it answers: plain data, no policy.

The engine knows nothing of editors: a prompt is text before and after one gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .choose import Policy


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text of another file that may help; it is placed before the prefix."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One gap: the text before it (prefix) and after it (suffix), in full or already cut.

    The engine keeps the end of the prefix and the start of the suffix that fit the model's limits.
    """

    prefix: str
    suffix: str = ""
    snippets: tuple[Snippet, ...] = ()


@dataclass(frozen=True, slots=True)
class FillOptions:
    """How to fill. Every field has a default that suits typing in an editor."""

    max_tokens: int = 96
    """Most tokens of one fill, over all canvases."""
    steps: int | None = None
    """Denoising steps allowed for one canvas; None: as many as the threshold needs."""
    policy: Policy = Policy.THRESHOLD
    """How a step chooses what it commits; see choose.py."""
    threshold: float = 0.9
    """Positions whose most probable token reaches this probability are committed together."""
    top_k: int = 4
    """Positions that a step commits under the policy top-k."""
    entropy: float = 0.35
    """Nats that a step may risk under the policy entropy."""
    remask: float = 0.0
    """A committed token whose probability falls below this is masked again; 0: never."""
    repair: int = 2
    """How often what a critic doubts is masked and denoised again."""
    temperature: float = 0.0
    """0 is greedy; above 0 tokens are sampled."""
    seed: int = 0
    """Seed of the sampling; the same seed gives the same fill."""
    candidates: int = 1
    """How many different fills to return at most; they run as one batch."""
    stop_at_newline: bool = False
    """The fill is one line: it ends before its first line break."""


class Finish(StrEnum):
    """Why a fill ended."""

    END = "end"
    """The model closed the gap with its end token."""
    NEWLINE = "newline"
    """A line break ended a fill that was to be one line."""
    LENGTH = "length"
    """max_tokens was reached first."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one request went, in ms."""

    tokenize: float = 0.0
    context: float = 0.0
    denoise: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Fill:
    """One way to fill the gap."""

    text: str
    tokens: int
    """Committed tokens of the text, its end token included when the model placed one."""
    steps: int
    """Forward passes over the canvas (NFE), those of every canvas added up."""
    finish: Finish
    mean_log_prob: float
    """Mean natural-log probability of the tokens when they were committed; ranks candidates."""
    timings: Timings = field(default=Timings(), compare=False)


@dataclass(frozen=True, slots=True)
class Cell:
    """One canvas position as a person sees it after a step."""

    text: str
    """The committed token's text, the present guess if it is still masked, "" after the end."""
    state: str
    """"masked", "new" (committed at this step), "committed", "remasked" or "end"."""
    probability: float


@dataclass(frozen=True, slots=True)
class Step:
    """The canvas after one denoising step of the first candidate."""

    canvas: int
    """0 for the first canvas of the fill, 1 for the next ..."""
    index: int
    """0-based step within the whole fill."""
    cells: tuple[Cell, ...]
    ms: float


OnStep = Callable[[Step], None]
Cancelled = Callable[[], bool]
Critic = Callable[[str], Sequence[tuple[int, int]]]
"""The text of a fill -> the code points start..end of it that are in doubt; none if it is fine."""
