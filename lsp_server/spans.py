"""What to fill and how far to go: from a document and a cursor to a span, or a reason for none.

Pure choice: it knows text and tree, nothing of models, edits or LSP. The tree tells literals,
imports and decorators; brackets and indentation are read from the words around the cursor, so the
choice also holds where the parse is broken and where there is no grammar.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from tree_sitter import Node

from lsp_server import syntax
from lsp_server.brackets import PAIRS, open_literal, unmatched
from lsp_server.document import Document


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
    """A gap. The prompt's prefix is text[:start], its suffix text[end:]; offsets in code points."""

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


@dataclass(frozen=True, slots=True)
class NoSpan:
    """Nothing is to be filled here."""

    reason: str
    """A stable name."""
    detail: str
    """A sentence for people."""


EMPTY_FILE = NoSpan("empty-file", "The file is empty, so there is nothing to go by.")
OUTSIDE_FILE = NoSpan("outside-file", "The place is outside the file.")
REVERSED_LINES = NoSpan("reversed-lines", "The last line is above the first.")
INSIDE_WORD = NoSpan("inside-word", "The cursor is in the middle of a word.")
BEFORE_WORD = NoSpan("before-word", "A word begins right of the cursor.")
STATEMENT_COMPLETE = NoSpan("statement-complete", "The statement left of the cursor is complete.")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


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

_STRINGS = _names(
    "string string_literal raw_string_literal interpreted_string_literal template_string "
    "char_literal character_literal rune_literal concatenated_string"
)
_INTERPOLATIONS = frozenset({"interpolation", "template_substitution", "string_interpolation"})
_COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
_IMPORTS = _names(
    "import_statement import_from_statement future_import_statement import_declaration "
    "use_declaration preproc_include using_declaration extern_crate_declaration "
    "package_declaration package_clause"
)
_DECORATORS = _names(
    "decorator attribute_item inner_attribute_item annotation marker_annotation "
    "attribute_declaration attribute_specifier"
)
_OBJECTS = _names(
    "object object_pattern literal_value initializer_list array_initializer use_list "
    "element_value_array_initializer named_imports export_clause field_initializer_list "
    "struct_pattern jsx_expression template_substitution dictionary set"
)
"""Nodes whose braces hold values, not statements."""

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
_NOT_CALLEES = _names(
    "and assert await case catch elif else except for if in is match not or print raise return "
    "switch synchronized throw typeof until when while with yield"
) - {"print"}
_BRACELESS = frozenset({"python"})
_STATEMENT_WORDS = re.compile(
    r"(?:async|break|class|const|continue|def|do|else|enum|export|fn|for|from|func|function|if|impl"
    r"|import|interface|let|match|mod|namespace|package|private|protected|public|raise|return"
    r"|static|struct|switch|try|type|use|using|var|void|while|with)\b"
)
_WORD_CHARACTERS = re.compile(r"[\w$]")
_LOOK_BACK_LINES = 80
"""How far above the cursor an open bracket is looked for."""
_LOOK_AROUND_LINES = 200
"""How far around the cursor the indentation is read."""


def choose(document: Document, offset: int, *, multiline: bool = True) -> Span | NoSpan:
    """The span at a cursor (code points); with `multiline` off it is always one line."""
    if not 0 <= offset <= len(document.text):
        return OUTSIDE_FILE
    place = Place(document, offset)
    return _refusal(place) or _span(place, _kind(place), multiline)


def choose_lines(document: Document, first_line: int, last_line: int) -> Span | NoSpan:
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
    return Span(start, end, SpanKind.LINES, stop_at_newline=False, max_tokens=tokens, indent=indent)


