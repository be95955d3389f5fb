r"""Cuts a corpus into examples once, in tokens, so that a machine that trains need only read them.

    python -m export examples --corpus corpus --to examples

Every file is cut into windows one after the other, and each window gets gaps (`gaps.py`) until a
row of training (`packing.py`) is full.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random

import numpy as np

from engine.card import digest
from engine.engine import default_model_folder
from engine.errors import LacunaError
from engine.healing import Healing
from engine.tokenizer import FileTokenizer
from lsp_server.arguments import count
from lsp_server.spans import SpanKind

from .gaps import Gap, cut
from .limits import CANVAS_SIZES, END_ID, LIMITS
from .packing import ROW, Example, Window
from .shelf import MADE_OF, Shelf

WINDOWS = {512: 0.5, 384: 0.3, 224: 0.2}
"""Tokens of a window, and how often."""
SUFFIXES = {LIMITS["max_suffix"]: 0.2, 96: 0.4, 40: 0.24, 16: 0.08, 0: 0.08}
"""Most tokens that follow a gap: nothing may be written there yet, or little."""
MOST_WINDOWS = 24
"""Of one file: what is longer is often data."""
LOOK_AHEAD = 2500
"""Characters after a window in which its gaps may end and their suffixes lie."""
CHARACTERS_A_TOKEN = 3.6
RARE = {SpanKind.STRING: 0.35, SpanKind.COMMENT: 0.35}
"""Kinds that text is full of and people ask for seldom: how many of them are kept."""
PATIENCE = 40
"""Tries for gaps of a window."""
SHARD = 500
"""Files of a shard."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, required=True, help="folder made by `corpus`")
    parser.add_argument("--to", type=Path, required=True, help="folder of the shards")
    parser.add_argument(
        "--model", type=Path, help="model folder with the tokenizer; default: the shipped one"
    )
    parser.add_argument("--workers", type=count(1), default=2, help="processes")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> None:
    shards = list(shards_of(arguments.corpus, arguments.seed))
    if not shards:
        raise FileNotFoundError(f"{arguments.corpus}: no corpus of `python -m export corpus`")
    arguments.to.mkdir(parents=True, exist_ok=True)
    begin(arguments.to, made_of(arguments))
    start, done = time.monotonic(), 0
    with ProcessPoolExecutor(arguments.workers) as pool:
        for windows in pool.map(partial(cut_shard, arguments), shards):
            done += windows
            print(f"{time.monotonic() - start:.0f} s: {done} windows", flush=True)


def made_of(arguments: argparse.Namespace) -> str:
    """What decides what the shards hold, as JSON: texts and tokenizer by their sha256."""
    cutting = {
        "row": ROW,
        "windows": WINDOWS,
        "suffixes": SUFFIXES,
        "canvases": CANVAS_SIZES,
        "most_windows": MOST_WINDOWS,
        "rare": RARE,
        "files_of_a_shard": SHARD,
    }
    facts = {
        "corpus": {path.name: digest(path) for path in sorted(arguments.corpus.glob("*.txt"))},
        "tokenizer": digest(tokenizer_of(arguments.model)),
        "seed": arguments.seed,
        "cutting": cutting,
    }
    return json.dumps(facts, indent=2) + "\n"


def begin(folder: Path, made_of: str) -> None:
    """Notes what the shards of a folder are made of. Raises LacunaError where others may lie."""
    note = folder / MADE_OF
    if note.exists() and note.read_text("utf-8") == made_of:
        return
    if any(folder.iterdir()):
        fault = (
            "holds examples of another corpus, tokenizer, seed or way of cutting"
            if note.exists()
            else f"is not empty, and has no {MADE_OF} to tell what its examples are made of"
        )
        raise LacunaError(f"{folder}: {fault}; name another folder, or remove this one")
    note.write_text(made_of, "utf-8")


@dataclass(frozen=True, slots=True)
class Shard:
    """Some files of a corpus, and the file their examples are written to."""

    name: str
    files: list[tuple[str, int]]
    """Which file of the corpus ("python", "held-python"), and which text of it."""


