"""A window of code with gaps in it -> one row of training: everything that is read in one pass.

A row of ROW places is laid out as [window | suffix of gap 0, its canvases | those of gap 1 | ...].
The window is read once and serves as the prefix of all its gaps. What a place sees is told by four
numbers of each place (`Batch`), so a row needs no table of who sees whom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from .limits import CANVAS_SIZES, END_ID, MASK_ID

Ids = NDArray[np.int64]
Tokens = Sequence[int] | NDArray[np.uint16]

ROW = 1024
"""Places of a row."""
TARGETS = 576
"""Most places of a row that a token is predicted at."""
STARTS, DEEP = 96, 7
"""Most drafts of a row, and the tokens of each: what the drafter is trained on."""
GIVEN = (1, 1, 2, 3, 4)
"""Tokens that a draft before the first pass is given, the last prefix token the last of them."""
STEPS = DEEP + max(GIVEN) - 1
"""Most tokens that a drafter reads of a draft."""
OF_WINDOW, OF_GAP = 16, 6
"""Most drafts of a row that begin in its window, and on each canvas."""
READ, DRAFTED, TEXT = range(3)
"""Kinds of targets: on a canvas with nothing open, at open places of one, in the window."""
SHARES = {READ: 1.0, DRAFTED: 0.3, TEXT: 0.6}
"""Weight of each kind's mean loss."""
DRAFTED_CANVASES = 0.7
"""Share of gaps that also get a canvas with open places."""
LEFT = 0.85
"""Share of those with a closed left part; in the others closed places lie scattered."""
ALL_OPEN = 0.45
"""Share of those in which nothing is closed yet: the first step of every canvas."""
NARROW = 0.5
"""Share of those in which the canvas ends soon after the closed part, as its window does in use."""
SAME, NEAR, FADE = 0.2, 0.3, 6.0
"""Weight of an open place d places from known text: SAME if d is 0, else NEAR + (1 - NEAR)
exp(-d / FADE)."""
PADDING_WEIGHT = 0.1
"""Weight of an end after the first one."""


@dataclass(frozen=True, slots=True)
class Example:
    """One gap in tokens."""

    shared: int
    """Tokens of the prefix, all of them the window's."""
    middle: Tokens
    """The middle and its end, or the largest canvas's beginning of them."""
    suffix: Tokens


Window = tuple[Tokens, list[Example]]
"""A window's tokens and its gaps."""


@dataclass(frozen=True)
class Batch:
    """Arrays of one training step: B rows of ROW places, TARGETS predictions, STARTS drafts."""

    ids: Ids
    """[B, ROW]; MASK_ID where open."""
    positions: Ids
    """[B, ROW]"""
    part: Ids
    """[B, ROW]: which part of the row a place is of: 0 the window, -1 nothing, the others in turn.
    A place sees what is left of it in its part."""
    reach: Ids
    """[B, ROW]: how many places of the window it sees."""
    suffix: Ids
    """[B, ROW]: the part it sees besides, -2 where there is none."""
    is_open: Ids
    """[B, ROW]: 1 where it sees all of its part."""
    places: Ids
    """[B, TARGETS]: where a token is predicted."""
    targets: Ids
    """[B, TARGETS]: the token after it."""
    weights: NDArray[np.float32]
    """[B, TARGETS]: 0 where there is no target; the sum over a kind is its count."""
    kinds: Ids
    """[B, TARGETS]"""
    own: Ids
    """[B, STARTS, STEPS + 1]: the place whose features a draft begins with, then those of the true
    tokens after it; each tells what the model itself would write next. -1 where there is none."""
    given: Ids
    """[B, STARTS]: how many of those tokens are known before anything is drafted; 0 where the model
    chooses the first of them itself."""
    beside: Ids
    """[B, STARTS]: the suffix that a draft sees, as `suffix` has it."""


