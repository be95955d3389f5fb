"""Some lines of a file with an edit in them, coloured as editors do: what the arena's page shows.

Pygments tells the colours: rich brings it along, and it takes broken code as it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, groupby, pairwise

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

from lsp_server.document import Document
from lsp_server.edits import Edit
from lsp_server.syntax import canonical

KINDS = {
    Comment: "comment",
    Keyword: "keyword",
    Name.Class: "name",
    Name.Decorator: "name",
    Name.Function: "name",
    Number: "number",
    Operator.Word: "keyword",
    String: "string",
}
"""What has a colour of its own, with all that is of its kind; nothing else has one."""
_NAMES = {"typescriptreact": "typescript"}
"""What Pygments calls languages that it calls otherwise."""


@dataclass(frozen=True, slots=True)
class Run:
    """Text of one colour."""

    kind: str
    """One of KINDS, or empty."""
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines, all of which end in a line feed."""

    before: tuple[Run, ...]
    text: tuple[Run, ...]
    """What the edit puts there."""
    after: tuple[Run, ...]
    nothing: str = ""
    """Why nothing is put there."""

    @classmethod
    def of(cls, document: Document, edit: Edit, start: int, end: int) -> Excerpt:
        """What `document` has at start..end (code points) once edited; the edit lies in there."""
        text = document.text
        cuts = text[:start], text[start : edit.start], edit.text, text[edit.end : end]
        above, *parts = map(_plain, cuts)
        # From the beginning, as only that tells whether a line is within a string.
        kinds = _kinds(canonical(document.language), "".join((above, *parts)))
        ends = accumulate(map(len, parts), initial=len(above))
        bounds = pairwise(ends)
        before, put, after = (
            tuple(_runs(part, kinds[first:last]))
            for part, (first, last) in zip(parts, bounds, strict=True)
        )
        return cls(before, put, after)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _kinds(language: str, code: str) -> list[str]:
    """The kind of each character."""
    tokens = _lexer(language).get_tokens_unprocessed(code)
    return [kind for _, token, text in tokens for kind in [_kind(token)] * len(text)]


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(_NAMES.get(language, language))


@cache
def _kind(token: _TokenType) -> str:
    while token.parent and token not in KINDS:
        token = token.parent
    return KINDS.get(token, "")


def _runs(text: str, kinds: list[str]) -> Iterator[Run]:
    at = 0
    for kind, same in groupby(kinds):
        size = sum(1 for _ in same)
        yield Run(kind, text[at : at + size])
        at += size
