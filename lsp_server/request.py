"""What an editor asks for, in code points of a document. It knows no LSP and no model."""

from __future__ import annotations

from dataclasses import dataclass

from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.edits import stretched
from lsp_server.infill import Suggestion


@dataclass(frozen=True, slots=True)
class Request:
    """Suggestions are wanted at a cursor."""

    document: Document
    offset: int
    """Of the cursor, in code points."""
    wanted: int = 1
    """How many at most."""
    automatic: bool = False
    """Nobody asked: what the model is not sure of is held back."""
    selected: Edit | None = None
    """What the entry selected in the editor's popup would do."""
    entry: bool = False
    """For a popup, whose entries the editor filters by what is typed meanwhile."""

    def completed(self) -> tuple[Document, int]:
        """Document and cursor as they would be with the selected entry in place."""
        if self.selected is None:
            return self.document, self.offset
        start, text = self.selected.start, self.selected.text
        return self.document.replaced(start, self.selected.end, text), start + len(text)

    def item(self, suggestion: Suggestion) -> Edit | None:
        """The suggestion as an item of the document as it is; None when it must not be shown.

        With an entry selected, an editor shows only what begins with it and has its range.
        """
        document, offset = self.completed()
        edit = suggestion.edit
        if self.selected is None:
            return stretched(document, edit, offset)
        if (edit.start, edit.end) != (offset, offset):
            return None
        return Edit(self.selected.start, self.selected.end, self.selected.text + edit.text)
