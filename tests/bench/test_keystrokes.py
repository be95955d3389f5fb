"""Who types takes what is right and types past the rest, and every key is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from bench.keystrokes import Tally, typed
from bench.places import Place
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

    async def open(self, place: Place) -> None:
        self._before = place.before

    async def close(self) -> None:
        pass

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
        (lambda so_far: "", Tally(characters=33, keys=33)),
        (lambda so_far: MIDDLE.removeprefix(so_far), Tally(characters=33, keys=1, taken=1)),
        # What is shown only begins right: it is one wrong suggestion, seen at five keys.
        (
            lambda so_far: (
                {"": "size += 1"}.get(so_far, "ize += 1"[len(so_far) - 1 :])
                if len(so_far) < 5
                else ""
            ),
            Tally(characters=33, keys=33, wrong=1, in_the_way=5),
        ),
        # Another one at each of three keys.
        (
            lambda so_far: f"x{len(so_far)}" if len(so_far) < 3 else "",
            Tally(characters=33, keys=33, wrong=3, in_the_way=3),
        ),
        (
            lambda so_far: "width" if so_far == "size = " else "",
            Tally(characters=33, keys=29, taken=1),
        ),
        # One character is not worth a key, but not wrong.
        (lambda so_far: MIDDLE[len(so_far)], Tally(characters=33, keys=33)),
        (lambda so_far: NOT_TYPED, Tally(characters=33, keys=33, wrong=33, in_the_way=33)),
    ],
)
async def test_every_key_is_counted(suggest: Callable[[str], str], tally: Tally) -> None:
    assert await typed(place(), Scripted(suggest)) == tally


async def test_a_suggestion_is_asked_for_after_every_key() -> None:
    writer = Scripted(lambda so_far: "width" if so_far == "size = " else "")
    await typed(place(), writer)
    assert writer.asked[:9] == [*(MIDDLE[:n] for n in range(8)), "size = width"]
    assert MIDDLE[: MIDDLE.index("return")] in writer.asked, "the editor indents"


class Model:
    """Fills every gap with one text, and counts how often."""

    def __init__(self) -> None:
        self.filled = 0

    def sure_fill(self, document: Document, span: Span) -> Fill:
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
    assert model.filled == (1 if shown else 2)


@pytest.mark.model
async def test_typing_with_the_real_server_saves_keys() -> None:
    server = await Server.started({})
    try:
        tally = await typed(place(), server)
    finally:
        await server.leave()
    assert tally.characters == 33
    assert tally.taken > 0
    assert tally.keys < 33
