"""What the server tells of itself: a state for the status bar, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What the server is doing."""

    LOADING = "loading"
    READY = "ready"
    COMPUTING = "computing"
    OFF = "off"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Status:
    """A state with a sentence for people; for an error: what happened and what to do."""

    state: State
    message: str
    latency_ms: float | None = None
    """From request to reply, of the last suggestion."""
    model: str | None = None
    provider: str | None = None


@dataclass(slots=True)
class Counts:
    """What became of the requests since the server started."""

    requested: int = 0
    shown: int = 0
    accepted: int = 0
    partially_accepted: int = 0
    cancelled: int = 0
    """Superseded, cancelled by the editor, or stale when the answer was there."""
    nothing: int = 0
    """Answered with no suggestion, for a reason."""
