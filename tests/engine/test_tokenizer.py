"""Texts that are tokenized line by line have the tokens that they have as a whole."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from random import Random

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from engine import default_model_folder
from engine.tokenizer import LINES, FileTokenizer

LETTERS = ["\n", "\n\n", "\r", " ", "  ", "\t", "\x0b", "\x85", "\xa0", "\u2028", "\u3000", "\x1c"]
OTHERS = ["a", "b1", '"', "é", "世界", "'s", ".", "<|endoftext|>", "\U0001f600"]


@pytest.fixture(scope="module")
def path() -> Path:
    return default_model_folder() / "tokenizer.json"


def whole(path: Path, text: str) -> list[int]:
    library = Tokenizer.from_file(str(path))
    library.encode_special_tokens = True
    return library.encode(text, add_special_tokens=False).ids


def test_code_has_the_tokens_it_has_as_a_whole(path: Path) -> None:
    tokenizer, code, random = FileTokenizer(path), inspect.getsource(argparse), Random(0)
    for _ in range(20):
        start = random.randrange(len(code))
        text = code[start : start + random.randrange(6000)]
        assert tokenizer.encode(text) == whole(path, text)


def test_so_have_texts_of_any_blanks(path: Path) -> None:
    tokenizer, random = FileTokenizer(path), Random(1)
    library = Tokenizer.from_file(str(path))
    library.encode_special_tokens = True
    for _ in range(5000):
        text = "".join(random.choices(LETTERS + OTHERS, k=random.randrange(1, 12)))
        expected = library.encode(text, add_special_tokens=False).ids
        assert tokenizer.encode(text) == expected, repr(text)


def test_what_was_given_is_the_callers_own(path: Path) -> None:
    tokenizer = FileTokenizer(path)
    tokenizer.encode("one\ntwo").clear()
    assert tokenizer.encode("one\ntwo") == whole(path, "one\ntwo")


def test_lines_are_looked_at_once_and_not_all_remembered(path: Path) -> None:
    tokenizer = FileTokenizer(path)
    tokenizer.encode("a = 1\nb = 2\nc = 3")
    tokenizer.encode("a = 1\nb = 2\nc = 34")
    assert (tokenizer._ids.cache_info().hits, tokenizer._ids.cache_info().misses) == (2, 4)
    tokenizer.encode("\n".join(f"line {number}" for number in range(LINES + 100)))
    assert tokenizer._ids.cache_info().currsize == LINES


def test_a_tokenizer_that_knows_no_words_is_given_whole_texts(tmp_path: Path) -> None:
    letters = {"a": 0, "Ċ": 1, "b": 2, "aĊ": 3, "aĊb": 4}
    library = Tokenizer(models.BPE(vocab=letters, merges=[("a", "Ċ"), ("aĊ", "b")]))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    library.save(str(tmp_path / "tokenizer.json"))
    assert FileTokenizer(tmp_path / "tokenizer.json").encode("a\nb") == [4]
