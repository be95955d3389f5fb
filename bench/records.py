"""What was measured, kept span by span, so that a run that is interrupted goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from export.evaluate import Score

from .spans import Made


@dataclass(frozen=True, slots=True)
class Record:
    """One fill of one span."""

    system: str
    variant: str
    state: str
    made: Made
    score: Score
    breaks: bool
    """The file parses worse with it than before: the critic doubts it."""
    peak_mb: float
    """Of the system's process, so far."""

    @classmethod
    def read(cls, content: dict[str, Any]) -> Record:
        made, score = Made(**content["made"]), Score(**content["score"])
        return cls(**{**content, "made": made, "score": score})


@dataclass(frozen=True, slots=True)
class Failure:
    """A fill that there is not."""

    system: str
    variant: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One span through every system in turn."""

    span: int
    """Its number in the set."""
    group: str
    """"line" or "lines": how far the span goes."""
    load: float
    """Average number of busy threads in the last minute, ours included."""
    records: tuple[Record, ...]
    failures: tuple[Failure, ...] = ()

    @classmethod
    def read(cls, content: dict[str, Any]) -> Visit:
        records = tuple(map(Record.read, content["records"]))
        failures = tuple(Failure(**failure) for failure in content["failures"])
        return cls(**{**content, "records": records, "failures": failures})


@dataclass
class Log:
    """A run's file of JSON lines: what it measures, then a line for each start and each visit."""

    path: Path
    plan: dict[str, Any]
    """What makes two runs comparable: set, models, variants."""
    starts: list[dict[str, Any]] = field(default_factory=list)
    """Machine, versions and what was missing, each time the command was started."""
    visits: list[Visit] = field(default_factory=list)

    @classmethod
    def opened(cls, path: Path, plan: dict[str, Any], *, fresh: bool = False) -> Log:
        """The log at `path` with what it holds; a new one if that was of another plan."""
        log = cls(path, plan)
        lines = [] if fresh or not path.exists() else list(_lines(path))
        if not lines or lines[0].get("plan") != plan:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"plan": plan}) + "\n", "utf-8")
            return log
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        for line in lines[1:]:
            if "start" in line:
                log.starts.append(line["start"])
            else:
                log.visits.append(Visit.read(line["visit"]))
        return log

    @property
    def visited(self) -> set[int]:
        """The spans that need no second visit."""
        return {visit.span for visit in self.visits}

    def begin(self, start: dict[str, Any]) -> None:
        """Notes that the command was started."""
        self.starts.append(start)
        self._append({"start": start})

    def add(self, visit: Visit) -> None:
        """Notes a finished visit."""
        self.visits.append(visit)
        self._append({"visit": asdict(visit)})

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; an interrupted write leaves half a line, which is dropped."""
    for line in path.read_text("utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
