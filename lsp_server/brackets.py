"""Brackets of a stretch of code, read by its words alone: it works where the parse is broken.

It knows how each language writes comments and strings, nothing of trees, spans or edits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from lsp_server.syntax import canonical

PAIRS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = frozenset(PAIRS.values())

_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_CHARACTER = r"'(?:\\[^'\n]+|\\'|[^'\\\n])'"
_BACKTICK = r"`(?:\\.|[^`\\])*`"
_SLASHES = (r"//[^\n]*", r"/\*.*?(?:\*/|\Z)")
_TRIPLE = (r'"""(?:\\.|[^\\])*?(?:"""|\Z)', r"'''(?:\\.|[^\\])*?(?:'''|\Z)")

_LITERALS = {
    "python": (r"#[^\n]*", *_TRIPLE, _DOUBLE, _SINGLE),
    "javascript": (*_SLASHES, _DOUBLE, _SINGLE, _BACKTICK),
    "typescript": (*_SLASHES, _DOUBLE, _SINGLE, _BACKTICK),
    "typescriptreact": (*_SLASHES, _DOUBLE, _SINGLE, _BACKTICK),
    "go": (*_SLASHES, _DOUBLE, _CHARACTER, _BACKTICK),
    "rust": (*_SLASHES, _DOUBLE, _CHARACTER),
    "java": (*_SLASHES, _TRIPLE[0], _DOUBLE, _CHARACTER),
    "c": (*_SLASHES, _DOUBLE, _CHARACTER),
    "cpp": (*_SLASHES, _DOUBLE, _CHARACTER),
}
"""Patterns of comments and strings by language, longest first."""
_DASHED = frozenset(
    {"ada", "applescript", "elm", "haskell", "lua", "plaintext", "purescript", "sql", "vhdl"}
)
"""Languages without a grammar here where two dashes begin a comment, and not an option."""
_NOT_HASHED = frozenset({"css", "scss", "sass", "less", "csharp", "stylus"})
"""Those where `#` is code."""

_QUOTES = {**dict.fromkeys(("python", "java", "c", "cpp"), "\"'"), "go": "\"'`", "rust": '"'}
"""What opens a string by language; `"`, `'` and a backtick in all others."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """One bracket and its index in the text that was read."""

    symbol: str
    index: int


@dataclass(frozen=True, slots=True)
class Brackets:
    """The brackets of a text without a partner in it."""

    opened: tuple[Bracket, ...]
    """Never closed, outermost first."""
    closed: tuple[Bracket, ...]
    """Closed though never opened, in order."""


def unmatched(text: str, language: str) -> Brackets:
    """The brackets of `text` outside comments and strings that have no partner."""
    opened: list[Bracket] = []
    closed: list[Bracket] = []
    for match in _tokens(canonical(language)).finditer(text):
        symbol = match["bracket"]
        if symbol is None:
            continue
        if symbol in PAIRS:
            opened.append(Bracket(symbol, match.start()))
        elif opened and PAIRS[opened[-1].symbol] == symbol:
            opened.pop()
        elif not _close_outer(opened, symbol):
            closed.append(Bracket(symbol, match.start()))
    return Brackets(tuple(opened), tuple(closed))


def comments(text: str, language: str) -> Iterator[int]:
    """Where the comments of `text` begin, those within strings left out."""
    for match in _tokens(canonical(language)).finditer(text):
        if match[0][0] in "#/-":
            yield match.start()


def without_comments(line: str, language: str) -> str:
    """A line without the comments at its end and the blanks before them."""
    end = len(line.rstrip())
    literals = [match for match in _tokens(canonical(language)).finditer(line) if match["literal"]]
    for match in reversed(literals):
        if match[0][0] in "#/-" and len(match[0].rstrip()) + match.start() >= end:
            end = len(line[: match.start()].rstrip())
    return line[:end]


def _close_outer(opened: list[Bracket], symbol: str) -> bool:
    """A closer that fits only further out ends the brackets between; False when none fits."""
    for index in range(len(opened) - 1, -1, -1):
        if PAIRS[opened[index].symbol] == symbol:
            del opened[index:]
            return True
    return False


def open_literal(line: str, language: str) -> str | None:
    """What the end of a line's text lies in by its words: "comment", "string" or None."""
    language = canonical(language)
    quotes = _QUOTES.get(language, "\"'`")
    end = 0
    for match in _tokens(language).finditer(line):
        if any(quote in line[end : match.start()] for quote in quotes):
            return "string"
        literal = match["literal"]
        if literal and match.end() == len(line):
            if literal[0] not in "\"'`":
                return None if literal.endswith("*/") else "comment"
            if _is_open_triple(literal):
                return "string"
        end = match.end()
    return "string" if any(quote in line[end:] for quote in quotes) else None


def _is_open_triple(literal: str) -> bool:
    quotes = literal[:3]
    return quotes in ('"""', "'''") and (len(literal) < 6 or not literal.endswith(quotes))


def _unknown(language: str) -> tuple[str, ...]:
    """The same for a language without a grammar, by how most of them write comments."""
    markers = ["//"]
    markers += ["#"] if language not in _NOT_HASHED else []
    markers += ["--"] if language in _DASHED else []
    return rf"(?:^|(?<=\s))(?:{'|'.join(markers)})[^\n]*", _DOUBLE, _SINGLE


@cache
def _tokens(language: str) -> re.Pattern[str]:
    literals = "|".join(_LITERALS.get(language) or _unknown(language))
    return re.compile(rf"(?P<literal>{literals})|(?P<bracket>[()\[\]{{}}])", re.DOTALL)
