"""Every span goes through every system, nothing is lost, and the figures say what is so."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench import compare, costs, machine, plots, report, worker
from bench.records import Failure, Log, Record, Visit
from bench.spans import STATES, Made, Task
from bench.systems import Variant
from bench.variants import FIM, ONE, PEERS, REFERENCE, WITHOUT_CRITIC, variants
from bench.worker import Models, Worker, WorkerFailedError
from engine.fake import scripted_engine
from export.evaluate import score
from export.held_out import Answer, HeldOut, held_out
from lsp_server.document import Document
from lsp_server.spans import choose

BEFORE, MIDDLE, AFTER = "def f(x):\n    return ", "x + 1", "\n\n\nprint(f(1))\n"
WAYS = [
    compare.Entry(system, Variant(system), state)
    for system in ("lacuna", "other")
    for state in ("cold", "warm")
]


@pytest.fixture
def gap() -> HeldOut:
    document = Document.open("", "python", 0, BEFORE + AFTER)
    return HeldOut("python", document, choose(document, len(BEFORE)), MIDDLE)


def record(gap: HeldOut, way: report.Way, seconds: float, text: str = MIDDLE) -> Record:
    made = Made(text, 5, 4, seconds)
    return Record(*way, made, score(gap, Answer(text, 5, 4)), text != MIDDLE, 100)


class Answering:
    """A worker that fills at once, or fails."""

    is_given_up = False

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.asked: list[tuple[str, str]] = []

    def fill(self, task: Task, variant: Variant, state: str) -> tuple[Made, float]:
        assert task.text == BEFORE + AFTER
        self.asked.append((variant.name, state))
        if self.text is None:
            raise WorkerFailedError("killed by SIGSEGV")
        return Made(self.text, 4, 2, 0.5), 123.4


def test_a_visit_goes_through_all_ways_in_an_order_of_its_own(gap):
    orders = []
    for number in range(20):
        workers = {"lacuna": Answering("x"), "other": Answering("x + 1")}
        visit = compare.visited(number, gap, WAYS, workers)
        orders.append(tuple((one.system, one.state) for one in visit.records))
        assert sorted(orders[-1]) == sorted((way.system, way.state) for way in WAYS)
        assert {one.score.exact for one in visit.records if one.system == "other"} == {True}
        assert {one.score.exact for one in visit.records if one.system == "lacuna"} == {False}
    assert {order[0] for order in orders} == {(way.system, way.state) for way in WAYS}
    before = {order[order.index(orders[0][0]) - 1] for order in orders if order[0] != orders[0][0]}
    assert len(before) == len(WAYS) - 1, "none has always the same one before it"


def test_a_way_for_every_third_span_is_left_out_of_the_others(gap):
    rare = compare.Entry("lacuna", Variant("rare"), "warm", every=3)
    asked = []
    for number in range(6):
        workers = {"lacuna": Answering("x")}
        visit = compare.visited(number, gap, [WAYS[0], rare], workers)
        asked.append("rare" in [one.variant for one in visit.records])
    assert asked == [True, False, False] * 2
    common = [entry for entry in compare.entries() if entry.every == 1]
    assert {entry.state for entry in common} == {"warm"}
    assert {entry.system for entry in common} == {"lacuna", *PEERS}


def test_a_system_that_fails_does_not_end_the_visit(gap):
    visit = compare.visited(0, gap, WAYS, {"lacuna": Answering("x + )"), "other": Answering(None)})
    assert {one.state for one in visit.records} == {"cold", "warm"}
    assert all(one.breaks and one.peak_mb == 123 for one in visit.records)
    assert Failure("other", "other", "cold", "killed by SIGSEGV") in visit.failures
    assert len(visit.failures) == 2


def test_a_log_is_gone_on_with_when_the_plan_is_the_same(tmp_path, gap):
    path = tmp_path / "run" / "log.jsonl"
    log = Log.opened(path, {"set": "a"})
    log.begin(machine.described())
    visit = Visit(7, "line", 2.0, (record(gap, ("lacuna", REFERENCE, "warm"), 0.1),), ())
    log.add(visit)
    with path.open("a") as file:
        file.write('{"visit": {"span": 8, "gro')  # what an interrupted write leaves
    again = Log.opened(path, {"set": "a"})
    assert again.visits == [visit] and again.visited == {7} and len(again.starts) == 1
    again.add(Visit(8, "line", 2.0, ()))
    assert Log.opened(path, {"set": "a"}).visited == {7, 8}
    assert Log.opened(path, {"set": "b"}).visits == []


def test_another_processor_or_version_is_another_plan(tmp_path, gap, monkeypatch):
    base = tmp_path / "base.gguf"
    base.write_bytes(b"")

    def plan() -> dict[str, object]:
        return compare.planned([gap], Models(None, base), WAYS)

    first = plan()
    assert plan() == first
    assert first["machine"]["onnxruntime"] and first["machine"]["cores"] > 0
    described = machine.described()
    for other in ({"cpu": "another"}, {"cores": 99}):
        monkeypatch.setattr(machine, "described", lambda other=other: {**described, **other})
        assert plan() != first
    monkeypatch.setattr(machine, "described", lambda: {**described, "time": "", "load": 9.0})
    assert plan() == first, "when it is and how busy says nothing"
    monkeypatch.setattr(machine.metadata, "version", lambda name: "0")
    assert plan() != first


def test_what_fills_and_what_judges_is_known_by_its_code(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "ROOT", tmp_path)
    judging = ["bench/spans.py", "bench/systems.py", "bench/worker.py", "export/evaluate.py"]
    files = [tmp_path / name for name in (*judging, "engine/a.py", "lsp_server/a.py")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    known = {compare.code()}
    for count, file in enumerate(files, 2):
        file.write_text("another")
        known.add(compare.code())
        assert len(known) == count


def test_the_cost_curves_are_kept_for_the_same_plan(tmp_path, monkeypatch):
    path, plan = tmp_path / "costs.json", {"model": "m", "code": "c", "machine": {"cores": 2}}
    measured = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        measured.append(command)
        return subprocess.CompletedProcess(command, 0, f'said\n[{{"x": {len(measured)}}}]\n')

    monkeypatch.setattr(subprocess, "run", run)
    path.write_text('{"model": "m", "costs": []}')  # of an older version
    assert compare.cost_curves(path, None, plan) == [{"x": 1}]
    assert compare.cost_curves(path, None, {**plan, "set": "other spans"}) == [{"x": 1}]
    assert compare.cost_curves(path, None, plan, fresh=True) == [{"x": 2}]
    for count, name in enumerate(plan, 3):
        assert compare.cost_curves(path, None, {**plan, name: "another"}) == [{"x": count}]


def test_a_slow_while_bends_no_cost_curve():
    asked = []

    class Slowed(costs.Bench):
        __slots__ = ()

        def _measured(self, point: costs.Point, number: int) -> tuple[float, float, int]:
            asked.append((number, point))
            return (900.0, 900.0, 4) if number == 1 else (10.0, 40.0, 1)

    found = Slowed(scripted_engine([""]), "", rounds=3).costs()
    assert {(cost.step_ms, cost.fill_ms, cost.steps) for cost in found} == {(10.0, 40.0, 2.0)}
    assert {cost.curve for cost in found} == {"context", "canvas", "candidates"}
    points = [point for _, point in asked[: len(found)]]
    assert asked == [(number, point) for number in range(3) for point in points]


def test_every_point_of_the_cost_curves_is_measured():
    found = costs.Bench(scripted_engine(["total = first"]), "x = 1\n" * 999, rounds=2).costs()
    assert all(cost.step_ms > 0 and cost.fill_ms > 0 and cost.steps >= 1 for cost in found)


def stand_in(program: str) -> list[str]:
    """The command of a system that is this program."""
    return [sys.executable, "-c", 'print(\'{"versions": {"stand-in": "1"}}\')\n' + program]


ANSWERS = """
import sys, json
for line in sys.stdin:
    request = json.loads(line)
    made = {"text": request["state"], "tokens": 1, "passes": 1, "seconds": 0.1}
    print(json.dumps({"made": made, "peak_mb": 1.0}), flush=True)
