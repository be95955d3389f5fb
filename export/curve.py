"""The learning curve of a run as a picture: `python -m export train --plot ...`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SERIES = {
    "read": "next token, read left to right",
    "first": "first token of a gap, the same way",
    "end": "end of a gap, the same way",
    "draft 2": "second token ahead, masked",
    "draft 3": "third token ahead or later, masked",
}
"""Losses of the log -> what a reader is told they are."""
SMOOTH = 15
"""Lines of the log that are averaged."""


def plot(run: Path) -> Path:
    """Draws `curve.png` from `log.jsonl`: training losses thin, held-out losses thick."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    for name, label in SERIES.items():
        steps, values = smoothed([(x["step"], x[name]) for x in lines if name in x])
        [drawn] = axes.plot(steps, values, linewidth=0.8, alpha=0.6)
        held: list[dict[str, Any]] = [x for x in lines if "held_out" in x]
        axes.plot(
            [x["step"] for x in held],
            [x["held_out"].get(name) for x in held],
            color=drawn.get_color(),
            marker="o",
            markersize=3,
            label=label,
        )
    axes.set(xlabel="step", ylabel="loss in nats a token", title="Lacuna adapter: learning curve")
    axes.grid(alpha=0.25)
    title = "thick: held out (averaged weights); thin: training"
    figure.legend(loc="outside lower center", ncols=3, title=title)
    path = run / "curve.png"
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path


def smoothed(points: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Running means of the values of SMOOTH points."""
    values = [value for _, value in points]
    means = [
        sum(values[max(0, i - SMOOTH + 1) : i + 1]) / len(values[max(0, i - SMOOTH + 1) : i + 1])
        for i in range(len(values))
    ]
    return [step for step, _ in points], means
