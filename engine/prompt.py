"""What is asked of the engine and what it answers: plain data, no policy.

The engine knows nothing of editors: a prompt is text before and after one gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .certainty import Beginning, sure
from .choose import Policy
from .errors import PromptError
from .formats import Format


@dataclass(frozen=True, slots=True)
class Prompt:
    """One gap: the text before it (prefix) and after it (suffix), in full or already cut.

    The engine keeps the end of the prefix, the start of the suffix and the last related lines that
    fit the model's limits.
    """

    prefix: str
    suffix: str = ""
    related: str = ""
    """Lines from elsewhere that are like those around the gap; they are read before the prefix."""


class Mode(StrEnum):
    """How a gap is filled."""

    DIFFUSION = "diffusion"
    """By the denoiser, which sees both sides of the gap."""
    LEFT_TO_RIGHT = "left-to-right"
    """By the base (base.py), token by token; it sees the prefix only."""
    VERIFIED = "verified"
    """Drafted by the denoiser, checked by the base; see verify.py for what that guarantees."""


@dataclass(frozen=True, slots=True)
class FillOptions:
    """How to fill. Every field has a default that suits typing in an editor."""

    mode: Mode = Mode.DIFFUSION
    """What writes the fill; what is said below of canvases and steps is for denoising."""
    max_tokens: int = 96
    """Most tokens of one fill, over all canvases. Those that spell what was taken back do not
    count, unless the fill is held to a format."""
    likely_tokens: int = 0
    """About how many the fill will have, which chooses its first canvas; 0: nothing is known."""
    steps: int | None = None
    """Denoising steps allowed for one canvas, those of repairs not counted; None: as many as it
    needs."""
    policy: Policy = Policy.SELF_CHECK
    """How a step chooses what it commits; see choose.py."""
    threshold: float = 0.05
    """A draft is put forward for the next step to check as long as it is right with this
    probability. Under the policies threshold and stable what reaches it is committed; a good choice
    there is 0.9."""
    top_k: int = 4
    """Positions that a step commits under the policy top-k."""
    entropy: float = 0.35
    """Nats that a step may risk under the policy entropy."""
    remask: float = 0.0
    """A committed token whose probability falls below this is masked again; 0: never."""
    repair: int = 3
    """How often what a critic doubts is masked and denoised again."""
    temperature: float = 0.0
    """0 is greedy; above 0 tokens are sampled."""
    seed: int = 0
    """Seed of the sampling; the same seed gives the same fill on a fresh engine. What it has read
    before may round otherwise."""
    candidates: int = 1
    """How many different fills to return at most; each takes passes of its own."""
    stop_at_newline: bool = False
    """The fill is one line: it ends before its first line break."""
    format: Format | None = None
    """What the whole text must be; it is written on one canvas, by the denoiser alone."""
    least_indent: int = 0
    """Columns: a line indented by fewer ends the fill, before it or, if it begins with a closing
    bracket, with it."""
    stop_line: str = ""
    """A line, its indentation included, before which the fill ends; empty: none."""
    least_probability: float = 0.0
    """The denoiser stops where what it has written is less probable."""
    agreement: float = 0.01
    """In verified mode: how probable a drafted token must be for the base, as a share of what the
    base's most probable one is; at 1 only that one is kept."""
    redrafts: int = 2
    """In verified mode: how often what follows the first doubted token is drafted again before the
    base writes it."""

    def check(self) -> None:
        """Raises PromptError naming the first option that is out of its range."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise PromptError(f"{name} is {value}; it must be at least {least}")
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise PromptError(f"{name} is {getattr(self, name)}; it must be from 0 to 1")
        if self.format is not None and self.mode is not Mode.DIFFUSION:
            raise PromptError(f"mode {self.mode} cannot hold a fill to a format; diffusion can")


_LEAST = {
    "repair": 0,
    "max_tokens": 1,
    "likely_tokens": 0,
    "steps": 1,
    "candidates": 1,
    "seed": 0,
    "top_k": 1,
    "temperature": 0.0,
    "entropy": 0.0,
    "least_indent": 0,
    "redrafts": 0,
}
"""The smallest value an option may have."""
_SHARES = ("threshold", "remask", "agreement", "least_probability")
"""Options from 0 to 1."""


class Finish(StrEnum):
    """Why a fill ended."""

    END = "end"
    """The model ended the text with its end token."""
    NEWLINE = "newline"
    """A line break ended a fill that was to be one line."""
    DEDENT = "dedent"
    """A line left the block that was to be filled."""
    SUFFIX = "suffix"
    """The next line would have been the one that follows the gap."""
    LENGTH = "length"
    """max_tokens was reached first."""
    UNSURE = "unsure"
    """It became less probable than least_probability."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one request went, in ms."""

    tokenize: float = 0.0
    context: float = 0.0
    denoise: float = 0.0
    base: float = 0.0
    """The base over the fills: writing or checking them."""
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Fill:
    """One way to fill the gap."""

    text: str
    tokens: int
    """Tokens committed for the text, its end token included when the model placed one, and those
    that were cut off where the text ends before them."""
    steps: int
    """Forward passes that wrote it (NFE): over every canvas, and one for each token of the base."""
    finish: Finish
    mean_log_prob: float
    """Mean natural-log probability of the tokens when they were committed."""
    checks: int = 0
    """Forward passes of the base that read it to verify it; NFE too."""
    base_log_prob: float | None = None
    """Mean natural-log probability of the text's tokens for the base after the prefix alone, given
    what was typed; None where the base did not read it."""
    beginnings: tuple[Beginning, ...] = ()
    """Of the text, shortest first; the last is all of it, with its end. See certainty.py."""
    timings: Timings = field(default=Timings(), compare=False)
    was_watched: bool = field(default=False, compare=False)
    """Whether the steps that `on_step` saw wrote this text."""

    @property
    def probability(self) -> float:
        """Of the whole text, as the tokens had it when they were committed."""
        return self.beginnings[-1].probability if self.beginnings else 1.0

    @property
    def has_ended(self) -> bool:
        """Whether the text ends where it does because there is no more of it."""
        return self.finish not in (Finish.LENGTH, Finish.UNSURE)

    def sure(self, least: float) -> Iterator[str]:
        """Beginnings of the text that have at least this probability; see certainty.sure."""
        return sure(self.text, self.beginnings, least, has_ended=self.has_ended)


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
    """0 for the first canvas of the fill, 1 for the next ...; 0 again where a step shows the fill
    from its start, as the base writes or checks it."""
    index: int
    """0-based step within the whole fill."""
    cells: tuple[Cell, ...]
    ms: float
    """Of the passes of all candidates; the first one's includes reading the context."""


OnStep = Callable[[Step], None]
Cancelled = Callable[[], bool]
Critic = Callable[[str], Sequence[tuple[int, int]]]
"""The text of a fill -> the code points start..end of it that are in doubt, one past its end where
it should go on; none if it is fine."""
