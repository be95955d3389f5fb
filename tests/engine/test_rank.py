"""Several fills: the different ones, best first."""

from engine import Fill, FillOptions, Finish, Prompt
from engine.fake import scripted_engine
from engine.rank import distinct


def fill(text: str, mean: float) -> Fill:
    return Fill(text, len(text), 1, Finish.END, mean)


def test_of_equal_texts_the_most_probable_stays() -> None:
    assert distinct([fill("a", -2), fill("b", -1), fill("a", -1)]) == [fill("a", -1), fill("b", -1)]


def test_one_fill_is_read_by_nobody() -> None:
    [only] = scripted_engine(["foo"]).fill(Prompt("x"))
    assert (only.checks, only.base_log_prob, only.timings.base) == (0, None, 0.0)


def test_each_of_several_is_read_once_by_the_base_and_the_cost_is_told() -> None:
    fills = scripted_engine(["foo"]).fill(Prompt("x = "), FillOptions(candidates=3))
    assert [one.checks for one in fills] == [1, 1, 1]
    assert fills[0].text == "foo"
    assert fills[0].timings.base > 0


def test_what_the_base_would_write_comes_first() -> None:
    engine = scripted_engine(["foo"])
    engine.script.base_text = "aoo"  # the second candidate: `a` is what the script puts after it
    fills = engine.fill(Prompt("x = "), FillOptions(candidates=3))
    assert fills[0].text == "aoo"
