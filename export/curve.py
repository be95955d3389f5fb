"""The learning curve of a run as a picture: `python -m export train --plot ...`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SERIES = {
    "read": "token of a gap, after those left of it",
    "text": "token of running text",
    "drafted": "token of a gap, masked",
}
"""Losses of the log -> what a reader is told they are."""
ALONE = {"drafter": "draft, the sum of its tokens"}
"""The same where the drafter learns alone."""


def plot(run: Path) -> Path:
    """Draws `curve.png` from `log.jsonl`: training losses thin, held-out losses thick."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    learned = {name for line in lines for name in line["training"]}
    series = {name: label for name, label in SERIES.items() if name in learned} or ALONE
    for name, label in series.items():
        lately, looks = (logged(lines, kind, name) for kind in ("training", "held_out"))
        [drawn] = axes.plot(*lately, linewidth=0.8, alpha=0.6)
        axes.plot(
            *looks,
            color=drawn.get_color(),
            marker="o",
            markersize=3,
            label=label,
        )
    axes.set(xlabel="step", ylabel="loss in nats a token", title="Lacuna adapter: learning curve")
    axes.grid(alpha=0.25)
    title = "dots: held out; thin: training, since the line before"
    figure.legend(loc="outside lower center", ncols=3, title=title)
    path = run / "curve.png"
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path


def logged(lines: list[dict[str, Any]], kind: str, name: str) -> tuple[list[int], list[float]]:
    """Steps and losses of the lines that have this loss: a look does not come with each, and a
    run that was continued with another rate has others."""
    having = [line for line in lines if name in line[kind]]
    return [line["step"] for line in having], [line[kind][name] for line in having]
