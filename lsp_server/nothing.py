"""Why there is nothing to suggest: what each step of a gap's way may give instead of going on.

The reasons stand where they are given; docs/protocol.md has all of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to suggest. Not an error."""

    reason: str
    """A stable name."""
    detail: str
    """A sentence for people."""
