"""Some lines of a file with an edit in them, coloured as editors do: what the arena's page shows.

Pygments tells the colours: rich brings it along, and it takes broken code as it comes. The tree
tells where to begin, so that it need not go through the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, groupby, pairwise

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

from lsp_server.change import Edit
from lsp_server.document import Document, with_line_feeds
from lsp_server.syntax import canonical, nodes_at

KINDS = {
    Comment: "comment",
    Comment.Preproc: "keyword",
    Comment.PreprocFile: "string",
    Keyword: "keyword",
    Name.Class: "name",
    Name.Decorator: "name",
    Name.Function: "name",
    Number: "number",
    Operator.Word: "keyword",
    String: "string",
}
"""What has a colour of its own, with all that is of its kind; nothing else has one."""
_OF_SEVERAL_LINES = ("comment", "string")
"""Parts of the names that grammars give to what may begin on a line and go on below."""
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
    """Lines, whose ends are line feeds."""

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
        first = _start(document, start)
        cuts = text[first:start], text[start : edit.start], edit.text, text[edit.end : end]
        above, *parts = map(with_line_feeds, cuts)
        kinds = _kinds(canonical(document.language), "".join((above, *parts)))
        ends = accumulate(map(len, parts), initial=len(above))
        bounds = pairwise(ends)
        before, put, after = (
            tuple(_runs(part, kinds[first:last]))
            for part, (first, last) in zip(parts, bounds, strict=True)
        )
        return cls(before, put, after)


def _start(document: Document, at: int) -> int:
    """Where colours can be told from: above code point `at` where a string or comment has begun
    that it is in."""
    assert document.tree is not None
    byte = document.byte_at(at)
    starts = (
        node.start_byte
        for node in nodes_at(document.tree, byte, byte)
        if any(word in node.type for word in _OF_SEVERAL_LINES)
    )
    return document.offset_at(min(starts, default=byte))


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
