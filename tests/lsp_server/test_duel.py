"""Two contestants at work, with a scripted model in place of the real one."""

import json
import resource
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, BinaryIO

import pytest

from engine import Prompt
from engine.errors import EngineFailedError
from engine.fake import ScriptedEngine, scripted_engine
from lsp_server import arena, duel
from lsp_server.contest import Vote, contestants
from lsp_server.document import Document
from lsp_server.duel import Duel
from lsp_server.gaps import Gap

CODE = """\
def load(path):
    with open(path) as file:
        data = ▮
    return data
"""
PATIENCE_S = 60


def gap(folder: Path) -> Gap:
    start = CODE.index("▮")
    document = Document.open((folder / "a.py").as_uri(), "python", 0, CODE.replace("▮", ""))
    return Gap("a.py", document, start, "file.read()")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScriptedEngine]:
    """The engine that every contestant gets."""

    def script(*texts: str, **given: Any) -> ScriptedEngine:
        engine = scripted_engine(texts, **given)
        monkeypatch.setattr(duel, "open_engine", lambda settings: engine)
        return engine

    return script


def over(a: list[str], b: list[str], *gaps: Gap, ledger: BinaryIO | None = None) -> Duel:
    """A duel whose rounds are all made."""
    one = Duel(contestants(a, b), ledger)
    Thread(target=one.play, args=(gaps, Random(0)), daemon=True).start()
    until = time.monotonic() + PATIENCE_S
    while one.doing != duel.OVER:
        assert time.monotonic() < until
        time.sleep(0.01)
    return one


def test_a_vote_goes_to_whom_wrote_it(
    scripted: Callable[..., ScriptedEngine], tmp_path: Path
) -> None:
    scripted("file.read()", "load(file)")  # for whom is shown first, and for the other
    one = over([], [], gap(tmp_path))
    first = one.round
    assert first is not None
    shown = [first.attempts[who].edit for who in first.order]
    assert [edit.text for edit in shown if edit] == ["file.read()", "load(file)"]
    assert first.exact == tuple(who == first.order[0] for who in (0, 1))
    assert one.vote(2, Vote.FIRST) is None
    assert one.vote(1, Vote.FIRST) is first
    assert one.vote(1, Vote.FIRST) is None
    assert one.standing.wins == one.standing.exact == first.exact
    assert one.round is None


def test_who_is_shown_first_does_not_hang_on_where_the_gap_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py", "c.py", "d.py"):
        (tmp_path / name).write_text(f"# {'So it begins. ' * 20}\n{CODE.replace('▮', 'file')}")
    drawn: list[tuple[str, tuple[int, int]]] = []

    def played(_: Duel, gaps: Iterable[Gap], rng: Random) -> None:
        drawn.append((next(iter(gaps)).file[-4:], rng.choice([(0, 1), (1, 0)])))

    monkeypatch.setattr(Duel, "play", played)
    monkeypatch.setattr(arena, "serving", lambda duel, port: nullcontext("address"))
    for seed in (*range(60), *range(60)):
        arena.run(paths=[str(tmp_path)], a=[], b=[], seed=seed, votes=None, port=0, browser=False)
    assert len(set(drawn)) == 4 * 2
    assert drawn[:60] == drawn[60:]


def test_nobody_is_asked_where_both_suggest_the_same(
    scripted: Callable[..., ScriptedEngine], tmp_path: Path
) -> None:
    scripted("file.read()")
    one = over(["steps=9"], [], gap(tmp_path))
    assert one.round is None
    assert (one.standing.same, one.standing.exact) == (1, (1, 1))


def test_each_begins_with_an_engine_that_has_read_this_and_nothing_else(
    scripted: Callable[..., ScriptedEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = scripted("file.read()", "load(file)")
    known: list[int] = []
    expected: list[int] = []
    fill, expects = engine.fill, engine._expected

    def noted(prompt: Prompt, *given: Any, **named: Any) -> Any:
        known.append(engine.cached_tokens)
        return fill(prompt, *given, **named)

    def expecting(*given: Any) -> Any:
        expected.append(len(expects(*given)))
        return expects(*given)

    monkeypatch.setattr(engine, "fill", noted)
    monkeypatch.setattr(engine, "_expected", expecting)
    over([], ["mode=verified"], gap(tmp_path))
    assert known[0] == known[1] > 0
    assert expected == [0, 0], "the one's fill is no draft for the other"


def test_lines_of_other_files_are_for_whom_has_them_in_its_settings(
    scripted: Callable[..., ScriptedEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.py").write_text(CODE.replace("▮", "json.load(file)"))
    engine = scripted("file.read()", "load(file)")
    related: list[str] = []
    fill = engine.fill

    def noted(prompt: Prompt, *given: Any, **named: Any) -> Any:
        related.append(prompt.related)
        return fill(prompt, *given, **named)

    monkeypatch.setattr(engine, "fill", noted)
    over([], ["relatedFiles=false"], gap(tmp_path))
    assert sorted("json.load" in lines for lines in related) == [False, True]
    assert "" in related


def test_a_vote_of_which_only_a_part_can_be_noted_leaves_no_part_and_does_not_count(
    scripted: Callable[..., ScriptedEngine], tmp_path: Path
) -> None:
    scripted("file.read()", "load(file)")
    path = tmp_path / "votes.jsonl"
    path.write_text('{"an": "earlier vote"}\n')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with path.open("ab", buffering=0) as ledger:
        one = over([], [], gap(tmp_path), ledger=ledger)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            with pytest.raises(OSError, match="No space left"):
                one.vote(1, Vote.TIE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_text() == '{"an": "earlier vote"}\n'
        assert one.standing.rounds == 0
        assert one.vote(1, Vote.TIE) is not None
    assert [json.loads(line).get("vote") for line in path.read_text().splitlines()] == [None, "tie"]


def test_a_failure_of_the_engine_ends_it(
    scripted: Callable[..., ScriptedEngine], tmp_path: Path
) -> None:
    scripted("file.read()", fail_on={1})
    with pytest.raises(EngineFailedError):
        Duel(contestants([], ["steps=3"])).play([gap(tmp_path)], Random(0))
