"""Changes of a text: in an editor's positions, and in code points, as everything else counts.

What they put there is left out of their representation, as a document's text is.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Change:
    """One edit of `textDocument/didChange`: 0-based positions in the encoding of the document.

    Without a start line it replaces the whole text.
    """

    start_line: int | None
    start_character: int
    end_line: int
    end_character: int
    text: str = field(repr=False)

    @classmethod
    def whole(cls, text: str) -> Change:
        """The change that replaces everything."""
        return cls(None, 0, 0, 0, text)


@dataclass(frozen=True, slots=True)
class Edit:
    """Code points start..end of a text become another text."""

    start: int
    end: int
    text: str = field(repr=False)

    def within(self, text: str, start: int, end: int) -> str:
        """What start..end of the text becomes, which holds all that is replaced."""
        return text[start : self.start] + self.text + text[self.end : end]

    def applied(self, text: str) -> str:
        """What all of the text becomes."""
        return self.within(text, 0, len(text))
