"""How long a person waits: `python -m bench.latency [--model FOLDER] [--rounds N] [--beside N]`.

Engine figures are taken in this process, those of the server from a real `lacuna serve` over its
pipes. Every figure in ms is a median; the last line is one JSON object with all of them.
`keystroke_ms` is of what a person waits for by default: mostly for nothing, since the engine gives
up what no longer can be probable enough to appear by itself. `whole_line_ms` is of the same keys
where all appears, however improbable, so that an answer is the rest of a line. Beside each stands
how many of its answers held a suggestion; what would break the syntax is never shown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from engine import Engine
from engine.context import ContextCache, Surroundings
from engine.engine import never
from engine.model import Ids, Model

CONTEXT_TOKENS = 400
SUFFIX_TOKENS = 100
CANVAS = 32
TYPED = "    qz = kx_tavu(values) * 7 - wo_pim[3] + values.hyg(jb)"
"""What is typed at the end of a file, with a request after each key. No model foresees it, so no
answer is what is left of the one before, which would cost nothing."""
APART = 60
"""Lines between two places where nothing was typed yet, so that little is read for both."""
REST_S = 0.5
"""How long the cursor stands at a place before the first key there."""
URI = "file:///bench.py"
SERVE = "import sys; from lsp_server.cli import main; sys.exit(main(['serve']))"
WHOLE_LINES = {"minProbability": 0}
"""As an editor sends them: what no one foresees appears too."""
BUSY = "import os; started_by = os.getppid()\nwhile os.getppid() == started_by: pass"
INSTANT = """
import sys
from engine import Fill, Finish
from engine.fake import scripted_engine
from lsp_server import server
def instant(settings):
    engine = scripted_engine([""])
    answer = Fill("some_name(argument)", tokens=4, steps=1, finish=Finish.END, mean_log_prob=0.0)
    def fill(prompt, options=None, *, critic=None, **watched):
        if critic:
            critic(answer.text)  # the parser is the server's, though the engine calls it
        return (answer,)
    engine.fill = fill
    return engine
sys.exit(server.run(None, instant))
"""
"""The same server with an engine that answers at once: all that is left is outside the engine."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--model", type=Path, help="model folder; default: the shipped one")
    parser.add_argument("--rounds", type=int, default=15, help="repetitions of each measurement")
    parser.add_argument("--beside", type=int, default=0, help="so many processes that only count")
    arguments = parser.parse_args()
    with other_work(arguments.beside):
        figures = engine_figures(arguments.model, arguments.rounds)
        figures |= asyncio.run(server_figures(arguments.rounds))
    for name, value in figures.items():
        print(f"{name:24} {value:10.1f}")
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


@contextmanager
def other_work(count: int) -> Iterator[None]:
    """Keeps the machine busy meanwhile, as a build does: each in a session of its own, whose share
    of the cores is its own on Linux."""
    command = [sys.executable, "-c", BUSY]
    processes = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def engine_figures(folder: Path | None, rounds: int) -> dict[str, float]:
    """Forward passes: a step on a canvas, a context, one more token."""
    engine = Engine.open(folder)
    model, text = engine._model, Path(np.__file__).with_name("matlib.py").read_text("utf-8")
    ids = np.array(engine._tokenizer.encode(text), np.int64)
    gap = Surroundings(ids[: CONTEXT_TOKENS - SUFFIX_TOKENS], ids[-SUFFIX_TOKENS:])
    return {
        "step_ms": timed(step_of(model, gap), rounds),
        "context_ms": timed(lambda: read_anew(model, ids[:CONTEXT_TOKENS]), rounds),
        "token_ms": token_ms(model, ids, rounds),
    }


def step_of(model: Model, gap: Surroundings) -> Callable[[], object]:
    """One denoising step on an all masked canvas between its context."""
    context = ContextCache(model).around(gap, CANVAS, never)
    canvas = np.full(CANVAS + 1, model.card.mask_id, np.int64)
    canvas[0] = gap.prefix[-1]
    return lambda: model.denoise(canvas, gap.position, context)


def read_anew(model: Model, ids: Ids) -> None:
    """A context that no cache knows."""
    ContextCache(model).around(Surroundings(np.append(ids, 0), ids[:0]), CANVAS, never)


def token_ms(model: Model, ids: Ids, rounds: int) -> float:
    """One more token after a context that is cached."""
    cache = ContextCache(model)
    spent = []
    for count in range(CONTEXT_TOKENS, CONTEXT_TOKENS + rounds + 1):
        start = time.perf_counter()
        cache.before(ids[:count], never)
        spent.append((time.perf_counter() - start) * 1e3)
    return statistics.median(spent[1:])


def timed(work: Callable[[], object], rounds: int) -> float:
    """Median ms of a call, after one that is not counted."""
    work()
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1e3)
    return statistics.median(spent)


