"""The learning curve of a run as a picture: `python -m export train --plot ...`."""

from __future__ import annotations

import json
from pathlib import Path

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
        steps = [x["step"] for x in lines]
        [drawn] = axes.plot(steps, [x["training"][name] for x in lines], linewidth=0.8, alpha=0.6)
        looks = [x for x in lines if name in x["held_out"]]
        axes.plot(
            [x["step"] for x in looks],
            [x["held_out"][name] for x in looks],
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
