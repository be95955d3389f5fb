"""A gap's way through the engine, over a scripted model: text, limits, cache, candidates, trace."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from engine import FillOptions, Finish, Prompt, Step, check, drafts
from engine.choose import Policy
from engine.context import CHUNK, HOP, window
from engine.engine import tail
from engine.errors import CancelledError, EngineFailedError, PromptError
from engine.fake import CARD, ByteTokenizer, ScriptedEngine, ScriptedModel, scripted_engine
from engine.model import Floats, Ids, KeyValues, Proposal, Start

LONG = "a_name_that_is_longer_than(any, canvas, of=the, model) and goes on + 1234567890"


def lines(engine: ScriptedEngine, prompt: Prompt, **options: object) -> str:
    return engine.fill(prompt, FillOptions(stop_at_newline=True, **options))[0].text  # type: ignore[arg-type]


def test_a_short_text_ends_with_the_end_token() -> None:
    [fill] = scripted_engine(["foo()"]).fill(Prompt("x = ", "\n"))
    assert (fill.text, fill.tokens, fill.finish) == ("foo()", 6, Finish.END)
    assert fill.steps == 2, "one that puts forward, one that checks"
    assert np.log(0.6) <= fill.mean_log_prob <= np.log(0.999)
    assert fill.timings.total >= fill.timings.denoise > 0


def test_nothing_to_insert_is_an_empty_text() -> None:
    [fill] = scripted_engine([""]).fill(Prompt("x = 1", "\n"))
    assert (fill.text, fill.finish) == ("", Finish.END)


def test_a_long_text_goes_on_over_several_canvases() -> None:
    [fill] = scripted_engine([LONG]).fill(Prompt("x = ", "\n"))
    assert (fill.text, fill.finish) == (LONG, Finish.END)


def test_a_text_beyond_the_limit_is_cut() -> None:
    [fill] = scripted_engine([LONG]).fill(Prompt("x = ", "\n"), FillOptions(max_tokens=40))
    assert (fill.text, fill.tokens, fill.finish) == (LONG[:40], 40, Finish.LENGTH)


def test_a_character_cut_in_two_is_left_out() -> None:
    [fill] = scripted_engine(["a😋b"]).fill(Prompt("x"), FillOptions(max_tokens=3))
    assert fill.text == "a"


def test_one_line_ends_at_the_line_feed() -> None:
    engine = scripted_engine(["first\nsecond"])
    [fill] = engine.fill(Prompt("x"), FillOptions(stop_at_newline=True))
    assert (fill.text, fill.finish) == ("first", Finish.NEWLINE)


@pytest.mark.parametrize("policy", [Policy.SELF_CHECK, Policy.ONE])
def test_a_block_that_has_been_left_takes_no_further_pass(policy: Policy) -> None:
    options = FillOptions(least_indent=2, policy=policy, likely_tokens=20)
    [short] = scripted_engine(["a\n  b\nc"]).fill(Prompt("x"), options)
    [long] = scripted_engine(["a\n  b\nc and what comes after"]).fill(Prompt("x"), options)
    assert (short.text, short.finish) == (long.text, long.finish) == ("a\n  b", Finish.DEDENT)
    assert long.steps <= short.steps


def test_a_block_that_goes_on_over_canvases_ends_as_one() -> None:
    text = "a_line_that_is_longer_than_a_canvas_of_32\n  b\nc and what comes after"
    [fill] = scripted_engine([text]).fill(Prompt("x"), FillOptions(least_indent=2))
    assert (fill.text, fill.finish) == (text[: text.index("\nc")], Finish.DEDENT)


def test_one_line_starts_on_a_small_canvas_and_grows() -> None:
    engine = scripted_engine(["short", LONG])
    steps: list[Step] = []
    engine.fill(Prompt("x"), FillOptions(stop_at_newline=True), on_step=steps.append)
    assert {len(step.cells) for step in steps} == {16}
    steps.clear()
    engine.fill(Prompt("x"), FillOptions(stop_at_newline=True), on_step=steps.append)
    assert [len(step.cells) for step in steps][:1] == [16]
    assert len(steps[-1].cells) == 32


@pytest.mark.parametrize(
    ("likely", "most", "size"),
    [(0, 96, 16), (15, 96, 16), (16, 96, 32), (500, 512, 32), (20, 8, 8), (0, 8, 8), (0, 1, 8)],
)
def test_the_first_canvas_has_room_for_what_is_likely(likely: int, most: int, size: int) -> None:
    steps: list[Step] = []
    options = FillOptions(likely_tokens=likely, max_tokens=most)
    scripted_engine(["short"]).fill(Prompt("x"), options, on_step=steps.append)
    assert {len(step.cells) for step in steps} == {size}


def test_empty_surroundings_are_no_error() -> None:
    assert scripted_engine(["x"]).fill(Prompt("", ""))[0].text == "x"


def test_the_text_of_a_special_token_or_a_lone_surrogate_is_text() -> None:
    assert scripted_engine(["x"]).fill(Prompt("<|endoftext|>\ud800", "<|im_end|>"))[0].text == "x"


def test_steps_bound_the_passes() -> None:
    options = FillOptions(steps=1, likely_tokens=20)
    [fill] = scripted_engine(["twenty_characters_xx"]).fill(Prompt("x"), options)
    assert (fill.text, fill.steps) == ("twenty_characters_xx", 1)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_candidates_too_are_done_within_a_budget_of_steps(steps: int) -> None:
    engine = scripted_engine(["twenty_characters_xx"])
    options = FillOptions(candidates=3, steps=steps, likely_tokens=20)
    fills = engine.fill(Prompt("x"), options)
    assert fills[0].text == "twenty_characters_xx"
    most = max(steps, 2)
    assert all(fill.steps <= most for fill in fills), "one is shared, and shows only its own token"


def test_one_token_a_pass_is_the_reference_policy() -> None:
    from engine.choose import Policy

    [fill] = scripted_engine(["abcdef"]).fill(Prompt("x"), FillOptions(policy=Policy.ONE))
    assert (fill.text, fill.steps) == ("abcdef", 7), "the end too"


def test_candidates_differ_and_share_the_first_pass() -> None:
    engine = scripted_engine(["foo"])
    fills = engine.fill(Prompt("x"), FillOptions(candidates=3))
    assert len({fill.text for fill in fills}) == 3
    assert fills[0].text == "foo"
    assert sorted(fills, key=lambda fill: -fill.mean_log_prob) == list(fills)
    assert engine.script.passes == 1 + sum(fill.steps - 1 for fill in fills)


def test_sampling_is_the_same_for_the_same_seed() -> None:
    options = FillOptions(temperature=3.0, seed=5)
    texts = {scripted_engine(["abcdefgh"]).fill(Prompt("x"), options)[0].text for _ in range(3)}
    assert len(texts) == 1
    other = FillOptions(temperature=3.0, seed=6)
    assert scripted_engine(["abcdefgh"]).fill(Prompt("x"), other)[0].text not in texts


def test_each_canvas_of_each_candidate_draws_its_own() -> None:
    options = FillOptions(temperature=50.0, candidates=2, max_tokens=96)
    fills = scripted_engine(["a" * 96]).fill(Prompt("x = "), options)
    canvases = [fill.text[start : start + 24] for fill in fills for start in (0, 32, 64)]
    assert len(set(canvases)) == 6


def test_what_is_drawn_does_not_depend_on_what_was_filled_before() -> None:
    engine, options = scripted_engine(["abcdefgh"]), FillOptions(temperature=3.0, seed=6)
    [first], [again] = (engine.fill(Prompt("x = "), options) for _ in range(2))
    assert first.text == again.text
    assert first.steps > again.steps, "the second checks a longer draft"


def test_the_probability_of_a_text_cut_short_is_that_of_what_is_left() -> None:
    [cut] = scripted_engine(["abcdefgh"]).fill(Prompt("x = "), FillOptions(max_tokens=2))
    assert (cut.text, cut.finish) == ("ab", Finish.LENGTH)
    assert cut.probability == pytest.approx(np.exp(3 * cut.mean_log_prob)), "the blank was typed"


def test_a_text_cut_short_has_not_ended() -> None:
    [cut] = scripted_engine(["alpha(beta, gamma)"]).fill(Prompt("x = "), FillOptions(max_tokens=14))
    assert cut.text == "alpha(beta, ga"
    assert next(cut.sure(0.01)) == "alpha(beta,"


def test_typing_on_reads_only_the_new_tokens() -> None:
    engine = scripted_engine(["x"])
    engine.fill(Prompt("def f(a):\n    re", "\n\n"))
    engine.script.encoded.clear()
    engine.fill(Prompt("def f(a):\n    return a + b", "\n\n"))
    assert engine.script.encoded == [10]


def test_a_few_new_tokens_are_left_to_the_pass_over_the_canvas() -> None:
    engine = scripted_engine(["x"])
    engine.fill(Prompt("def f(a):\n    re", "\n\n"))
    engine.script.encoded.clear()
    engine.fill(Prompt("def f(a):\n    return", "\n\n"))
    assert engine.script.encoded == []


def test_the_rest_of_a_fill_that_is_typed_out_is_put_forward() -> None:
    text = "twelve chars"
    engine = scripted_engine([text, text[7:], text[7:]])
    whole = engine.fill(Prompt("x"))[0]
    rest = engine.fill(Prompt("x" + text[:7]))[0]
    again = scripted_engine([text[7:]]).fill(Prompt("x" + text[:7]))[0]
    assert (whole.text, rest.text, again.text) == (text, text[7:], text[7:])
    assert rest.steps < again.steps
    other = engine.fill(Prompt("y" + text[:7]))[0]
    assert (other.text, other.steps) == (again.text, again.steps), "another text expects nothing"


def test_what_was_read_before_is_not_read_by_the_fill() -> None:
    engine, prompt = scripted_engine(["x"]), Prompt("def f(a):\n    re", "\n\n")
    engine.read(prompt)
    assert sum(engine.script.encoded) == len(prompt.prefix) - 2 + len(prompt.suffix)
    engine.script.encoded.clear()
    engine.fill(prompt)
    assert engine.script.encoded == []


def test_reading_goes_on_where_it_was_cancelled() -> None:
    engine, prompt = scripted_engine(["x"]), Prompt("a" * 300, "b" * 150)
    with pytest.raises(CancelledError):
        engine.read(prompt, cancelled=lambda: len(engine.script.encoded) == 2)
    engine.fill(prompt)
    assert engine.script.encoded == [CHUNK, CHUNK, 300 - 2 * CHUNK - 2, CHUNK, 150 - CHUNK]


def test_what_is_forgotten_is_read_anew_and_expected_no_more() -> None:
    text = "twelve chars"
    engine = scripted_engine([text, text[7:]])
    engine.fill(Prompt("x"))
    engine.forget()
    assert engine.cached_tokens == 0
    [rest] = engine.fill(Prompt("x" + text[:7]))
    [again] = scripted_engine([text[7:]]).fill(Prompt("x" + text[:7]))
    assert (rest.text, rest.steps) == (again.text, again.steps)


def test_going_back_reads_nothing() -> None:
    engine = scripted_engine(["x"])
    engine.fill(Prompt("def f(a):\n    retu", "\n\n"))
    engine.script.encoded.clear()
    engine.fill(Prompt("def f(a):\n    re", "\n\n"))
    assert engine.script.encoded == []


def test_going_far_back_reads_nothing_either() -> None:
    engine, text = scripted_engine(["x"]), "abcdefgh" * 50
    engine.fill(Prompt(text, "\n\n"))
    engine.script.encoded.clear()
    engine.fill(Prompt(text[:100], "\n\n"))
    engine.fill(Prompt(text, "\n\n"))
    assert engine.script.encoded == []


def test_two_files_are_remembered_and_memory_is_bounded() -> None:
    engine = scripted_engine(["x"])
    texts = [letter * 500 for letter in "abcd"]
    for text in texts:
        engine.fill(Prompt(text, "\n"))
    assert engine.cached_tokens <= 2 * (CARD.max_before + CARD.max_suffix)
    engine.script.encoded.clear()
    engine.fill(Prompt(texts[3], "\n"))
    engine.fill(Prompt(texts[2], "\n"))
    assert engine.script.encoded == []


def test_related_lines_are_read_before_the_prefix_and_stay_read() -> None:
    engine, prompt = scripted_engine(["x"]), Prompt("def f(a):\n    re", "\n\n", "a = 1\n")
    engine.fill(prompt)
    whole = "a = 1\n\n" + prompt.prefix
    assert sum(engine.script.encoded) == len(whole) - 2 + len(prompt.suffix)
    engine.script.encoded.clear()
    engine.fill(replace(prompt, prefix=prompt.prefix + "turn"))
    assert engine.script.encoded == []
    engine.fill(replace(prompt, related=""))
    assert sum(engine.script.encoded) == len(prompt.prefix) - 2


@pytest.mark.parametrize(
    ("related", "read"),
    [
        ("\nz\n" + "x" * 60 + "\n" + "y" * 33 + "\n", 96),
        ("\nz\n" + "x" * 60 + "\n" + "y" * 34 + "\n", 36),
        ("x" * 95, 0),
        ("\n\n", 0),
    ],
)
def test_of_related_lines_the_last_whole_ones_that_fit_are_read(related: str, read: int) -> None:
    for prefix in ("", "x = ", "x" * 512):
        engine = scripted_engine(["x"])
        engine.read(Prompt(prefix, "", related))
        kept = max(len(prefix) + read - 2, 0) if prefix or read else 0
        assert sum(engine.script.encoded) == kept


def test_of_a_long_text_no_more_is_read_than_the_model_can_see() -> None:
    engine = scripted_engine(["x"])
    engine.read(Prompt("a" * 3_000, "b" * 1_000))
    prefix = engine.cached_tokens - CARD.max_suffix
    assert CARD.max_prefix - HOP - 2 <= prefix <= CARD.max_prefix


def test_a_prefix_that_outgrows_the_model_is_cut_in_hops() -> None:
    ids = np.arange(700)
    assert window(ids[:512], 512)[0] == 0
    assert window(ids[:513], 512)[0] == HOP
    assert window(ids[: 512 + HOP], 512)[0] == HOP
    assert window(ids[: 513 + HOP], 512)[0] == 2 * HOP
    assert len(tail("x" * 9000, 8192)) <= 8192


def test_cancelling_stops_between_two_steps() -> None:
    engine = scripted_engine([LONG])
    steps: list[Step] = []
    with pytest.raises(CancelledError):
        engine.fill(Prompt("x"), cancelled=lambda: len(steps) == 2, on_step=steps.append)
    assert len(steps) == 2
    assert engine.fill(Prompt("x"))[0].text == LONG


def test_what_is_cancelled_before_the_first_pass_takes_none() -> None:
    engine = scripted_engine(["x"])
    engine.fill(Prompt("a"))  # so no pass over the context comes before it
    steps: list[Step] = []
    with pytest.raises(CancelledError):
        engine.fill(Prompt("a"), cancelled=lambda: True, on_step=steps.append)
    assert steps == []


def test_a_failure_leaves_the_engine_usable() -> None:
    engine = scripted_engine(["x"], fail_on=[0])
    with pytest.raises(EngineFailedError):
        engine.fill(Prompt("a"))
    assert engine.fill(Prompt("a"))[0].text == "x"


def test_the_trace_tells_what_happened_to_each_position() -> None:
    steps: list[Step] = []
    scripted_engine(["twelve chars"]).fill(Prompt("x"), on_step=steps.append)
    assert [step.index for step in steps] == [0, 1, 2, 3]
    first, second = steps[:2]
    # The x that was taken back is put forward and stands at once, but says nothing new.
    assert [cell.state for cell in first.cells[:9]] == ["new"] * 2 + ["masked"] * 7
    assert "".join(cell.text for cell in first.cells) == "twelve "
    assert [cell.state for cell in second.cells[:9]] == ["committed"] * 2 + ["new"] * 7
    assert [cell.state for cell in steps[3].cells[12:15]] == ["new", "end", "end"]
    assert first.cells[1].probability == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (FillOptions(max_tokens=0), "max_tokens"),
        (FillOptions(likely_tokens=-1), "likely_tokens"),
        (FillOptions(steps=0), "steps"),
        (FillOptions(candidates=0), "candidates"),
        (FillOptions(seed=-1), "seed"),
        (FillOptions(top_k=0), "top_k"),
        (FillOptions(entropy=-0.1), "entropy"),
        (FillOptions(repair=-1), "repair"),
        (FillOptions(redrafts=-1), "redrafts"),
        (FillOptions(least_indent=-1), "least_indent"),
        (FillOptions(temperature=-1.0), "temperature"),
        (FillOptions(threshold=1.5), "threshold"),
        (FillOptions(remask=1.1), "remask"),
        (FillOptions(agreement=-0.1), "agreement"),
        (FillOptions(least_probability=-0.1), "least_probability"),
    ],
)
def test_an_option_out_of_range_is_named(options: FillOptions, named: str) -> None:
    with pytest.raises(PromptError, match=named):
        scripted_engine(["x"]).fill(Prompt("x"), options)


@dataclass
class Knowing:
    """A drafter that knows what the model will write."""

    script: list[int]
    tokens: Ids = field(default_factory=lambda: np.arange(CARD.vocabulary))

    def after(self, token: int) -> Floats:
        probability = np.full(len(self.tokens), 1e-6, np.float32)
        probability[self.script.pop(0)] = 0.99
        return np.log(probability)


class Drafts(ScriptedModel):
    """A model that can draft behind a context."""

    def encode_ahead(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, Start | None]:
        script = ByteTokenizer().encode(self._owed + self.text + 9 * "?")
        return self.encode(ids, position, past), lambda _context: Knowing(script.copy())


def test_the_first_pass_checks_what_is_drafted_behind_the_context() -> None:
    prompt, text = Prompt("what stands before "), "twelve chars"
    undrafted = ScriptedEngine(ScriptedModel(), [text], ()).fill(prompt)[0]
    drafted = ScriptedEngine(Drafts(), [text], ()).fill(prompt)[0]
    assert drafted.text == undrafted.text == text
    assert drafted.steps < undrafted.steps


def test_what_a_pass_confirms_stands_where_the_next_one_is_the_last_of_a_budget() -> None:
    engine, steps = ScriptedEngine(Drafts(), ["twelve chars"], ()), list[Step]()
    engine.fill(Prompt("what stands before "), FillOptions(steps=2), on_step=steps.append)
    assert [cell.state for cell in steps[0].cells[:9]] == ["new"] * 8 + ["masked"]


def test_the_time_of_denoising_includes_that_of_drafting(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*arguments: Any) -> Any:
        time.sleep(0.05)
        return next_draft(*arguments)

    next_draft = drafts.next_draft
    monkeypatch.setattr(check, "next_draft", slow)
    [fill] = ScriptedEngine(Drafts(), ["twelve chars"], ()).fill(Prompt("what stands before "))
    assert fill.steps > 1
    assert fill.timings.denoise >= 50


@pytest.mark.parametrize("policy", list(Policy))
def test_each_canvas_takes_one_step_where_one_is_allowed(policy: Policy) -> None:
    steps: list[Step] = []
    options = FillOptions(steps=1, stop_at_newline=True, policy=policy)
    [fill] = scripted_engine([LONG]).fill(Prompt("x = "), options, on_step=steps.append)
    assert [step.canvas for step in steps] == list(range(fill.steps))


@pytest.mark.parametrize("policy", [p for p in Policy if p is not Policy.SELF_CHECK])
def test_a_model_that_proposes_no_numbers_is_an_error(policy: Policy) -> None:
    engine = scripted_engine(["foo()"])
    propose = engine.script.denoise

    def broken(*given: Any, **named: Any) -> Proposal:
        proposal = propose(*given, **named)
        return replace(proposal, log_probs=np.full_like(proposal.log_probs, np.nan))

    engine.script.denoise = broken  # type: ignore[method-assign]
    with pytest.raises(EngineFailedError, match="no numbers"):
        engine.fill(Prompt("x "), FillOptions(policy=policy))


def test_a_text_is_given_up_for_what_all_its_canvases_are_worth() -> None:
    engine = scripted_engine([LONG])
    [whole] = engine.fill(Prompt("x = "))
    least = next(part.probability for part in whole.beginnings if part.end == 50)
    engine.forget()
    [fill] = engine.fill(Prompt("x = "), FillOptions(least_probability=least))
    assert fill.finish is Finish.UNSURE
    assert 32 < len(fill.text) < len(LONG)


def test_a_line_without_an_end_in_sight_goes_over_to_a_larger_canvas() -> None:
    steps: list[Step] = []
    options = FillOptions(stop_at_newline=True, policy=Policy.ONE)
    [fill] = scripted_engine([LONG[:25]]).fill(Prompt("x = "), options, on_step=steps.append)
    assert fill.text == LONG[:25]
    assert {(step.canvas, len(step.cells)) for step in steps} == {(0, 32)}
    assert fill.steps == len(steps) + 1, "the pass that found none on the smaller one"


def test_what_is_seen_is_the_first_candidate_alone() -> None:
    """Here only the second is doubted, and denoised again."""
    steps: list[Step] = []
    heard: list[str] = []

    def critic(text: str) -> list[tuple[int, int]]:
        heard.append(text)
        return [] if text.startswith("foo") else [(1, 2)]

    fills = scripted_engine(["foo()"]).fill(
        Prompt("x = "), FillOptions(candidates=2), critic=critic, on_step=steps.append
    )
    assert len(fills) == 2
    assert len(heard) > 2
    assert "".join(cell.text for cell in steps[-1].cells).strip() == "foo()"
    assert len(steps) == min(fill.steps for fill in fills)
