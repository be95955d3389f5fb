"""Examples in a file: tokens one after the other, and how many there are of what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .packing import Example, Window


@dataclass
class Shelf:
    """Examples on their way to a file."""

    tokens: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    windows: int = 0

    def add(self, window: Window) -> None:
        ids, examples = window
        self.windows += 1
        self.counts += [len(ids), len(examples)]
        self.tokens += ids
        for example in examples:
            self.counts += [example.shared, len(example.middle), len(example.suffix)]
            self.tokens += [*example.middle, *example.suffix]

    def save(self, path: Path) -> None:
        unfinished = path.with_suffix(".part.npz")
        tokens = np.array(self.tokens, np.uint16)
        np.savez(unfinished, tokens=tokens, counts=np.array(self.counts, np.uint16))
        unfinished.replace(path)


def load(path: Path) -> Iterator[Window]:
    """The windows of a shard, tokens as arrays."""
    with np.load(path) as shard:
        tokens: NDArray[np.uint16] = shard["tokens"]
        counts = shard["counts"].tolist()
    at = place = 0

    def take(count: int) -> NDArray[np.uint16]:
        nonlocal place
        place += count
        return tokens[place - count : place]

    while at < len(counts):
        size, gaps = counts[at : at + 2]
        at += 2
        ids, examples = take(size), []
        for _ in range(gaps):
            shared, middle, suffix = counts[at : at + 3]
            at += 3
            examples.append(Example(shared, take(middle), take(suffix)))
        yield ids, examples
