"""The base alone writes on, token by token."""

from typing import Any

import numpy as np
import pytest

from engine import Engine, FillOptions, Finish, Mode, Prompt, Step
from engine.errors import CancelledError, EngineFailedError
from engine.fake import CARD, ScriptedEngine, scripted_engine
from engine.model import Ids
from engine.reference import write_slowly

OPTIONS = FillOptions(mode=Mode.LEFT_TO_RIGHT)
LINE = FillOptions(mode=Mode.LEFT_TO_RIGHT, stop_at_newline=True)
LONG = "a_name_that_is_longer_than(any, canvas, of=the, model) and goes on + 1234567890"


def held(engine: ScriptedEngine) -> list[str]:
    """The text of every prefix whose keys are kept."""
    return [engine._tokenizer.decode(list(run.ids)) for run in engine._cache._prefixes._runs]


def test_a_pass_writes_a_token_until_the_end() -> None:
    engine = scripted_engine(["foo()"])
    [fill] = engine.fill(Prompt("x = ", "\n"), OPTIONS)
    assert (fill.text, fill.tokens, fill.finish) == ("foo()", 6, Finish.END)
    assert fill.steps == 7, "one that spells the token taken back, one a token, one for the end"
    assert engine.script.passes == 0, "no canvas"
    assert fill.timings.base > 0
    assert fill.timings.denoise == 0


def test_one_line_ends_at_the_line_feed_and_costs_no_more_passes() -> None:
    [fill] = scripted_engine(["first\nsecond"]).fill(Prompt("x"), LINE)
    assert (fill.text, fill.finish, fill.steps) == ("first", Finish.NEWLINE, 7)


def test_a_block_ends_where_a_line_leaves_it() -> None:
    options = FillOptions(mode=Mode.LEFT_TO_RIGHT, least_indent=4)
    [fill] = scripted_engine(["a\n    b\nc = 1"]).fill(Prompt("def f():\n    "), options)
    assert (fill.text, fill.finish) == ("a\n    b", Finish.DEDENT)


def test_a_text_beyond_the_limit_is_cut() -> None:
    options = FillOptions(mode=Mode.LEFT_TO_RIGHT, max_tokens=5)
    [fill] = scripted_engine(["a😋b"]).fill(Prompt("x"), options)
    assert (fill.text, fill.finish, fill.tokens) == ("a😋", Finish.LENGTH, 5)
    [fill] = scripted_engine(["a😋b"]).fill(
        Prompt("x"), FillOptions(mode=Mode.LEFT_TO_RIGHT, max_tokens=3)
    )
    assert fill.text == "a"


def test_empty_surroundings_are_no_error() -> None:
    assert scripted_engine(["x"]).fill(Prompt("", ""), OPTIONS)[0].text == "x"


def test_every_pass_is_a_step_that_shows_the_fill_so_far() -> None:
    steps: list[Step] = []
    [fill] = scripted_engine(["ab"]).fill(Prompt("x = "), OPTIONS, on_step=steps.append)
    assert [step.index for step in steps] == list(range(fill.steps))
    assert ["".join(cell.text for cell in step.cells) for step in steps] == ["", "a", "ab", "ab"]
    assert [cell.state for cell in steps[2].cells] == ["committed", "committed", "new"]
    assert steps[-1].cells[-1].state == "end"
    assert steps[1].cells[-1].probability == pytest.approx(0.95)


def test_what_ends_a_line_is_no_part_of_the_picture() -> None:
    steps: list[Step] = []
    scripted_engine(["a\nb"]).fill(Prompt("x = "), LINE, on_step=steps.append)
    assert [cell.text for cell in steps[-1].cells] == ["", "a", ""]
    assert steps[-1].cells[-1].state == "end"


def test_typing_on_reads_only_the_new_tokens() -> None:
    engine = scripted_engine(["x"])
    engine.fill(Prompt("def f(a):\n    re", "\n"), OPTIONS)
    engine.script.encoded.clear()
    engine.fill(Prompt("def f(a):\n    retu", "\n"), OPTIONS)
    assert engine.script.encoded[0] == 2
    assert set(engine.script.encoded[1:]) == {1}


def test_the_modes_share_what_is_read_of_the_prefix() -> None:
    engine = scripted_engine(["x"])
    engine.fill(Prompt("def f(a):\n    retu", "\n"))
    engine.script.encoded.clear()
    engine.fill(Prompt("def f(a):\n    retu", "\n"), OPTIONS)
    assert set(engine.script.encoded) == {1}, "one token a pass, nothing of the prefix"


