"""Texts measured in the units of LSP's encodings. `document.py` converts positions with these."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate

from lsp_server import syntax

STEP = 1024
"""Characters from one mark of a ruler to the next."""


class Encoding(StrEnum):
    """The unit in which LSP counts the characters of a line."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


@dataclass(frozen=True, slots=True)
class Ruler:
    """A text measured in the units of an encoding, with marks: no way is far, even in one line."""

    text: str = field(repr=False)
    encoding: Encoding
    marks: tuple[int, ...] = field(repr=False)
    """Units before each `STEP` characters, and before the end."""

    @classmethod
    def of(cls, text: str, encoding: Encoding) -> Ruler:
        """Goes through the text once."""
        parts = (text[start : start + STEP] for start in range(0, len(text), STEP))
        sizes = (units_of(part, encoding) for part in parts)
        return cls(text, encoding, tuple(accumulate(sizes, initial=0)))

    def units(self, offset: int) -> int:
        """The units before a code-point offset."""
        mark = offset // STEP
        return self.marks[mark] + units_of(self.text[mark * STEP : offset], self.encoding)

    def offset(self, units: int) -> int:
        """The code-point offset after so many units; one within a character counts as its start."""
        mark = bisect_right(self.marks, units) - 1
        start = min(mark * STEP, len(self.text))
        part = self.text[start : start + STEP]
        return start + fitting(part, units - self.marks[mark], self.encoding)


def units_of(text: str, encoding: Encoding) -> int:
    """How many units a text takes."""
    if encoding is Encoding.UTF8:
        return syntax.size(text)
    if encoding is Encoding.UTF32 or text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitting(text: str, units: int, encoding: Encoding) -> int:
    """How many characters from the start of a text fit into so many units."""
    low, high = 0, min(len(text), units)
    if text.isascii():
        return high
    while low < high:
        middle = (low + high + 1) // 2
        taken = units_of(text[low:middle], encoding)
        if taken <= units:
            low, units = middle, units - taken
        else:
            high = middle - 1
    return low
