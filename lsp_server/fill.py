"""`lacuna fill`: one gap of one file, from the command line. It knows the terminal, not LSP.

Standard output carries the answer and nothing else: the text, or `--json`, or `--diff`. Reasons,
progress and the picture of `--watch` go to standard error.
"""

from __future__ import annotations

import difflib
import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from engine import Engine, FillOptions
from lsp_server import spans
from lsp_server.document import Document
from lsp_server.infill import Nothing, Suggestion, infill
from lsp_server.source_file import SourceFile
from lsp_server.spans import NoSpan, Span
from lsp_server.syntax import UNKNOWN, grammar, language_of

if TYPE_CHECKING:
    from lsp_server.watch import Watch

FILLED, NOTHING = 0, 1
"""Exit codes."""

MAX_TOKENS = 512
"""Where the user sets no limit the span's own holds, which is at most this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What `lacuna fill` is asked for; lines and columns count from 1, columns in characters."""

    file: str
    """A path, or "-" for standard input."""
    at: tuple[int, int] | None
    """Line and column of the gap, or None for `lines`."""
    lines: tuple[int, int] | None
    """First and last line to write anew."""
    language: str | None
    json: bool
    diff: bool
    write: bool
    watch: bool
    candidates: int
    max_tokens: int | None
    steps: int | None
    threshold: float
    temperature: float
    seed: int
    model: Path | None
    provider: str
    threads: int

    @property
    def options(self) -> FillOptions:
        return FillOptions(
            max_tokens=self.max_tokens or MAX_TOKENS,
            steps=self.steps,
            threshold=self.threshold,
            temperature=self.temperature,
            seed=self.seed,
            candidates=self.candidates,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """Suggestions for a gap, or why there are none, with what it took."""

    found: tuple[Suggestion, ...] | Nothing
    model: str
    provider: str
    load_ms: float
    fill_ms: float
    """From the span to the edits: the engine's time and what the editor's side adds."""


def run(command: Command) -> int:
    """Does what the command says and returns its exit code.

    Raises InputError for a file or place that cannot be used, LacunaError when the engine fails.
    """
    file = SourceFile.read(command.file)
    if command.write:
        file.check_writable()
    document = _document(file, command.language)
    span = _span(file, document, command)
    if isinstance(span, NoSpan):
        return _say_nothing(command, Answer(Nothing(span.reason, span.detail), "", "", 0, 0))
    answer = _answer(document, span, command)
    if isinstance(answer.found, Nothing):
        return _say_nothing(command, answer)
    _show(file, answer, answer.found, command)
    if command.write:
        file.write(_edited(file.text, answer.found[0]))
        print(f"lacuna: filled {_place(file, answer.found[0])}", file=sys.stderr)
    return FILLED


def _document(file: SourceFile, language: str | None) -> Document:
    if language is not None and grammar(language) is None and language != UNKNOWN:
        print(f"lacuna: no grammar for {language!r}; going by indentation", file=sys.stderr)
    return Document.open(file.name, language or language_of(file.name), 0, file.text)


def _span(file: SourceFile, document: Document, command: Command) -> Span | NoSpan:
    """The span at the place asked for. Raises InputError when that is outside the file."""
    if command.lines is None:
        assert command.at is not None, "the command line asks for one of the two"
        return spans.choose(document, file.offset(*command.at))
    first, last = command.lines
    file.offset(first, 1), file.offset(last, 1)
    return spans.choose_lines(document, first - 1, last - 1)


def _answer(document: Document, span: Span, command: Command) -> Answer:
    started = time.perf_counter()
    with _progress("loading the model"):
        engine = Engine.open(command.model, provider=command.provider, threads=command.threads)
    loaded = time.perf_counter()
    with _picture(document, span, command) as watch:
        on_step = watch.step if watch else None
        begun = time.perf_counter()
        found = infill(document, span, engine, command.options, on_step=on_step)
        paused = watch.paused if watch else 0.0
        filled = time.perf_counter() - paused
        if watch and not isinstance(found, Nothing):
            watch.finish(_text(document.text, found[0]))
    return Answer(
        found,
        engine.card.name,
        engine.runtime.provider,
        load_ms=1e3 * (loaded - started),
        fill_ms=1e3 * (filled - begun),
    )


@contextmanager
def _progress(doing: str) -> Iterator[None]:
    """Says what takes a while, on a terminal only, and wipes it away again."""
    console = Console(stderr=True)
    with console.status(doing) if console.is_terminal else nullcontext():
        yield


@contextmanager
def _picture(document: Document, span: Span, command: Command) -> Iterator[Watch | None]:
    if not command.watch:
        with _progress("filling"):
            yield None
        return
    from lsp_server.watch import Watch

    with Watch.around(document, span, Console(stderr=True)) as watch:
        yield watch


def _say_nothing(command: Command, answer: Answer) -> int:
    assert isinstance(answer.found, Nothing)
    if command.json:
        _emit(json.dumps(_figures(answer) | _reason(answer.found), indent=2))
    detail = answer.found.detail
    print(f"lacuna: nothing to suggest: {detail} ({answer.found.reason})", file=sys.stderr)
    return NOTHING


def _show(
    file: SourceFile, answer: Answer, found: tuple[Suggestion, ...], command: Command
) -> None:
    if command.json:
        _emit(json.dumps(_as_json(file, answer, found), indent=2, ensure_ascii=False))
    elif command.diff:
        _emit_diff(_diff(file, _edited(file.text, found[0])))
    elif not command.write:
        _emit_texts([_text(file.text, suggestion) for suggestion in found], command)
    if command.watch or (sys.stderr.isatty() and not command.json):
        Console(stderr=True, highlight=False).print(
            _summary(answer, found[0]), style="dim", soft_wrap=True
        )


def _emit_texts(texts: list[str], command: Command) -> None:
    is_drawn = command.watch and sys.stdout.isatty()  # the first one, by --watch
    for number, text in list(enumerate(texts, 1))[is_drawn:]:
        if command.candidates > 1:
            _emit(f"--- {number}")
        _emit(text)


def _emit(text: str) -> None:
    """Writes text to standard output as UTF-8 with its line ends as they are, and a last one."""
    sys.stdout.buffer.write(text.encode("utf-8"))
    if not text.endswith("\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def _emit_diff(diff: str) -> None:
    if sys.stdout.isatty():
        from rich.syntax import Syntax

        Console().print(Syntax(diff, "diff", theme="ansi_dark", background_color="default"))
    else:
        _emit(diff)


def _range(suggestion: Suggestion) -> tuple[int, int]:
    """Code points the answer replaces: the gap, and what the edit replaces beyond it."""
    edit, span = suggestion.edit, suggestion.span
    return min(edit.start, span.start), max(edit.end, span.end)


def _text(text: str, suggestion: Suggestion) -> str:
    """What stands in `_range` once the gap is filled."""
    start, end = _range(suggestion)
    edit = suggestion.edit
    return text[start : edit.start] + edit.text + text[edit.end : end]


def _edited(text: str, suggestion: Suggestion) -> str:
    edit = suggestion.edit
    return text[: edit.start] + edit.text + text[edit.end :]


def _place(file: SourceFile, suggestion: Suggestion) -> str:
    line, column = file.position(_range(suggestion)[0])
    return f"{file.name}:{line}:{column}"


def _summary(answer: Answer, suggestion: Suggestion) -> str:
    fill = suggestion.fill
    return (
        f"{_count(fill.tokens, 'token')} in {_count(fill.steps, 'step')}, "
        f"{answer.fill_ms:.0f} ms (context {fill.timings.context:.0f}, "
        f"denoising {fill.timings.denoise:.0f}); {answer.model} on {answer.provider}, "
        f"loaded in {answer.load_ms / 1e3:.1f} s"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _as_json(file: SourceFile, answer: Answer, found: tuple[Suggestion, ...]) -> dict[str, Any]:
    first, *others = (_candidate(file, suggestion) for suggestion in found)
    return first | {"reason": None} | _figures(answer, found[0]) | {"others": others}


def _candidate(file: SourceFile, suggestion: Suggestion) -> dict[str, Any]:
    fill = suggestion.fill
    start, end = (
        dict(zip(("line", "column"), file.position(offset), strict=True))
        for offset in _range(suggestion)
    )
    return {
        "text": _text(file.text, suggestion),
        "range": {"start": start, "end": end},
        "kind": suggestion.span.kind,
        "tokens": fill.tokens,
        "steps": fill.steps,
        "finish": fill.finish,
        "mean_log_prob": round(fill.mean_log_prob, 4),
    }


def _reason(nothing: Nothing) -> dict[str, Any]:
    return {"text": None, "reason": nothing.reason, "detail": nothing.detail}


def _figures(answer: Answer, suggestion: Suggestion | None = None) -> dict[str, Any]:
    milliseconds = {"load": answer.load_ms, "fill": answer.fill_ms}
    if suggestion is not None:
        timings = suggestion.fill.timings
        milliseconds |= {
            "tokenize": timings.tokenize,
            "context": timings.context,
            "denoise": timings.denoise,
        }
    rounded = {stage: round(ms, 1) for stage, ms in milliseconds.items()}
    return {"model": answer.model or None, "provider": answer.provider or None, "ms": rounded}


def _diff(file: SourceFile, edited: str) -> str:
    """A unified diff that `patch` and `git apply` take."""
    name = file.name.lstrip("/")
    before, after = (list(io.StringIO(text, newline="\n")) for text in (file.text, edited))
    lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