def test_cancelling_stops_between_two_tokens_and_leaves_only_the_prefix_in_the_cache() -> None:
    engine = scripted_engine([LONG])
    steps: list[Step] = []
    with pytest.raises(CancelledError):
        engine.fill(
            Prompt("abcdef"), OPTIONS, cancelled=lambda: len(steps) == 3, on_step=steps.append
        )
    assert len(steps) == 3
    assert held(engine) == ["abcd"], "without the token taken back and the one that is fed anew"
    assert engine.fill(Prompt("abcdef"), OPTIONS)[0].text == LONG
    assert held(engine) == ["abcd"]


def test_a_failure_leaves_the_engine_usable() -> None:
    engine = scripted_engine(["x"], fail_on=[0])
    with pytest.raises(EngineFailedError):
        engine.fill(Prompt("a"), OPTIONS)
    assert engine.fill(Prompt("a"), OPTIONS)[0].text == "x"


def test_candidates_differ_where_text_is_first_added() -> None:
    options = FillOptions(mode=Mode.LEFT_TO_RIGHT, candidates=3)
    fills = scripted_engine(["foo"]).fill(Prompt("x = "), options)
    assert len({fill.text[0] for fill in fills}) == 3
    assert fills[0].text == "foo"
    assert [fill.checks for fill in fills] == [0, 0, 0], "the base has read what it wrote"


def test_sampling_is_the_same_for_the_same_seed() -> None:
    def text(seed: int) -> str:
        options = FillOptions(mode=Mode.LEFT_TO_RIGHT, temperature=3.0, seed=seed, max_tokens=8)
        return scripted_engine(["abcdefgh"]).fill(Prompt("x"), options)[0].text

    assert text(5) == text(5) != text(6)


SOURCE = """import json


class Config:
    def __init__(self, path):
        self.path = path
        self.data = {}

    def load(self):
        with open(self.path) as file:
            self.data = json.load(file)
        return self.data

    def save(self):
        with open(self.path, "w") as file:
            json.dump(self.data, file)


def add(first, second):
    return first + second
"""


@pytest.mark.model
@pytest.mark.parametrize(
    "before",
    ["self.data = jso", "return self.", "json.dump(", "return first"],
)
def test_the_fast_way_writes_what_the_slow_one_writes(shipped: Engine, before: str) -> None:
    """Where the base is sure: int8 activations have a scale a pass, and near ties fall either way.

    `tests/export/test_modes.py` has both on a network in float32, where that cannot be.
    """
    prefix = SOURCE[: SOURCE.index(before) + len(before)]
    ids = np.array(shipped._tokenizer.encode(prefix), np.int64)
    slow = write_slowly(shipped._model, shipped._tokenizer.pieces, ids, 8).decode()
    [fast] = shipped.fill(Prompt(prefix, "\n"), LINE)
    assert fast.finish is Finish.NEWLINE
    assert fast.text == slow.split("\n")[0] != ""


@pytest.mark.parametrize("mode", [Mode.LEFT_TO_RIGHT, Mode.VERIFIED])
def test_a_text_is_no_longer_than_the_model_has_positions(mode: Mode) -> None:
    """Behind a long prefix it ends at its limit, and no pass goes over a position beyond."""
    engine, last = scripted_engine(["x" * 900]), list[int]()
    read = engine.script.next_log_probs

    def noting(ids: Ids, position: int, *others: Any) -> Any:
        last.append(position + len(ids))
        return read(ids, position, *others)

    engine.script.next_log_probs = noting  # type: ignore[method-assign]
    prompt = Prompt("y" * CARD.max_prefix, related="z\n" * 40)
    [fill] = engine.fill(prompt, FillOptions(mode=mode, max_tokens=512))
    assert fill.finish is Finish.LENGTH
    assert fill.tokens > CARD.max_suffix
    assert max(last) <= CARD.max_before + CARD.canvas_sizes[-1] + CARD.max_suffix


def test_a_temperature_is_how_freely_is_drawn() -> None:
    def drawn(temperature: float) -> set[str]:
        options = FillOptions(mode=Mode.LEFT_TO_RIGHT, temperature=temperature, candidates=4)
        fills = scripted_engine([LONG]).fill(Prompt("x = "), options)
        return {fill.text for fill in fills}

    assert drawn(0.01) == {LONG}
    assert len(drawn(50.0)) == 4
