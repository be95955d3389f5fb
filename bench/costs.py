"""What a pass and a fill cost, by context, canvas and candidates: `python -m bench.costs`.

Everything around the gap is cached but the last character, as when one types. A fill is given
STEPS at most, since how many it needs depends on the text; it may end sooner. Medians in ms; JSON
on the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
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
class Bench:
    """A loaded engine and a text to be asked about."""

    engine: Engine
    text: str
    rounds: int

    def costs(self) -> Iterator[Cost]:
        """All three curves."""
        card = self.engine.card
        largest = card.canvas_sizes[-1]
        most = card.max_prefix + card.max_suffix
        for context in sorted({min(n, most) for n in CONTEXTS}):
            yield self._cost("context", context, context, largest, 1)
        usual = min(USUAL_CONTEXT, most)
        for canvas in card.canvas_sizes:
            yield self._cost("canvas", canvas, usual, canvas, 1)
        for candidates in (n for n in CANDIDATES if n <= card.proposals):
            yield self._cost("candidates", candidates, usual, largest, candidates)

    def _cost(self, curve: str, x: int, context: int, canvas: int, candidates: int) -> Cost:
        before, after = self._around(context)
        step_ms = self._step_ms(before, after, canvas, candidates)
        return Cost(curve, x, step_ms, *self._fill(before, after, canvas, candidates))

    def _around(self, context: int) -> tuple[list[int], list[int]]:
        """The tokens before and after a gap."""
        card, ids = self.engine.card, self.engine._tokenizer.encode(self.text)
        suffix = min(context // 4, card.max_suffix)
        prefix = min(context - suffix, card.max_prefix)
        return ids[:prefix], ids[-suffix:]

    def _step_ms(self, before: list[int], after: list[int], size: int, candidates: int) -> float:
        model = self.engine._model
        gap = Surroundings(np.array(before, np.int64), np.array(after, np.int64))
        context = ContextCache(model).around(gap, size, never)
        canvases = np.full((candidates, size + 1), model.card.mask_id, np.int64)
        canvases[:, 0] = before[-1]
        return self._median(lambda: model.denoise(canvases, gap.position, context))

    def _fill(
        self, before: list[int], after: list[int], size: int, candidates: int
    ) -> tuple[float, float]:
        """Median ms, mean steps."""
        decode = self.engine._tokenizer.decode
        prefix, suffix = decode(before), decode(after)
        options = FillOptions(max_tokens=size, steps=STEPS, candidates=candidates)
        steps: list[int] = []

        def fill() -> None:
            # Another last character each time: what is typed is never cached.
            last = "abcdefgh"[len(steps) % 8]
            best = self.engine.fill(Prompt(prefix[:-1] + last, suffix), options)[0]
            steps.append(best.steps)

        return self._median(fill), round(statistics.mean(steps), 2)

    def _median(self, work: Callable[[], object]) -> float:
        """Median ms of a call, after one that is not counted."""
        work()
        spent = []
        for _ in range(self.rounds):
            start = time.perf_counter()
            work()
            spent.append((time.perf_counter() - start) * 1e3)
        return round(statistics.median(spent), 2)


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
