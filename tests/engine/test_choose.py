"""The commit policies and the length, as tables of numbers."""

import numpy as np
import pytest

from engine.choose import (
    Beliefs,
    Choice,
    Policy,
    agreed,
    choose,
    contradicted,
    most_likely_length,
    put_forward,
)

THRESHOLD = Choice(Policy.THRESHOLD, threshold=0.9)
MASK, END = 1, 0


def beliefs(
    probability: list[float],
    eligible: list[int] | None = None,
    entropy: list[float] | None = None,
    moved: list[float] | None = None,
    end: int | None = None,
) -> Beliefs:
    size = len(probability)
    mask = np.ones(size, bool)
    if eligible is not None:
        mask = np.isin(np.arange(size), eligible)
    return Beliefs(
        mask,
        mask & (np.arange(size) < (size if end is None else end)),
        np.array(probability, np.float32),
        np.array(entropy or [0.0] * size, np.float32),
        np.array(moved or [0.0] * size, np.float32),
    )


CASES = [
    ("all above the threshold", THRESHOLD, beliefs([0.95, 0.5, 0.9, 0.2]), [0, 2]),
    ("where nothing is sure the leftmost", THRESHOLD, beliefs([0.1, 0.5, 0.3]), [0]),
    ("an end is no progress of its own", THRESHOLD, beliefs([0.1, 0.5, 0.8], end=2), [0]),
    ("a certain end waits for the text", THRESHOLD, beliefs([0.95, 0.5, 0.95], end=2), [0]),
    ("and comes with the last of it", THRESHOLD, beliefs([0.95, 0.5, 0.95], [1, 2], end=2), [1, 2]),
    ("an end alone", THRESHOLD, beliefs([0.3, 0.2], eligible=[0], end=0), [0]),
    ("only eligible ones", THRESHOLD, beliefs([0.95, 0.99, 0.2], eligible=[2]), [2]),
    ("the k best", Choice(Policy.TOP_K, top_k=2), beliefs([0.1, 0.5, 0.3]), [1, 2]),
    ("one", Choice(Policy.ONE), beliefs([0.99, 0.98, 0.97]), [0]),
    (
        "the entropies less the largest stay within the budget",
        Choice(Policy.ENTROPY, entropy=0.35),
        beliefs([0.9, 0.8, 0.7, 0.6], entropy=[0.1, 0.2, 0.3, 0.4]),
        [0, 1, 2],
    ),
    (
        "the order is that of entropy, not of place or probability",
        Choice(Policy.ENTROPY, entropy=0.35),
        beliefs([0.9, 0.8, 0.7, 0.6], entropy=[0.9, 0.3, 0.2, 0.1]),
        [1, 2, 3],
    ),
    (
        "no budget still commits the most certain",
        Choice(Policy.ENTROPY, entropy=0.0),
        beliefs([0.2, 0.3, 0.1], entropy=[2.0, 1.0, 3.0]),
        [1],
    ),
    (
        "a probable token must have settled too",
        Choice(Policy.STABLE, threshold=0.9, divergence=0.01),
        beliefs([0.95, 0.96, 0.2], moved=[0.5, 0.001, 0.0]),
        [1],
    ),
]


@pytest.mark.parametrize(
    ("choice", "seen", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_policies(choice: Choice, seen: Beliefs, expected: list[int]) -> None:
    assert list(np.flatnonzero(choose(seen, choice, None))) == expected


def test_a_step_budget_is_kept() -> None:
    seen = beliefs([0.1, 0.4, 0.3, 0.2])
    assert choose(seen, THRESHOLD, steps_left=2).sum() == 2
    assert choose(seen, THRESHOLD, steps_left=1).all()


@pytest.mark.parametrize(
    ("draft", "own", "expected"),
    [
        ([5, 6, 7], [5, 6, 7, 8, 9], 4),
        ([5, 6, 7], [5, 4, 7, 8, 9], 2),
        ([], [8, 9], 1),
        ([5], [END, 9], 1),
        ([5, 6], [5, 6], 2),
    ],
    ids=["all right, and one more", "the first wrong one", "no draft", "an end", "no place left"],
)
def test_what_was_put_forward_stands_up_to_the_first_own_token(
    draft: list[int], own: list[int], expected: int
) -> None:
    assert agreed(np.array(draft), np.array(own)) == expected


def test_tokens_are_put_forward_up_to_a_doubtful_one_or_the_end() -> None:
    probability = np.array([0.9, 0.5, 0.2, 0.9], np.float32)
    assert put_forward(np.array([5, 6, 7, 8]), probability, END, 0.3) == 2
    assert put_forward(np.array([5, END, 7, 8]), probability, END, 0.3) == 1
    assert put_forward(np.array([5, 6, 7, 8]), probability, END, 0.1) == 4


def test_the_least_probable_are_opened_again_within_the_bound() -> None:
    held = np.array([True, True, True, False, True])
    probability = np.array([0.2, 0.1, 0.9, 0.0, 0.3], np.float32)
    assert list(np.flatnonzero(contradicted(held, probability, 0.5, 2))) == [0, 1]
    assert list(np.flatnonzero(contradicted(held, probability, 0.5, 9))) == [0, 1, 4]
    assert not contradicted(held, probability, 0.5, -1).any()


LENGTHS = [
    ("a clear end", [0.01, 0.02, 0.9, 0.95], 0, 4, 2),
    ("an end at once", [0.9, 0.95, 0.97, 0.99], 0, 4, 0),
    ("no end in sight", [0.1, 0.1, 0.2, 0.3], 0, 4, 4),
    ("one doubtful position does not end the text", [0.05, 0.6, 0.05, 0.9, 0.95], 0, 5, 3),
    ("never before what is committed", [0.9, 0.9, 0.9, 0.9], 3, 4, 3),
    ("never after an end that is committed", [0.1, 0.1, 0.1, 0.1], 0, 2, 2),
]


@pytest.mark.parametrize(
    ("end", "least", "most", "expected"), [c[1:] for c in LENGTHS], ids=[c[0] for c in LENGTHS]
)
def test_the_length_is_read_from_the_whole_canvas(
    end: list[float], least: int, most: int, expected: int
) -> None:
    assert most_likely_length(np.log(np.array(end, np.float32)), least, most) == expected


def test_only_possible_lengths_are_taken() -> None:
    end = np.log(np.array([0.01, 0.02, 0.9, 0.95], np.float32))
    assert most_likely_length(end, 0, 4, np.array([True, False, False, True, False])) == 3
    assert most_likely_length(end, 2, 4, np.array([True, True, False, False, True])) == 4


def test_certainty_of_an_end_is_no_division_by_zero() -> None:
    with np.errstate(all="raise", under="ignore"):
        assert most_likely_length(np.array([0.0, 0.0, 0.0], np.float32), 0, 3) == 0
