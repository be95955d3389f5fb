r"""Solves tasks in the format of HumanEval-Infilling and runs their tests: pass@1.

    python -m bench.infilling FILE.jsonl              # or .jsonl.gz
    python -m bench.infilling FILE.jsonl --canonical  # the file's own solutions: is it sound?

Each line has task_id, prompt, suffix, canonical_solution, test and entry_point. A program is
prompt + fill + suffix + test and a call of `check`; it runs in `sandbox.py`. The data set itself is
for evaluation only: it is no part of this project and nothing is tuned to it. JSON on the last
line.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from engine import Engine, FillOptions, Prompt
from engine.choose import Policy

from .sandbox import Limits, Outcome, run

DEFAULTS = FillOptions(max_tokens=256)

Solver = Callable[["InfillingTask"], str]
"""What stands in a task's gap."""


@dataclass(frozen=True, slots=True)
class InfillingTask:
    """A function with a gap, and the tests that tell whether it was filled well."""

    task_id: str
    prompt: str
    """The code before the gap."""
    suffix: str
    """The code after it."""
    canonical_solution: str
    test: str
    """Defines `check(candidate)`."""
    entry_point: str
    """The function that is checked."""

    def program(self, fill: str) -> str:
        """What is run."""
        code = self.prompt + fill + self.suffix
        return f"{code}\n{self.test}\ncheck({self.entry_point})\n"

    @property
    def is_of_lines(self) -> bool:
        """The gap begins and ends where a line does, so its fill ends with a line end."""
        starts = not self.prompt or self.prompt.endswith("\n")
        return starts and bool(self.suffix) and not self.suffix.startswith("\n")


def tasks_of(path: Path) -> Iterator[InfillingTask]:
    """The tasks of a file. Raises ValueError naming the line that is none."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    content = json.loads(line)
                    yield InfillingTask(**{f.name: content[f.name] for f in fields(InfillingTask)})
                except (ValueError, TypeError, KeyError) as error:
                    raise ValueError(f"{path}, line {number}: is no task ({error!r})") from None


def canonical(task: InfillingTask) -> str:
    return task.canonical_solution


def by_engine(engine: Engine, options: FillOptions) -> Solver:
    """Fills by the model. Where the gap is of whole lines it is asked for what stands before the
    last line's end, as an editor would ask, and the line end is put back."""

    def solve(task: InfillingTask) -> str:
        end = "\n" if task.is_of_lines else ""
        return engine.fill(Prompt(task.prompt, end + task.suffix), options)[0].text + end

    return solve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.infilling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--canonical", action="store_true", help="run the file's own solutions")
    parser.add_argument("--model", type=Path, help="model folder; default: the shipped one")
    parser.add_argument("--policy", type=Policy, choices=list(Policy), default=DEFAULTS.policy)
    parser.add_argument("--threshold", type=float, default=DEFAULTS.threshold)
    parser.add_argument("--max-tokens", type=int, default=DEFAULTS.max_tokens)
    parser.add_argument("--count", type=int, help="the first N tasks")
    parser.add_argument("--seconds", type=float, default=Limits().wall_seconds, help="of a program")
    arguments = parser.parse_args()
    try:
        tasks = list(tasks_of(arguments.file))[: arguments.count]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    options = FillOptions(
        policy=arguments.policy, threshold=arguments.threshold, max_tokens=arguments.max_tokens
    )
    solve = canonical if arguments.canonical else by_engine(Engine.open(arguments.model), options)
    outcomes = judged(tasks, solve, Limits(wall_seconds=arguments.seconds))
    passed = sum(outcome.passed for outcome in outcomes.values())
    summary = {"file": arguments.file.name, "tasks": len(tasks), "passed": passed}
    print(json.dumps(summary | {"pass@1": round(passed / max(len(tasks), 1), 4)}))


def judged(tasks: list[InfillingTask], solve: Solver, limits: Limits) -> dict[str, Outcome]:
    """Solves and runs each task, and says how it ended."""
    outcomes = {}
    for task in tasks:
        outcome = run(task.program(solve(task)), limits)
        outcomes[task.task_id] = outcome
        print(f"{task.task_id}: {'passed' if outcome.passed else outcome.reason}", flush=True)
    return outcomes


if __name__ == "__main__":
    main()
