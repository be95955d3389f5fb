"""All systems fill the same gap from the same tokens and stop at the same place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.spans import TYPED, Task, before_typing, key_before, within
from bench.systems import FillInTheMiddle, LeftToRight, LlamaCpp, Transformers, Variant, among
from bench.variants import FIM
from bench.worker import opened
from bench.writers import Sure
from engine import FillOptions, Prompt, default_model_folder
from engine.prompt import Mode
from lsp_server.spans import SpanKind


def task(marked: str) -> Task:
    """A file with its gap at the bar."""
    return Task("python", marked.replace("|", ""), marked.index("|"))


LINE = task("def add(first, second):\n    return fir|\n\n\nprint(add(1, 2))\n")
BLOCK = task("def add(first, second):\n    |\n\n\nprint(add(1, 2))\n")
VARIANT = Variant("any")
MARKS = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
MARKED = (3, 4, 5)
"""Their tokens in the tiny model."""


class Scripted(LeftToRight):
    """Writes a text after whatever it is asked about, one token of the real tokenizer after the
    other, with the first one the longest that is allowed and begins as the text does."""

    def __init__(self, text: str, taken_back: str = "") -> None:
        super().__init__(None)
        self.text = (taken_back + text).encode()
        self.read_ids: list[list[int]] = []

    def versions(self):
        return {}

    def forget(self):
        self.read_ids.clear()

    def _greedy(self, ids, allowed):
        self.read_ids.append(ids)
        left, pieces = self.text, self._healing.pieces
        while left:
            tokens = range(len(pieces)) if (some := allowed()) is None else map(int, some)
            fits = [token for token in tokens if pieces[token] and left.startswith(pieces[token])]
            yield (best := max(fits, key=lambda token: len(pieces[token])))
            left = left.removeprefix(pieces[best])
        while True:
            yield self._card.end_id


def test_a_line_ends_at_its_line_break_and_a_cut_token_is_spelled_again():
    system = Scripted("st + second\n    more", taken_back=" fir")
    span = LINE.opened()
    assert span.document.text[: span.start].endswith("return fir")
    made = system.fill(span, VARIANT)
    assert made.text == "st + second"
    assert made.tokens == made.passes and made.seconds > 0
    [ids] = system.read_ids
    assert system._tokenizer.decode(ids).endswith("return")


def test_a_block_ends_where_a_line_leaves_it():
    system = Scripted("total = first + second\n    return total\n\nprint(1)\nprint(2)", "\n    ")
    made = system.fill(BLOCK.opened(), VARIANT)
    assert made.text.rstrip() == "total = first + second\n    return total"


def test_the_end_token_ends_a_fill_and_so_does_the_limit():
    span = LINE.opened()
    ended = Scripted("st", " fir").fill(span, VARIANT)
    assert ended.text == "st"
    endless = Scripted("st" + " + 1" * 400, " fir").fill(span, VARIANT)
    assert endless.tokens == span.max_tokens


def test_warm_is_all_but_what_was_typed_last():
    prompt = Prompt("x" * 20, "suffix")
    assert before_typing(prompt) == Prompt("x" * (20 - TYPED) + "~", "suffix")
    assert before_typing(Prompt("~" * 20)).prefix.endswith("~^")
    system = Scripted("print", "")
    system.text = b" a" * 50
    span = BLOCK.opened()
    system._greedy = lambda ids, allowed: iter([system.read_ids.append(ids) or 300])
    system.read(span, VARIANT)
    [ids] = system.read_ids
    assert span.document.text.startswith(system._tokenizer.decode(ids))
    assert len(system._tokenizer.decode(ids)) <= span.start - TYPED


def test_typed_is_after_a_fill_one_key_ago():
    assert key_before(Prompt("return fir", "suffix")) == Prompt("return fi", "suffix")
    system = Scripted("rst", " fi")
    system._greedy = lambda ids, allowed: iter([system.read_ids.append(ids) or 300])
    span = LINE.opened()
    system.type(span, VARIANT)
    warm, typed = (system._tokenizer.decode(ids) for ids in system.read_ids)
    assert span.document.text.startswith(warm) and len(warm) <= span.start - TYPED
    assert typed.endswith("return")


def test_the_limits_are_those_of_the_server():
    span = BLOCK.opened()
    assert span.kind is SpanKind.BLOCK
    limits = within(span, FillOptions(threshold=0.5))
    assert (limits.max_tokens, limits.least_indent, limits.threshold) == (160, 4, 0.5)
    assert within(LINE.opened(), FillOptions()).stop_at_newline


def test_a_variant_comes_out_of_json_as_it_went_in():
    content = {"name": "v", "options": {"mode": "verified", "agreement": 1.0}, "critic": False}
    variant = Variant.read(content)
    assert FillOptions(**variant.options).mode is Mode.VERIFIED and not variant.critic


def test_only_allowed_tokens_have_a_chance():
    scores = np.array([3.0, 1.0, 2.0], np.float32)
    assert among(scores, None) is scores
    assert among(scores, np.array([1, 2])).argmax() == 2


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A llama of one layer and random weights, with the vocabulary of the shipped model and the
    marks of a model that fills in the middle."""
    import json

    from gguf import GGUFWriter, TokenType

    tokenizer = json.loads((default_model_folder() / "tokenizer.json").read_text("utf-8"))["model"]
    tokens = sorted(tokenizer["vocab"], key=tokenizer["vocab"].__getitem__)
    tokens[3:6] = MARKS
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["merges"]]
    hidden, heads, ffn, rng = 64, 2, 96, np.random.default_rng(0)
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(1024)
    writer.add_embedding_length(hidden)
    writer.add_block_count(1)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [TokenType.CONTROL if n < 17 else TokenType.NORMAL for n in range(len(tokens))]
    )
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)

    def matrix(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32) / shape[-1] ** 0.5

    writer.add_tensor("token_embd.weight", matrix(len(tokens), hidden) * 8)
    writer.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", matrix(hidden, hidden))
    for name in ("ffn_gate", "ffn_up"):
        writer.add_tensor(f"blk.0.{name}.weight", matrix(ffn, hidden))
    writer.add_tensor("blk.0.ffn_down.weight", matrix(hidden, ffn))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(hidden, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


PEERS = {"llama.cpp": "llama_cpp", "transformers": "transformers", FIM: "llama_cpp"}


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_fills_alike_cold_and_warm(name, tiny):
    pytest.importorskip(PEERS[name], reason="a peer of the benchmark; the extra `bench` brings it")
    kinds = {"llama.cpp": LlamaCpp, "transformers": Transformers, FIM: FillInTheMiddle}
    system = kinds[name](None, tiny)
    span = LINE.opened()
    system.forget()
    cold = system.fill(span, VARIANT)
    system.read(span, VARIANT)
    warm = system.fill(span, VARIANT)
    again = system.fill(span, VARIANT)
    assert cold.text == warm.text == again.text != ""
    assert cold.tokens == cold.passes == warm.tokens
    assert system.versions()["transformers" if name == "transformers" else "llama-cpp-python"]


def test_a_model_that_fills_in_the_middle_is_given_both_sides_between_its_marks(tiny):
    pytest.importorskip("llama_cpp", reason="a peer of the benchmark; the extra `bench` brings it")
    system = FillInTheMiddle(None, tiny)
    assert system.versions()["model"] == "tiny"
    cut = system._cut(Prompt("def add(first):\n    return fir", "\n\n\nprint(add(1))\n"))
    pieces = dict(zip(MARKED, map(str.encode, MARKS), strict=True))
    text = b"".join(pieces.get(n) or cut.healing.pieces[n] for n in cut.ids.tolist())
    begin, after, middle = MARKS
    first, last = "def add(first):\n    return", "\n\n\nprint(add(1))\n"
    assert text.decode() == f"{begin}{first}{after}{last}{middle}"
    assert cut.owed == b" fir"
    nothing = system._cut(Prompt("", ""))
    assert nothing.ids.tolist() == list(MARKED)


def test_a_peer_says_how_sure_it_is_of_each_beginning_of_its_fill(tiny):
    pytest.importorskip("llama_cpp", reason="a peer of the benchmark; the extra `bench` brings it")
    model = Sure(None, tiny)
    span = LINE.opened()
    fill = model.sure_fill(span, 0)
    assert fill.text == model.fill(span, VARIANT).text != ""
    ends, probabilities = zip(*((b.end, b.probability) for b in fill.beginnings), strict=True)
    assert sorted(ends) == list(ends) and ends[-1] == len(fill.text)
    assert sorted(probabilities, reverse=True) == list(probabilities)
    assert 0 < probabilities[-1] <= probabilities[0] <= 1
    assert model.sure_fill(span, probabilities[-1]) == fill
    short = model.sure_fill(span, (probabilities[0] + 1) / 2)
    assert short.tokens == 1 < fill.tokens, "it stops behind the first unsure token"
    assert short.text == fill.text[: ends[0]] and not short.has_ended
    assert short.beginnings[0] == fill.beginnings[0]


def test_peers_of_the_same_weights_write_the_same(tiny):
    for module in PEERS.values():
        pytest.importorskip(module, reason="a peer of the benchmark; the extra `bench` brings it")
    span = LINE.opened()
    texts = {kind(None, tiny).fill(span, VARIANT).text for kind in (LlamaCpp, Transformers)}
    assert len(texts) == 1


@pytest.mark.model
def test_lacuna_reads_less_when_it_is_warm():
    from bench.worker import Models

    system = opened("lacuna", Models(None, Path("none.gguf")))
    span = LINE.opened()
    for mode in Mode:
        variant = Variant(mode, {"mode": mode})
        system.forget()
        assert system._engine.cached_tokens == 0
        system.read(span, variant)
        read = system._engine.cached_tokens
        assert read > 0
        made = system.fill(span, variant)
        assert made.passes >= 1 and "\n" not in made.text
    system.type(span, VARIANT)
    typed = system.fill(span, VARIANT)
    system.read(span, VARIANT)
    warm = system.fill(span, VARIANT)
    assert typed.text == warm.text and typed.passes < warm.passes
