"""What is known of a context besides its keys and values: what drafts behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.context import CHUNK, TAIL, ContextCache, Surroundings
from engine.engine import never
from engine.fake import ScriptedModel
from engine.model import Context, Drafting, Floats, Ids, KeyValues, Start

TEXT = np.arange(20, 20 + 2 * CHUNK)
AFTER = np.arange(5)


@dataclass
class Noted:
    """A drafter that notes what it is given."""

    behind: int
    """The last token of what was read."""
    given: list[int] = field(default_factory=list)
    tokens: Ids = field(default_factory=lambda: np.array([0]))

    def after(self, token: int) -> Floats:
        self.given.append(token)
        return np.zeros(1, np.float32)


class Drafts(ScriptedModel):
    """A model with such a drafter."""

    def encode_ahead(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, Start | None]:
        return self.encode(ids, position, past), lambda _context: Noted(int(ids[-1]))


def around(cache: ContextCache, size: int) -> Context:
    """The context of a gap behind the first `size` tokens."""
    return cache.around(Surroundings(TEXT[:size], AFTER), 8, never)


def noted(drafting: Drafting) -> tuple[int, list[int]]:
    assert isinstance(drafting, Noted)
    return drafting.behind, drafting.given


def test_it_drafts_behind_all_that_was_read_each_time_anew() -> None:
    """The last prefix token is none of a context; it is read with the canvas."""
    context = around(ContextCache(Drafts()), 200)
    assert context.start is not None
    first, second = context.start(context), context.start(context)
    first.after(7)
    assert noted(first) == (TEXT[198], [7])
    assert noted(second) == (TEXT[198], [])


def test_what_is_left_to_the_pass_is_given_to_the_drafter() -> None:
    cache = ContextCache(Drafts())
    around(cache, 50)
    context = around(cache, 50 + TAIL)
    assert len(context.tail) == TAIL
    assert context.start is not None
    assert noted(context.start(context)) == (TEXT[48], TEXT[49 : 49 + TAIL].tolist())
    longer = around(cache, 50 + TAIL + 1)
    assert longer.start is not None
    assert noted(longer.start(longer)) == (TEXT[48 + TAIL + 1], [])


def test_going_back_forgets_what_drafted_behind_more() -> None:
    cache = ContextCache(Drafts())
    around(cache, CHUNK + 30)
    assert around(cache, CHUNK + 20).start is None
    again = around(cache, CHUNK + 30)
    assert again.start is not None, "nothing was read anew, so it still holds"
    assert noted(again.start(again)) == (TEXT[CHUNK + 28], [])


def test_another_text_is_drafted_behind_its_own() -> None:
    cache = ContextCache(Drafts())
    around(cache, 100)
    other = np.concatenate([TEXT[:80], TEXT[:40]])
    context = cache.around(Surroundings(other, AFTER), 8, never)
    assert context.start is not None
    assert noted(context.start(context)) == (other[-2], [])
    cache.around(Surroundings(TEXT[:100], AFTER), 8, never)
    back = around(cache, 100)
    assert back.start is not None
    assert noted(back.start(back)) == (TEXT[98], [])


def test_a_drafter_is_given_no_more_than_it_can_bear() -> None:
    cache = ContextCache(Drafts())
    run = around(cache, 40)
    assert run.start is not None
    kept = cache._prefixes._runs[0]
    assert kept.start(TEXT[: 39 + TAIL]) is not None
    assert kept.start(TEXT[: 39 + TAIL + 1]) is None


def test_a_model_without_a_drafter_drafts_nothing() -> None:
    assert around(ContextCache(ScriptedModel()), 50).start is None