def shards_of(corpus: Path, seed: int) -> Iterator[Shard]:
    """The texts of a corpus in an order of chance, those held out in shards of their own."""
    for held in ("held-", ""):
        files = [
            (path.stem, index)
            for path in sorted(corpus.glob(f"{held}*.txt"))
            if path.stem.startswith("held-") == bool(held)
            for index in range(path.read_text("utf-8").count("\0") + 1)
        ]
        Random(seed).shuffle(files)
        for start in range(0, len(files), SHARD):
            yield Shard(f"{held}{start // SHARD:04d}.npz", files[start : start + SHARD])


def cut_shard(arguments: argparse.Namespace, shard: Shard) -> int:
    """Writes a shard, unless it is there, and tells how many windows it has."""
    path = arguments.to / shard.name
    if path.exists():
        return 0
    cutter, shelf = cutter_of(arguments.corpus, arguments.model, arguments.seed), Shelf()
    for name, index in shard.files:
        for window in cutter.windows(name, index):
            shelf.add(window)
    shelf.save(path)
    return shelf.windows


def tokenizer_of(model: Path | None) -> Path:
    return (model or default_model_folder()) / "tokenizer.json"


@cache
def cutter_of(corpus: Path, model: Path | None, seed: int) -> Cutter:
    tokenizer = FileTokenizer(tokenizer_of(model))
    healing = Healing(tokenizer, len(tokenizer.pieces))
    files = {path.stem: path.read_text("utf-8").split("\0") for path in corpus.glob("*.txt")}
    return Cutter(healing, files, seed)


@dataclass(frozen=True)
class Cutter:
    """Cuts files into windows with gaps."""

    healing: Healing
    files: dict[str, list[str]]
    seed: int

    def windows(self, name: str, index: int) -> Iterator[Window]:
        """Those of one file of `name` (a language, or "held-" and a language)."""
        text, language = self.files[name][index], name.removeprefix("held-")
        rng = Random(f"{self.seed}-{name}-{index}")
        start = 0
        for _ in range(MOST_WINDOWS):
            [size] = rng.choices(list(WINDOWS), list(WINDOWS.values()))
            characters = int(size * CHARACTERS_A_TOKEN)
            excerpt = text[start : start + characters + LOOK_AHEAD]
            ids = self.healing.tokenizer.encode(excerpt[:characters])[:size]
            if len(ids) < 8:
                return
            found = self._gaps(excerpt, min(characters, len(excerpt)), ids, language, rng)
            yield ids, found
            read = len(self.healing.text(ids).decode("utf-8", "ignore"))
            start = text.rfind("\n", start + 1, start + read) + 1 or start + read
            if read == 0 or start + 20 > len(text):
                return

    def _gaps(
        self, excerpt: str, last: int, ids: list[int], language: str, rng: Random
    ) -> list[Example]:
        """As many gaps as a row of training has room for beside the window `ids`."""
        room, found, seen = ROW - len(ids), [], set()
        for _ in range(PATIENCE):
            gap = cut(excerpt, 1, last, language, rng) if last > 1 else None
            if gap is None or gap.start in seen or rng.random() > RARE.get(gap.kind, 1.0):
                continue
            example = self._in_tokens(excerpt, gap, ids, rng)
            if example is None:
                continue
            seen.add(gap.start)
            found.append(example)
            room -= len(example.suffix) + 2 * (len(example.middle) + 1) + 4
            if room < 0:
                break
        return found

    def _in_tokens(self, text: str, gap: Gap, window: list[int], rng: Random) -> Example | None:
        """A gap in tokens; None where its prefix is not a beginning of its window.

        Prefix and middle are cut where their text has a token boundary: what the engine takes back
        from a prefix (healing.py) is spelled anew by the middle.
        """
        encode, most = self.healing.tokenizer.encode, CANVAS_SIZES[-1]
        written = text[: min(gap.end, gap.start + 40 * most)]
        prefix, middle = split(encode(written), encode(text[: gap.start]), self.healing)
        if len(prefix) > len(window) or prefix != window[: len(prefix)]:
            return None
        middle = [*middle, END_ID]
        if len(middle) > most and rng.random() > 0.3:
            return None
        [room] = rng.choices(list(SUFFIXES), list(SUFFIXES.values()))
        if 0 < room < 24:
            room = rng.randrange(1, 24)
        suffix = encode(text[gap.end : gap.end + 5 * room])[:room]
        return Example(len(prefix), middle[:most], suffix)


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
