r"""Trains the shipped model on your own code, and tells whether that made it better there.

    python -m export tune ~/project --to ~/models/project --minutes 60

Nothing leaves the machine, and nothing is fetched. `--to` becomes a model folder for `LACUNA_MODEL`
or the setting `model`; beside it, in a folder of that name and `.work`, lies what was gathered and
learned, so that the same command goes on after an interruption. One file of twenty is not learned
from: gaps in those are filled with both models in the end, before you choose.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from rich.console import Console
from rich.progress import track

from engine import Engine, FillOptions
from engine.card import Card
from engine.engine import default_model_folder
from engine.errors import LacunaError

from .corpus import LANGUAGES
from .evaluate import Score, fill, score
from .folder import write_adapter, write_card, write_drafter
from .held_out import HeldOut, held_out
from .shipped import opened

LEAST = 50_000
"""Characters of code below which there is nothing to learn."""
RATE = "3e-4"


class TooLittleError(LacunaError):
    """A project with hardly any code in the languages that are trained on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("roots", nargs="+", type=Path, help="folders with your code")
    parser.add_argument("--to", type=Path, required=True, help="model folder to write")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training")
    parser.add_argument("--model", type=Path, help="model folder to begin with; default: shipped")
    parser.add_argument("--gaps", type=int, default=240, help="to compare both models with")


def run(arguments: argparse.Namespace) -> None:
    os.nice(10)
    begun = arguments.model or default_model_folder()
    work = arguments.to.with_name(arguments.to.name + ".work")
    if not (work / "examples").exists():
        gather(arguments.roots, begun, work)
    learn = ["--minutes", arguments.minutes, "--rate", RATE, "--drafter-rate", RATE]
    step("train", "--init", begun, "--examples", work / "examples", "--to", work / "run", *learn)
    write_model(begun, work / "run", arguments.to)
    gaps = gaps_of(work / "corpus", arguments.gaps)
    found = Comparison(scores(begun, gaps), scores(arguments.to, gaps))
    print(found.told(arguments.to))


def step(name: str, *words: object) -> None:
    """Another command of this program."""
    module = importlib.import_module(f"export.{name}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    print(f"{name} ...", flush=True)
    module.run(parser.parse_args([str(word) for word in words]))


def gather(roots: list[Path], model: Path, work: Path) -> None:
    """Corpus and examples of a project. Raises TooLittleError."""
    corpus, unfinished = work / "corpus", work / "examples.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    step("corpus", "--own", "--to", corpus, *roots)
    found = json.loads((corpus / "manifest.json").read_text("utf-8"))["languages"]
    size = sum(language["characters"] for language in found.values())
    if size < LEAST:
        raise TooLittleError(
            f"{size} characters of code to learn from, and {LEAST} is the least; what counts is "
            "Python, JavaScript and TypeScript without generated and very long files"
        )
    step("examples", "--model", model, "--corpus", corpus, "--to", unfinished)
    unfinished.rename(work / "examples")


def write_model(begun: Path, trained: Path, to: Path) -> None:
    """The folder that was begun with, with the adapter and the drafter that were trained."""
    shutil.copytree(begun, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("README.md"))
    shape, card = opened(begun).base.shape, Card.read(begun)
    write_adapter(to, trained / "adapter.safetensors", shape, [])
    write_drafter(to, trained / "drafter.safetensors", shape)
    facts = {"training": f"{card.name}, then on one's own code"}
    write_card(to, shape, list(card.canvas_sizes), facts)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two models fill the same gaps, the one begun with and the tuned one."""

    before: list[Score]
    after: list[Score]

    def told(self, folder: Path) -> str:
        """What a person wants to know of it."""
        lines = [
            f"{len(self.before)} gaps in files that neither model learned from:",
            f"  exactly what you wrote      {self._of('exact')}",
            f"  appears by itself           {self._of('by_itself')}",
            f"  and is what you wrote       {self._of('by_itself_exact')}",
            f"  tokens a pass               {self._tokens_a_pass}",
        ]
        return "\n".join([*lines, self._advice(folder)])

    def _of(self, name: str) -> str:
        before, after = (sum(getattr(one, name) for one in s) for s in (self.before, self.after))
        return f"{before:4} before, {after:4} after"

    @property
    def _tokens_a_pass(self) -> str:
        rates = [
            sum(one.tokens for one in scores) / max(1, sum(one.passes for one in scores))
            for scores in (self.before, self.after)
        ]
        return f"{rates[0]:4.2f} before, {rates[1]:4.2f} after"

    def _advice(self, folder: Path) -> str:
        pairs = [(b.exact, a.exact) for b, a in zip(self.before, self.after, strict=True)]
        won, lost = pairs.count((False, True)), pairs.count((True, False))
        changed = f"{won} gaps won, {lost} lost."
        if won - lost <= sqrt(won + lost):
            return (
                f"{changed} That is no more than chance: keep the model you have, or train longer."
            )
        return f"{changed} To use it: LACUNA_MODEL={folder.resolve()}, or the setting `model`."


def gaps_of(corpus: Path, count: int) -> list[HeldOut]:
    there = [name for name in sorted(LANGUAGES) if (corpus / f"held-{name}.txt").exists()]
    return held_out(corpus, {name: -(-count // len(there)) for name in there})


def scores(model: Path, gaps: list[HeldOut]) -> list[Score]:
    engine, options = Engine.open(model), FillOptions()
    watched = track(gaps, f"gaps, {model.name}", console=Console(stderr=True))
    return [score(gap, fill(engine, gap, options)) for gap in watched]
