"""`lacuna doctor`: is everything there, how fast does it run, and what to do about what is wrong.

`examine` yields one `Finding` for each check and knows no terminal. What cannot be looked at
because something before it is wrong is left out.
"""

from __future__ import annotations

import io
import json as json_format
import platform
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine import Engine, Fill, FillOptions, Prompt, default_model_folder
from engine.card import Card, check_files
from engine.errors import LacunaError, ModelFolderError, RuntimeMissingError
from engine.runtime import choose_runtime, cuts_off
from lsp_server import syntax

HEALTHY, UNHEALTHY = 0, 1
"""Exit codes."""

PACKAGES = ("lacuna-ls", "pygls", "tree-sitter", "tokenizers", "numpy")
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")

ROUNDS = 5
CONTEXT_TOKENS = 400
"""Length of the context whose encoding is timed."""
UNWRAPPED = 10_000
"""Columns of what is no terminal."""
SLOW_FILL_MS = 1000
"""A line that takes longer comes when the typist has gone on."""


class State(StrEnum):
    OK = "ok"
    SLOW = "slow"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    subject: str
    state: State
    detail: str
    """A sentence for people."""
    remedy: str = ""
    """What to do about what is not ok, where the detail does not say it."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The same for programs."""


def run(*, json: bool, model: Path | None, provider: str, threads: int) -> int:
    """Prints the findings, each when it is there, and returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name of a file need be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else UNWRAPPED)
    findings = []
    with console.status("looking") if console.is_terminal and not json else nullcontext():
        for finding in examine(model, provider, threads):
            findings.append(finding)
            if not json:
                console.print(_row(finding))
    wrong = sum(finding.state is State.WRONG for finding in findings)
    if json:
        report = {"healthy": not wrong, "findings": [asdict(finding) for finding in findings]}
        print(json_format.dumps(report, indent=2))
    elif wrong:
        console.print(f"\n{wrong} of {len(findings)} checks failed.", style="bold red")
    return UNHEALTHY if wrong else HEALTHY


def examine(model: Path | None, provider: str, threads: int) -> Iterator[Finding]:
    """Every check, the cheap ones first; the speed only where runtime and model are in order."""
    yield versions()
    yield languages()
    yield (runtime := check_runtime(provider, threads))
    yield (folder := check_model(model))
    if runtime.state is not State.WRONG and folder.state is not State.WRONG:
        yield speed(model, provider, threads)


def versions() -> Finding:
    """Python, the system and the packages that matter."""
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if missing:
        detail = f"{', '.join(missing)}: not installed as a package"
        return Finding("versions", State.WRONG, detail, "install Lacuna anew", {"missing": missing})
    found = {"python": platform.python_version()}
    found |= {name: metadata.version(name) for name in PACKAGES}
    system = f"{platform.system()} {platform.machine()}"
    detail = ", ".join(f"{name} {version}" for name, version in found.items())
    return Finding("versions", State.OK, f"{detail}; {system}", facts=found | {"system": system})


def languages() -> Finding:
    """Whether every grammar loads."""
    names = syntax.languages()
    broken = [name for name in names if not _loads(name)]
    if broken:
        return Finding(
            "languages",
            State.WRONG,
            f"no grammar loads for {', '.join(broken)}",
            "install Lacuna anew; its grammars come as packages of their own",
            {"languages": names, "broken": broken},
        )
    return Finding("languages", State.OK, ", ".join(names), facts={"languages": names})


def _loads(language: str) -> bool:
    try:
        return syntax.parse(language, "x") is not None
    except Exception:  # an import, a symbol or an ABI version, each with an error of its own
        return False


def check_runtime(provider: str, threads: int) -> Finding:
    """Whether ONNX Runtime is there, and what the model would run on."""
    installed = [name for name in RUNTIMES if _is_installed(name)]
    try:
        runtime = choose_runtime(provider, threads)
    except RuntimeMissingError as error:
        return Finding("runtime", State.WRONG, str(error), facts={"installed": installed})
    facts = asdict(runtime) | {"installed": installed}
    if len(installed) > 1:
        detail = f"{' and '.join(installed)} are both installed"
        remedy = "they overwrite each other; uninstall both, then install one of them"
        return Finding("runtime", State.WRONG, detail, remedy, facts)
    detail = (
        f"ONNX Runtime {runtime.version}, provider {runtime.provider} ({runtime.reason}), "
        f"threads: {runtime.threads}"
    )
    facts["exact_products"] = runtime.provider == "cpu" and cuts_off()
    if facts["exact_products"]:
        detail += "; this processor has no VNNI, so a pass takes longer than on one that has"
    return Finding("runtime", State.OK, detail, facts=facts)


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_model(folder: Path | None) -> Finding:
    """Whether the folder is one, and every file of it is the published one."""
    try:
        folder = folder or default_model_folder()
        card = Card.read(folder)
        check_files(folder, card, thorough=True)
    except ModelFolderError as error:
        return Finding("model", State.WRONG, str(error), facts={"folder": str(folder or "")})
    megabytes = sum(fact.size for fact in card.files.values()) / 1e6
    detail = f"{card.name}: {len(card.files)} files, {megabytes:.0f} MB, all as published; {folder}"
    return Finding("model", State.OK, detail, facts={"folder": str(folder), "name": card.name})


def speed(model: Path | None, provider: str, threads: int) -> Finding:
    """Medians of a few fills of this very file, none of which can reuse another's context."""
    started = time.perf_counter()
    try:
        engine = Engine.open(model, provider=provider, threads=threads)
        load_ms = 1e3 * (time.perf_counter() - started)
        engine.warm_up()
        fills = [_fill(engine, round_) for round_ in range(ROUNDS)]
    except LacunaError as error:
        return Finding("speed", State.WRONG, str(error))
    facts = {
        "load_ms": round(load_ms),
        "context_tokens": CONTEXT_TOKENS,
        "context_ms": _median(fill.timings.context for fill in fills),
        "step_ms": _median(fill.timings.denoise / max(fill.steps, 1) for fill in fills),
        "fill_ms": _median(fill.timings.total for fill in fills),
    }
    detail = (
        "loaded in {load_ms} ms; about {context_tokens} tokens of context {context_ms:.0f} ms, "
        "a denoising step {step_ms:.1f} ms, a line of code {fill_ms:.0f} ms"
    ).format_map(facts)
    if facts["fill_ms"] <= SLOW_FILL_MS:
        return Finding("speed", State.OK, detail, facts=facts)
    remedy = "see what else uses the processor; --threads sets how many threads a pass may take"
    return Finding("speed", State.SLOW, detail, remedy, facts)


def _fill(engine: Engine, round_: int) -> Fill:
    """Fills a line of this file, beginning at another line in each round."""
    lines = Path(__file__).read_text("utf-8").splitlines(keepends=True)[10 * round_ :]
    count = next(n for n in range(1, len(lines)) if _tokens(engine, lines[:n]) >= CONTEXT_TOKENS)
    text = "".join(lines[:count])
    cut = 3 * len(text) // 4
    options = FillOptions(max_tokens=32, stop_at_newline=True)
    return engine.fill(Prompt(text[:cut], text[cut:]), options)[0]


def _tokens(engine: Engine, lines: list[str]) -> int:
    return engine.count_tokens("".join(lines))


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)


def _row(finding: Finding) -> Table:
    """One finding as a line, or as several with the subject left of them."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=max(map(len, State)))
    table.add_column(width=len("languages"))
    table.add_column(overflow="fold")
    style = {State.OK: "green", State.SLOW: "yellow", State.WRONG: "bold red"}[finding.state]
    table.add_row(Text(finding.state, style), finding.subject, Text(finding.detail))
    if finding.remedy:
        table.add_row("", "", Text(f"what to do: {finding.remedy}", style))
    return table
