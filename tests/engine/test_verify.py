"""The base checks what was drafted: what it doubts is written otherwise, the rest stays."""

import math

import pytest

from engine import Engine, FillOptions, Finish, Mode, Prompt, Step, filling
from engine.candidate import Candidate
from engine.canvas import Canvas
from engine.errors import CancelledError
from engine.fake import ScriptedEngine, scripted_engine

OPTIONS = FillOptions(mode=Mode.VERIFIED)


def doubting(draft: str, base: str) -> ScriptedEngine:
    """A denoiser that drafts one text, and a base that would write another."""
    engine = scripted_engine([draft])
    engine.script.base_text = base
    return engine


def test_a_draft_that_the_base_would_have_written_costs_one_pass_more() -> None:
    [plain] = scripted_engine(["foo(bar)"]).fill(Prompt("x = "))
    [fill] = scripted_engine(["foo(bar)"]).fill(Prompt("x = "), OPTIONS)
    assert (fill.text, fill.finish, fill.tokens) == (plain.text, plain.finish, plain.tokens)
    assert (fill.steps, fill.checks) == (plain.steps, 1)


def test_a_doubted_token_is_the_bases_and_what_follows_is_drafted_anew() -> None:
    [fill] = doubting("foo(bar, c)", "foo(baz, c)").fill(Prompt("x = "), OPTIONS)
    assert (fill.text, fill.finish, fill.checks) == ("foo(baz, c)", Finish.END, 2)


def test_what_is_likely_enough_stays() -> None:
    """For the scripted base any other byte has a ten-thousandth, the three it proposes more."""
    options = FillOptions(mode=Mode.VERIFIED, agreement=5e-5)
    [fill] = doubting("foo(bar)", "foo(baz)").fill(Prompt("x = "), options)
    assert (fill.text, fill.checks) == ("foo(bar)", 1)
    options = FillOptions(mode=Mode.VERIFIED, agreement=0.005)
    [fill] = doubting("foo(xaa)", "foo(xzz)").fill(Prompt("x = "), options)
    assert fill.text == "foo(xaa)"


def test_with_full_agreement_the_text_is_a_beginning_of_the_bases() -> None:
    """Where it ends is the draft's matter; when the drafts are used up, the base's."""
    options = FillOptions(mode=Mode.VERIFIED, agreement=1.0)
    [short] = doubting("foo", "foo(bar)").fill(Prompt("x = "), options)
    assert (short.text, short.checks) == ("foo", 1)
    [long] = doubting("aaaaaaaa", "bbbbbbbb").fill(Prompt("x = "), options)
    assert (long.text, long.finish, long.checks) == ("bbbbbbbb", Finish.END, 3)


def test_without_a_redraft_the_base_writes_the_rest() -> None:
    options = FillOptions(mode=Mode.VERIFIED, redrafts=0)
    engine = doubting("foo(bar)", "foo(baz)")
    [fill] = engine.fill(Prompt("x = "), options)
    assert (fill.text, fill.checks) == ("foo(baz)", 1)
    drafted = engine.script.passes
    assert fill.steps == drafted + len("z)") + 1


def test_an_end_that_the_base_wants_ends_the_fill() -> None:
    [fill] = doubting("foo(bar)", "foo").fill(Prompt("x = "), OPTIONS)
    assert (fill.text, fill.finish) == ("foo", Finish.END)
    options = FillOptions(mode=Mode.VERIFIED, stop_at_newline=True)
    [fill] = doubting("foo(bar)", "foo\nbar").fill(Prompt("x = "), options)
    assert (fill.text, fill.finish) == ("foo", Finish.NEWLINE)


def test_every_draft_step_every_check_and_every_token_is_told() -> None:
    steps: list[Step] = []
    engine = doubting("foo(bar)", "foo(baz)")
    [fill] = engine.fill(Prompt("x = "), OPTIONS, on_step=steps.append)
    assert [step.index for step in steps] == list(range(fill.steps + fill.checks))
    check = next(step for step in steps if "z" in {cell.text for cell in step.cells})
    assert "".join(cell.text for cell in check.cells) == "foo(baz"
    assert [cell.state for cell in check.cells][-2:] == ["committed", "new"]
    assert check.canvas == 0


def test_the_critic_sees_the_whole_fill_when_its_rest_is_drafted_anew() -> None:
    seen: list[str] = []

    def critic(text: str) -> list[tuple[int, int]]:
        seen.append(text)
        return []

    doubting("foo(bar)", "foo(baz)").fill(Prompt("x = "), OPTIONS, critic=critic)
    assert seen == ["foo(bar)", "foo(baz)"]


def test_a_line_that_the_rest_goes_on_with_is_not_taken_for_what_follows() -> None:
    options = FillOptions(mode=Mode.VERIFIED, stop_line="bar")
    [fill] = doubting("gxbar\nbar\nx", "g.bar\nbar\nx").fill(Prompt("x = "), options)
    assert (fill.text, fill.finish) == ("g.bar", Finish.SUFFIX)


def test_cancelling_stops_before_the_check() -> None:
    engine = scripted_engine(["foo"])
    steps: list[Step] = []
    with pytest.raises(CancelledError):
        engine.fill(Prompt("x = "), OPTIONS, cancelled=lambda: bool(steps), on_step=steps.append)
    assert len(steps) == 1


def test_what_is_drafted_anew_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[tuple[int, int]] = []

    def noting(canvas: Canvas, seed: tuple[int, int]) -> Candidate:
        seeds.append(seed)
        return Candidate(canvas, seed)

    monkeypatch.setattr(filling, "Candidate", noting)
    options = FillOptions(mode=Mode.VERIFIED, agreement=0.5, temperature=0.1, seed=7, candidates=2)
    doubting("foo(bar)", "foo[bar)").fill(Prompt("x = "), options)
    first, *anew = seeds
    assert first == (7, 0)
    assert {seed for seed, _ in anew} == {7, 8}, "each candidate's own"
    assert all(before > 0 for _, before in anew)


def test_what_the_base_writes_in_the_end_is_not_drawn() -> None:
    options = FillOptions(mode=Mode.VERIFIED, redrafts=0, temperature=9.0, agreement=0.5)
    [fill] = doubting("aaaaaaaa", "foo(bar)").fill(Prompt("x = "), options)
    assert fill.text == "foo(bar)"


@pytest.mark.model
def test_the_shipped_base_mends_what_the_denoiser_drafts(shipped: Engine) -> None:
    prompt = Prompt("def add(first, second):\n    ", "\n\n\ndef sub(a, b):\n    return a - b\n")
    options = FillOptions(mode=Mode.VERIFIED, least_indent=4, agreement=0.05)
    [fill] = shipped.fill(prompt, options)
    assert fill.text == "return first + second"
    assert fill.mean_log_prob > math.log(options.agreement)


def test_a_text_that_ends_in_what_the_base_wrote_is_cut_there() -> None:
    """The base makes a line of the draft the one that follows the gap."""
    options = FillOptions(mode=Mode.VERIFIED, stop_line="bar")
    [fill] = doubting("foo\nbxr\nq", "foo\nbar\nq").fill(Prompt("x = "), options)
    assert (fill.text, fill.finish) == ("foo", Finish.SUFFIX)