class Row:
    """One row under construction."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.ids, self.positions, self.reach, self.is_open = np.zeros((4, ROW), np.int64)
        self.part = np.full(ROW, -1)
        self.suffix = np.full(ROW, -2)
        self.filled = self.parts = 0
        self.targets: list[tuple[int, int, float, int]] = []
        self.drafts: list[tuple[list[int], int, int]] = []

    def fill(self, window: Window) -> None:
        """Lays out a window and as many of its gaps as there is room for."""
        tokens, examples = window
        size = len(tokens)
        self._put(tokens, 0)
        self.reach[:size] = np.arange(1, size + 1)
        self.targets += [(i, int(tokens[i + 1]), 1.0, TEXT) for i in range(size - 1)]
        inner = range(size - 2)
        for start in self.rng.sample(inner, min(OF_WINDOW, len(inner))):
            self.drafts.append((list(range(start, min(size - 1, start + DEEP + 1))), 0, -2))
        for example in examples:
            self._gap(example)

    def _put(self, tokens: Tokens, position: int) -> slice:
        where = slice(self.filled, self.filled + len(tokens))
        self.ids[where] = tokens
        self.positions[where] = position + np.arange(len(tokens))
        self.part[where] = self.parts
        self.filled, self.parts = where.stop, self.parts + 1
        return where

    def _gap(self, example: Example) -> None:
        middle = [int(token) for token in example.middle]
        length = len(middle)
        fits = [size for size in CANVAS_SIZES if size >= length] or [CANVAS_SIZES[-1]]
        canvas = fits[0] if self.rng.random() < 0.8 else self.rng.choice(CANVAS_SIZES)
        middle = middle[:canvas]
        drafted = self.rng.random() < DRAFTED_CANVASES
        needed = len(example.suffix) + len(middle) + 1 + (drafted and canvas + 1)
        if self.filled + needed > ROW or not middle:
            return
        suffix = self.parts
        self._put(example.suffix, example.shared + canvas)
        read = self._canvas(example, middle, suffix)
        for place, token in enumerate(middle, read):
            self.targets.append((place, token, 1.0, READ))
        own = list(range(read, read + len(middle)))
        for start in self.rng.sample(range(len(middle)), min(OF_GAP, len(middle))):
            self.drafts.append((own[start:][: DEEP + 1], 0, suffix))
        given = min(self.rng.choice(GIVEN), example.shared - 1)
        if given:
            before = range(example.shared - 1 - given, example.shared - 1)
            self.drafts.append(([*before, *own[:DEEP]], given, suffix))
        if drafted:
            self._drafted(example, middle, suffix, canvas)

    def _canvas(self, example: Example, tokens: Sequence[int], suffix: int) -> int:
        """The last prefix token and a canvas after it; gives the place of the former."""
        last = example.shared - 1
        where = self._put([int(self.ids[last]), *tokens], last)
        self.reach[where] = last
        self.suffix[where] = suffix
        return where.start

    def _drafted(self, example: Example, middle: list[int], suffix: int, canvas: int) -> None:
        """A canvas with open places: what is right of a closed left part, or scattered ones."""
        rng, length = self.rng, len(middle)
        padded = middle + [END_ID] * (canvas - length)
        if rng.random() < LEFT:
            left = 0 if rng.random() < ALL_OPEN else rng.randrange(length)
            width = rng.randint(1, canvas - left) if rng.random() < NARROW else canvas - left
            is_open = [place >= left for place in range(left + width)]
        else:
            rate = rng.random()
            is_open = [rng.random() >= rate for _ in range(canvas)]
            is_open[length:] = [is_open[length - 1]] * (canvas - length)
        shown = [MASK_ID if o else t for o, t in zip(is_open, padded, strict=False)]
        start = self._canvas(example, shown, suffix)
        self.is_open[start + 1 : start + 1 + len(is_open)] = is_open
        distance = 0
        for place, (o, token) in enumerate(zip(is_open, padded, strict=False)):
            if o:
                near = NEAR + (1 - NEAR) * math.exp(-distance / FADE) if distance else SAME
                weight = near if place < length else near * PADDING_WEIGHT
                self.targets.append((start + place, token, weight, DRAFTED))
            distance = distance + 1 if o else 0


def lay_out(windows: list[Window], rng: Random) -> Batch:
    """The arrays of a batch."""
    rows = []
    for window in windows:
        row = Row(rng)
        row.fill(window)
        rows.append(row)
    targets = [_targets(row) for row in rows]
    drafts = [_drafts(row) for row in rows]
    kinds = [np.stack(column) for column in zip(*targets, strict=True)]
    drafted = [np.stack(column) for column in zip(*drafts, strict=True)]
    shown = ("ids", "positions", "part", "reach", "suffix", "is_open")
    return Batch(
        *(np.stack([getattr(row, name) for row in rows]) for name in shown), *kinds, *drafted
    )


def _targets(row: Row) -> tuple[Ids, Ids, NDArray[np.float32], Ids]:
    """Of too many, those in the window are left out by chance."""
    found = row.targets
    if len(found) > TARGETS:
        text = [t for t in found if t[3] == TEXT]
        others = [t for t in found if t[3] != TEXT][:TARGETS]
        found = others + row.rng.sample(text, min(len(text), TARGETS - len(others)))
    found = found + [(0, 0, 0.0, TEXT)] * (TARGETS - len(found))
    places, tokens, weights, kinds = zip(*found, strict=True)
    return np.array(places), np.array(tokens), np.array(weights, np.float32), np.array(kinds)


def _drafts(row: Row) -> tuple[Ids, Ids, Ids]:
    """Those of gaps first, which come last."""
    own, (given, beside) = np.full((STARTS, STEPS + 1), -1), np.zeros((2, STARTS), np.int64)
    for index, (places, known, suffix) in enumerate(row.drafts[::-1][:STARTS]):
        own[index, : len(places)], given[index], beside[index] = places, known, suffix
    return own, given, beside
