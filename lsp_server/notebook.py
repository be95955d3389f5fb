"""A notebook: its cells in their order, and what stands around one of them.

A cell is a document of its own, with positions, versions and edits of its own. What ties it to the
others is what the model is to see: the code cells of its language, one below the other as in a
script, a blank line between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lsp_server.document import Document

BLANK_LINE = "\n\n"


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in a notebook."""

    uri: str
    """Of the document that has its text."""
    is_code: bool


@dataclass(frozen=True, slots=True)
class Notebook:
    """The order of the cells. The changes of `notebookDocument/didChange` give the next one and
    leave this as it is."""

    uri: str
    cells: tuple[Cell, ...]

    def spliced(self, start: int, count: int, cells: Sequence[Cell]) -> Notebook:
        """The notebook with `cells` in place of `count` ones from `start` on."""
        return replace(self, cells=(*self.cells[:start], *cells, *self.cells[start + count :]))

    def updated(self, cells: Iterable[Cell]) -> Notebook:
        """The notebook with each of `cells` in place of the one with its URI."""
        new = {cell.uri: cell for cell in cells}
        return replace(self, cells=tuple(new.get(cell.uri, cell) for cell in self.cells))

    def place(self, document: Document, documents: Iterable[Document]) -> Document:
        """A cell's document between the texts of those of `documents` that are code cells of its
        language; a cell of prose stands alone."""
        order = {cell.uri: number for number, cell in enumerate(self.cells) if cell.is_code}
        here = order.get(document.uri)
        if here is None:
            return document.between("", "")
        texts = {
            order[other.uri]: other.text.strip("\r\n")
            for other in documents
            if other.uri in order and other.language == document.language and other.text.strip()
        }
        before = (texts[number] + BLANK_LINE for number in sorted(texts) if number < here)
        after = (BLANK_LINE + texts[number] for number in sorted(texts) if number > here)
        return document.between("".join(before), "".join(after))
