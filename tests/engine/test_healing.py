"""Tokens that a cursor cuts in two are taken back and spelled anew."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine import Engine, FillOptions, Mode, Prompt
from engine.fake import ByteTokenizer
from engine.healing import Healing

PIECES = [b"", b"\n", b" ", b"a", b"p", b"r", b"i", b"nt", b" pr", b" print", b"print", b"\xf0\x9f"]
PIECES += [b"\x98", b"\n   ", b"\n    "]


@pytest.mark.parametrize(
    ("prefix", "kept", "owed"),
    [
        ([b"a", b" pr", b"i"], [b"a"], b" pri"),  # " print" spells both
        ([b"a", b"nt"], [b"a"], b"nt"),
        ([b"a", b"\n    "], [b"a"], b"\n    "),
        ([b"a"], None, b"a"),
        ([b"a", b"\xf0\x9f", b"\x98"], [b"a", b"\xf0\x9f", b"\x98"], b""),  # no token spells it
        ([b"a", b""], [b"a", b""], b""),
    ],
)
def test_as_much_is_taken_back_as_one_token_can_spell(
    prefix: list[bytes], kept: list[bytes] | None, owed: bytes
) -> None:
    ids = np.array([PIECES.index(piece) for piece in prefix], np.int64)
    cut = Healing(SimpleNamespace(pieces=PIECES), len(PIECES)).cut(ids, start_id=0)
    assert [PIECES[i] for i in cut.ids] == ([PIECES[0]] if kept is None else kept)
    assert cut.owed == owed


def test_what_may_be_written_spells_the_text_taken_back() -> None:
    healing = Healing(SimpleNamespace(pieces=PIECES), len(PIECES))
    assert {PIECES[i] for i in healing.spelling(b" pri")} == {b" print", b" pr", b" "}
    assert {PIECES[i] for i in healing.spelling(b"\n    ")} == {b"\n    ", b"\n   ", b"\n"}
    assert {PIECES[i] for i in healing.spelling(b"i")} == {b"i"}


def test_of_single_bytes_only_the_last_is_taken_back() -> None:
    tokenizer = ByteTokenizer()
    ids = np.array(tokenizer.encode("ab"), np.int64)
    cut = Healing(tokenizer, 300).cut(ids, start_id=0)
    assert (list(cut.ids), cut.owed) == (tokenizer.encode("a"), b"b")


@pytest.mark.model
def test_the_pieces_of_the_shipped_model_are_its_text(shipped: Engine) -> None:
    tokenizer = shipped._tokenizer
    text = "def é(x):\n\t# 😋 <|endoftext|>\n    return 12\r\n"
    ids = tokenizer.encode(text)
    assert b"".join(tokenizer.pieces[i] for i in ids).decode() == text
    assert tokenizer.pieces[shipped.card.end_id] == b""
    assert {bytes([byte]) for byte in text.encode()} <= set(tokenizer.pieces)


@pytest.mark.model
@pytest.mark.parametrize(
    ("prefix", "begins"),
    [
        (
            "import json\n\ndef load(path):\n    with open(path) as file:\n        retu",
            "rn json.load(",
        ),
        ("import json\n\ndef load(path):\n    with op", "en(path"),
        ("def add(first, second):\n    return fir", "st + second"),
        ("class Config:\n    def __ini", "t__(self, "),
        (
            "import json\n\ndef load(path):\n    with open(path) as file:\n        return",
            " json.load(file)",
        ),
    ],
)
def test_a_word_half_typed_is_finished(shipped: Engine, prefix: str, begins: str) -> None:
    options = FillOptions(mode=Mode.LEFT_TO_RIGHT, stop_at_newline=True, max_tokens=12)
    [fill] = shipped.fill(Prompt(prefix, "\n"), options)
    assert fill.text.startswith(begins)


@pytest.mark.model
def test_what_may_be_written_is_judged_by_its_own_logits(shipped: Engine) -> None:
    """Also what the head does not propose; its K best keep their log-probabilities."""
    ids = np.array(shipped._tokenizer.encode("def add(first, second):\n    return first"), np.int64)
    last = len(ids) - 1
    _, free = shipped._model.next_log_probs(ids, 0, None)
    best = free.ids[last, :3]
    rare = [i for i in range(1000, 1010) if i not in free.ids[last]]
    among = np.array([*rare, *best], np.int64)
    _, held = shipped._model.next_log_probs(ids, 0, None, {last: among})
    assert set(held.ids[last, :3]) == set(best)
    assert held.ids[last, 0] == best[0]
    assert np.allclose(held.log_probs[last, :3], free.log_probs[last, :3], atol=0.5)
    assert set(held.ids[last, 3:]) <= set(rare)
    assert (held.log_probs[last, 3:] < free.log_probs[last, -1] + 0.5).all()
