"""Several fills: the different ones, best first."""

from engine import Fill, FillOptions, Finish, Prompt
from engine.certainty import Beginning
from engine.fake import scripted_engine
from engine.rank import ranked


def fill(text: str, probability: float) -> Fill:
    return Fill(
        text, len(text), 1, Finish.END, -1.0, beginnings=(Beginning(len(text), probability),)
    )


def test_the_most_probable_comes_first_and_of_equal_texts_only_that_one() -> None:
    fills = [fill("a", 0.1), fill("b", 0.2), fill("a", 0.3), fill("c", 0.0)]
    assert ranked(fills) == (fill("a", 0.3), fill("b", 0.2), fill("c", 0.0))


def test_several_cost_no_pass_but_those_that_write_them() -> None:
    fills = scripted_engine(["foo"]).fill(Prompt("x = "), FillOptions(candidates=3))
    assert fills[0].text == "foo"
    assert len({one.text for one in fills}) == 3
    assert [one.probability for one in fills] == sorted(
        (one.probability for one in fills), reverse=True
    )
    assert [(one.checks, one.timings.base) for one in fills] == [(0, 0.0)] * 3
