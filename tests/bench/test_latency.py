"""Beside how long answers took stands how many of them held a suggestion."""

from __future__ import annotations

from bench.latency import INSTANT, WHOLE_LINES, session

IMPROBABLE = "from engine.certainty import Beginning\n" + INSTANT.replace(
    "mean_log_prob=0.0", "mean_log_prob=0.0, beginnings=(Beginning(19, 0.1),)"
)


async def test_what_is_improbable_is_an_answer_only_where_whole_lines_are_wanted() -> None:
    by_default = await session(IMPROBABLE, "x = 1\n")
    whole = await session(IMPROBABLE, "x = 1\n", settings=WHOLE_LINES)
    assert by_default["shown_percent"] == 0 < whole["shown_percent"] <= 100
    assert by_default["keystroke_ms"] > 0
