"""Gaps are cut where their text has token boundaries."""

from __future__ import annotations

from random import Random

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from engine.healing import Healing
from export.batches import in_tokens, split
from export.folder import engine_tokenizer
from export.gaps import Gap
from export.limits import END_ID
from export.packing import Layout
from lsp_server.spans import SpanKind

WORDS = ("print", "value", "cafÃ", "©s", "Ã©")
"""Tokens of several bytes in the byte-level alphabet. Ã and © are the two bytes of é: alone it is a
token, in `cafés` two tokens part it."""
LAYOUT = Layout(canvas=8, windows=1, gaps=1, window=40, suffix=4)


@pytest.fixture
def words() -> Tokenizer:
    """Bytes, and some words."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [f"<{i}>" for i in range(20)] + letters
    merges = []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            if word[:end] not in pieces:
                pieces.append(word[:end])
                merges.append((word[: end - 1], word[end - 1]))
    built = Tokenizer(models.BPE(vocab={p: i for i, p in enumerate(pieces)}, merges=merges))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = decoders.ByteLevel()
    return built


@pytest.fixture
def healing(words: Tokenizer) -> Healing:
    return Healing(engine_tokenizer(words), words.get_vocab_size())


def right_of(healing: Healing, text: str, cursor: int) -> list[bytes]:
    """The tokens that a middle begins with; the two parts are always the whole."""
    encode = healing.tokenizer.encode
    left, right = split(encode(text), encode(text[:cursor]), healing)
    assert [token for token in [*left, *right] if token != END_ID] == encode(text)
    return [healing.pieces[token] for token in right]


CASES = [
    ("(print)", 2, [b"print", b")"]),
    ("(print)", 5, [b"print", b")"]),
    ("(print)", 6, [b"print", b")"]),
    ("print(", 5, [b"print", b"("]),
    ("print(", 2, [b"print", b"("]),
    ("print(", 0, [b"print", b"("]),
    ("éé+", 2, ["é".encode(), b"+"]),
    ("x😀y", 2, [b"y"]),
    ("(cafés", 4, [b"caf\xc3", b"\xa9s"]),
    ("(cafés", 5, [b"\xa9s"]),
    ("(print", 6, [b"print"]),
    ("", 0, []),
]


@pytest.mark.parametrize(("text", "cursor", "expected"), CASES)
def test_text_is_parted_where_the_engine_would_begin(healing, text, cursor, expected):
    """Before the token that the cursor is in or behind, where it begins with a whole character."""
    assert right_of(healing, text, cursor) == expected


def drawn(healing: Healing, text: str, start: int, end: int) -> set[tuple[str, str, int]]:
    """Prefix and middle as text, and the length, of a gap in tokens, over many throws."""
    tokenizer = healing.tokenizer
    gap, window, found = Gap(start, end, SpanKind.EXPRESSION), tokenizer.encode(text), set()
    for seed in range(100):
        example = in_tokens(text, gap, window, LAYOUT, healing, Random(seed))
        if example is None:
            continue
        prefix = [*window[: example.shared], *example.tail]
        middle = example.middle[: example.length - 1]
        assert example.middle[len(middle) :] == [END_ID] * (LAYOUT.canvas - len(middle))
        found.add((tokenizer.decode(prefix), tokenizer.decode(middle), example.length))
    return found


def test_a_middle_spells_anew_what_the_cursor_cut(healing):
    assert drawn(healing, "x=print(value)", 5, 13) == {("x=", "print(value", 4)}


def test_a_middle_begins_one_token_before_the_cursor(healing):
    assert drawn(healing, "x=print(value)", 8, 13) == {("x=print", "(value", 3)}


def test_an_empty_gap_spells_the_last_token(healing):
    assert drawn(healing, "x=print\n", 7, 7) == {("x=", "print", 2)}


def test_where_all_of_a_prefix_is_taken_back_an_end_stands_for_it(healing):
    found = drawn(healing, "print(value)", 2, 6)
    assert {middle for _, middle, _ in found} == {"print("}
