"""Modes of filling on a network in float32, where rounding depends on nothing else that is read."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine import FillOptions, Mode, Prompt
from engine.reference import write_slowly
from export.reference import card_of, torch_engine
from export.torch_model import TorchModel

PREFIXES = [
    "def f(x):\n    return x",
    "def f(x):\n    return x + 1",
    "def f(x):\n    ret",
    "x",
    "é",
]


@pytest.fixture
def model(base):
    """A network that writes nothing but bytes and the end."""
    base.embedding[1:20] = base.embedding[276:] = 0
    return TorchModel(card_of(base), base, None)


@pytest.fixture
def engine(model, tokenizer):
    return torch_engine(model, tokenizer)


def prefix_ids(engine, text):
    return np.array(engine._tokenizer.encode(text), np.int64)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_left_to_right_with_a_cache_is_left_to_right_without(engine, model, prefix):
    slow = write_slowly(model, engine._tokenizer.pieces, prefix_ids(engine, prefix), 24)
    options = FillOptions(mode=Mode.LEFT_TO_RIGHT, max_tokens=24)
    for _ in range(2):  # the second time from the cache
        [fill] = engine.fill(Prompt(prefix, "\n"), options)
        assert fill.text == slow.decode("utf-8", "replace").rstrip("\ufffd")


@pytest.mark.parametrize("prefix", PREFIXES[:3])
def test_with_full_agreement_the_text_is_a_beginning_of_the_bases(engine, prefix):
    written = FillOptions(mode=Mode.LEFT_TO_RIGHT, max_tokens=24)
    verified = FillOptions(mode=Mode.VERIFIED, max_tokens=24, agreement=1.0)
    [greedy] = engine.fill(Prompt(prefix, "\nprint(x)\n"), written)
    [fill] = engine.fill(Prompt(prefix, "\nprint(x)\n"), verified)
    assert greedy.text.startswith(fill.text)


@pytest.mark.parametrize("agreement", [0.3, 0.9])
@pytest.mark.parametrize("prefix", PREFIXES[:3])
def test_every_token_of_a_verified_fill_is_as_probable_as_was_promised(
    engine, model, tokenizer, prefix, agreement
):
    options = FillOptions(mode=Mode.VERIFIED, max_tokens=16, agreement=agreement)
    [fill] = engine.fill(Prompt(prefix, "\nprint(x)\n"), options)
    ids, start = tokenizer.encode(prefix + fill.text).ids, len(tokenizer.encode(prefix).ids)
    assert fill.checks >= 1
    _, proposal = model.next_log_probs(np.array(ids), 0, None)
    for place in range(start, len(ids)):
        given = proposal.current_log_prob[place - 1]
        assert given >= proposal.log_probs[place - 1, 0] + math.log(agreement) - 1e-4


def test_only_the_tokens_asked_for_are_proposed_with_their_own_probability(model):
    ids, among = np.array([30, 40, 50]), np.array([60, 61, 299])
    _, free = model.next_log_probs(ids, 0, None)
    _, held = model.next_log_probs(ids, 0, None, {2: among})
    assert set(held.ids[2, :3]) == set(among)
    assert np.isneginf(held.log_probs[2, 3:]).all()
    for token, log_prob in zip(held.ids[2, :3], held.log_probs[2, :3], strict=True):
        _, read = model.next_log_probs(np.array([*ids, token]), 0, None)
        assert read.current_log_prob[2] == pytest.approx(log_prob, abs=1e-5)
    np.testing.assert_array_equal(free.ids[:2], held.ids[:2])
