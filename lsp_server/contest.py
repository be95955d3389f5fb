"""Who competes, what each made of a gap, and how the votes stand. Pure: no engine, no page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import comb
from statistics import median
from typing import Any

from engine import Mode
from lsp_server.change import Edit
from lsp_server.gaps import Gap
from lsp_server.settings import Settings, keys, read_settings
from lsp_server.source_file import InputError

Z = 1.96
"""Standard deviations of a normal distribution that hold 95 % of it."""
EVIDENCE = 20
"""So many times likelier than by chance are votes that are not put down to it."""
_NO_SAY = ("enabled", "candidates")
"""Settings that change nothing about one suggestion that is asked for."""
_ASKED_FOR = {"minProbability": 0}
"""What is asked for is shown whatever it is, unless a contestant has it otherwise."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way of filling."""

    name: str
    """A or B."""
    description: str
    """The settings given for it, as key=value."""
    settings: Settings


Pair = tuple[Contestant, Contestant]


def contestants(a: Sequence[str], b: Sequence[str]) -> Pair:
    """The two that settings as KEY=VALUE describe; with none at all diffusion and left-to-right.

    Raises InputError for what is no setting, has a bad value, or tells no difference.
    """
    if not a and not b:
        a, b = [f"mode={Mode.DIFFUSION}"], [f"mode={Mode.LEFT_TO_RIGHT}"]
    first, second = _contestant("A", a), _contestant("B", b)
    if first.settings == second.settings:
        raise InputError("--a and --b are the same settings; there is nothing to compare")
    return first, second


def _contestant(name: str, given: Sequence[str]) -> Contestant:
    option = f"--{name.lower()}"
    values = dict(_value(option, text) for text in given)
    settings, problems = read_settings(_ASKED_FOR | values)
    if problems:
        raise InputError(f"{option}: {problems[0].complaint}")
    return Contestant(name, ", ".join(given) or "as shipped", settings)


def _value(option: str, text: str) -> tuple[str, Any]:
    """KEY=VALUE, the value as JSON or else as the text it is."""
    key, separator, value = text.partition("=")
    known = [known for known in keys() if known not in _NO_SAY]
    if not separator:
        raise InputError(f"{option} {text}: is not KEY=VALUE, such as mode=verified")
    if key not in known:
        raise InputError(f"{option} {text}: {key!r} is none of {', '.join(known)}")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):
        return key, value


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a contestant made of a gap."""

    edit: Edit | None = field(repr=False)
    """None: it suggests nothing."""
    why: str = ""
    """There is no edit, as a sentence for people."""
    probability: float = 0.0
    """Of the fill, as the model has it."""
    ms: float = 0.0
    """From the question to the answer, with the code around the gap read before."""

    def filled(self, text: str) -> str | None:
        """The text with the suggestion in it; None when there is none."""
        return None if self.edit is None else self.edit.applied(text)


class Vote(StrEnum):
    """What somebody says who does not know which is whose."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"
    """Both are equally good."""
    BAD = "bad"
    """Neither is any good."""


class Verdict(StrEnum):
    """What became of a round."""

    A = "A"
    B = "B"
    TIE = "tie"
    BAD = "bad"
    SAME = "same"
    """Both suggest the same, so nobody was asked."""


