"""What a pass and a fill cost, by context, canvas and candidates: `python -m bench.costs`.

Everything around the gap is cached but the last character, as when one types. A fill is given
STEPS at most, since how many it needs depends on the text; it may end sooner. Each round goes
through all points of all curves, so that what slows the machine down for a while bends none.
Medians in ms; JSON on the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from engine import Engine, FillOptions, Prompt
from engine.context import ContextCache, Surroundings
from engine.engine import never

CONTEXTS = (64, 128, 256, 512, 1024, 2048)
"""Tokens around the gap, a quarter of them after it, as far as the model can see."""
CANDIDATES = (1, 2, 3, 4, 6, 8)
STEPS = 4
USUAL_CONTEXT = 512
LAST = "abcdefgh"
"""The last character before the gap, another one each time: what is typed is never cached."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One point of a curve."""

    curve: str
    """"context", "canvas" or "candidates"."""
    x: int
    step_ms: float
    """One denoising step of one canvas, or of all candidates' canvases."""
    fill_ms: float
    """A warm fill of at most STEPS steps."""
    steps: float
    """How many it took, the mean over the rounds; of candidates those of the best one."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a curve is measured."""

    curve: str
    x: int
    context: int
    canvas: int
    candidates: int


@dataclass(frozen=True, slots=True)
class Bench:
    """A loaded engine and a text to be asked about."""

    engine: Engine
    text: str
    rounds: int

    def costs(self) -> list[Cost]:
        """All three curves."""
        points = list(self._points())
        rounds = [[self._measured(point, n) for point in points] for n in range(self.rounds)]
        found = []
        for point, measured in zip(points, zip(*rounds, strict=True), strict=True):
            step_ms, fill_ms, steps = zip(*measured, strict=True)
            medians = (round(statistics.median(spent), 2) for spent in (step_ms, fill_ms))
            found.append(Cost(point.curve, point.x, *medians, round(statistics.mean(steps), 2)))
        return found

    def _points(self) -> Iterator[Point]:
        card = self.engine.card
        largest = card.canvas_sizes[-1]
        most = card.max_prefix + card.max_suffix
        for context in sorted({min(n, most) for n in CONTEXTS}):
            yield Point("context", context, context, largest, 1)
        usual = min(USUAL_CONTEXT, most)
        for canvas in card.canvas_sizes:
            yield Point("canvas", canvas, usual, canvas, 1)
        for candidates in (n for n in CANDIDATES if n <= card.proposals):
            yield Point("candidates", candidates, usual, largest, candidates)

    def _measured(self, point: Point, number: int) -> tuple[float, float, int]:
        """Ms of a step, ms and steps of a fill, each after one that is not counted."""
        before, after = self._around(point.context)
        return self._step_ms(before, after, point), *self._fill(before, after, point, number)

    def _around(self, context: int) -> tuple[list[int], list[int]]:
        """The tokens before and after a gap."""
        card, ids = self.engine.card, self.engine._tokenizer.encode(self.text)
        suffix = min(context // 4, card.max_suffix)
        prefix = min(context - suffix, card.max_prefix)
        return ids[:prefix], ids[-suffix:]

    def _step_ms(self, before: list[int], after: list[int], point: Point) -> float:
        model = self.engine._model
        gap = Surroundings(np.array(before, np.int64), np.array(after, np.int64))
        context = ContextCache(model).around(gap, point.canvas, never)
        canvas = np.full(point.canvas + 1, model.card.mask_id, np.int64)
        canvas[0] = before[-1]
        for _ in range(2):
            start = time.perf_counter()
            for _ in range(point.candidates):
                model.denoise(canvas, gap.position, context)
            spent = (time.perf_counter() - start) * 1e3
        return spent

    def _fill(
        self, before: list[int], after: list[int], point: Point, number: int
    ) -> tuple[float, int]:
        """Ms and steps."""
        decode = self.engine._tokenizer.decode
        prefix, suffix = decode(before), decode(after)
        options = FillOptions(
            max_tokens=point.canvas,
            likely_tokens=point.canvas - 1,
            steps=STEPS,
            candidates=point.candidates,
        )
        for n in (number - 1, number):
            prompt = Prompt(prefix[:-1] + LAST[n % len(LAST)], suffix)
            start = time.perf_counter()
            best = self.engine.fill(prompt, options)[0]
            spent = (time.perf_counter() - start) * 1e3
        return spent, best.steps


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.costs", description=__doc__)
    parser.add_argument("--model", type=Path, help="model folder; default: the shipped one")
    parser.add_argument("--rounds", type=int, default=9, help="repetitions of each measurement")
    arguments = parser.parse_args()
    text = Path(argparse.__file__).read_text("utf-8")
    found = []
    for cost in Bench(Engine.open(arguments.model), text, arguments.rounds).costs():
        print(
            f"{cost.curve:10} {cost.x:5}   step {cost.step_ms:7.1f}   fill {cost.fill_ms:7.1f} of "
            f"{cost.steps:.1f} steps"
        )
        found.append(asdict(cost))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
