"""A canvas held to a format: whatever order tokens are committed in, the text fits in the end."""

import re
from dataclasses import replace
from itertools import product
from random import Random

import numpy as np
import pytest
from test_formats import any_regex

from engine import Engine, FillOptions, Finish, Prompt
from engine.automaton import Automaton
from engine.candidate import Candidate, Rules
from engine.canvas import Canvas
from engine.choose import Choice, Policy
from engine.denoise import Denoising, step
from engine.engine import never
from engine.errors import FormatError, PromptError
from engine.fake import scripted_engine
from engine.formats import Format
from engine.healing import Healing
from engine.held import Hold
from engine.model import Context, Floats, Ids, Proposal
from engine.prompt import Mode
from engine.repair import reopened
from engine.siblings import drawn_apart, held_apart

END, MASK = 0, 1
PIECES = [b"", b"", b"a", b"b", b"ab", b"ba", b"aab", b"0", b"\n", b"\xc3", b"\xa9", b"\xc3\xa9b"]
K = 3


class Tokens:
    """The tokenizer of these pieces."""

    pieces = PIECES

    def encode(self, text: str) -> list[int]:
        raise NotImplementedError

    def decode(self, ids: list[int]) -> str:
        return b"".join(PIECES[i] for i in ids).decode(errors="replace")


def texts_of(size: int) -> set[str]:
    """Every text of at most `size` tokens."""
    found = set()
    for length in range(size + 1):
        for tokens in product([piece for piece in PIECES if piece], repeat=length):
            try:
                found.add(b"".join(tokens).decode())
            except UnicodeDecodeError:
                continue
    return found


CUT = Healing(Tokens(), len(PIECES)).whole(np.array([0]))
TEXTS = {size: texts_of(size) for size in range(1, 5)}


