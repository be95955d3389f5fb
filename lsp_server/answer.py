"""What `lacuna fill` found, as text, as JSON, as a patch. It prints nothing and reads nothing.

Lines and columns count from 1, columns in characters.
"""

from __future__ import annotations

import difflib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import Fill, Mode
from lsp_server.infill import Suggestion
from lsp_server.nothing import Nothing
from lsp_server.source_file import SourceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Suggestions for a gap of a file, best first, or why there are none; and what it took."""

    file: SourceFile
    mode: Mode
    suggestions: tuple[Suggestion, ...] = ()
    nothing: Nothing | None = None
    """Set where there are no suggestions."""
    model: str | None = None
    """Name of the model; None when it was not even asked."""
    provider: str | None = None
    load_ms: float = 0.0
    fill_ms: float = 0.0
    """From the span to the edits: the engine's time and what the editor's side adds."""

    @property
    def texts(self) -> list[str]:
        """What each suggestion puts into the gap; for whole lines all of them."""
        return [suggestion.text for suggestion in self.suggestions]

    @property
    def edited(self) -> str:
        """The file's text with the best suggestion in it."""
        return self.suggestions[0].edit.applied(self.file.text)

    @property
    def place(self) -> str:
        """Where the best suggestion begins, as FILE:LINE:COLUMN."""
        start, _ = self.suggestions[0].reach
        line, column = self.file.position(start)
        return f"{self.file.name}:{line}:{column}"

    @property
    def patch(self) -> str:
        """A unified diff that `patch` and `git apply` take, in the folder one stands in."""
        name = self.file.name if self.file.path is None else _name_in_patch(self.file.name)
        before, after = (
            list(io.StringIO(self.file.with_bom(text), newline="\n"))
            for text in (self.file.text, self.edited)
        )
        lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        )

    @property
    def summary(self) -> str:
        """What the best suggestion took, as a line for people."""
        fill = self.suggestions[0].fill
        return (
            f"{fill.tokens} {_plural('token', fill.tokens)} in "
            f"{fill.steps} {_plural('step', fill.steps)}{_checks(fill)}, "
            f"probability {_percent(fill.probability)}, {self.fill_ms:.0f} ms ({_stages(fill)}); "
            f"{self.model} on {self.provider}, "
            f"loaded in {self.load_ms / 1e3:.1f} s"
        )

    @property
    def json(self) -> dict[str, Any]:
        """All of it; `ms` by stage, `others` the suggestions after the best."""
        figures = {
            "mode": self.mode,
            "model": self.model,
            "provider": self.provider,
            "ms": self._milliseconds(),
        }
        if self.nothing:
            reason = {"reason": self.nothing.reason, "detail": self.nothing.detail}
            return {"text": None, **reason, **figures}
        best, *others = (facts(self.file, suggestion) for suggestion in self.suggestions)
        return {**best, "reason": None, **figures, "others": others}

    def _milliseconds(self) -> dict[str, float]:
        stages = {"load": self.load_ms, "fill": self.fill_ms}
        if self.suggestions:
            timings = self.suggestions[0].fill.timings
            stages |= {
                "tokenize": timings.tokenize,
                "context": timings.context,
                "denoise": timings.denoise,
                "base": timings.base,
            }
        return {stage: round(ms, 2) for stage, ms in stages.items()}


def _name_in_patch(name: str) -> str:
    """A path as seen from the folder one stands in, or from the root where it lies elsewhere.

    A tab ends a name with blanks, which `patch` would cut at the first.
    """
    path = Path(os.path.abspath(name))  # noqa: PTH100 - a link is kept, while ".." is not
    here = Path.cwd()
    seen = path.relative_to(here if path.is_relative_to(here) else path.anchor).as_posix()
    return f"{seen}\t" if " " in seen else seen


def facts(file: SourceFile, suggestion: Suggestion) -> dict[str, Any]:
    """One suggestion as JSON has it."""
    fill = suggestion.fill
    start, end = (
        dict(zip(("line", "column"), file.position(offset), strict=True))
        for offset in suggestion.reach
    )
    return {
        "text": suggestion.text,
        "range": {"start": start, "end": end},
        "kind": suggestion.span.kind,
        "tokens": fill.tokens,
        "steps": fill.steps,
        "checks": fill.checks,
        "finish": fill.finish,
        "probability": round(fill.probability, 4),
        "mean_log_prob": round(fill.mean_log_prob, 4),
        "base_log_prob": None if fill.base_log_prob is None else round(fill.base_log_prob, 4),
    }


def _stages(fill: Fill) -> str:
    """Where the time went, without what took none."""
    timings = fill.timings
    stages = {"context": timings.context, "denoising": timings.denoise, "base": timings.base}
    return ", ".join(f"{stage} {ms:.0f}" for stage, ms in stages.items() if ms)


def _checks(fill: Fill) -> str:
    """How often the base read it, if it did."""
    return f" and {fill.checks} {_plural('check', fill.checks)}" if fill.checks else ""


def _percent(probability: float) -> str:
    return f"{probability:.0%}" if probability >= 0.01 else "below 1%"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
