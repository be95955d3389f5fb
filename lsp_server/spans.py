"""What to fill and how far to go: from a document and a cursor to a span, or a reason for none.

Pure choice: it knows text and tree, nothing of models, edits or LSP. The tree tells imports and
decorators where it can, the words of the line where it cannot; `place` tells the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from lsp_server.brackets import Bracket
from lsp_server.document import Document
from lsp_server.indent import indentation
from lsp_server.nothing import Nothing
from lsp_server.place import Place


class SpanKind(StrEnum):
    """What stands at the gap. BLOCK is a body, or brackets over several lines, still empty."""

    LINE_END = "line-end"
    EXPRESSION = "expression"
    ARGUMENTS = "arguments"
    BLOCK = "block"
    STATEMENT = "statement"
    STRING = "string"
    COMMENT = "comment"
    DECORATOR = "decorator"
    IMPORT = "import"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Span:
    """A gap of a document. The prompt's prefix is text[:start], its suffix text[end:]; offsets in
    code points."""

    document: Document = field(repr=False)
    start: int
    end: int
    """The text start..end is replaced; equal to `start` where the fill is only inserted."""
    kind: SpanKind
    stop_at_newline: bool
    """The fill is one line."""
    max_tokens: int
    """How far to go, in tokens of the model."""
    indent: str
    """Indentation of the place: that of its line or, in an empty block, of the block's lines."""

    @property
    def line(self) -> int:
        """The line that it begins on."""
        return self.document.line_at(self.start)

    @property
    def left(self) -> str:
        """What stands left of it in its first line."""
        return self.document.text[self.document.line_starts[self.line] : self.start]

    @property
    def right(self) -> str:
        """What stands right of it in its last line."""
        line = self.document.line_at(self.end)
        return self.document.text[self.end : self.document.line_bounds(line)[1]]


EMPTY_FILE = Nothing("empty-file", "The file is empty, so there is nothing to go by.")
OUTSIDE_FILE = Nothing("outside-file", "The place is outside the file.")
REVERSED_LINES = Nothing("reversed-lines", "The last line is above the first.")
INSIDE_WORD = Nothing("inside-word", "The cursor is in the middle of a word.")
BEFORE_WORD = Nothing("before-word", "A word begins right of the cursor.")
STATEMENT_COMPLETE = Nothing("statement-complete", "The statement left of the cursor is complete.")


_MAX_TOKENS = {
    SpanKind.LINE_END: 48,
    SpanKind.EXPRESSION: 32,
    SpanKind.ARGUMENTS: 32,
    SpanKind.BLOCK: 160,
    SpanKind.STATEMENT: 48,
    SpanKind.STRING: 32,
    SpanKind.COMMENT: 32,
    SpanKind.DECORATOR: 32,
    SpanKind.IMPORT: 32,
}
_LINES_TOKENS = (48, 512)
"""Least and most tokens for whole lines."""

_IMPORTS = frozenset(
    {
        "import_statement",
        "import_from_statement",
        "future_import_statement",
        "import_declaration",
        "use_declaration",
        "preproc_include",
        "using_declaration",
        "extern_crate_declaration",
        "package_declaration",
        "package_clause",
    }
)
_DECORATORS = frozenset(
    {
        "decorator",
        "attribute_item",
        "inner_attribute_item",
        "annotation",
        "marker_annotation",
        "attribute_declaration",
        "attribute_specifier",
    }
)
_SLASH_IMPORT = r"(?:import\b|export\b[^()=]*\bfrom\b)"
_IMPORT_LINES = {
    "python": r"(?:import|from)\b",
    "javascript": _SLASH_IMPORT,
    "typescript": _SLASH_IMPORT,
    "typescriptreact": _SLASH_IMPORT,
    "go": r"(?:import|package)\b",
    "java": r"(?:import|package)\b",
    "rust": r"(?:pub(?:\([^)]*\))?\s+)?(?:use|extern\s+crate)\b",
    "c": r"#\s*include\b",
    "cpp": r"(?:#\s*include|using|import)\b",
}
_DECORATOR_LINES = {
    "rust": r"#!?\[",
    "cpp": r"\[\[",
    "c": r"\[\[",
    "go": r"(?!)",
}
_AT = r"@[\w.]*"
_NOT_CALLEES = frozenset(
    {
        "and",
        "assert",
        "await",
        "case",
        "catch",
        "elif",
        "else",
        "except",
        "for",
        "if",
        "in",
        "is",
        "match",
        "not",
        "or",
        "raise",
        "return",
        "switch",
        "synchronized",
        "throw",
        "typeof",
        "until",
        "when",
        "while",
        "with",
        "yield",
    }
)
_WORD_CHARACTERS = re.compile(r"[\w$]")
_CALLEE_BACKWARDS = re.compile(r"[)\]>]|!?[\w$]+")
"""What a call's parenthesis stands behind, read from there on to the left."""
_HEADER_OF_STATEMENTS = re.compile(r"(?:\}\s*else\s+)?(?:if|for|switch)\b")
"""The head of a block in Go, where a statement may stand before a condition."""


