"""What the whole text of a fill may be: plain data, checked when it is made.

A format holds a fill to one canvas: it has at most as many tokens as the largest one has positions.
`automaton.py` makes a format ready for a model's tokens, `held.py` keeps a canvas to it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from re import _parser  # type: ignore[attr-defined]  # its public name is deprecated
from typing import Any

from .errors import FormatError

PART = re.compile(
    r"""
      \[ (?P<negated>\^?) (?P<class>\]? (?: \\. | [^\]\\] )*) \]
    | (?P<boundary> \\[bBAZ] | [\^$] )
    | (?P<around> \(\?<?[=!] )
    | (?P<back> \\[1-9] | \(\?P= | \(\?\( )
    | (?P<atomic> \(\?> | (?: [*+?] | \{ (?: \d+ (?:,\d*)? | ,\d* ) \} ) \+ )
    | (?P<verbose> \(\?[a-zA-Z]*x )
    | (?P<escape> \\. )
    | (?P<optional> \{, (?=\d*\}) )
    | (?P<brace> \{ (?! \d+ (?:,\d*)? \} ) )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What Python's `re` and the automaton's syntax (that of Rust's crate `regex`) read differently."""

SURROGATE = re.compile(
    r"\\(?:(?P<code>(?:u|U0000)[dD][89a-fA-F][0-9a-fA-F]{2})|.)|(?P<itself>[\ud800-\udfff])",
    re.DOTALL,
)
"""A lone surrogate, or with no group another escape."""

BARRED = {
    "boundary": "the whole fill is matched, so anchors and word boundaries cannot be used",
    "around": "looking ahead or behind cannot be used",
    "back": "what refers back to a group cannot be used",
    "atomic": "possessive repetitions and atomic groups cannot be used",
    "verbose": "the flag x cannot be used",
}

NO_TEXT = "a lone surrogate stands in no text"

MOST_STATES = 20_000
"""An automaton with more is refused: a step would take seconds and the tables gigabytes."""
WIDE = 8
"""States that a character takes which may be one of any script."""

SETS = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t-\r "}
"""In ASCII: in other scripts a code has hardly ever its digits."""


@dataclass(frozen=True, slots=True)
class Format:
    """A regular expression that the whole text of a fill matches."""

    regex: str
    """In the automaton's syntax."""
    told: str
    """What such a text does or is, for a message."""
    written: str = ""
    """The expression as it was given."""

    @classmethod
    def matching(cls, regex: str) -> Format:
        r"""Texts that an expression of Python's `re` matches in full, with its flag ASCII.

        It may use what an automaton can tell: literals, `.`, classes, `\\d \\w \\s`, groups,
        alternatives, repetitions, and the flags i and s at its start. Greed makes no difference.
        With i every letter has its other case, where `re` knows that of ASCII's letters alone.

        Raises FormatError that points at what is wrong, or says that it is too much.
        """
        told = f"matches {regex}"
        for found in SURROGATE.finditer(regex):
            if found.lastgroup:
                raise FormatError(pointed(regex, found.start(), NO_TEXT))
        try:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):
                re.compile(regex)
                repeated = written_out(_parser.parse(regex)) - len(regex)
        except re.error as error:
            raise FormatError(pointed(regex, error.pos or 0, error.msg)) from None
        except (OverflowError, RecursionError):
            raise FormatError(pointed(regex, 0, "it is too large")) from None
        # Else the automaton would be built first, which takes minutes that nothing can interrupt.
        if repeated > MOST_STATES:
            raise too_large(told)
        return cls(PART.sub(_translated, regex), told, regex)

    @classmethod
    def one_of(cls, texts: Sequence[str]) -> Format:
        """One of some texts, as they stand. Raises FormatError for none and for what is no text."""
        different = list(dict.fromkeys(texts))
        for text in different:
            if re.search(r"[\ud800-\udfff]", text):
                raise FormatError(f"a fill cannot be {text!a}: {NO_TEXT}")
        if not different:
            raise FormatError("a fill cannot be one of no texts; give at least one")
        shown = ", ".join(different[:3]) + (", ..." if len(different) > 3 else "")
        return cls("|".join("".join(map(code, text)) for text in different), f"is one of {shown}")


def pointed(regex: str, position: int, problem: str) -> str:
    """A message that shows where in an expression a problem is; characters count from 1."""
    line_start = regex.rfind("\n", 0, position) + 1
    line = regex[line_start:].split("\n", 1)[0]
    return (
        f"the expression cannot be used: {problem} (character {position + 1})\n"
        f"  {line}\n  {' ' * (position - line_start)}^"
    )


def too_large(told: str) -> FormatError:
    """The refusal of a format whose automaton would be too large."""
    return FormatError(
        f"a text that {told} is too much to hold a fill to; use shorter repetitions or fewer texts"
    )


def written_out(parsed: Iterable[tuple[Any, Any]]) -> int:
    """About how many states an expression that `re` has parsed takes; each copy has its own."""
    return sum(_states(kind.name, value) for kind, value in parsed)


def _states(kind: str, value: Any) -> int:
    match kind:
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, repeated = value
            copies = least + 1 if most is _parser.MAXREPEAT else most
            return int(copies) * max(1, written_out(repeated))
        case "SUBPATTERN":
            return written_out(value[-1])
        case "BRANCH":
            return sum(map(written_out, value[1]))
        case "LITERAL":
            return len(chr(value).encode("utf-8", "surrogatepass"))
        case "IN":
            return 1 if all(_is_ascii(kind.name, member) for kind, member in value) else WIDE
        case _:
            return WIDE


def _is_ascii(kind: str, member: Any) -> bool:
    """Whether a member of a class is of ASCII alone."""
    match kind:
        case "LITERAL":
            return bool(member < 128)
        case "RANGE":
            return bool(member[1] < 128)
        case "CATEGORY":
            return "_NOT_" not in member.name
        case _:
            return False


def code(character: str) -> str:
    """A character that stands for itself, in the automaton's syntax."""
    return rf"\x{{{ord(character):X}}}"


def _translated(part: re.Match[str]) -> str:
    """A part of an expression in the automaton's syntax. Raises FormatError for what it has not."""
    kind = part.lastgroup
    if kind == "class":
        return f"[{part['negated']}{_members(part)}]"
    if kind == "escape":
        return escaped(part[0][1])
    if kind == "optional":
        return "{0,"
    if kind == "brace":
        return code("{")
    assert kind is not None
    raise FormatError(pointed(part.string, part.start(), BARRED[kind]))


def _members(part: re.Match[str]) -> str:
    """The inside of a class, where only Python takes brackets and doubled signs as they are."""
    members = part["class"]
    if "--" in members:
        position = part.start("class") + members.index("--")
        raise FormatError(pointed(part.string, position, r"write \- for a hyphen in a class"))

    def member(found: re.Match[str]) -> str:
        return escaped(found[0][1]) if found[0][0] == "\\" else code(found[0])

    return re.sub(r"\\.|[\[\]&~]", member, members, flags=re.DOTALL)


def escaped(letter: str) -> str:
    r"""What a backslash and a letter mean: a set of characters, or the same as for Python."""
    if letter.lower() in SETS:
        return f"[{'^' if letter.isupper() else ''}{SETS[letter.lower()]}]"
    return f"\\{letter}" if letter.isascii() and letter.isalnum() else code(letter)
