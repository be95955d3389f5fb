"""The base left to right, and the torch model in the real engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import FillOptions, Prompt
from engine.reference import fill_slowly
from export.held_out import HeldOut
from export.limits import END_ID, SPECIAL
from export.reference import LeftToRight, card_of, torch_engine
from export.torch_model import TorchModel
from lsp_server.document import Document
from lsp_server.spans import choose


@pytest.fixture
def model(base):
    return TorchModel(card_of(base), base, None)


@pytest.fixture
def gap():
    before = "def f(x):\n    return x"
    document = Document.open("", "python", 0, before + "\n\n\nprint(f(1))\n")
    return HeldOut("python", document, choose(document, len(before)), " + 1")


def test_left_to_right_is_the_most_probable_token_again_and_again(model, tokenizer, gap):
    answer = LeftToRight(model, tokenizer)(gap)
    ids = tokenizer.encode("def f(x):\n    return x").ids
    made: list[int] = []
    while len(made) < gap.span.max_tokens and (not made or made[-1] != END_ID):
        _, logits = model.read(np.array([*ids, *made]), 0, None)
        made.append(int(logits[-1].argmax()))
    assert answer.text == tokenizer.decode(made).split("\n", 1)[0]
    assert answer.tokens == answer.passes


def test_the_first_token_begins_with_the_text_of_the_one_taken_back(model, tokenizer):
    reader = LeftToRight(model, tokenizer)
    healed = tokenizer.token_to_id("r")
    [first], cache = reader._first(tokenizer.encode("def f(x):").ids, healed)
    assert tokenizer.id_to_token(first).startswith("r")
    assert len(cache) == len("def f(x):")


def test_the_torch_model_runs_in_the_real_engine(model, tokenizer):
    engine = torch_engine(model, tokenizer)
    [fill] = engine.fill(Prompt("def f(x):\n    return ", "\n"), FillOptions(max_tokens=8))
    assert fill.steps >= 1
    assert fill.tokens <= 8
    assert engine.runtime.provider == "torch"


class Guessing:
    """A drafter that knows nothing: what it is sure of is drawn by lot."""

    def __init__(self, vocabulary):
        self.tokens = np.arange(SPECIAL, vocabulary)
        self.random = np.random.default_rng(0)

    def after(self, token):
        logits = 3 * self.random.standard_normal(len(self.tokens))
        return (logits - np.log(np.exp(logits).sum())).astype(np.float32)


@pytest.mark.parametrize("drafts", [False, True])
@pytest.mark.parametrize("threshold", [0.0, 0.02, 1.0])
def test_tokens_put_forward_and_cached_change_no_text(
    model, tokenizer, threshold, drafts, monkeypatch
):
    """In float32, where no rounding depends on what is read together."""
    if drafts:
        guessing = Guessing(model.card.vocabulary)
        denoise, encode = model.denoise, model.encode
        with_it = lambda *asked: replace(denoise(*asked), ahead=lambda place: guessing)  # noqa: E731
        monkeypatch.setattr(model, "denoise", with_it)
        monkeypatch.setattr(
            model, "encode_ahead", lambda *asked: (encode(*asked), lambda _context: guessing)
        )
    engine = torch_engine(model, tokenizer)
    monkeypatch.setattr(engine, "_rules", with_threshold(engine, threshold))
    for before, after in GAPS:
        prompt = Prompt(before, after)
        [fast] = engine.fill(prompt, FillOptions(max_tokens=40, likely_tokens=40))
        gap, cut = engine._around(prompt)
        slow = fill_slowly(model, cut, gap.suffix, 40)
        text = cut.text(slow[: 40 + len(slow) - cut.count(slow)])
        assert text.rstrip("\ufffd") == fast.text
        assert fast.tokens > 0


def with_threshold(engine, threshold):
    """The rules of an engine with another bound for what is put forward."""
    rules = engine._rules
    return lambda *asked: replace(
        found := rules(*asked), choice=replace(found.choice, threshold=threshold)
    )


GAPS = [
    ("def f(x):\n    return x", "\n\n\nprint(f(1))\n"),
    # Typed on, so that the cache is used: first more, then less of the same.
    ("def f(x):\n    return x + 1", "\n\n\nprint(f(1))\n"),
    ("def f(x):\n    ret", "\n\n\nprint(f(1))\n"),
    ("", "\nprint(x)\n"),
    ("class Stack:\n    def push(self, item):\n", ""),
]