async def server_figures(rounds: int) -> dict[str, float]:
    """What an editor sees of `lacuna serve`."""
    source = Path(argparse.__file__).read_text("utf-8")
    starts = [await initialize_ms() for _ in range(min(rounds, 5))]
    real = await session(SERVE, source[:6000])
    whole = await session(SERVE, source[:6000], settings=WHOLE_LINES)
    large = await session(INSTANT, (source * 3)[: 200 * 1000], lines=5000)
    return {
        "keystroke_ms": real["keystroke_ms"],
        "keystroke_shown_percent": real["shown_percent"],
        "whole_line_ms": whole["keystroke_ms"],
        "whole_line_shown_percent": whole["shown_percent"],
        **await new_places(source, rounds),
        "outside_engine_ms": large["keystroke_ms"],
        "initialize_ms": statistics.median(starts),
        "rss_mb": real["rss_mb"],
        "idle_cpu_percent": real["idle_cpu_percent"],
    }


async def initialize_ms() -> float:
    """From the start of the process to the answer to `initialize`."""
    start = time.perf_counter()
    client = await connected(SERVE)
    spent = (time.perf_counter() - start) * 1e3
    await leave(client)
    return spent


async def connected(program: str, settings: dict[str, Any] | None = None) -> LanguageClient:
    """A client whose server has answered `initialize`."""
    client = LanguageClient("bench", "1")
    for method in ("lacuna/status", types.WINDOW_LOG_MESSAGE, types.WINDOW_SHOW_MESSAGE):
        client.feature(method)(lambda params: None)
    await client.start_io(sys.executable, "-c", program)
    ghost = types.InlineCompletionClientCapabilities()
    text = types.TextDocumentClientCapabilities(inline_completion=ghost)
    capabilities = types.ClientCapabilities(text_document=text)
    options = types.InitializeParams(capabilities, initialization_options=settings or {})
    await client.initialize_async(options)
    return client


async def loaded(program: str, settings: dict[str, Any] | None = None) -> LanguageClient:
    """A client whose server has loaded its model."""
    client = await connected(program, settings)
    client.initialized(types.InitializedParams())
    while (await client.protocol.send_request_async("lacuna/getStatus", {})).state == "loading":
        await asyncio.sleep(0.05)
    return client


async def opened(
    program: str, source: str, settings: dict[str, Any] | None = None
) -> LanguageClient:
    """A client with a file open, whose server has loaded its model."""
    client = await loaded(program, settings)
    item = types.TextDocumentItem(URI, "python", 0, source)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    return client


async def session(
    program: str, source: str, lines: int | None = None, settings: dict[str, Any] | None = None
) -> dict[str, float]:
    """Types at the end of a file, waiting for the answer to each key; then does nothing."""
    source = "\n".join(source.split("\n")[:lines]) + "\n\n\ndef total(values):\n"
    client = await opened(program, source, settings)
    row = source.count("\n")
    found = [await key(client, types.Position(row, n), TYPED[n], n + 1) for n in range(len(TYPED))]
    waits, shown = zip(*found[4:], strict=True)
    process = psutil.Process(client._server.pid)  # type: ignore[union-attr]
    process.cpu_percent()
    await asyncio.sleep(2)
    figures = {
        "keystroke_ms": statistics.median(waits),
        "shown_percent": 100 * statistics.mean(shown),
        "idle_cpu_percent": process.cpu_percent(),
        "rss_mb": process.memory_info().rss / 2**20,
    }
    await leave(client)
    return figures


async def new_places(source: str, rounds: int) -> dict[str, float]:
    """The first key at places where nothing was typed yet: told of before or not, in turn."""
    lines = source.split("\n")
    rows = [row for row in range(2 * APART, len(lines)) if not lines[row].strip()]
    places = [rows[0]]
    for row in rows:
        if row - places[-1] >= APART and len(places) < 2 * rounds:
            places.append(row)
    client = await opened(SERVE, source)
    waits: dict[bool, list[float]] = {False: [], True: []}
    for index, row in enumerate(places):
        at, told = types.Position(row, len(lines[row])), bool(index % 2)
        if told:
            place = {"line": at.line, "character": at.character}
            params = {"textDocument": {"uri": URI}, "position": place}
            client.protocol.notify("lacuna/readAhead", params)
        await asyncio.sleep(REST_S)
        wait, _ = await key(client, at, "s", index + 1)
        waits[told].append(wait)
    await leave(client)
    return {
        "new_place_ms": statistics.median(waits[False]),
        "read_ahead_ms": statistics.median(waits[True]),
    }


async def key(
    client: LanguageClient, at: types.Position, text: str, version: int
) -> tuple[float, bool]:
    """One key and the request after it: ms until the answer, and whether it suggests anything."""
    start = time.perf_counter()
    event = types.TextDocumentContentChangePartial(types.Range(at, at), text)
    document = types.VersionedTextDocumentIdentifier(version, URI)
    client.text_document_did_change(types.DidChangeTextDocumentParams(document, [event]))
    answer = await client.text_document_inline_completion_async(
        types.InlineCompletionParams(
            types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
            types.TextDocumentIdentifier(URI),
            types.Position(at.line, at.character + 1),
        )
    )
    spent = (time.perf_counter() - start) * 1e3
    items = answer.items if isinstance(answer, types.InlineCompletionList) else answer
    return spent, bool(items)


async def leave(client: LanguageClient) -> None:
    """Ends a server properly."""
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()


if __name__ == "__main__":
    main()
