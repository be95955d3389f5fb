"""What was offered to the editor, by id, and what became of it. It knows no LSP and no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine import Step
from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.edits import stretched
from lsp_server.infill import Suggestion
from lsp_server.status import Counts

KEPT = 64
"""How many offers are remembered."""
CLOSED_BY_EDITORS = ")]}\"'`"


@dataclass(frozen=True, slots=True)
class Offer:
    """A suggestion as it is offered at a cursor."""

    id: str
    edit: Edit
    item: Edit
    """The same, as it goes to the editor: stretched over the typed token, to the cursor."""

    def rest(self, before: Document, cursor: int, after: Document, offset: int) -> Offer | None:
        """What remains of an offer made at `cursor` when its beginning was typed up to `offset`.

        Brackets and quotes that the editor has closed by itself are replaced. None when anything
        else has changed, or when nothing is left.
        """
        typed, left = self.edit.text[: offset - cursor], self.edit.text[offset - cursor :]
        if self.edit.start != cursor or offset < cursor or not left.strip():
            return None
        surplus = len(after.text) - len(before.text) - len(typed)
        closed = after.text[offset : offset + max(surplus, 0)]
        if closed.strip(CLOSED_BY_EDITORS):
            return None
        if after.text != before.text[:cursor] + typed + closed + before.text[cursor:]:
            return None
        edit = Edit(offset, self.edit.end + len(typed) + len(closed), left)
        return Offer(self.id, edit, stretched(after, edit, offset))


@dataclass(slots=True)
class _Record:
    steps: tuple[Step, ...]
    fate: set[str] = field(default_factory=set)


class Offers:
    """The last offers' traces and fates. Unknown ids are ignored: an editor may be slow to tell."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._records: dict[str, _Record] = {}
        self._made = 0

    def add(self, suggestion: Suggestion, item: Edit, steps: Sequence[Step]) -> Offer:
        """A new offer; the oldest is forgotten."""
        self._made += 1
        offer = Offer(str(self._made), suggestion.edit, item)
        self._records[offer.id] = _Record(tuple(steps))
        if len(self._records) > KEPT:
            del self._records[next(iter(self._records))]
        return offer

    def trace(self, offer: str | None) -> tuple[str, tuple[Step, ...]] | None:
        """An offer's id and the steps that wrote it, where they were watched; None when unknown.

        By default the last one's that has steps: of those offered together one at most was watched.
        """
        watched = (known for known, record in reversed(self._records.items()) if record.steps)
        found = offer if offer is not None else next(watched, None)
        record = self._records.get(found) if found is not None else None
        return (found, record.steps) if found is not None and record is not None else None

    def shown(self, offer: str) -> None:
        """The editor showed it."""
        self._counts.shown += self._is_new(offer, "shown")

    def accepted(self, offer: str) -> None:
        """The user took all of it. Editors may tell twice, by command and by notification."""
        self._counts.accepted += self._is_new(offer, "accepted")

    def partially_accepted(self, offer: str) -> None:
        """The user took its beginning; counted once however often that goes on."""
        self._counts.partially_accepted += self._is_new(offer, "partially accepted")

    def _is_new(self, offer: str, fate: str) -> bool:
        record = self._records.get(offer)
        if record is None or fate in record.fate:
            return False
        record.fate.add(fate)
        return True
