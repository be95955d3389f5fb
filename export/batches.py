"""Training batches: windows of code with several gaps each, laid out for `denoiser.py`.

A window's tokens are read once and serve as the prefix of all its gaps; each gap adds the few
tokens by which its own prefix differs (a cursor splits tokens) and its suffix. Layout of a context
row of L places: [window | tail and suffix of gap 0 | tail and suffix of gap 1 | ...].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lsp_server.spans import SpanKind

from .denoiser import END_ID
from .gaps import Gap, cut

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]

HIDDEN = -1e9
"""Bias of what may not be seen."""
TAIL = 6
"""Most tokens by which a gap's prefix may differ from its window's."""
_CHARACTERS_A_TOKEN = 3.6
_LOOK_AHEAD = 2500
"""Characters after a window in which its gaps may end and their suffixes lie."""
_KEPT = {SpanKind.STRING: 0.35, SpanKind.COMMENT: 0.35}
"""Kinds that text is full of and people ask for seldom."""
_PATIENCE = 40
"""Tries for a gap before another window is taken."""


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
    kind: SpanKind

    @property
    def prefix_length(self) -> int:
        return self.shared + len(self.tail)


@dataclass(frozen=True)
class Batch:
    """Arrays of one training step; shapes as in `denoiser.py`, K gaps a window, C canvas places."""

    context_ids: Ids
    context_positions: Ids
    context_bias: NDArray[np.float32]
    """[B, L, L]"""
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
    kinds: tuple[SpanKind, ...]
    """B K kinds, row by row."""


class Texts:
    """Source files by language, drawn by size: a large file more often, up to a limit."""

    def __init__(self, folder: Path, weights: Mapping[str, float], *, held_out: bool = False):
        prefix = "held-" if held_out else ""
        self.languages = [name for name in weights if (folder / f"{prefix}{name}.txt").exists()]
        self.weights = [weights[name] for name in self.languages]
        if not self.languages:
            raise FileNotFoundError(f"{folder}: none of {', '.join(weights)} is there")
        self._files = {
            name: (folder / f"{prefix}{name}.txt").read_text("utf-8").split("\0")
            for name in self.languages
        }

    @cached_property
    def _bounds(self) -> dict[str, NDArray[np.int64]]:
        sizes = {n: [min(len(text), 40_000) for text in f] for n, f in self._files.items()}
        return {name: np.cumsum(found) for name, found in sizes.items()}

    def draw(self, rng: Random) -> tuple[str, str]:
        """A file's text and its language."""
        [language] = rng.choices(self.languages, self.weights)
        bounds = self._bounds[language]
        index = int(np.searchsorted(bounds, rng.randrange(int(bounds[-1])), side="right"))
        return self._files[language][index], language


def batch(layout: Layout, texts: Texts, tokenizer: Tokenizer, rng: Random) -> Batch:
    """Draws windows and lays them out."""
    source = examples(layout, texts, tokenizer, rng)
    rows = [next(source) for _ in range(layout.windows)]
    return lay_out(layout, rows)


Window = tuple[list[int], list[Example]]


def examples(layout: Layout, texts: Texts, tokenizer: Tokenizer, rng: Random) -> Iterator[Window]:
    """Windows without end, each its tokens and as many gaps as the layout has."""
    while True:
        text, language = texts.draw(rng)
        first = _line_start(text, rng)
        excerpt = text[first : first + int(layout.window * _CHARACTERS_A_TOKEN) + _LOOK_AHEAD]
        last = min(int(layout.window * _CHARACTERS_A_TOKEN), len(excerpt))
        ids = encode(tokenizer, excerpt[:last])[: layout.window]
        found: dict[int, Example] = {}
        for _ in range(_PATIENCE):
            gap = cut(excerpt, 1, last, language, rng) if last > 1 else None
            if gap is None or rng.random() > _KEPT.get(gap.kind, 1.0):
                continue
            example = in_tokens(excerpt, gap, ids, layout, tokenizer, rng)
            if example is not None:
                found[gap.start] = example
            if len(found) == layout.gaps:
                yield ids, list(found.values())
                break


