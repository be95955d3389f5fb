"""Training batches: windows of code and gaps in them, drawn from a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from engine.healing import Healing
from lsp_server.spans import SpanKind

from .gaps import Gap, cut
from .limits import END_ID
from .packing import TAIL, Batch, Example, Layout, Window, lay_out

_CHARACTERS_A_TOKEN = 3.6
_LOOK_AHEAD = 2500
"""Characters after a window in which its gaps may end and their suffixes lie."""
_KEPT = {SpanKind.STRING: 0.35, SpanKind.COMMENT: 0.35}
"""Kinds that text is full of and people ask for seldom."""
_PATIENCE = 40
"""Tries for a gap before another window is taken."""


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


def batch(layout: Layout, texts: Texts, healing: Healing, rng: Random) -> Batch:
    """Draws windows and lays them out."""
    source = examples(layout, texts, healing, rng)
    rows = [next(source) for _ in range(layout.windows)]
    return lay_out(layout, rows)


def examples(layout: Layout, texts: Texts, healing: Healing, rng: Random) -> Iterator[Window]:
    """Windows without end, each its tokens and as many gaps as the layout has."""
    while True:
        text, language = texts.draw(rng)
        first = line_start(text, rng)
        excerpt = text[first : first + int(layout.window * _CHARACTERS_A_TOKEN) + _LOOK_AHEAD]
        last = min(int(layout.window * _CHARACTERS_A_TOKEN), len(excerpt))
        ids = healing.tokenizer.encode(excerpt[:last])[: layout.window]
        found: dict[int, Example] = {}
        for _ in range(_PATIENCE):
            gap = cut(excerpt, 1, last, language, rng) if last > 1 else None
            if gap is None or rng.random() > _KEPT.get(gap.kind, 1.0):
                continue
            example = in_tokens(excerpt, gap, ids, layout, healing, rng)
            if example is not None:
                found[gap.start] = example
            if len(found) == layout.gaps:
                yield ids, list(found.values())
                break


def line_start(text: str, rng: Random) -> int:
    """Where a window begins: the file's start now and then, else any line's."""
    if rng.random() < 0.25 or len(text) < 400:
        return 0
    return text.rfind("\n", 0, rng.randrange(len(text) - 300)) + 1


def in_tokens(
    text: str, gap: Gap, window: list[int], layout: Layout, healing: Healing, rng: Random
) -> Example | None:
    """A gap in tokens; None when it does not suit the layout's canvas or lies beyond the window.

    Prefix and middle are cut where their text has a token boundary: what the engine takes back from
    a prefix (healing.py) is spelled anew by the middle.
    """
    encode = healing.tokenizer.encode
    written = text[: min(gap.end, gap.start + 40 * layout.canvas)]
    prefix, middle = split(encode(written), encode(text[: gap.start]), healing)
    middle = [*middle, END_ID]
    if not _suits(len(middle), layout.canvas, rng):
        return None
    shared = _common(prefix, window)
    tail = prefix[shared:]
    if len(tail) > TAIL:
        return None
    suffix = encode(text[gap.end : gap.end + 5 * layout.suffix])[: layout.suffix]
    # What follows may not be written yet, or be cut off after a few lines.
    fate = rng.random()
    suffix = [] if fate < 0.08 else suffix[: rng.randrange(1, 24)] if fate < 0.2 else suffix
    canvas = (middle + [END_ID] * layout.canvas)[: layout.canvas]
    return Example(shared, tail, suffix, canvas, min(len(middle), layout.canvas + 1))


def split(ids: list[int], prefix: list[int], healing: Healing) -> tuple[list[int], list[int]]:
    """The tokens of prefix and middle together, parted where the engine would begin to write.

    `prefix` are the tokens of the prefix alone, as the engine has them; it takes some back.
    """
    kept = healing.cut(np.array(prefix or [END_ID], np.int64), END_ID).ids.tolist()
    if kept == [END_ID]:
        return kept, ids
    ends = np.cumsum([len(healing.pieces[token]) for token in ids])
    first = int(np.searchsorted(ends, len(healing.text(kept)), side="right"))
    return ids[:first] or [END_ID], ids[first:]


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
