"""What followed the last tokens before is put forward again."""

import numpy as np
import pytest

from engine.lookup import repeated

CASES = [
    ("what followed", [1, 2, 3, 9, 1, 2], [], 2, [3, 9]),
    ("the longest agreement counts", [1, 2, 3, 5, 2, 4, 1, 2], [], 1, [3]),
    ("of equal ones the last", [1, 2, 3, 1, 2, 4, 1, 2], [], 1, [4]),
    ("the suffix is searched too", [7, 1, 2], [1, 2, 8], 1, [8]),
    ("but what is written comes first", [1, 2, 3, 1, 2], [1, 2, 8], 1, [3]),
    ("nothing follows a new token", [1, 2, 3], [4, 5], 3, []),
    ("no more than asked for", [1, 2, 3, 4, 5, 1], [], 2, [2, 3]),
    ("nothing asked for", [1, 2, 1], [], 0, []),
    ("nothing known", [1], [], 3, []),
]


@pytest.mark.parametrize(
    ("written", "suffix", "most", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_what_is_repeated(
    written: list[int], suffix: list[int], most: int, expected: list[int]
) -> None:
    found = repeated(np.array(written), np.array(suffix, np.int64))
    assert found.following(most).tolist() == expected


def test_all_places_that_agree_longest_are_told() -> None:
    found = repeated(np.array([1, 2, 3, 1, 2, 4, 9, 2, 5, 1, 2]), np.array([], np.int64))
    assert found.agree == 2
    assert found.known[found.ends].tolist() == [3, 4]
