"""Gaps in tokens -> the arrays of a batch, several gaps to a window.

A window's tokens are read once and serve as the prefix of all its gaps; each gap adds the few
tokens by which its own prefix differs, and its suffix. Layout of a context row of L places: [window
| tail and suffix of gap 0 | those of gap 1 | ...].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]

HIDDEN = -1e9
"""Bias of what may not be seen."""
TAIL = 2
"""Most tokens by which a gap's prefix may differ from its window's."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The sizes of a batch; every set of sizes is compiled once."""

    canvas: int
    windows: int
    gaps: int
    """Of each window."""
    window: int
    """Tokens of a window."""
    suffix: int
    """Most tokens of a suffix."""

    @property
    def places(self) -> int:
        """L: places of a context row."""
        return self.window + self.gaps * self.own

    @property
    def own(self) -> int:
        """E: places of a gap's own."""
        return TAIL + self.suffix


@dataclass(frozen=True, slots=True)
class Example:
    """One gap in tokens."""

    shared: int
    """Tokens of the prefix that are the window's."""
    tail: list[int]
    """The rest of the prefix."""
    suffix: list[int]
    middle: list[int]
    """The canvas as it should be: the middle, its end, end ids to the canvas's last place."""
    length: int
    """Places up to and with the end token; canvas + 1 when the middle goes on after the canvas."""


Window = tuple[list[int], list[Example]]
"""A window's tokens and its gaps."""


@dataclass(frozen=True)
class Batch:
    """Arrays of one training step; shapes as in `denoiser.py`, K gaps a window, C canvas places."""

    context_ids: Ids
    """[B, L]"""
    context_positions: Ids
    """[B, L]"""
    context_bias: NDArray[np.float32]
    """[B, K, E, W + E]: what a gap's own places see of the window and of each other."""
    before: Ids
    """[B, K]: the last prefix token of each gap."""
    positions: Ids
    """[B, K, 1 + C]"""
    window_bias: NDArray[np.float32]
    """[B, K, W]"""
    own_bias: NDArray[np.float32]
    """[B, K, E]"""
    middles: Ids
    """[B, K, C]"""
    lengths: Ids
    """[B, K]"""


@dataclass
class Row:
    """The context of one window under construction."""

    layout: Layout
    ids: Ids = field(init=False)
    positions: Ids = field(init=False)
    sees: Flags = field(init=False)
    """[L, L]: which places a place attends to."""

    def __post_init__(self) -> None:
        places = self.layout.places
        self.ids, self.positions = np.zeros((2, places), np.int64)
        self.sees = np.eye(places, dtype=bool)

    def put(self, tokens: list[int], at: int, position: int) -> slice:
        """Tokens at places `at` on, each seeing those before it, at positions `position` on."""
        where = slice(at, at + len(tokens))
        self.ids[where] = tokens
        self.positions[where] = position + np.arange(len(tokens))
        self.sees[where, where] = np.tri(len(tokens), dtype=bool)
        return where

    def put_gap(self, example: Example, index: int) -> tuple[int, Flags, Flags]:
        """A gap's tail and suffix.

        Gives its last prefix token and what it sees of window and own places.
        """
        layout, prefix = self.layout, example.shared + len(example.tail)
        start = layout.window + index * layout.own
        tail = self.put(example.tail, start, example.shared)
        self.sees[tail, : example.shared] = True
        suffix = self.put(example.suffix, start + TAIL, prefix + layout.canvas)
        visible = np.zeros(layout.places, bool)
        visible[: example.shared] = visible[tail] = visible[suffix] = True
        # The canvas holds the last prefix token itself: its copy in the context is hidden.
        last = tail.stop - 1 if example.tail else example.shared - 1
        visible[last] = False
        own = visible[start : start + layout.own]
        return int(self.ids[last]), visible[: layout.window], own

    def seen_by_gaps(self) -> Flags:
        """[K, E, W + E] what each gap's own places see of the window and of each other."""
        window, own = self.layout.window, self.layout.own
        gaps = [slice(start, start + own) for start in range(window, self.layout.places, own)]
        return np.stack([np.hstack([self.sees[g, :window], self.sees[g, g]]) for g in gaps])


def lay_out(layout: Layout, windows: list[Window]) -> Batch:
    """The arrays of a batch."""
    rows, gaps = [], []
    for tokens, examples in windows:
        row = Row(layout)
        row.put(tokens, 0, 0)
        gaps.append([row.put_gap(example, index) for index, example in enumerate(examples)])
        rows.append(row)
    examples_of = [examples for _, examples in windows]
    ends = np.array([[e.shared + len(e.tail) for e in found] for found in examples_of])
    return Batch(
        context_ids=np.stack([row.ids for row in rows]),
        context_positions=np.stack([row.positions for row in rows]),
        context_bias=_bias([row.seen_by_gaps() for row in rows]),
        before=np.array([[gap[0] for gap in found] for found in gaps]),
        positions=ends[..., None] - 1 + np.arange(layout.canvas + 1),
        window_bias=_bias([[gap[1] for gap in found] for found in gaps]),
        own_bias=_bias([[gap[2] for gap in found] for found in gaps]),
        middles=np.array([[e.middle for e in found] for found in examples_of]),
        lengths=np.array([[e.length for e in found] for found in examples_of]),
    )


def _bias(seen: list[Flags] | list[list[Flags]]) -> NDArray[np.float32]:
    return np.where(np.array(seen), np.float32(0), np.float32(HIDDEN))
