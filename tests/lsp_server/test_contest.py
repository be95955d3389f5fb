"""Who competes, and what the votes tell."""

from functools import cache
from itertools import accumulate
from random import Random

import pytest

from lsp_server.change import Edit
from lsp_server.contest import (
    Attempt,
    Outcome,
    Round,
    Standing,
    Verdict,
    Vote,
    contestants,
    wilson,
)
from lsp_server.document import Document
from lsp_server.gaps import Gap
from lsp_server.settings import Settings
from lsp_server.source_file import InputError

ASKED = Settings(min_probability=0)
PAIR = contestants([], [])


def test_without_settings_diffusion_meets_left_to_right() -> None:
    first, second = contestants([], [])
    assert (first.description, first.settings.mode) == ("mode=diffusion", "diffusion")
    assert (second.description, second.settings.mode) == ("mode=left-to-right", "left-to-right")


def test_settings_are_those_of_the_editor() -> None:
    given = ["steps=4", "model=models/mine", 'excludedGlobs=["**/x"]', "relatedFiles=false"]
    first, second = contestants(given, [])
    assert first.description == "steps=4, model=models/mine, " + ", ".join(given[2:])
    assert (first.settings.steps, first.settings.model) == (4, "models/mine")
    assert (first.settings.excluded_globs, first.settings.related_files) == (("**/x",), False)
    assert (second.description, second.settings) == ("as shipped", ASKED)


def test_an_improbable_suggestion_is_shown_unless_a_contestant_has_it_otherwise() -> None:
    first, second = contestants(["minProbability=0.4"], [])
    assert (first.settings.min_probability, second.settings.min_probability) == (0.4, 0)


@pytest.mark.parametrize(
    ("a", "complaint"),
    [
        ("steps", "--a steps: is not KEY=VALUE, such as mode=verified"),
        ("tempo=3", "--a tempo=3: 'tempo' is none of disabledLanguages, excludedGlobs"),
        ("enabled=false", "'enabled' is none of"),
        ("candidates=4", "'candidates' is none of"),
        ("steps=many", '--a: lacuna.steps must be a whole number from 0 to 1024, not "many"$'),
        ("steps=NaN", "--a: lacuna.steps must be a whole number"),
        ("mode=fast", '--a: lacuna.mode must be "diffusion" or "left-to-right" or "verified"'),
        ("model=7", "--a: lacuna.model must be a string, not 7$"),
        ("threshold=" + "[" * 100_000, "--a: lacuna.threshold must be a number"),
        ("mode=diffusion", "--a and --b are the same settings"),
    ],
)
def test_what_is_no_setting_or_no_difference_is_refused(a: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        contestants([a], [])


def round_(first: Edit | None, second: Edit | None, order: tuple[int, int] = (0, 1)) -> Round:
    document = Document.open("", "python", 0, "x = \ny = f()\n")
    gap = Gap("a.py", document, 4, "f(x)")
    return Round(1, gap, (Attempt(first), Attempt(second)), order)


RIGHT, WRONG = Edit(4, 4, "f(x)"), Edit(4, 4, "f()")


def test_a_suggestion_is_exact_when_the_file_is_as_it_was() -> None:
    assert round_(RIGHT, WRONG).exact == (True, False)
    assert round_(WRONG, RIGHT).exact == (False, True)
    assert round_(RIGHT, None).exact == (True, False)


def test_suggestions_are_the_same_by_what_they_make_of_the_file() -> None:
    assert round_(WRONG, WRONG).is_same
    assert round_(None, None).is_same
    assert round_(Edit(0, 4, "x = g()"), Edit(4, 4, "g()")).is_same
    assert not round_(WRONG, None).is_same
    assert not round_(WRONG, RIGHT).is_same


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_vote_goes_to_whom_was_shown_there(order: tuple[int, int]) -> None:
    one = round_(WRONG, RIGHT, order)
    names = [(Verdict.A, Verdict.B)[who] for who in order]
    assert [one.verdict(Vote.FIRST), one.verdict(Vote.SECOND)] == names
    assert [one.verdict(Vote.TIE), one.verdict(Vote.BAD)] == [Verdict.TIE, Verdict.BAD]


def standing(text: str) -> Standing:
    """Of rounds as letters: a and b for those who won, t, x and s for the rest."""
    verdict = dict(zip("abtxs", Verdict, strict=True))
    return Standing.of(
        PAIR,
        [Outcome(verdict[one], (one == "a", True), (20.0 + n, 5.0)) for n, one in enumerate(text)],
    )


def test_the_standing_counts_every_round() -> None:
    stands = standing("aabtxss")
    assert (stands.wins, stands.ties, stands.bad, stands.same) == ((2, 1), 1, 1, 2)
    assert (stands.decided, stands.rounds, stands.share) == (3, 7, 2 / 3)
    assert (stands.exact, stands.ms) == ((2, 7), (23.0, 5.0))
    assert stands.counts.startswith("7 rounds: 3 decided, 1 equally good, 1 both bad, 2 with the")


def test_a_standing_without_votes_tells_that() -> None:
    stands = standing("ts")
    assert (stands.share, stands.verdict) == (None, "No vote has been for one of the two yet.")
    assert standing("").ms == (0.0, 0.0)


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        (
            "a",
            "A has 1 of 1 decided vote: 100 %, 95 % interval 21 to 100 for a number of votes fixed "
            "before. That may still be chance.",
        ),
        ("aaab", "3 of 4 decided votes: 75 %, 95 % interval 30 to 95 for a number of votes fixed"),
        ("ab" * 200, "200 of 400 decided votes: 50 %, 95 % interval 45 to 55 for a number of"),
        (
            "a" * 7,
            "interval 65 to 100 for a number of votes fixed before. That may still be chance.",
        ),
        ("a" * 8, "Chance alone would seldom do that, however often one looks: A is better liked."),
        ("b" * 8, "Chance alone would seldom do that, however often one looks: B is better liked."),
        ("b" * 10 + "a", "That may still be chance."),
        ("b" * 11 + "a", "however often one looks: B is better liked."),
        ("tx" * 9 + "s" * 9 + "a" * 8, "however often one looks: A is better liked."),
    ],
)
def test_what_may_be_chance_is_told(votes: str, told: str) -> None:
    assert told in standing(votes).verdict


def test_who_looks_after_each_vote_is_seldom_told_of_a_difference_that_is_none() -> None:
    @cache
    def is_told(wins: int, votes: int) -> bool:
        stands = Standing(("A", "B"), (wins, votes - wins), 0, 0, 0, (0, 0), (0.0, 0.0))
        return "is better liked" in stands.verdict

    rng = Random(0)
    contests, votes = 3000, 200
    alarms = sum(
        any(is_told(wins, n) for n, wins in enumerate(accumulate(rng.choices((0, 1), k=votes)), 1))
        for _ in range(contests)
    )
    assert 0 < alarms / contests < 0.05


@pytest.mark.parametrize(
    ("hits", "count", "interval"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
        # Medicine 17 (1998), table I, method 3: the score method of Wilson.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_interval_is_wilsons(hits: int, count: int, interval: tuple[float, float]) -> None:
    assert wilson(hits, count) == pytest.approx(interval, abs=5e-5)
    low, high = wilson(count - hits, count)
    assert (1 - high, 1 - low) == pytest.approx(interval, abs=5e-5)