@dataclass(frozen=True, slots=True)
class Round:
    """One gap, and what both made of it."""

    number: int
    gap: Gap
    attempts: tuple[Attempt, Attempt]
    """A's and B's."""
    order: tuple[int, int]
    """Which of them is shown as the first and which as the second: 0 for A, 1 for B."""

    @property
    def texts(self) -> tuple[str | None, str | None]:
        """The whole file as A and as B would have it."""
        text = self.gap.document.text
        return self.attempts[0].filled(text), self.attempts[1].filled(text)

    @property
    def is_same(self) -> bool:
        """Whether there is nothing to choose between."""
        return self.texts[0] == self.texts[1]

    @property
    def exact(self) -> tuple[bool, bool]:
        """Whether A and B wrote what really stood there."""
        whole = self.gap.whole
        return self.texts[0] == whole, self.texts[1] == whole

    def verdict(self, vote: Vote) -> Verdict:
        """What a vote means to those who compete."""
        if vote in (Vote.TIE, Vote.BAD):
            return Verdict(vote.value)
        return (Verdict.A, Verdict.B)[self.order[vote is Vote.SECOND]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of a round: no code."""

    verdict: Verdict
    exact: tuple[bool, bool]
    ms: tuple[float, float]

    @classmethod
    def of(cls, round_: Round, verdict: Verdict) -> Outcome:
        first, second = round_.attempts
        return cls(verdict, round_.exact, (first.ms, second.ms))


@dataclass(frozen=True, slots=True)
class Standing:
    """How two contestants stand after some rounds. Pairs are A's and B's."""

    names: tuple[str, str]
    wins: tuple[int, int]
    ties: int
    bad: int
    same: int
    exact: tuple[int, int]
    """Rounds, those with the same suggestions among them, in which it wrote what stood there."""
    ms: tuple[float, float]
    """Medians over the same rounds; 0 where there are none."""

    @classmethod
    def of(cls, pair: Pair, outcomes: Sequence[Outcome]) -> Standing:
        count = Counter(outcome.verdict for outcome in outcomes)
        return cls(
            (f"A ({pair[0].description})", f"B ({pair[1].description})"),
            (count[Verdict.A], count[Verdict.B]),
            count[Verdict.TIE],
            count[Verdict.BAD],
            count[Verdict.SAME],
            (sum(one.exact[0] for one in outcomes), sum(one.exact[1] for one in outcomes)),
            (_median([one.ms[0] for one in outcomes]), _median([one.ms[1] for one in outcomes])),
        )

    @property
    def decided(self) -> int:
        """Votes for one of the two."""
        return sum(self.wins)

    @property
    def rounds(self) -> int:
        """All of them, voted on or not."""
        return self.decided + self.ties + self.bad + self.same

    @property
    def share(self) -> float | None:
        """A's share of the decided votes."""
        return self.wins[0] / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where A's share may well be in truth: 95 %."""
        return wilson(self.wins[0], self.decided) if self.decided else (0.0, 1.0)

    @property
    def verdict(self) -> str:
        """What the decided votes tell, as a sentence or two."""
        if not self.decided:
            return "No vote has been for one of the two yet."
        low, high = self.interval
        percent = 100 * self.wins[0] / self.decided
        votes = "1 decided vote" if self.decided == 1 else f"{self.decided} decided votes"
        told = (
            f"A has {self.wins[0]} of {votes}: {percent:.0f} %, "
            f"95 % interval {100 * low:.0f} to {100 * high:.0f} for a number of votes fixed before."
        )
        if not is_beyond_chance(self.wins[0], self.decided):
            return f"{told} That may still be chance."
        liked = "A" if self.wins[0] > self.wins[1] else "B"
        return (
            f"{told} Chance alone would seldom do that, however often one looks: "
            f"{liked} is better liked."
        )

    @property
    def counts(self) -> str:
        """The rounds that were decided for neither, as a sentence."""
        rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
        return (
            f"{rounds}: {self.decided} decided, {self.ties} equally good, {self.bad} both bad, "
            f"{self.same} with the same suggestion from both, which nobody was asked about."
        )


def _median(values: Sequence[float]) -> float:
    return median(values) if values else 0.0


def is_beyond_chance(hits: int, count: int) -> bool:
    """Whether votes are EVIDENCE times likelier than by a fair coin, where any share is as likely
    as any other: 2^n h! (n - h)! / (n + 1)! times.

    With a fair coin that ever becomes true, however long one goes on and looks, in one contest of
    EVIDENCE at most: Ville, "Étude critique de la notion de collectif" (1939); see Ramdas et al.,
    "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38 (2023).
    """
    return 1 << count >= EVIDENCE * (count + 1) * comb(count, hits)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of at least one: Wilson, "Probable inference, the law of
    succession, and statistical inference", JASA 22 (1927)."""
    rate, shrink = hits / count, 1 + Z**2 / count
    middle = (rate + Z**2 / (2 * count)) / shrink
    half = Z / shrink * (rate * (1 - rate) / count + Z**2 / (4 * count**2)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)