"""


@pytest.fixture
def opened(monkeypatch):
    """Starts workers that are ended with the test."""
    workers = []

    def open_worker(command: list[str]) -> Worker:
        workers.append(Worker(command))
        return workers[-1]

    yield open_worker
    for one in workers:
        one.close()


def test_a_worker_says_its_versions_and_fills(opened, gap):
    worker = opened(stand_in(ANSWERS))
    assert worker.versions == {"stand-in": "1"}
    made, peak = worker.fill(Task.of(gap), Variant("x"), "warm")
    assert (made, peak) == (Made("warm", 1, 1, 0.1), 1.0)


@pytest.mark.parametrize(
    ("program", "seconds", "reason"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", 120, "killed by SIGSEGV"),
        ("raise RuntimeError('out of tune')", 120, "RuntimeError: out of tune"),
        ("import time\ntime.sleep(600)", 1, "no answer in 1 s"),
    ],
)
def test_a_worker_that_dies_says_why_and_is_given_up_after_three(
    opened, gap, monkeypatch, program, seconds, reason
):
    monkeypatch.setattr(worker, "FILL_SECONDS", seconds)
    broken = opened(stand_in("import sys\nsys.stdout.flush()\nsys.stdin.readline()\n" + program))
    for _ in range(worker.CRASHES):
        assert not broken.is_given_up
        with pytest.raises(WorkerFailedError, match=reason):
            broken.fill(Task.of(gap), Variant("x"), "cold")
    assert broken.is_given_up


def test_a_system_that_is_not_installed_says_so():
    command = [sys.executable, "-c", 'print(\'{"failed": "not installed (no x)"}\')']
    with pytest.raises(WorkerFailedError, match=r"not installed \(no x\)"):
        Worker(command)


def log_of(tmp_path, gap: HeldOut, spans: int = 4) -> Log:
    """Lacuna at 100 ms warm and 200 cold, llama.cpp at twice that on every span."""
    log = Log.opened(tmp_path / "log.jsonl", {"set": "s", "spans": 9, "model": "m", "name": "n"})
    log.plan |= {"base": "b", "code": "c"}
    versions = {"lacuna": {"model": "n"}}
    log.begin({**machine.described(), "versions": versions, "missing": {"transformers": "why"}})
    for span in range(spans):
        slow = 1 + span  # a machine that is slower from span to span, for all alike
        found = [
            record(gap, ("lacuna", variant.name, state), slow * (0.2 if state == "cold" else 0.1))
            for variant in variants()
            for state in STATES
            if variant.name != WITHOUT_CRITIC
        ]
        broken = record(gap, ("lacuna", WITHOUT_CRITIC, "warm"), 0.1, "x + )")
        found += [
            broken,
            record(gap, ("llama.cpp", "llama.cpp", "cold"), slow * 0.4, "y"),
            record(gap, ("llama.cpp", "llama.cpp", "warm"), slow * 0.2, "y"),
            record(gap, ("llama.cpp", "llama.cpp", "typed"), slow * 0.5, "y"),
        ]
        log.add(Visit(span, "line", 2.5, tuple(found), (Failure("other", "x", "cold", "died"),)))
    return log


def test_the_report_compares_span_by_span(tmp_path, gap):
    text = report.report(log_of(tmp_path, gap), [], [])
    rows = {line.split(" | ")[0]: line.split(" | ") for line in text.splitlines()}
    warm = [line for line in text.splitlines() if line.startswith("| llama.cpp | warm |")]
    assert warm[0].split(" | ")[3:5] == ["500 [350, 650]", "2.00 [2.00, 2.00]"]
    assert " 0.0 [0, 49] " in warm[0]
    typed = [line for line in text.splitlines() if line.startswith("| llama.cpp | typed |")]
    assert typed[0].split(" | ")[4] == "5.00 [5.00, 5.00]"
    assert rows["| diffusion"][3] == "1" and rows["| diffusion"][6] == "100.0 [51, 100]"
    assert f"| {ONE} |" in text and "4 of 9 spans" in text
    assert "transformers was left out: why" in text
    assert "4 fills failed, the first one of other: died" in text
    assert "## One line: 4" in text and "## Several lines" not in text


def test_the_report_says_what_the_critic_mends(tmp_path, gap):
    text = report.report(log_of(tmp_path, gap), [], [])
    assert "Without the critic 4 of 4 fills break the parse as it judges" in text
    assert "4 of them (100 %) parse" in text
    assert "4 do not parse without it, 4 of which do with it, and 0 that did parse" in text
    assert "Exact fills: 0 without, 4 with it" in text


def test_the_report_says_what_the_raw_texts_do_where_the_critic_doubts_none(tmp_path, gap):
    log = log_of(tmp_path, gap)
    for visit in log.visits:
        for one in visit.records:
            object.__setattr__(one, "breaks", False)
    text = report.report(log, [], [])
    assert "Without the critic none of 4 fills break the parse as it judges" in text
    assert "By the raw text 4 do not parse without it, 4 of which do with it" in text
    assert "Masked again" not in text
    log.visits.clear()
    assert "No span went through both ways." in report.report(log, [], [])


def test_the_plots_are_drawn_of_what_there_is(tmp_path, gap):
    costs = [
        {"curve": curve, "x": x, "step_ms": 10.0 * x, "fill_ms": 50.0 * x, "steps": 3.5}
        for curve in ("context", "canvas", "candidates")
        for x in (1, 2, 3)
    ]
    drawn = plots.draw(log_of(tmp_path, gap).visits, costs, tmp_path / "images")
    assert [path.name for path in drawn] == ["quality-speed.png", "paired.png", "costs.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert plots.draw([], [], tmp_path / "images") == []
    assert set(plots.PEER_LOOKS) == set(PEERS)
    rows = report.cost_table(costs).splitlines()
    assert rows[2] == "| context | 1 | 10 | 50 | 3.5 |"


@pytest.mark.model
def test_the_command_measures_the_shipped_model_and_goes_on(tmp_path, monkeypatch, capsys):
    """Two spans through a real worker; the second time nothing is left to do."""
    source = (BEFORE + MIDDLE + AFTER) * 30
    for language in ("python", "javascript"):
        (tmp_path / f"held-{language}.txt").write_text(source)
    base = tmp_path / "base.gguf"
    base.write_bytes(b"no peer reads it here")
    run, results = tmp_path / "run", tmp_path / "RESULTS.md"
    few = {"python": 1, "javascript": 1}
    monkeypatch.setattr(compare, "held_out", lambda corpus: held_out(corpus, few))
    monkeypatch.setattr(compare, "variants", lambda: variants()[:1])
    monkeypatch.setattr(compare, "cost_curves", lambda *_, **__: [])
    arguments = ["--corpus", tmp_path, "--gguf", base, "--run", run, "--results", results]
    command = ["compare", *map(str, arguments), "--spans", "2", "--peers"]
    monkeypatch.setattr(sys, "argv", command)
    compare.main()
    compare.main()
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [["plan"], ["start"], ["visit"], ["visit"]]
    text = results.read_text("utf-8")
    assert "2 of 2 spans" in text and "| Lacuna, diffusion | cold |" in text
    assert (tmp_path / "images/paired.png").exists()
    assert capsys.readouterr().out.count("loading lacuna") == 1


def test_the_systems_are_started_by_their_names(tmp_path):
    command = Models(tmp_path, tmp_path / "base.gguf").command("llama.cpp")
    assert command[1:] == [
        "-m",
        "bench.worker",
        "llama.cpp",
        f"{tmp_path}/base.gguf",
        str(tmp_path),
    ]
    other = tmp_path / "other.gguf"
    models = Models(None, tmp_path / "base.gguf", other)
    assert models.command(FIM)[3:] == [FIM, str(other)]
    assert models.command("llama.cpp")[4] == f"{tmp_path}/base.gguf"
