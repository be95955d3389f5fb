"""A canvas resolving in the terminal, step by step, drawn with rich.

It knows the engine's trace (`Step`, `Cell`) and the lines around the gap; nothing of models.
Without a terminal each step is printed below the one before.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.syntax import Syntax
from rich.text import Text

from engine import Cell, Step
from lsp_server.spans import Span

STYLES = {
    "masked": "dim",
    "new": "bold black on green",
    "committed": "green",
    "remasked": "black on yellow",
}
"""How a cell looks by its state; cells after the end are not drawn."""

MASK = "░"

CAPTION_WIDTH = len("step 99: 99 of 99 masked, 999 ms  ")
"""Columns left of the gap where there is no terminal."""

LINES_AROUND = 4
"""Lines shown above and below the gap's."""

CONTROLS = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}
"""How characters are shown that a terminal would obey, or order others by."""

LEXERS = {"typescriptreact": "tsx", "javascriptreact": "jsx"}
"""LSP language ids that rich calls otherwise."""


@dataclass
class Watch:
    """A context manager whose `step` is given to the engine as `on_step`."""

    console: Console
    above: Text
    """What stands before the gap: a few lines and the left part of its own."""
    below: Text
    hold: float = 0.15
    """Seconds each step stays on a terminal at least, so that an eye can follow."""
    paused: float = field(default=0.0, init=False)
    """Seconds spent in drawing and holding, which are not the engine's."""
    filled: Text = field(default_factory=Text, init=False)
    """The canvases before the present one."""
    canvas: int = field(default=0, init=False)
    cells: tuple[Cell, ...] = field(default=(), init=False)
    live: Live = field(init=False)

    @classmethod
    def around(cls, span: Span, console: Console) -> Watch:
        """For a gap, shown with the lines around it."""
        document = span.document
        line_starts, text = document.line_starts, document.text
        first = max(document.line_at(span.start) - LINES_AROUND, 0)
        last = min(document.line_at(span.end) + LINES_AROUND, len(line_starts) - 1)
        above = text[line_starts[first] : span.start]
        below = text[span.end : document.line_bounds(last)[1]]
        language = LEXERS.get(document.language, document.language)
        return cls(console, highlighted(above, language), highlighted(below, language))

    def __enter__(self) -> Watch:
        self.live = Live(console=self.console, auto_refresh=False, vertical_overflow="visible")
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.live.stop()

    def step(self, step: Step) -> None:
        """Draws the canvas after one denoising step."""
        started = time.perf_counter()
        if step.index == 0 or step.canvas < self.canvas:
            self.filled = Text()
        elif step.canvas != self.canvas:
            self.filled.append_text(drawn(self.cells))
        self.canvas, self.cells = step.canvas, step.cells
        self.draw(self.filled + drawn(step.cells), count(step))
        if self.console.is_terminal:
            time.sleep(self.hold)
        self.paused += time.perf_counter() - started

    def finish(self, text: str) -> None:
        """Draws the gap with the text that is handed over, the mended fill."""
        gap = Text(text.translate(CONTROLS), style="bold green")
        if self.console.is_terminal:
            self.live.update(Text.assemble(self.above, gap, self.below))
        else:
            self.print(gap)

    def draw(self, gap: Text, caption: str) -> None:
        """Puts a gap on the screen, with as many of the lines above the caption as fit there."""
        if not self.console.is_terminal:
            self.print(gap, caption)
            return
        picture = Text.assemble(self.above, gap, self.below, "\n", (caption, "dim"))
        rows = picture.wrap(self.console, self.console.width)
        self.live.update(Text("\n").join(rows[1 - self.console.height :]), refresh=True)

    def print(self, gap: Text, caption: str = "") -> None:
        """Prints the gap in its own line, or its lines below each other, right of the caption."""
        left, right = self.above.split("\n")[-1], self.below.split("\n", allow_blank=True)[0]
        for row in Text.assemble(left, gap, right).split("\n", allow_blank=True):
            margin, caption = caption.ljust(CAPTION_WIDTH), ""
            self.console.print(Text.assemble((margin, "dim"), row), soft_wrap=True)


def drawn(cells: tuple[Cell, ...]) -> Text:
    """The cells of one canvas in a row: committed tokens as text, masked ones as blocks."""
    return Text.assemble(*(cell_text(cell) for cell in cells if cell.state != "end"))


def cell_text(cell: Cell) -> Text:
    """A masked cell is as wide as the model's present guess."""
    if cell.state in ("masked", "remasked"):
        return Text(MASK * max(1, len(cell.text.strip("\n"))), style=STYLES[cell.state])
    return Text(cell.text.translate(CONTROLS), style=STYLES[cell.state])


def count(step: Step) -> str:
    """The caption of a step."""
    masked = sum(cell.state in ("masked", "remasked") for cell in step.cells)
    return f"step {step.index + 1:2}: {masked:2} of {len(step.cells):2} masked, {step.ms:3.0f} ms"


def highlighted(code: str, lexer: str) -> Text:
    """Code in the terminal's own colours; a language rich does not know stays plain."""
    colours = Syntax("", lexer, theme="ansi_dark", background_color="default")
    text = colours.highlight(code.translate(CONTROLS))
    if text.plain.endswith("\n") and not code.endswith("\n"):
        text.right_crop(1)  # highlighting adds a line end, but the gap goes on where the code ends
    return text
