"""A place in a document: a cursor, and what stands around it.

The tree tells literals; brackets and heads of blocks are read from the words around the cursor, so
they are also found where the parse is broken and where there is no grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tree_sitter import Node

from engine.extent import width
from lsp_server import syntax
from lsp_server.brackets import PAIRS, Bracket, open_literal, unmatched, without_comments
from lsp_server.document import Document
from lsp_server.indent import indent_unit, indentation

_STRINGS = frozenset(
    {
        "string",
        "string_literal",
        "raw_string_literal",
        "interpreted_string_literal",
        "template_string",
        "char_literal",
        "character_literal",
        "rune_literal",
    }
)
_INTERPOLATIONS = frozenset({"interpolation", "template_substitution", "string_interpolation"})
_COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
_OBJECTS = frozenset(
    {
        "object",
        "object_pattern",
        "literal_value",
        "initializer_list",
        "array_initializer",
        "use_list",
        "element_value_array_initializer",
        "named_imports",
        "export_clause",
        "field_initializer_list",
        "struct_pattern",
        "jsx_expression",
        "template_substitution",
        "dictionary",
        "set",
    }
)
"""Nodes whose braces hold values, not statements."""

_BRACELESS = frozenset({"python"})
_STATEMENT_WORDS = re.compile(
    r"(?:async|break|class|const|continue|def|do|else|enum|export|fn|for|from|func|function|if|impl"
    r"|import|interface|let|match|mod|namespace|package|private|protected|public|raise|return"
    r"|static|struct|switch|try|type|use|using|var|void|while|with)\b"
)
_LOOK_BACK_LINES = 80
"""How far above the cursor an open bracket is looked for."""


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
        if self.offset == 0:
            return ()
        return tuple(self._nodes_at(self.document.byte_at(self.offset - 1), self.cursor_byte))

    def _nodes_at(self, first: int, last: int) -> list[Node]:
        """The nodes around bytes first..last, innermost first; none where there is no grammar."""
        tree = self.document.tree
        return syntax.nodes_at(tree, first, last) if tree is not None else []

    @cached_property
    def cursor_byte(self) -> int:
        return self.document.byte_at(self.offset)

    @cached_property
    def in_error(self) -> bool:
        """Whether the tree may be wrong here: an open quote shows as an error anywhere after it."""
        return not self.ancestors or self.ancestors[-1].has_error

    @cached_property
    def literal(self) -> str | None:
        """ "comment" or "string" when the cursor is in one."""
        for node in self.ancestors:
            inside = node.start_byte < self.cursor_byte < node.end_byte
            if node.type in _INTERPOLATIONS and inside:
                return None
            if node.type in _COMMENTS and (inside or self._ends_line_comment(node)):
                return "comment"
            if node.type in _STRINGS and (inside or _is_unterminated(node)):
                return "string"
        if self.in_error:
            return open_literal(self.before, self.language)
        return None

    def _ends_line_comment(self, node: Node) -> bool:
        text = node.text or b""
        return node.end_byte == self.cursor_byte and not text.endswith((b"\n", b"*/"))

    @cached_property
    def bracket(self) -> Bracket | None:
        """The innermost open bracket left of the cursor, by its offset; None outside any."""
        first = max(self.line - _LOOK_BACK_LINES, 0)
        start = self._outside_literal(self.document.line_starts[first])
        window = self.document.text[start : self.offset]
        for bracket in reversed(unmatched(window, self.language).opened):
            if bracket.symbol == "{" or not self._is_abandoned(start + bracket.index):
                return Bracket(bracket.symbol, start + bracket.index)
        return None

    def _outside_literal(self, offset: int) -> int:
        """`offset`, moved to the end of the string or comment it lies in."""
        byte = self.document.byte_at(offset)
        for node in self._nodes_at(byte, byte):
            if node.type in _STRINGS | _COMMENTS and node.start_byte < byte < node.end_byte:
                return min(self.document.offset_at(node.end_byte), self.offset)
        return offset

    def _is_abandoned(self, opener: int) -> bool:
        """Whether a statement begins after a bracket, no deeper than it: it was never closed."""
        top = self.document.line_at(opener)
        depth = width(indentation(self.document.line(top)))
        lines = (self.document.line(number) for number in range(top + 1, self.line))
        return any(
            width(indentation(text)) <= depth and _STATEMENT_WORDS.match(text.lstrip())
            for text in (*lines, *([self.before] if self.line > top else ()))
        )

    @cached_property
    def in_values(self) -> bool:
        """Whether the innermost bracket holds values: (, [, or a brace that opens no block."""
        if self.bracket is None:
            return False
        symbol, offset = self.bracket.symbol, self.bracket.index
        if symbol != "{" or self.language in _BRACELESS:
            return True
        # Broken C++ shows the body of a function as an initialiser.
        if self.document.text[max(offset - 80, 0) : offset].rstrip().endswith((")", "=>")):
            return False
        byte = self.document.byte_at(offset)
        types = (node.type for node in self._nodes_at(byte, byte + 1))
        return next((kind for kind in types if kind not in ("{", "${")), None) in _OBJECTS

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
        start = self.document.line_bounds(line)[0]
        end = start + len(self.document.line(line).rstrip())
        byte = self.document.byte_at(end)
        nodes = self._nodes_at(byte - 1, byte)
        node = next((node for node in nodes if node.type in _COMMENTS | _STRINGS), None)
        if node is None:
            return None
        opening = self.document.offset_at(node.start_byte)
        first = self.document.line_at(opening)
        before = self.document.text[self.document.line_starts[first] : opening]
        return None if before.strip() else first

    def _opens_values(self, line: int) -> bool:
        """Whether a line ends with the innermost bracket and a later one begins with its closer."""
        assert self.bracket is not None
        symbol, offset = self.bracket.symbol, self.bracket.index
        start = self.document.line_starts[line]
        text = without_comments(self.document.line(line), self.language)
        if self.after.strip() or offset != start + len(text) - 1:
            return False
        below = (
            self.document.line(n) for n in range(self.line + 1, len(self.document.line_starts))
        )
        return next(filter(str.strip, below), "").lstrip().startswith(PAIRS[symbol])

    def _opens_block(self, line: int) -> bool:
        text = self.document.line(line) if line != self.line else self.before
        text = without_comments(text, self.language)
        if self.language in _BRACELESS:
            return text.endswith(":")
        if self.document.tree is not None:
            return text.endswith("{")
        return text.endswith((":", "{", "then", "do", "begin"))

    def _nothing_follows(self, head: int) -> bool:
        """Whether the block that `head` opens ends before any other code."""
        if self.after.strip():
            return self.after.lstrip().startswith("}")
        depth = width(indentation(self.document.line(head)))
        for number in range(self.line + 1, len(self.document.line_starts)):
            text = self.document.line(number)
            if text.strip():
                return width(indentation(text)) <= depth
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
