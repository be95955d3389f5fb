"""`lacuna fill`: one gap of one file, from the command line. It knows the terminal, not LSP.

Standard output carries the answer and nothing else: the text, or `--json`, or `--diff`. Reasons,
progress and the picture of `--watch` go to standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from engine import Engine, FillOptions, Format, Mode
from lsp_server import spans
from lsp_server.answer import Answer
from lsp_server.document import Document
from lsp_server.edits import leaves_open
from lsp_server.infill import Found, infill
from lsp_server.nothing import Nothing
from lsp_server.related import Related
from lsp_server.settings import Settings
from lsp_server.source_file import InputError, SourceFile
from lsp_server.spans import Span
from lsp_server.syntax import UNKNOWN, grammar, language_of

if TYPE_CHECKING:
    from lsp_server.watch import Watch

LEAVES_OPEN = Nothing(
    "leaves-open",
    "The fill opens a bracket that nothing closes yet. Without --write and --diff it is printed.",
)

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
    alone: bool
    """Whether no other file is looked at."""
    json: bool
    diff: bool
    write: bool
    watch: bool
    mode: str
    match: str | None
    """An expression that the whole fill must match."""
    one_of: str | None
    """Texts of which the fill must be one, with commas between them; or @ and a file of lines."""
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
            mode=Mode(self.mode),
            max_tokens=self.max_tokens or MAX_TOKENS,
            steps=self.steps,
            threshold=self.threshold,
            temperature=self.temperature,
            seed=self.seed,
            candidates=self.candidates,
            format=self.format,
        )

    @property
    def format(self) -> Format | None:
        """What the fill is held to. Raises FormatError, and InputError for its file."""
        if self.match is not None:
            return Format.matching(self.match)
        if self.one_of is None:
            return None
        if not self.one_of.startswith("@"):
            return Format.one_of(self.one_of.split(","))
        if self.one_of == "@":
            raise InputError("--one-of @ needs the name of a file of texts, such as @names.txt")
        if self.one_of == "@-" and self.file == "-":
            raise InputError("standard input cannot be both FILE and the texts of --one-of")
        lines = SourceFile.read(self.one_of[1:]).text.splitlines()
        return Format.one_of([line for line in lines if line])


def run(command: Command) -> int:
    """Does what the command says and returns its exit code.

    Raises InputError for a file or place that cannot be used, LacunaError when the engine fails.
    """
    options = command.options
    options.check()
    file = SourceFile.read(command.file)
    if command.write:
        file.check_writable()
    answer = _answer(file, command, options)
    _show(answer, command)
    if answer.nothing:
        return NOTHING
    if command.write:
        file.write(answer.edited)
        print(f"lacuna: filled {answer.place}", file=sys.stderr)
    return FILLED


def _answer(file: SourceFile, command: Command, options: FillOptions) -> Answer:
    document = _document(file, command.language)
    span = _span(file, document, command)
    if isinstance(span, Nothing):
        return Answer(file=file, mode=options.mode, nothing=span)
    started = time.perf_counter()
    with _progress("loading the model"):
        engine = Engine.open(command.model, provider=command.provider, threads=command.threads)
    load_ms = 1e3 * (time.perf_counter() - started)
    with _picture(span, command) as picture:
        on_step = picture.step if picture else None
        started = time.perf_counter()
        others = Related.by(Settings(related_files=not command.alone))
        related = others.lines(document, span.start, span.end)
        found = infill(span, engine, options, related=related, on_step=on_step)
        if (command.write or command.diff) and options.format is None:
            found = _whole(found)
        paused = picture.paused if picture else 0.0
        answer = Answer(
            file=file,
            mode=options.mode,
            suggestions=() if isinstance(found, Nothing) else found,
            nothing=found if isinstance(found, Nothing) else None,
            model=engine.card.name,
            provider=engine.runtime.provider,
            load_ms=load_ms,
            fill_ms=1e3 * (time.perf_counter() - started - paused),
        )
        if picture and answer.suggestions:
            picture.finish(answer.texts[0])
    return answer


def _whole(found: Found) -> Found:
    """Of what was found what leaves the file as whole as it is."""
    if isinstance(found, Nothing):
        return found
    kept = tuple(one for one in found if not leaves_open(one.span.document, one.edit))
    return kept or LEAVES_OPEN


def _document(file: SourceFile, language: str | None) -> Document:
    """Raises InputError for a notebook: code in its text would not be a string of JSON any more."""
    if language is None and file.name.endswith(".ipynb"):
        raise InputError(
            f"{file.name}: is a notebook; its cells are filled in an editor, and its text as it is "
            "with --language json"
        )
    if language is not None and grammar(language) is None and language != UNKNOWN:
        print(f"lacuna: no grammar for {language!r}; going by indentation", file=sys.stderr)
    uri = file.path.as_uri() if file.path else file.name
    return Document.open(uri, language or language_of(file.name), 0, file.text)


def _span(file: SourceFile, document: Document, command: Command) -> Span | Nothing:
    """The span at the place asked for. Raises InputError when that is outside the file."""
    if command.lines is None:
        assert command.at is not None, "the command line asks for one of the two"
        return spans.choose(document, file.offset(*command.at))
    first, last = command.lines
    file.offset(first, 1), file.offset(last, 1)
    return spans.choose_lines(document, first - 1, last - 1)


@contextmanager
def _progress(doing: str) -> Iterator[None]:
    """Says what takes a while, on a terminal only, and wipes it away again."""
    console = Console(stderr=True)
    with console.status(doing) if console.is_terminal else nullcontext():
        yield


@contextmanager
def _picture(span: Span, command: Command) -> Iterator[Watch | None]:
    if not command.watch:
        with _progress("filling"):
            yield None
        return
    from lsp_server.watch import Watch

    with Watch.around(span, Console(stderr=True)) as watch:
        yield watch


def _show(answer: Answer, command: Command) -> None:
    if command.json:
        _emit(json.dumps(answer.json, indent=2, ensure_ascii=False))
    elif answer.suggestions and command.diff:
        _emit_patch(answer.patch)
    elif not command.write:
        _emit_texts(answer.texts, command)
    if answer.nothing:
        reason, detail = answer.nothing.reason, answer.nothing.detail
        print(f"lacuna: nothing to suggest: {detail} ({reason})", file=sys.stderr)
        return
    if (found := len(answer.suggestions)) < command.candidates:
        print(
            f"lacuna: {found} of {command.candidates} candidates: no more were found that differ "
            "and fit their place",
            file=sys.stderr,
        )
    if command.watch or (sys.stderr.isatty() and not command.json):
        console = Console(stderr=True, highlight=False)
        console.print(answer.summary, style="dim", soft_wrap=True)


def _emit_texts(texts: list[str], command: Command) -> None:
    is_drawn = command.watch and sys.stdout.isatty()  # the first one, by --watch
    for number, text in list(enumerate(texts, 1))[is_drawn:]:
        if command.candidates > 1:
            _emit(f"--- {number}")
        _emit(text)


def _emit(text: str) -> None:
    """Writes text to standard output as UTF-8 with its line ends as they are, and a last one.

    The name of a file in it may be any bytes.
    """
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    if not text.endswith("\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def _emit_patch(patch: str) -> None:
    """In colours on a terminal that has all its characters; its width cuts nothing off."""
    if sys.stdout.isatty() and _has_all(sys.stdout.encoding, patch):
        from rich.syntax import Syntax

        colours = Syntax("", "diff", theme="ansi_dark", background_color="default")
        Console().print(colours.highlight(patch), soft_wrap=True, end="")
    else:
        _emit(patch)


def _has_all(encoding: str, text: str) -> bool:
    """Whether every character of a text can be said in an encoding."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