class Whims:
    """A model whose every pass has other beliefs, most of them about what is not allowed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def __call__(self, canvas: Ids, wanted: object) -> Proposal:
        logits = self.random.normal(size=(len(canvas), len(PIECES))) * 4
        logits[..., MASK] = -np.inf
        log_probs = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)
        ids = np.argsort(-log_probs, axis=-1)[..., :K]

        def others(places: Ids, tokens: Ids) -> Floats:
            found: Floats = log_probs[places][:, tokens]
            return found

        return Proposal(
            ids,
            np.take_along_axis(log_probs, ids, -1),
            log_probs[..., END],
            np.take_along_axis(log_probs, canvas[:, None], -1)[:, 0],
            others,
        )


def any_rules(draw: Random, hold: Hold) -> Rules:
    return Rules(
        choice=Choice(draw.choice(list(Policy)), draw.choice([0.3, 0.9]), top_k=2),
        steps=draw.choice([None, 1, 2]),
        temperature=draw.choice([0.0, 1.5]),
        newline=None,
        cut=CUT,
        remask=draw.choice([0.0, 0.0, 0.2]),
        hold=hold,
    )


@pytest.mark.parametrize("seed", range(200))
def test_whatever_is_committed_first_the_text_fits_or_nothing_does(seed: int) -> None:
    draw = Random(seed)
    regex, size, one_line = any_regex(draw, 4), draw.randint(1, 4), draw.random() < 0.3
    most = draw.choice([size, draw.randint(1, size)])
    fitting = {
        text
        for text in TEXTS[most]
        if re.fullmatch(regex, text, re.ASCII) and not (one_line and "\n" in text)
    }
    hold = Hold(Automaton.of(Format.matching(regex), PIECES, one_line=one_line), most)
    blank = Canvas.masked(size, MASK, END)
    if not fitting:
        with pytest.raises(FormatError):
            hold.check(blank)
        return
    hold.check(blank)
    rules = any_rules(draw, hold)
    denoising = Denoising(Whims(seed), rules, never)
    first = Candidate(blank, (seed, 0))
    proposal = denoising.proposed(first)
    drawn = drawn_apart(first, proposal, 2, rules) if rules.temperature else []
    step(first, proposal, rules)
    candidates = [first, *(drawn or held_apart(first, proposal, 2, rules))]
    denoising.run(candidates)
    for _ in range(2):
        for candidate in candidates:
            assert Tokens().decode(candidate.canvas.tokens) in fitting
        spoken = [c for c in candidates if c.canvas.tokens]
        if spoken and rules.steps is None:
            for candidate in spoken:
                assert reopened(candidate, rules, lambda text: [(0, 1)])
            denoising.run(candidates)


def test_the_best_allowed_token_is_found_beyond_the_proposals() -> None:
    hold = Hold(Automaton.of(Format.matching("(a|b)0"), PIECES, one_line=False), 2)
    log_probs = np.log(
        np.array([0.01, 1e-9, 0.1, 0.2, 0.3, 0.3, 0.01, 0.01, 0.01, 0.02, 0.03, 0.01])
    )
    ids = np.tile(np.array([4, 5, 10]), (2, 1))
    canvas = Canvas.masked(2, MASK, END)
    proposal = Proposal(
        ids,
        log_probs[ids].astype(np.float32),
        np.full(2, log_probs[END], np.float32),
        np.zeros(2, np.float32),
        lambda places, tokens: np.tile(log_probs[tokens], (len(places), 1)),
    )
    narrowed = hold.narrowed(canvas, proposal, np.zeros((0, 0), np.int64))
    assert list(narrowed.ids[0, :2]) == [3, 2]
    assert np.exp(narrowed.log_probs[0]) == pytest.approx([2 / 3, 1 / 3, 0])
    assert (narrowed.ids[1, 0], narrowed.log_probs[1, 0]) == (7, 0)
    assert hold.closed(canvas).length == 2, "only one length is possible"


def test_a_critic_is_heard_within_the_format() -> None:
    def doubt(text: str) -> list[tuple[int, int]]:
        return [(2, 3)] if text == "foo" else []

    options = FillOptions(format=Format.one_of(["foo", "fop"]))
    [fill] = scripted_engine(["foo"]).fill(Prompt("x"), options, critic=doubt)
    assert fill.text == "fop"
    only = FillOptions(format=Format.one_of(["foo"]))
    [fill] = scripted_engine(["foo"]).fill(Prompt("x"), only, critic=doubt)
    assert fill.text == "foo", "the format leaves no other"


def test_a_format_says_itself_where_the_text_ends() -> None:
    options = FillOptions(format=Format.matching(r"(?s)a.*"), least_indent=4, max_tokens=12)
    [fill] = scripted_engine(["a\nb = 1"]).fill(Prompt("x"), options)
    assert (fill.text, fill.finish) == ("a\nb = 1", Finish.END)
    options = FillOptions(format=Format.matching(r"[a-z]{40}"))
    with pytest.raises(FormatError, match=r"takes 41 of the model's tokens, and at most 32"):
        scripted_engine(["a"]).fill(Prompt("x"), options)
    options = FillOptions(format=Format.matching(r"[a-z]{31,}"))
    [fill] = scripted_engine(["abc" * 20]).fill(Prompt("x"), options)
    assert (fill.text, fill.finish) == (("abc" * 20)[:31], Finish.LENGTH)


def test_one_line_is_a_part_of_the_format() -> None:
    options = FillOptions(format=Format.matching(r"(?s)a.b"), stop_at_newline=True)
    assert scripted_engine(["a\nb"]).fill(Prompt("x"), options)[0].text in {"aab", "abb", "acb"}
    options = FillOptions(format=Format.matching("a\nb"), stop_at_newline=True)
    with pytest.raises(FormatError, match="one line: there is no such text"):
        scripted_engine(["a"]).fill(Prompt("x"), options)


@pytest.mark.parametrize("mode", [Mode.LEFT_TO_RIGHT, Mode.VERIFIED])
def test_only_the_denoiser_can_be_held(mode: Mode) -> None:
    with pytest.raises(PromptError, match=mode):
        scripted_engine(["x"]).fill(
            Prompt("x"), FillOptions(mode=mode, format=Format.matching("x"))
        )


LOADS = Prompt(
    "import json\n\n\ndef load(path):\n    with open(path) as f:\n        data = ",
    "\n    return data\n",
)
CALLS = r"[a-z]+\.[a-z_]+\(\w+(, \w+=\w+)*\)"


@pytest.mark.model
def test_of_some_texts_the_likely_one_is_taken(shipped: Engine) -> None:
    texts = ["yaml.safe_load(f)", "json.load(f)", "pickle.load(path)"]
    fills = shipped.fill(LOADS, FillOptions(format=Format.one_of(texts), candidates=3))
    assert fills[0].text == "json.load(f)"
    assert len(fills) > 1
    assert {fill.text for fill in fills} <= set(texts)


@pytest.mark.model
@pytest.mark.parametrize("regex", [CALLS, r"[A-Z]{50}", "é+|ü"])
@pytest.mark.parametrize(
    "options",
    [
        FillOptions(),
        FillOptions(policy=Policy.ENTROPY, remask=0.3),
        FillOptions(steps=2),
        FillOptions(temperature=1.0, candidates=2, seed=3),
    ],
    ids=["threshold", "entropy", "two steps", "sampling"],
)
def test_the_model_is_held_to_an_expression(
    shipped: Engine, regex: str, options: FillOptions
) -> None:
    for fill in shipped.fill(LOADS, replace(options, format=Format.matching(regex))):
        assert re.fullmatch(regex, fill.text, re.ASCII)


@pytest.mark.model
def test_a_token_that_goes_on_from_what_was_typed_does_not_cut_the_format(shipped: Engine) -> None:
    prompt = Prompt("def mean(values):\n    total = sum(values)\n    ret", "\n")
    options = FillOptions(max_tokens=6, format=Format.one_of(["urn 12345"]))
    [fill] = shipped.fill(prompt, options)
    assert fill.text == "urn 12345"


@pytest.mark.model
def test_what_the_model_says_anyway_is_not_changed_by_a_format(shipped: Engine) -> None:
    prompt = Prompt("names = ['a', 'b']\nfor name in ", ":\n    print(name)\n")
    [free] = shipped.fill(prompt)
    [held] = shipped.fill(prompt, FillOptions(format=Format.matching(r"[^\x00]*")))
    assert held.text == free.text
    # Without a format what was typed is given. And a pass over other positions shares another
    # int8 scale.
    assert held.mean_log_prob <= free.mean_log_prob + 0.2


@pytest.mark.model
def test_what_the_head_does_not_propose_is_as_probable_as_it_would_say(shipped: Engine) -> None:
    """For the K both are known; the head rounds its rows to int8, the logits asked for do not."""
    model = shipped._model
    card = model.card
    read = model.encode(np.arange(100, 140), 0, None)
    context = Context(read, read.first(0), np.arange(100, 140))
    canvas = np.full(1 + card.canvas_sizes[-1], card.mask_id, np.int64)
    canvas[0] = 140
    proposal = model.denoise(canvas, 40, context)
    assert proposal.others is not None
    told = proposal.others(np.arange(5), proposal.ids[2])
    assert told[2] == pytest.approx(proposal.log_probs[2], abs=1.0)
