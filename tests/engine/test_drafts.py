"""What is put forward: the drafter's tokens, weighed against what the surroundings say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from engine.candidate import Rules
from engine.choose import Choice
from engine.drafts import Bounds, drafted, first_draft
from engine.healing import Cut, Healing
from engine.model import Floats, Ids

END = 0
KNOWN = np.array([0, 3, 5, 7, 9])
NOTHING = np.zeros(0, np.int64)


@dataclass
class Scripted:
    """A drafter that is as sure as told of one token after the other."""

    script: list[tuple[int, float]]
    tokens: Ids = field(default_factory=lambda: KNOWN)
    heard: list[int] = field(default_factory=list)

    def after(self, token: int) -> Floats:
        wanted, probability = self.script[len(self.heard)]
        self.heard.append(token)
        rest = (1 - probability) / (len(KNOWN) - 1)
        return np.log(np.where(wanted == KNOWN, probability, rest)).astype(np.float32)


def draft(drafter: Scripted, written: list[int], most: int = 4, least: float = 0.1) -> list[int]:
    suffix = np.array([4, 6, 8])
    tokens, chances = drafted(drafter, np.array(written), suffix, Bounds(most, least, END))
    assert len(chances) == len(tokens)
    assert (np.diff(chances) < 0).all()
    assert (chances >= least).all()
    return tokens.tolist()


def test_each_token_is_drafted_knowing_those_before_it() -> None:
    drafter = Scripted([(3, 0.9), (7, 0.9), (5, 0.9), (9, 0.9)])
    assert draft(drafter, [2], most=3) == [3, 7, 5]
    assert drafter.heard == [2, 3, 7]


@pytest.mark.parametrize(("least", "expected"), [(0.3, [3]), (0.2, [3, 7]), (0.0, [3, 7, 5, 9])])
def test_a_draft_ends_where_all_of_it_is_no_longer_likely(
    least: float, expected: list[int]
) -> None:
    drafter = Scripted([(3, 0.5), (7, 0.5), (5, 0.5), (9, 0.5)])
    assert draft(drafter, [2], least=least) == expected


def test_an_end_is_not_drafted() -> None:
    """Something else may come after all, and the pass finds an end by itself."""
    assert draft(Scripted([(3, 0.9), (END, 0.4), (5, 0.9)]), [2], most=2) == [3, 3]
    assert draft(Scripted([(3, 0.9), (END, 0.9), (5, 0.9)]), [2], most=2) == [3]


def test_what_the_surroundings_say_outweighs_a_doubtful_drafter() -> None:
    drafter = Scripted([(3, 0.3)] * 4)
    assert draft(drafter, [1, 5, 9, 2, 1, 5], most=1) == [9]


def test_but_not_a_sure_one() -> None:
    assert draft(Scripted([(3, 0.99)]), [5, 9, 2, 5], most=1) == [3]


def test_tokens_that_the_drafter_does_not_know_can_be_copied() -> None:
    drafter = Scripted([(3, 0.3)] * 4)
    assert draft(drafter, [2, 4, 6], most=1) == [8]


def test_a_copy_adds_to_what_the_drafter_thinks_too() -> None:
    drafter = Scripted([(9, 0.3)] * 4)
    assert draft(drafter, [5, 9, 2, 5], most=1, least=0.35) == [9]


def test_nothing_is_known_of_the_first_token() -> None:
    tokens, _ = drafted(Scripted([(3, 0.05)]), np.array([1]), NOTHING, Bounds(4, 0.3, END))
    assert tokens.tolist() == []


PIECES = [b"", b"x", b"y", b"re", b"return", b"retry", b"q", b"turn", b"w", b"z"]


def draft_after(cut: Cut, drafter: Scripted, most: int = 4) -> list[int]:
    return drafted(drafter, cut.ids, NOTHING, Bounds(most, 0.1, END), cut)[0].tolist()


@pytest.fixture
def healing() -> Healing:
    return Healing(SimpleNamespace(pieces=PIECES), len(PIECES))


def test_what_was_taken_back_is_spelled_first(healing: Healing) -> None:
    """Of "re" and "turn" the drafter knows both; alone it would have begun with the token 9."""
    cut = Cut(np.array([2]), np.array([3, 7]), healing)
    drafter = Scripted([(9, 0.95), (5, 0.9), (9, 0.9)])
    assert draft_after(cut, drafter, most=3) == [3, 7, 9]
    assert drafter.heard == [2, 3, 7]


def test_a_token_that_stood_there_before_may_spell_it_too(healing: Healing) -> None:
    cut = Cut(np.array([1, 4, 8, 1]), np.array([3]), healing)
    assert draft_after(cut, Scripted([(9, 0.97)]), most=1) == [4]
    cut = Cut(np.array([1, 8, 1]), np.array([3]), healing)
    assert draft_after(cut, Scripted([(9, 0.97)]), most=1) != [8], "it spells nothing of it"


def test_where_nothing_known_spells_it_nothing_is_drafted(healing: Healing) -> None:
    cut = Cut(np.array([2]), np.array([6]), healing)
    assert draft_after(cut, Scripted([(9, 0.97)])) == []


def test_before_the_first_pass_what_is_expected_comes_first_then_the_drafter(
    healing: Healing,
) -> None:
    cut = Cut(np.array([1, 8, 2]), np.array([3]), healing)
    rules = Rules(choice=Choice(), steps=None, temperature=0.0, newline=None, cut=cut)
    script = [(3, 0.9), (7, 0.9), (END, 0.97)]

    def first(expected: list[int], start: Callable[[], Scripted] | None) -> list[int]:
        return first_draft(rules, END, start, np.array(expected, np.int64)).tolist()

    assert first([], lambda: Scripted(script)) == [3, 7]
    assert first([5, 6], lambda: Scripted(script)) == [5, 6]
    assert first([], None) == [3], "what was taken back, where nothing drafts"
