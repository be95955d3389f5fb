"""Two contestants at work, and the votes on what they made.

The rounds are made on one thread, one ahead of the one that is looked at; votes come on others.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from errno import ENOSPC
from random import Random
from threading import Condition
from typing import BinaryIO

from engine import Engine
from lsp_server.contest import Attempt, Contestant, Outcome, Pair, Round, Standing, Verdict, Vote
from lsp_server.gaps import Gap
from lsp_server.host import open_engine
from lsp_server.infill import infill
from lsp_server.nothing import Nothing
from lsp_server.prompt import prompt_for
from lsp_server.related import Related
from lsp_server.settings import Settings
from lsp_server.spans import choose

WAITING = 2
"""Rounds that are made before somebody votes: the one that is looked at and the next."""
_WAKE_S = 0.5
"""Where a wait cannot be interrupted it ends by itself so often."""
LOADING, FILLING = "Loading the model ...", "Filling ..."
OVER = "There is no other line to take something from."


class Duel:
    """The rounds that wait to be voted on, and what became of the others. Thread-safe."""

    def __init__(self, pair: Pair, ledger: BinaryIO | None = None) -> None:
        self.pair = pair
        self._ledger = ledger
        """Where each vote is noted as well."""
        self._changed = Condition()
        self._rounds: deque[Round] = deque()
        self._outcomes: list[Outcome] = []
        self._doing = ""

    @property
    def doing(self) -> str:
        """What somebody who sees no round is waiting for."""
        with self._changed:
            return self._doing

    @property
    def round(self) -> Round | None:
        """The one to vote on; None while it is being made, and at the end."""
        with self._changed:
            return self._rounds[0] if self._rounds else None

    @property
    def standing(self) -> Standing:
        with self._changed:
            return Standing.of(self.pair, self._outcomes)

    def vote(self, number: int, vote: Vote) -> Round | None:
        """Takes a vote and returns the round; None when that is not the one to vote on.

        Raises OSError when the vote cannot be noted in the user's file; it does not count then.
        """
        with self._changed:
            if not self._rounds or self._rounds[0].number != number:
                return None
            round_ = self._rounds[0]
            verdict = round_.verdict(vote)
            if self._ledger:
                _add(self._ledger, _line(self.pair, round_, verdict))
            self._rounds.popleft()
            self._outcomes.append(Outcome.of(round_, verdict))
            self._changed.notify_all()
            return round_

    def play(self, found: Iterable[Gap], rng: Random) -> None:
        """Makes rounds as they are used up, for ever: only an interruption ends it.

        Raises what opening an engine and filling with it raise.
        """
        self._do(LOADING)
        players = _players(self.pair)
        number = 1
        for gap in found:
            self._wait(WAITING)
            self._do(FILLING)
            round_ = _round(number, gap, players, order=rng.choice([(0, 1), (1, 0)]))
            with self._changed:
                if round_.is_same:
                    self._outcomes.append(Outcome.of(round_, Verdict.SAME))
                else:
                    self._rounds.append(round_)
                    number += 1
        self._do(OVER)
        self._wait(0)

    def _do(self, doing: str) -> None:
        with self._changed:
            self._doing = doing

    def _wait(self, most: int) -> None:
        """Until fewer rounds wait; for none the wait has no end."""
        with self._changed:
            while len(self._rounds) >= most:
                self._changed.wait(_WAKE_S)


class Player:
    """A contestant at work."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._related = Related.by(settings)

    def attempt(self, gap: Gap) -> Attempt:
        """Fills a gap as an editor's server would for somebody who asks.

        What the engine knows of other texts is forgotten, and what stands around the gap is read
        before the time is taken: the other contestant may have the same engine.
        """
        settings, document = self._settings, gap.document
        span = choose(document, gap.start, multiline=settings.multiline == "auto")
        if isinstance(span, Nothing):
            return Attempt(None, span.detail)
        related = self._related.lines(document, gap.start, gap.start)
        self._engine.forget()
        self._engine.read(prompt_for(span, related))
        options = replace(settings.fill_options, least_probability=settings.min_probability)
        started = time.perf_counter()
        found = infill(span, self._engine, options, related=related)
        ms = 1e3 * (time.perf_counter() - started)
        if isinstance(found, Nothing):
            return Attempt(None, found.detail, ms=ms)
        return Attempt(found[0].edit, probability=found[0].fill.probability, ms=ms)


def _players(pair: Pair) -> tuple[Player, Player]:
    """Both, with one engine where they need no other."""
    first, second = (each.settings for each in pair)
    engine = open_engine(first)
    other = open_engine(second) if second.needs_other_engine(first) else engine
    return Player(first, engine), Player(second, other)


def _round(number: int, gap: Gap, players: tuple[Player, Player], order: tuple[int, int]) -> Round:
    """Both at one gap, the one that is shown first before the other."""
    made = {who: players[who].attempt(gap) for who in order}
    return Round(number, gap, (made[0], made[1]), order)


def _add(ledger: BinaryIO, line: bytes) -> None:
    """Adds a line to a file without a buffer: all of it or, with an OSError, nothing."""
    written = ledger.write(line)
    if written < len(line):  # so much fitted on the disk
        ledger.truncate(ledger.tell() - written)
        raise OSError(ENOSPC, os.strerror(ENOSPC))


def _line(pair: Pair, round_: Round, verdict: Verdict) -> bytes:
    """A vote as one line of JSON, without any code."""
    line, column = round_.gap.place
    facts = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": round_.gap.file,
        "line": line,
        "column": column,
        "gap": "body" if round_.gap.is_body else "line",
        "vote": verdict,
        "first": pair[round_.order[0]].name,
    } | {
        each.name: _facts(each, round_.attempts[who], exact=round_.exact[who])
        for who, each in enumerate(pair)
    }
    return json.dumps(facts).encode() + b"\n"


def _facts(contestant: Contestant, attempt: Attempt, *, exact: bool) -> dict[str, object]:
    return {
        "settings": contestant.description,
        "exact": exact,
        "nothing": attempt.edit is None,
        "probability": round(attempt.probability, 4),
        "ms": round(attempt.ms, 1),
    }
