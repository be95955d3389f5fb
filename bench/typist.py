"""Whoever types: how fast, when a suggestion is seen, and what typing took.

Time is reckoned, not waited for: keys come at gaps that are drawn, and an answer takes the time
that it took; while it is not there the next one is not begun. Whoever types never errs and takes
all that is right as soon as it is seen, so what comes out is what could be saved at most.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from random import Random

from lsp_server.indent import indentation

from .places import Place
from .writers import Writer

WORTH = 2
"""Fewest characters that are worth a key of their own."""
SPREAD = 0.5
"""Of the logarithm of the gaps between keys, whose distribution is taken to be normal."""


@dataclass(frozen=True, slots=True)
class Typist:
    """Somebody at an editor. All times in ms."""

    gap: float = 3_600_000
    """Median from one key to the next; the default is in no hurry, and sees all that is shown."""
    look: float = 0
    """From when a suggestion is there to the first key that can take it."""
    wait: float = 0
    """From a key to when the editor asks, unless another key comes before."""
    again: float = 0
    """The same after a suggestion was taken."""

    def gaps(self, seed: int) -> Iterator[float]:
        """Before one key after the other."""
        random = Random(seed)
        while True:
            yield self.gap * random.lognormvariate(0, SPREAD)


@dataclass(slots=True)
class Tally:
    """What typing took. One is added to another field by field."""

    characters: int = 0
    """That a person without suggestions would have typed: indentation is the editor's."""
    keys: int = 0
    """Pressed, those that took a suggestion among them."""
    taken: int = 0
    """Suggestions that were right and seen in time, so they were taken."""
    right: int = 0
    """Suggestions worth a key that are what stands there, or its beginning, and were there at one.
    """
    wrong: int = 0
    """Suggestions that are not what stands there, and were there at a key."""
    in_the_way: int = 0
    """Keys that were pressed while a wrong suggestion stood there."""
    asked: int = 0
    """Requests, those whose answer came too late among them."""
    late: int = 0
    """Requests that had no answer at the next key, and were taken back."""

    def add(self, other: Tally) -> None:
        for field in fields(self):
            name = field.name
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Standing:
    """A suggestion on the screen. It stays while it is typed along."""

    text: str
    age: float
    """At the key that comes now, in ms."""
    is_counted: bool = False
    """Whether it is among the right or the wrong ones already."""

    def after(self, step: str) -> Standing | None:
        """What is left of it when that is typed, if anything is."""
        self.text = self.text[len(step) :] if self.text.startswith(step) else ""
        return self if self.text else None


async def typed(place: Place, writer: Writer, typist: Typist, seed: int = 0) -> Tally:
    """Types the lines of a place; the seed is that of the gaps between keys."""
    tally, done, wait = Tally(characters=sum(1 for _ in keys(place.middle))), 0, typist.wait
    standing: Standing | None = None
    busy = 0.0  # how long after the last key the writer was still at what came too late
    gaps = typist.gaps(seed)
    await writer.open(place)
    while done < len(place.middle):
        gap, left = next(gaps), place.middle[done:]
        if standing:
            standing.age += gap
        elif wait < gap:
            text = place.before + place.middle[:done]
            standing, busy = await _answer(writer, text, gap - max(wait, busy), tally)
        else:
            busy = max(busy - gap, 0)
        step, wait = key(left), typist.wait
        if standing:
            is_right, is_worth = left.startswith(standing.text), len(standing.text) >= WORTH
            tally.right += is_right and is_worth and not standing.is_counted
            tally.wrong += not is_right and not standing.is_counted
            tally.in_the_way += not is_right
            standing.is_counted = True
            if is_right and is_worth and standing.age >= typist.look:
                step, wait = standing.text, typist.again
                tally.taken += 1
            standing = standing.after(step)
        tally.keys += 1
        done += len(step)
    await writer.close()
    return tally


async def _answer(
    writer: Writer, text: str, left_ms: float, tally: Tally
) -> tuple[Standing | None, float]:
    """What is shown before the next key, which comes in so many ms, and how much later the answer
    is; with none left it is not even begun."""
    tally.asked += 1
    start, suggested = time.perf_counter(), ""
    if left_ms > 0:
        with suppress(TimeoutError):
            suggested = await asyncio.wait_for(writer.suggest(text), left_ms / 1000)
    age = left_ms - 1000 * (time.perf_counter() - start)
    if age < 0:
        tally.late += 1
        await writer.take_back()
    return Standing(suggested, age) if suggested and age >= 0 else None, max(-age, 0)


def key(left: str) -> str:
    """What the next key writes: after a line end the indentation, which the editor adds."""
    end = 1 + (len(indentation(left[1:])) if left[0] == "\n" else 0)
    return left[:end]


def keys(text: str) -> Iterator[str]:
    """The keys that write a text: one character each."""
    while text:
        one = key(text)
        yield one[0]
        text = text[len(one) :]
