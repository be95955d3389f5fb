"""Examples in a file: tokens one after the other, and how many there are of what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from engine.errors import LacunaError

from .packing import Example, Window

MADE_OF = "made-of.json"
"""File beside the shards that tells what decided what they hold."""


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
        unfinished = path.with_suffix(".part")
        tokens = np.array(self.tokens, np.uint16)
        with unfinished.open("wb") as file:  # to a path of another suffix numpy would add its own
            np.savez(file, tokens=tokens, counts=np.array(self.counts, np.uint16))
        unfinished.replace(path)


def load(path: Path) -> Iterator[Window]:
    """The windows of a shard, tokens as arrays. Raises LacunaError if it cannot be read."""
    try:
        with path.open("rb") as file, np.load(file) as shard:
            tokens: NDArray[np.uint16] = shard["tokens"]
            counts = shard["counts"].tolist()
    except (BadZipFile, EOFError, KeyError, ValueError) as error:
        raise LacunaError(
            f"{path}: cannot be read ({error}); remove it, and `python -m export examples` "
            "makes it anew"
        ) from None
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
