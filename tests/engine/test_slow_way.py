"""The fast path and the slow one give the same text; `tests/export` has them on a real network."""

from engine import Prompt
from engine.fake import scripted_engine
from engine.reference import fill_slowly


def test_they_agree_over_several_canvases() -> None:
    text = "something_longer_than_one_canvas_of_thirty_two"
    engine = scripted_engine([text])
    prompt = Prompt("x = ", "\n")
    cut = engine.begin(prompt)
    tokens = fill_slowly(engine.script, cut, engine._around(prompt)[0].suffix, 96)
    assert cut.text(tokens) == text
    assert engine.fill(Prompt("x = ", "\n"))[0].text == text