def indentation(line: str) -> str:
    """The blanks and tabs a line starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def indent_unit(document: Document, line: int) -> str:
    """One level of indentation: as the lines around have it, else as the language is written."""
    return seen_indent_unit(document, line) or _default_unit(document.language)


def seen_indent_unit(document: Document, line: int) -> str | None:
    """The step by which lines around a line go deeper most often: a tab or 2 to 8 spaces."""
    first = max(line - _LOOK_AROUND_LINES, 0)
    last = min(line + _LOOK_AROUND_LINES, len(document.line_starts) - 1)
    steps: Counter[str] = Counter()
    above = ""
    for text in map(document.line, range(first, last + 1)):
        if not text.strip():
            continue
        indent = indentation(text)
        if len(indent) > len(above):
            steps["\t" if "\t" in indent else " " * (len(indent) - len(above))] += 1
        above = indent
    # One space is what continuation lines of block comments have.
    likely = [step for step, _ in steps.most_common() if step == "\t" or 2 <= len(step) <= 8]
    return likely[0] if likely else None


def _default_unit(language: str) -> str:
    if syntax.canonical(language) == "go":
        return "\t"
    return " " * (2 if syntax.canonical(language).startswith(("javascript", "type")) else 4)


@dataclass(frozen=True)
class Place:
    """A cursor with what the choice asks about its surroundings, each found when first asked."""

    document: Document
    offset: int

    @cached_property
    def language(self) -> str:
        return syntax.canonical(self.document.language)

    @cached_property
    def line(self) -> int:
        return self.document.line_at(self.offset)

    @cached_property
    def before(self) -> str:
        """The line left of the cursor."""
        return self.document.text[self.document.line_starts[self.line] : self.offset]

    @cached_property
    def after(self) -> str:
        """The line right of the cursor."""
        return self.document.text[self.offset : self.document.line_bounds(self.line)[1]]

    @cached_property
    def ancestors(self) -> tuple[Node, ...]:
        """The nodes around the character left of the cursor, innermost first."""
        tree = self.document.tree
        if tree is None or self.offset == 0:
            return ()
        end = self.cursor_byte
        width = len(syntax.encode(self.document.text[self.offset - 1]))
        node = tree.root_node.descendant_for_byte_range(end - width, end)
        nodes = []
        while node is not None:
            nodes.append(node)
            node = node.parent
        return tuple(nodes)

    @cached_property
    def cursor_byte(self) -> int:
        return syntax.byte_offset(self.document.text, self.offset)

    @cached_property
    def in_error(self) -> bool:
        """Whether the tree may be wrong here: an open quote shows as an error anywhere after it."""
        return not self.ancestors or self.ancestors[-1].has_error

    @cached_property
    def literal(self) -> SpanKind | None:
        """STRING or COMMENT when the cursor is in one."""
        for node in self.ancestors:
            inside = node.start_byte < self.cursor_byte < node.end_byte
            if node.type in _INTERPOLATIONS and inside:
                return None
            if node.type in _COMMENTS and (inside or self._ends_line_comment(node)):
                return SpanKind.COMMENT
            if node.type in _STRINGS and (inside or _is_unterminated(node)):
                return SpanKind.STRING
        if self.in_error:
            found = open_literal(self.before, self.language)
            return SpanKind(found) if found else None
        return None

    def _ends_line_comment(self, node: Node) -> bool:
        text = node.text or b""
        return node.end_byte == self.cursor_byte and not text.endswith((b"\n", b"*/"))

    @cached_property
    def bracket(self) -> tuple[str, int] | None:
        """The innermost open bracket left of the cursor and its offset; None outside any."""
        first = max(self.line - _LOOK_BACK_LINES, 0)
        start = self._outside_literal(self.document.line_starts[first])
        window = self.document.text[start : self.offset]
        for bracket in reversed(unmatched(window, self.language).opened):
            if bracket.symbol == "{" or not self._is_abandoned(start + bracket.index):
                return bracket.symbol, start + bracket.index
        return None

    def _outside_literal(self, offset: int) -> int:
        """`offset`, moved to the end of the string or comment it lies in."""
        tree = self.document.tree
        byte = syntax.byte_offset(self.document.text, offset)
        node = tree.root_node.descendant_for_byte_range(byte, byte) if tree else None
        while node is not None:
            if node.type in _STRINGS | _COMMENTS and node.start_byte < byte < node.end_byte:
                end = syntax.code_point_offset(self.document.text, node.end_byte)
                return min(end, self.offset)
            node = node.parent
        return offset

    def _is_abandoned(self, opener: int) -> bool:
        """Whether a statement begins after a bracket, no deeper than it: it was never closed."""
        top = self.document.line_at(opener)
        depth = len(indentation(self.document.line(top)))
        lines = (self.document.line(number) for number in range(top + 1, self.line))
        return any(
            len(indentation(text)) <= depth and _STATEMENT_WORDS.match(text.lstrip())
            for text in (*lines, *([self.before] if self.line > top else ()))
        )

    @cached_property
    def in_values(self) -> bool:
        """Whether the innermost bracket holds values: (, [, or a brace that opens no block."""
        if self.bracket is None:
            return False
        symbol, offset = self.bracket
        if symbol != "{" or self.language in _BRACELESS:
            return True
        # Broken C++ shows the body of a function as an initialiser.
        if self.document.text[max(offset - 80, 0) : offset].rstrip().endswith((")", "=>")):
            return False
        tree = self.document.tree
        byte = syntax.byte_offset(self.document.text, offset)
        node = tree.root_node.descendant_for_byte_range(byte, byte + 1) if tree else None
        while node is not None and node.type in ("{", "${"):
            node = node.parent
        return node is not None and node.type in _OBJECTS

    @cached_property
    def head(self) -> int | None:
        """The line that opens the body or brackets the cursor is in while they are empty."""
        if self.literal is not None:
            return None
        if self.before.strip():
            line: int | None = self.line
        else:
            line = next(self._code_above(), None)
        if line is None:
            return None
        if self.in_values:
            return line if self._opens_values(line) else None
        return line if self._opens_block(line) and self._nothing_follows(line) else None

    def _code_above(self) -> Iterator[int]:
        """Lines above the cursor's, nearest first, without blank ones, comments and docstrings."""
        line = self.line - 1
        while line >= 0:
            if self.document.line(line).strip():
                start = self._literal_start(line)
                if start is None:
                    yield line
                else:
                    line = start
            line -= 1

    def _literal_start(self, line: int) -> int | None:
        """The first line of the comment or docstring that a line ends with and is all of."""
        tree = self.document.tree
        if tree is None:
            return None
        start = self.document.line_bounds(line)[0]
        end = start + len(self.document.line(line).rstrip())
        byte = syntax.byte_offset(self.document.text, end)
        node = tree.root_node.descendant_for_byte_range(byte - 1, byte)
        while node is not None and node.type not in _COMMENTS | _STRINGS:
            node = node.parent
        if node is None:
            return None
        opening = syntax.code_point_offset(self.document.text, node.start_byte)
        first = self.document.line_at(opening)
        before = self.document.text[self.document.line_starts[first] : opening]
        return None if before.strip() else first

    def _opens_values(self, line: int) -> bool:
        """Whether a line ends with the innermost bracket and a later one begins with its closer."""
        assert self.bracket is not None
        symbol, offset = self.bracket
        start = self.document.line_starts[line]
        text = _without_comment(self.document.line(line), self.language).rstrip()
        if self.after.strip() or offset != start + len(text) - 1:
            return False
        below = (
            self.document.line(n) for n in range(self.line + 1, len(self.document.line_starts))
        )
        return next(filter(str.strip, below), "").lstrip().startswith(PAIRS[symbol])

    def _opens_block(self, line: int) -> bool:
        text = self.document.line(line) if line != self.line else self.before
        text = _without_comment(text, self.language).rstrip()
        if self.language in _BRACELESS:
            return text.endswith(":")
        if self.document.tree is not None:
            return text.endswith("{")
        return text.endswith((":", "{", "then", "do", "begin"))

    def _nothing_follows(self, head: int) -> bool:
        """Whether the block that `head` opens ends before any other code."""
        if self.after.strip():
            return self.after.lstrip().startswith("}")
        depth = len(indentation(self.document.line(head)))
        for number in range(self.line + 1, len(self.document.line_starts)):
            text = self.document.line(number)
            if text.strip():
                return len(indentation(text)) <= depth
        return True

    @cached_property
    def indent(self) -> str:
        """The indentation a line of code has here."""
        if self.head is None:
            return indentation(self.before)
        outer = indentation(self.document.line(self.head))
        if not self.before.strip() and len(self.before) > len(outer):
            return self.before
        return outer + indent_unit(self.document, self.head)


def _is_unterminated(node: Node) -> bool:
    """Whether a string node lacks its closing quote."""
    if node.child_count == 0:
        text = node.text or b""
        return len(text) < 2 or text[-1:] not in b"\"'`"
    last = node.child(node.child_count - 1)
    return last.is_missing or (node.child_count == 1 and last.end_byte == node.end_byte)


def _without_comment(line: str, language: str) -> str:
    """A line without the comment at its end."""
    marker = "#" if language == "python" else "//"
    index = line.rfind(marker)
    return line[:index] if index >= 0 and open_literal(line, language) == "comment" else line


def _refusal(place: Place) -> NoSpan | None:
    if place.document.is_blank:
        return EMPTY_FILE
    if _WORD_CHARACTERS.match(place.after):
        left = place.before[-1:]
        return INSIDE_WORD if _WORD_CHARACTERS.match(left) else BEFORE_WORD
    if _is_complete(place):
        return STATEMENT_COMPLETE
    return None


def _is_complete(place: Place) -> bool:
    if place.document.tree is None or not place.before.rstrip().endswith(";"):
        return False
    return place.literal is None and (place.bracket is None or place.bracket[0] == "{")


def _kind(place: Place) -> SpanKind:
    literal = place.literal
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
            return "\n" not in place.document.text[_end(place, node) - 1 : place.offset]
    text = place.before.lstrip()
    match = re.match(line, text)
    if match is None:
        return False
    if not whole or match.end() == len(text):
        return True
    return place.bracket is not None and place.bracket[0] in "([" and _on_line(place, place.bracket)


def _on_line(place: Place, bracket: tuple[str, int]) -> bool:
    return bracket[1] >= place.document.line_starts[place.line]


def _end(place: Place, node: Node) -> int:
    return syntax.code_point_offset(place.document.text, node.end_byte)


def _is_call(place: Place) -> bool:
    """Whether the innermost bracket is the parenthesis of a call or of parameters."""
    if place.bracket is None or place.bracket[0] != "(":
        return False
    line = place.document.line_at(place.bracket[1])
    left = place.document.text[place.document.line_starts[line] : place.bracket[1]]
    callee = re.search(r"([\w$]+!?|[)\]>])$", left)
    return callee is not None and callee[1] not in _NOT_CALLEES


def _span(place: Place, kind: SpanKind, multiline: bool) -> Span:
    """An insertion at the cursor: what stands right of it stays and is the suffix.

    Closing brackets there are replaced by the edit if the fill brings them too (`edits`), so the
    suffix, and with it what the engine has cached, is the same from one keystroke to the next.
    """
    several = multiline and kind is SpanKind.BLOCK
    tokens = _MAX_TOKENS[kind if several or kind is not SpanKind.BLOCK else SpanKind.LINE_END]
    return Span(place.offset, place.offset, kind, not several, tokens, place.indent)