def choose(document: Document, offset: int, *, multiline: bool = True) -> Span | Nothing:
    """The span at a cursor (code points); with `multiline` off it is always one line."""
    if not 0 <= offset <= len(document.text):
        return OUTSIDE_FILE
    place = Place(document, offset)
    return _refusal(place) or _span(place, _kind(place), multiline)


def kind_at(document: Document, offset: int) -> SpanKind:
    """What stands at a place of the text (code points), be it one where nothing is to be filled."""
    return _kind(Place(document, offset))


def choose_lines(document: Document, first_line: int, last_line: int) -> Span | Nothing:
    """The span of whole lines (0-based, inclusive), without the last one's line end."""
    if first_line > last_line:
        return REVERSED_LINES
    if first_line < 0 or last_line >= len(document.line_starts):
        return OUTSIDE_FILE
    if document.is_blank:
        return EMPTY_FILE
    start, end = document.line_bounds(first_line)[0], document.line_bounds(last_line)[1]
    filled = [line for line in document.text[start:end].splitlines() if line.strip()]
    indent = indentation(filled[0]) if filled else Place(document, start).indent
    fewest, most = _LINES_TOKENS
    # Code is about three characters a token; half as much again leaves room for a longer answer.
    tokens = min(max((end - start) // 2, fewest), most)
    return Span(document, start, end, SpanKind.LINES, False, tokens, indent)


def _refusal(place: Place) -> Nothing | None:
    if place.document.is_blank:
        return EMPTY_FILE
    if _WORD_CHARACTERS.match(place.after):
        left = place.before[-1:]
        return INSIDE_WORD if _WORD_CHARACTERS.match(left) else BEFORE_WORD
    if _is_complete(place):
        return STATEMENT_COMPLETE
    return None


def _is_complete(place: Place) -> bool:
    """Whether the line ends with a statement, but for a comment."""
    if place.document.tree is None or not place.before.rstrip().endswith(";"):
        return False
    after = place.after.strip()
    if after and not after.startswith(("//", "/*")):
        return False
    if place.language == "go" and _HEADER_OF_STATEMENTS.match(place.before.lstrip()):
        return False
    return place.literal is None and (place.bracket is None or place.bracket.symbol == "{")


def _kind(place: Place) -> SpanKind:
    literal = SpanKind(place.literal) if place.literal else None
    if literal is SpanKind.COMMENT:
        return literal
    if _is_within(place, _IMPORTS, _IMPORT_LINES.get(place.language, r"(?!)")):
        return SpanKind.IMPORT
    if literal is not None:
        return literal
    return _code_kind(place)


def _code_kind(place: Place) -> SpanKind:
    if _is_within(place, _DECORATORS, _DECORATOR_LINES.get(place.language, _AT), whole=True):
        return SpanKind.DECORATOR
    if place.head is not None:
        return SpanKind.BLOCK
    if _is_call(place):
        return SpanKind.ARGUMENTS
    if place.in_values:
        return SpanKind.EXPRESSION
    if set(place.after) - set(" \t}"):
        return SpanKind.EXPRESSION
    return SpanKind.LINE_END if place.before.strip() else SpanKind.STATEMENT


def _is_within(place: Place, types: frozenset[str], line: str, *, whole: bool = False) -> bool:
    """Whether the cursor is in a node of these types or, where the parse fails, on such a line.

    With `whole` the pattern must take all of the line left of the cursor outside brackets.
    """
    for node in place.ancestors:
        if node.type in types and node.start_byte < place.cursor_byte <= node.end_byte:
            end = place.document.offset_at(node.end_byte)
            return "\n" not in place.document.text[end - 1 : place.offset]
    text = place.before.lstrip()
    match = re.match(line, text)
    if match is None:
        return False
    if not whole or match.end() == len(text):
        return True
    return (
        place.bracket is not None
        and place.bracket.symbol in "(["
        and _on_line(place, place.bracket)
    )


def _on_line(place: Place, bracket: Bracket) -> bool:
    return bracket.index >= place.document.line_starts[place.line]


def _is_call(place: Place) -> bool:
    """Whether the innermost bracket is the parenthesis of a call or of parameters."""
    if place.bracket is None or place.bracket.symbol != "(":
        return False
    line = place.document.line_at(place.bracket.index)
    left = place.document.text[place.document.line_starts[line] : place.bracket.index]
    callee = _CALLEE_BACKWARDS.match(left[::-1])
    return callee is not None and callee[0][::-1] not in _NOT_CALLEES


def _span(place: Place, kind: SpanKind, multiline: bool) -> Span:
    """An insertion at the cursor: what stands right of it stays and is the suffix.

    Closing brackets there are replaced by the edit if the fill brings them too (`edits`), so the
    suffix, and with it what the engine has cached, is the same from one keystroke to the next.
    """
    several = multiline and kind is SpanKind.BLOCK
    tokens = _MAX_TOKENS[kind if several or kind is not SpanKind.BLOCK else SpanKind.LINE_END]
    document, offset = place.document, place.offset
    return Span(document, offset, offset, kind, not several, tokens, place.indent)
