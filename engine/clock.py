"""Where the time of one request goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .prompt import Timings


@dataclass
class Clock:
    """Adds up the stages of one request; starts when it is made."""

    start: float = field(default_factory=time.perf_counter)
    stages: dict[str, float] = field(default_factory=dict)
    """Stage -> ms so far."""

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Adds the time spent inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - start) * 1e3
            self.stages[stage] = self.stages.get(stage, 0.0) + spent

    def timings(self) -> Timings:
        """All stages, and the whole since the start."""
        return Timings(**self.stages, total=(time.perf_counter() - self.start) * 1e3)
