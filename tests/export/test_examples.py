"""A corpus becomes windows with gaps, cut where their text has token boundaries."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from engine.errors import LacunaError
from engine.healing import Healing
from export import examples, train
from export.examples import Cutter, cut_shard, shards_of, split
from export.folder import engine_tokenizer
from export.gaps import Gap
from export.limits import END_ID
from export.packing import Example
from export.shelf import MADE_OF, Shelf, load
from lsp_server.spans import SpanKind

WORDS = ("print", "value", "cafÃ", "©s", "Ã©")
"""Tokens of several bytes in the byte-level alphabet. Ã and © are the two bytes of é: alone it is a
token, in `cafés` two tokens part it."""
CODE = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n"
CODE += "    return result\n\n\n"


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


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "python.txt").write_text("\0".join([CODE * 20, CODE * 30, CODE]))
    (folder / "held-python.txt").write_text(CODE.replace("value", "number") * 20)
    return folder


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


def drawn(healing: Healing, text: str, start: int, end: int) -> set[tuple[str, str]]:
    """Prefix and middle, which ends with the end, of a gap in tokens, over many throws."""
    cutter, decode = Cutter(healing, {}, 0), healing.tokenizer.decode
    gap, window, found = Gap(start, end, SpanKind.EXPRESSION), healing.tokenizer.encode(text), set()
    for seed in range(100):
        example = cutter._in_tokens(text, gap, window, Random(seed))
        if example is not None:
            *middle, last = example.middle
            assert last == END_ID
            found.add((decode(window[: example.shared]), decode(middle)))
    return found


def test_a_middle_spells_anew_what_the_cursor_cut(healing):
    assert drawn(healing, "x=print(value)", 5, 13) == {("x=", "print(value")}


def test_a_middle_begins_one_token_before_the_cursor(healing):
    assert drawn(healing, "x=print(value)", 8, 13) == {("x=print", "(value")}


def test_an_empty_gap_spells_the_last_token(healing):
    assert drawn(healing, "x=print\n", 7, 7) == {("x=", "print")}


def test_a_long_middle_is_cut_off_without_its_end(healing):
    cutter, text = Cutter(healing, {}, 0), "x=" + "1+" * 40 + "1\n"
    window = healing.tokenizer.encode(text)
    gap = Gap(2, len(text) - 1, SpanKind.EXPRESSION)
    found = [cutter._in_tokens(text, gap, window, Random(seed)) for seed in range(40)]
    kept = [example for example in found if example is not None]
    assert 0 < len(kept) < len(found), "few of them are taken"
    assert all(len(e.middle) == 32 and END_ID not in e.middle for e in kept)


def windows(healing: Healing, text: str, seed: int = 0) -> list:
    return list(Cutter(healing, {"python": [text]}, seed).windows("python", 0))


def test_windows_follow_one_another_to_the_end_of_a_file(healing):
    text = "".join(f"{name} = call_{name}(value)\n" for name in map(str, range(1000, 1200)))
    found = windows(healing, text)
    starts = [text.index(healing.tokenizer.decode(ids)) for ids, _ in found]
    assert starts == sorted(set(starts))
    assert all(start == 0 or text[start - 1] == "\n" for start in starts)
    last, _ = found[-1]
    assert text[starts[-1] + len(healing.tokenizer.decode(last)) :].count("\n") <= 1


def test_a_file_without_lines_ends_too(healing):
    assert len(windows(healing, "x" * 200_000)) == examples.MOST_WINDOWS


def test_each_gap_is_text_that_follows_its_prefix(healing):
    decode, counted = healing.tokenizer.decode, 0
    for ids, found in windows(healing, CODE * 20):
        for example in found:
            middle = [token for token in example.middle if token != END_ID]
            whole = decode([*ids[: example.shared], *middle])
            assert (CODE * 20).startswith(whole) or whole[-30:] in CODE * 20
            if END_ID in example.middle and len(example.suffix) > 10:
                assert decode([*middle, *example.suffix])[-60:] in CODE * 20
            counted += 1
    assert counted > 20


def cut_corpus(corpus, to, healing, monkeypatch, seed: int = 0) -> list[int]:
    to.mkdir(exist_ok=True)
    files = {path.stem: path.read_text().split("\0") for path in corpus.glob("*.txt")}
    monkeypatch.setattr(examples, "cutter_of", lambda *_: Cutter(healing, files, seed))
    options = argparse.Namespace(corpus=corpus, model=None, to=to, seed=seed)
    return list(map(partial(cut_shard, options), shards_of(corpus, seed)))


def test_a_corpus_becomes_the_same_shards_again_and_what_is_held_out_lies_apart(
    corpus, tmp_path, healing, monkeypatch
):
    one, two = tmp_path / "one", tmp_path / "two"
    counts = cut_corpus(corpus, one, healing, monkeypatch)
    cut_corpus(corpus, two, healing, monkeypatch)
    assert sorted(path.name for path in one.iterdir()) == ["0000.npz", "held-0000.npz"]
    assert [len(list(load(one / name))) for name in ("held-0000.npz", "0000.npz")] == counts
    for path in one.iterdir():
        assert same(list(load(path)), list(load(two / path.name)))
    held = {healing.tokenizer.decode(ids.tolist()) for ids, _ in load(one / "held-0000.npz")}
    assert all("number" in text for text in held)


def test_a_shard_that_is_there_is_not_cut_again(corpus, tmp_path, healing, monkeypatch):
    cut_corpus(corpus, tmp_path / "one", healing, monkeypatch)
    assert cut_corpus(corpus, tmp_path / "one", healing, monkeypatch) == [0, 0]


@pytest.fixture
def options(corpus, tmp_path, words, monkeypatch):
    """The arguments of the command, whose work is done here and not in other processes."""
    (tmp_path / "model").mkdir()
    words.save(str(tmp_path / "model" / "tokenizer.json"))
    monkeypatch.setattr(examples, "ProcessPoolExecutor", ThreadPoolExecutor)
    parser = argparse.ArgumentParser()
    examples.add_arguments(parser)
    text = f"--corpus {corpus} --to {tmp_path / 'made'} --model {tmp_path / 'model'}"
    return parser.parse_args([*text.split(), "--workers", "1"])


def test_the_same_command_cuts_what_is_missing(options):
    examples.run(options)
    whole, shard = (options.to / "0000.npz").read_bytes(), options.to / "held-0000.npz"
    shard.unlink()
    examples.run(options)
    assert shard.exists() and (options.to / "0000.npz").read_bytes() == whole


@pytest.mark.parametrize("what", ["corpus", "smaller corpus", "tokenizer", "seed"])
def test_shards_of_something_else_are_not_taken_for_those_that_are_wanted(options, what):
    """What is held out now may be in them."""
    examples.run(options)
    if what == "corpus":
        (options.corpus / "python.txt").write_text(CODE * 40)
    elif what == "smaller corpus":
        (options.corpus / "held-python.txt").unlink()
    elif what == "tokenizer":
        file = options.model / "tokenizer.json"
        file.write_text(file.read_text() + "\n")
    else:
        options.seed = 1
    with pytest.raises(LacunaError, match="holds examples of another corpus, tokenizer, seed or"):
        examples.run(options)


def test_shards_of_nobody_knows_what_are_not_gone_on_with(options):
    examples.run(options)
    (options.to / MADE_OF).unlink()
    with pytest.raises(LacunaError, match=f"made: is not empty, and has no {MADE_OF} to tell"):
        examples.run(options)


def test_no_workers_are_refused_in_a_sentence(capsys):
    parser = argparse.ArgumentParser()
    examples.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--corpus", "corpus", "--to", "made", "--workers", "0"])
    assert "'0' is not a whole number of at least 1" in capsys.readouterr().err


def test_what_an_interrupted_command_leaves_is_no_shard(tmp_path, monkeypatch):
    shelf, write = Shelf(), np.savez

    def stopped(*given, **arrays):
        write(*given, **arrays)
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", stopped)
    with pytest.raises(KeyboardInterrupt):
        shelf.save(tmp_path / "0000.npz")
    assert list(tmp_path.iterdir()), "something is left"
    assert train.shards_of(tmp_path, held_out=False) == []


@pytest.mark.parametrize("left", [0, 10, 300])
def test_a_shard_that_cannot_be_read_is_named(tmp_path, left):
    path, shelf = tmp_path / "0000.npz", Shelf()
    shelf.add((list(range(300)), []))
    shelf.save(path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(LacunaError, match=r"0000\.npz: cannot be read .* makes it anew"):
        list(load(path))


def test_a_shelf_gives_back_what_it_was_given(tmp_path):
    first = (list(range(30)), [Example(4, [5, 6, 0], [7, 8]), Example(9, [1], [])])
    second = ([60_000, 3, 9], [])
    shelf = Shelf()
    shelf.add(first)
    shelf.add(second)
    shelf.save(tmp_path / "shard.npz")
    assert same(list(load(tmp_path / "shard.npz")), [first, second])


def same(one: list, other: list) -> bool:
    def plain(windows: list) -> list:
        return [
            (list(ids), [(e.shared, list(e.middle), list(e.suffix)) for e in found])
            for ids, found in windows
        ]

    return plain(one) == plain(other)