def _line_start(text: str, rng: Random) -> int:
    """Where a window begins: the file's start now and then, else any line's."""
    if rng.random() < 0.25 or len(text) < 400:
        return 0
    return text.rfind("\n", 0, rng.randrange(len(text) - 300)) + 1


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def in_tokens(
    text: str, gap: Gap, window: list[int], layout: Layout, tokenizer: Tokenizer, rng: Random
) -> Example | None:
    """A gap in tokens; None when it does not suit the layout's canvas or lies beyond the window."""
    middle = [*encode(tokenizer, text[gap.start : gap.end][: 12 * layout.canvas]), END_ID]
    if not _suits(len(middle), layout.canvas, rng):
        return None
    prefix = encode(tokenizer, text[: gap.start])
    shared = _common(prefix, window)
    tail = prefix[shared:]
    if not prefix or len(tail) > TAIL:
        return None
    suffix = encode(tokenizer, text[gap.end : gap.end + 5 * layout.suffix])[: layout.suffix]
    # What follows may not be written yet, or be cut off after a few lines.
    fate = rng.random()
    suffix = [] if fate < 0.08 else suffix[: rng.randrange(1, 24)] if fate < 0.2 else suffix
    canvas = (middle + [END_ID] * layout.canvas)[: layout.canvas]
    length = min(len(middle), layout.canvas + 1)
    return Example(shared, tail, suffix, canvas, length, gap.kind)


def _suits(length: int, canvas: int, rng: Random) -> bool:
    """Whether a middle should be trained on this canvas: few leave most of a large one unused."""
    if length > canvas:
        return rng.random() < 0.3
    return length > 8 or rng.random() < (0.3 if canvas > 16 else 0.8)


def _common(first: list[int], second: list[int]) -> int:
    """How many tokens two sequences share from their start."""
    for index, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return index
    return min(len(first), len(second))


def lay_out(layout: Layout, rows: list[Window]) -> Batch:
    """Arrays of a batch from its windows."""
    b, k, places, c = layout.windows, layout.gaps, layout.places, layout.canvas
    ids, positions = np.zeros((b, places), np.int64), np.zeros((b, places), np.int64)
    sees = np.zeros((b, places, places), bool)
    visible = np.zeros((b, k, places), bool)
    before, starts = np.zeros((b, k), np.int64), np.zeros((b, k), np.int64)
    middles, lengths = np.zeros((b, k, c), np.int64), np.zeros((b, k), np.int64)
    w = layout.window
    for row, (window, found) in enumerate(rows):
        ids[row, : len(window)] = window
        positions[row, :w] = np.arange(w)
        sees[row, :w, :w] = np.tri(w, dtype=bool)
        for index, example in enumerate(found):
            prefix, shared = example.prefix_length, example.shared
            tail = w + index * layout.own
            suffix = tail + TAIL
            tail_end, suffix_end = tail + len(example.tail), suffix + len(example.suffix)
            ids[row, tail:tail_end] = example.tail
            positions[row, tail:tail_end] = np.arange(shared, prefix)
            sees[row, tail:tail_end, :shared] = True
            sees[row, tail:tail_end, tail:tail_end] = np.tri(len(example.tail), dtype=bool)
            ids[row, suffix:suffix_end] = example.suffix
            positions[row, suffix:suffix_end] = prefix + c + np.arange(len(example.suffix))
            sees[row, suffix:suffix_end, suffix:suffix_end] = np.tri(
                len(example.suffix), dtype=bool
            )
            visible[row, index, :shared] = True
            visible[row, index, tail:tail_end] = True
            visible[row, index, suffix:suffix_end] = True
            # The canvas holds the last prefix token itself: its copy in the context is hidden.
            last = tail_end - 1 if example.tail else shared - 1
            visible[row, index, last] = False
            before[row, index] = ids[row, last]
            starts[row, index] = prefix
            middles[row, index] = example.middle
            lengths[row, index] = example.length
    own = visible[:, :, w:].reshape(b, k, k, layout.own)[:, np.arange(k), np.arange(k)]
    diagonal = np.arange(places)
    sees[:, diagonal, diagonal] = True
    return Batch(
        context_ids=ids,
        context_positions=positions,
        context_bias=_bias(sees),
        before=before,
        positions=starts[..., None] - 1 + np.arange(c + 1),
        window_bias=_bias(visible[:, :, :w]),
        own_bias=_bias(own),
        middles=middles,
        lengths=lengths,
        kinds=tuple(example.kind for _, found in rows for example in found),
    )


def _bias(seen: Flags) -> NDArray[np.float32]:
    return np.where(seen, np.float32(0), np.float32(HIDDEN))
