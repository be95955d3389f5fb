"""The prompt is the text around a gap, of constant size and stable while one types."""

import pytest

from lsp_server.document import Document
from lsp_server.prompt import (
    HOP_CHARACTERS,
    PREFIX_CHARACTERS,
    SUFFIX_CHARACTERS,
    prompt_for,
)
from lsp_server.spans import Span, SpanKind

MOST_PREFIX = PREFIX_CHARACTERS + 2 * HOP_CHARACTERS
MOST_SUFFIX = 2 * SUFFIX_CHARACTERS


def gap(text: str, start: int, end: int | None = None) -> Span:
    document = Document.open("file:///x", "plaintext", 1, text)
    return Span(document, start, end or start, SpanKind.LINE_END, True, 32, "")


def test_a_small_file_is_given_whole() -> None:
    prompt = prompt_for(gap("a = 1\nb = \nc = 3\n", 10))
    assert (prompt.prefix, prompt.suffix) == ("a = 1\nb = ", "\nc = 3\n")


def test_what_the_span_replaces_is_not_in_it() -> None:
    prompt = prompt_for(gap("a = 1\nb = 2\nc = 3\n", 6, 11))
    assert (prompt.prefix, prompt.suffix) == ("a = 1\n", "\nc = 3\n")


@pytest.mark.parametrize("lines", [1_000, 50_000])
def test_the_size_does_not_depend_on_that_of_the_file(lines: int) -> None:
    text = "".join(f"value_{number:06} = compute()\n" for number in range(lines))
    middle = len(text) // 2
    prompt = prompt_for(gap(text, middle))
    assert PREFIX_CHARACTERS <= len(prompt.prefix) <= MOST_PREFIX
    assert SUFFIX_CHARACTERS <= len(prompt.suffix) <= MOST_SUFFIX
    assert text[:middle].endswith(prompt.prefix)
    assert text[middle:].startswith(prompt.suffix)
    assert prompt.prefix.startswith("value_")
    assert prompt.suffix.endswith("\n")


def test_a_file_of_one_endless_line_is_cut_within_it() -> None:
    prompt = prompt_for(gap("x" * 1_000_000, 500_000))
    assert PREFIX_CHARACTERS <= len(prompt.prefix) <= MOST_PREFIX
    assert SUFFIX_CHARACTERS <= len(prompt.suffix) <= MOST_SUFFIX


@pytest.mark.parametrize("line", ["    value = compute()\n", "x" * 7_000 + "\n", "y"])
def test_typing_leaves_the_start_where_it_is_but_for_a_hop_now_and_then(line: str) -> None:
    """Else nothing that the engine has cached of the prefix could be used again."""
    above, below = line * (60_000 // len(line)), line * (9_000 // len(line))
    starts, suffixes = [], set()
    for typed in range(0, HOP_CHARACTERS, 97):
        text = above + "z" * typed + below
        prompt = prompt_for(gap(text, len(above) + typed))
        starts.append(len(above) + typed - len(prompt.prefix))
        suffixes.add(prompt.suffix)
    assert len(set(starts)) <= 2
    assert starts == sorted(starts)
    assert len(suffixes) == 1


def test_the_model_sees_line_feeds_and_no_byte_order_mark() -> None:
    prompt = prompt_for(gap("\ufeffa\r\nb\rc\r\n", 5))
    assert (prompt.prefix, prompt.suffix) == ("a\nb", "\nc\n")


def test_half_a_character_can_be_told_to_a_tokenizer() -> None:
    prompt = prompt_for(gap("x = '\ud83d'\n", 8))
    prompt.prefix.encode("utf-8")
