"""Who types takes what is right and types past the rest, and every key is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import islice
from statistics import median
from types import SimpleNamespace
from typing import cast

import pytest

from bench.places import Place
from bench.typist import Tally, Typist, typed
from bench.writers import NOT_TYPED, Peer, Server, Sure
from engine import Fill, Finish
from engine.certainty import Beginning
from export.held_out import HeldOut
from lsp_server.document import Document
from lsp_server.spans import Span, choose

FILE = (
    "def area(width, height):\n    size = width * height\n    return size\n\n\nprint(area(1, 2))\n"
)
MIDDLE = "size = width * height\n    return size"


class Scripted:
    """Suggests by what is typed so far."""

    def __init__(self, suggest: Callable[[str], str]) -> None:
        self._suggest = suggest
        self.asked: list[str] = []
        self.taken_back = False

    async def open(self, place: Place) -> None:
        self._before = place.before

    async def close(self) -> None:
        pass

    async def take_back(self) -> None:
        self.taken_back = True

    async def suggest(self, text: str) -> str:
        self.asked.append(text.removeprefix(self._before))
        return self._suggest(self.asked[-1])


def place() -> Place:
    """Two lines, of which the gap is a part of the first."""
    start = FILE.index("width *")
    text = FILE.replace("width * height\n", "\n")
    document = Document.open("", "python", 0, text)
    span = choose(document, start)
    assert isinstance(span, Span)
    return Place.of(HeldOut("python", document, span, "width * height"))


@pytest.mark.parametrize(
    ("suggest", "tally"),
    [
        # The indentation of the second line is the editor's.
        (lambda so_far: "", Tally(characters=33, keys=33, asked=33)),
        (lambda so_far: MIDDLE.removeprefix(so_far), Tally(33, keys=1, taken=1, right=1, asked=1)),
        # What is shown only begins right: it is one wrong suggestion, seen at five keys.
        (
            lambda so_far: "size += 1" if not so_far else "",
            Tally(33, keys=33, wrong=1, in_the_way=6, asked=28),
        ),
        # Another one at each of three keys.
        (
            lambda so_far: f"x{len(so_far)}" if len(so_far) < 3 else "",
            Tally(33, keys=33, wrong=3, in_the_way=3, asked=33),
        ),
        (
            lambda so_far: "width" if so_far == "size = " else "",
            Tally(33, keys=29, taken=1, right=1, asked=29),
        ),
        # One character is not worth a key, but not wrong.
        (lambda so_far: MIDDLE[len(so_far)], Tally(33, keys=33, asked=33)),
        (lambda so_far: NOT_TYPED, Tally(33, keys=33, wrong=33, in_the_way=33, asked=33)),
    ],
)
async def test_every_key_is_counted(suggest: Callable[[str], str], tally: Tally) -> None:
    assert await typed(place(), Scripted(suggest), Typist()) == tally


async def test_where_none_stands_a_suggestion_is_asked_for_after_every_key() -> None:
    writer = Scripted(lambda so_far: {"": "si", "size = ": "width"}.get(so_far, ""))
    await typed(place(), writer, Typist())
    assert writer.asked[:8] == ["", *(MIDDLE[:n] for n in range(2, 8)), "size = width"]
    assert MIDDLE[: MIDDLE.index("return")] in writer.asked, "the editor indents"
    writer = Scripted(lambda so_far: "" if so_far else "size +")
    await typed(place(), writer, Typist())
    assert writer.asked[:2] == ["", "size ="], "what is typed along stays"


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys come at the same gap."""
    monkeypatch.setattr("bench.typist.SPREAD", 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What answers take is told by the test: the machine may be busy."""
    made = SimpleNamespace(now=0.0)
    monkeypatch.setattr("bench.typist.time", SimpleNamespace(perf_counter=lambda: made.now))
    return made


@pytest.mark.usefixtures("steady", "clock")
@pytest.mark.parametrize(
    ("typist", "keys"),
    [
        (Typist(gap=1000, look=500), 1),
        # The first two keys come before it is looked at.
        (Typist(gap=1000, look=2500), 3),
        # By then it is typed.
        (Typist(gap=1000, look=33500), 33),
        # It came half a second before the first key.
        (Typist(gap=1000, look=1400, wait=500), 2),
        (Typist(gap=1000, look=1600, wait=500), 3),
        # The editor waits for a pause that there is not.
        (Typist(gap=1000, wait=1000), 33),
    ],
)
async def test_what_is_shown_takes_time_to_be_seen(typist: Typist, keys: int) -> None:
    writer = Scripted(lambda so_far: MIDDLE.removeprefix(so_far))
    tally = await typed(place(), writer, typist)
    assert tally.keys == keys
    assert tally.taken == (keys < 33)
    assert tally.right == tally.asked == len(writer.asked) == (typist.wait < typist.gap)


@pytest.mark.usefixtures("steady", "clock")
async def test_after_a_suggestion_was_taken_the_editor_may_ask_sooner() -> None:
    pieces = {"": "size = ", "size = ": "width * height"}
    writer = Scripted(lambda so_far: pieces.get(so_far, ""))
    tally = await typed(place(), writer, Typist(gap=1000, look=900, wait=101))
    first = len("s") + 1  # it came too late for the first key
    second = 1  # and had it been waited for here, so had this
    assert tally.keys == first + second + len("\nreturn size")


@pytest.mark.usefixtures("steady")
async def test_an_answer_after_the_next_key_is_late_and_not_shown() -> None:
    class Slow(Scripted):
        async def suggest(self, text: str) -> str:
            await asyncio.sleep(60)
            return await super().suggest(text)

    writer = Slow(lambda so_far: MIDDLE.removeprefix(so_far))
    tally = await typed(place(), writer, Typist(gap=5))
    assert tally == Tally(characters=33, keys=33, asked=33, late=33)
    assert writer.taken_back


@pytest.mark.usefixtures("steady")
async def test_an_answer_that_cannot_be_stopped_is_late_all_the_same() -> None:
    def slow(so_far: str) -> str:
        time.sleep(0.01)
        return MIDDLE.removeprefix(so_far)

    writer = Scripted(slow)
    assert await typed(place(), writer, Typist(gap=5)) == Tally(33, keys=33, asked=33, late=33)
    assert writer.taken_back
    assert len(writer.asked) <= 17, "at every second key it is still at the answer before"


@pytest.mark.usefixtures("steady")
async def test_what_an_answer_overran_by_is_the_next_ones_too(clock: SimpleNamespace) -> None:
    waits = iter([1.5])

    def slow_once(so_far: str) -> str:
        clock.now += next(waits, 0)
        return MIDDLE.removeprefix(so_far)

    # The answer is there half a second after the next key; what is asked then is begun then.
    writer = Scripted(slow_once)
    tally = await typed(place(), writer, Typist(gap=1000, look=600))
    assert (tally.asked, tally.late, tally.keys) == (2, 1, 3)
    writer = Scripted(lambda so_far: MIDDLE.removeprefix(so_far))
    assert (await typed(place(), writer, Typist(gap=1000, look=600))).keys == 1


def test_keys_come_at_gaps_about_the_median_and_the_same_each_time() -> None:
    gaps = list(islice(Typist(gap=200).gaps(seed=1), 2001))
    assert gaps == list(islice(Typist(gap=200).gaps(seed=1), 2001))
    assert gaps != list(islice(Typist(gap=200).gaps(seed=2), 2001))
    assert 190 < median(gaps) < 210
    assert 0 < min(gaps) < 100 < 400 < max(gaps)


class Model:
    """Fills every gap with one text, and counts how often."""

    def __init__(self) -> None:
        self.filled = 0

    def sure_fill(self, span: Span, least: float) -> Fill:
        self.filled += 1
        known = (Beginning(5, 0.9), Beginning(14, 0.5))
        return Fill("width + height", 3, 3, Finish.END, -0.3, beginnings=known)


@pytest.mark.parametrize(("least", "shown"), [(0.0, "width + height"), (0.6, "width"), (0.95, "")])
async def test_of_a_peers_fill_is_shown_what_is_sure_and_stays_while_it_is_typed(
    least: float, shown: str
) -> None:
    model = Model()
    peer = Peer(cast("Sure", model), least)
    await peer.open(Place("", "python", "def f(width, height):\n    return ", "", "\n"))
    before = "def f(width, height):\n    return "
    assert await peer.suggest(before) == shown
    assert await peer.suggest(before + "w") == shown[1:]
    assert model.filled == (2 if shown else 3), "at the cursor's rest too"
    await peer.take_back()
    assert await peer.suggest(before + "wi") == shown


@pytest.mark.model
async def test_typing_with_the_real_server_saves_keys() -> None:
    server = await Server.started({})
    try:
        tally = await typed(place(), server, Typist())
    finally:
        await server.leave()
    assert tally.characters == 33
    assert tally.taken > 0
    assert tally.keys < 33


@pytest.mark.model
async def test_what_the_real_server_answers_too_late_is_gone() -> None:
    server = await Server.started({})
    try:
        tally = await typed(place(), server, Typist(gap=1))
    finally:
        await server.leave()
    assert (tally.keys, tally.taken, tally.late) == (33, 0, tally.asked)
