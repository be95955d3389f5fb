"""A format reads an expression as `re` does, or says where it cannot."""

import random
import re
import subprocess
import sys
from itertools import product

import pytest

from engine import automaton, determine
from engine.automaton import by_bytes
from engine.errors import FormatError
from engine.formats import Format

ALPHABET = "ab0-]{}[\n é"

WRITTEN = [
    "",
    "a|",
    "(a|b)*?0",
    r"\w+",
    r"\W\s\D",
    r"[\w-]b?",
    r"[^\W0]+",
    r"[]a]{2}",
    r"[^]a]",
    r"[a[b]",
    r"[a&&b~~-]",
    r"a{,2}b{2,}",
    r"a{b}|{}",
    r"x{|\{0\}",
    r".",
    r"(?s).b",
    r"(?i)A",
    r"(?P<name>a)(?:b)",
    r"\x61\u00e9",
    r"\-\]\ \é",
    "é|\n",
]


@pytest.mark.filterwarnings("ignore:Possible set:FutureWarning")
@pytest.mark.parametrize("regex", WRITTEN)
def test_an_expression_means_what_it_means_to_re(regex: str) -> None:
    known = re.compile(regex, re.ASCII)
    matches = acceptor(Format.matching(regex))
    for size in range(4):
        for letters in product(ALPHABET, repeat=size):
            text = "".join(letters)
            assert matches(text) == (known.fullmatch(text) is not None), repr(text)


@pytest.mark.parametrize("seed", range(200))
def test_any_expression_means_what_it_means_to_re(seed: int) -> None:
    regex = any_regex(random.Random(seed), 4)
    known = re.compile(regex, re.ASCII)
    matches = acceptor(Format.matching(regex))
    for size in range(5):
        for letters in product("ab0\n", repeat=size):
            text = "".join(letters)
            assert matches(text) == (known.fullmatch(text) is not None), (regex, text)


def any_regex(draw: random.Random, depth: int) -> str:
    """An expression of all that a format may use, over few characters."""
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(["a", "b", "0", ".", r"\d", r"\W", "[^a]", "[ab]", "ab", ""])
    inner = [any_regex(draw, depth - 1) for _ in range(2)]
    return draw.choice(
        [
            "".join(inner),
            f"(?:{inner[0]}|{inner[1]})",
            f"({inner[0]}){draw.choice(['*', '+', '?', '{2}', '{,2}', '{1,3}', '*?'])}",
        ]
    )


def acceptor(form: Format):  # type: ignore[no-untyped-def]
    """Whether a text fits a format, by its automaton over bytes alone."""
    start, accepting, table = by_bytes(form)

    def matches(text: str) -> bool:
        state = start
        for byte in text.encode():
            state = int(table[state, byte])
        return state < len(accepting) and bool(accepting[state])

    return matches


@pytest.mark.parametrize(
    ("regex", "position", "named"),
    [
        ("a(b", 2, "missing )"),
        ("ab[c-", 3, "unterminated"),
        ("a**", 3, "multiple repeat"),
        ("^a", 1, "whole fill is matched"),
        (r"a\b", 2, "whole fill is matched"),
        ("ab$", 3, "whole fill is matched"),
        ("a(?!b)", 2, "looking ahead"),
        (r"(a)\1", 4, "refers back"),
        ("ab++", 3, "possessive"),
        ("a{2}+", 2, "possessive"),
        ("a{,3}+", 2, "possessive"),
        ("a{1,}+", 2, "possessive"),
        ("(?x) a", 1, "flag x"),
        ("[+--]", 3, "hyphen"),
        (r"a\\\ud800", 4, "lone surrogate stands in no text"),
        (r"[\\u\uDFFF]", 5, "lone surrogate stands in no text"),
        ("a\udc80?", 2, "lone surrogate stands in no text"),
        (r"\U0000d9aF", 1, "lone surrogate stands in no text"),
        ("(?u:a)(?a:b)", 1, "no automaton"),
    ],
)
def test_what_cannot_be_used_is_pointed_at(regex: str, position: int, named: str) -> None:
    with pytest.raises(FormatError, match=re.escape(named)) as error:
        by_bytes(Format.matching(regex))
    message, shown, pointer = str(error.value).split("\n")
    assert f"(character {position})" in message
    assert shown == f"  {regex}"
    assert pointer.index("^") == 2 + position - 1


@pytest.mark.parametrize(
    "regex",
    [
        "a{1000000}",
        "(a{1000}){1000}",
        "(?:(a|bc?){1,500}){500,}",
        "[^a]{3000}",
        r"(\W*é){0,4000}",
        "(|){99999}",
        "(?:x{0,3000}?y+){7}|z",
    ],
)
def test_a_repetition_that_is_too_long_is_refused_before_it_is_built(regex: str) -> None:
    with pytest.raises(FormatError, match="too much to hold a fill to; use shorter repetitions"):
        Format.matching(regex)


@pytest.mark.parametrize("regex", [r"(\w+ ?){5000}", "(a|b)*a(a|b){40}"])
def test_what_takes_too_long_to_become_deterministic_is_given_up(regex, monkeypatch) -> None:
    monkeypatch.setattr(automaton, "PATIENCE", 1.0)
    with pytest.raises(FormatError, match="too much to hold a fill to"):
        by_bytes(Format.matching(regex))


def test_what_takes_too_much_memory_to_become_deterministic_ends_there() -> None:
    """Where a user has set a limit, that one holds."""
    program = f"ulimit -v 300000; exec {sys.executable} -P {determine.__file__} 20000"
    for regex, codes in (("(a|b)*a(a|b){40}", {determine.TOO_LARGE, -6}), ("a+", {0})):
        done = subprocess.run(["bash", "-c", program], input=regex.encode(), capture_output=True)
        assert done.returncode in codes


@pytest.mark.parametrize("regex", [".{0,1000}", "a{9000}", "(abc|abd){1000}", "a*b+" * 6000])
def test_a_repetition_that_can_be_kept_is_not_refused(regex: str) -> None:
    assert Format.matching(regex).written == regex


def test_the_pointer_is_under_the_right_line() -> None:
    with pytest.raises(FormatError) as error:
        Format.matching("ab\ncd^e")
    assert str(error.value).split("\n")[1:] == ["  cd^e", "    ^"]


def test_what_only_looks_like_a_surrogate_can_be_used() -> None:
    matches = acceptor(Format.matching(r"\\ud800[\\ud8\uD7FF]"))
    assert matches("\\ud800\ud7ff") and not matches("\ud7ff")


def test_texts_stand_for_themselves() -> None:
    matches = acceptor(Format.one_of(["a.b", "", "\\d", "é|x"]))
    assert all(map(matches, ["a.b", "", "\\d", "é|x"]))
    assert not any(map(matches, ["axb", "0", "é", "x"]))


def test_one_of_nothing_is_an_error() -> None:
    with pytest.raises(FormatError, match="at least one"):
        Format.one_of([])


def test_one_of_what_is_no_text_is_an_error() -> None:
    with pytest.raises(FormatError, match=r"cannot be 'a\\udcff': a lone surrogate"):
        Format.one_of(["b", "a\udcff"])


@pytest.mark.parametrize(
    ("regex", "text"),
    [(r"\{a}+", "{a}}"), ("x{b}+", "x{b}}"), ("[a]}+", "a}}"), ("x{}+", "x{}}"), (r"\*+", "**")],
)
def test_a_brace_that_is_a_character_may_be_repeated(regex: str, text: str) -> None:
    assert re.fullmatch(regex, text)
    assert acceptor(Format.matching(regex))(text)
