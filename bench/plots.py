"""The results as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.prompt import Mode

from .records import Visit
from .report import Way, main_systems, of_curve, of_way, paired, seconds, share
from .spans import STATES
from .variants import FIM, REFERENCE, variants

BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
"""Told apart by colour-blind eyes as well (Okabe and Ito)."""
MARKS = "o^vs<>DPX*hd"
"""One for each way to fill; the thresholds share the first."""
PEER_LOOKS = {
    "llama.cpp": ("s", ORANGE),
    "llama.cpp Q8_0": ("P", ORANGE),
    "transformers": ("D", GREEN),
    FIM: ("X", GREEN),
}
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""For logarithmic axes."""


def draw(visits: Sequence[Visit], costs: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Writes all plots that there is something for, and says where."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10})
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    if visits:
        drawn += [_quality_speed(visits, folder), _paired(visits, folder)]
    if costs:
        drawn.append(_costs(costs, folder))
    return drawn


def _quality_speed(visits: Sequence[Visit], folder: Path) -> Path:
    """How good a fill is against how long it takes, warm, on the spans of the whole curve."""
    from matplotlib import pyplot

    visits = of_curve(visits)
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 5.6), layout="constrained")
    measures = {"exact as shown, %": "shown_exact", "similarity, %": "similarity"}
    for axes, (label, measure) in zip(panels, measures.items(), strict=True):
        for name, points, look in _series(visits, measure):
            axes.plot(*zip(*points.values(), strict=True), label=name, **look)
            if len(points) > 1:
                for threshold, point in points.items():
                    axes.annotate(threshold, point, xytext=(6, 4), textcoords="offset points")
        _logarithmic(axes)
        axes.set(xlabel="ms to the complete fill, warm, median", ylabel=label)
    figure.suptitle(f"Quality against speed, {len(visits)} held-out spans: up and left is better")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return _saved(figure, folder / "quality-speed.png")


Series = tuple[str, dict[str, tuple[float, float]], dict[str, Any]]
"""Name, points of ms and quality by their label, look."""


def _series(visits: Sequence[Visit], measure: str) -> Iterator[Series]:
    """The thresholds as a line, every other way and every peer as a point."""
    thresholds, others = {}, {}
    for variant in variants():
        point = _point(visits, ("lacuna", variant.name, "warm"), measure)
        if point and variant.name.startswith("threshold"):
            thresholds[f"{variant.options['threshold']}"] = point
        elif point:
            others[variant.name] = point
    ordered = dict(sorted(thresholds.items()))
    if ordered:
        yield "Lacuna, threshold", ordered, {"color": BLUE, "marker": MARKS[0]}
    for (name, point), mark in zip(others.items(), MARKS[1:], strict=False):
        colour = PURPLE if name in list(Mode) else BLUE
        look = {"color": colour, "marker": mark, "linestyle": "", "markersize": 7}
        yield f"Lacuna, {name}", {name: point}, look
    for peer, (mark, colour) in PEER_LOOKS.items():
        if point := _point(visits, (peer, peer, "warm"), measure):
            look = {"color": colour, "marker": mark, "linestyle": "", "markersize": 9}
            yield peer, {peer: point}, look


def _point(visits: Sequence[Visit], way: Way, measure: str) -> tuple[float, float] | None:
    found = of_way(visits, way)
    if not found:
        return None
    ms = 1e3 * float(np.median([seconds(record) for record in found]))
    return ms, share(getattr(record.score, measure) for record in found)


def _logarithmic(axes: Any) -> None:
    """Makes x logarithmic, with numbers that a person reads."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in TICKS if low <= tick <= high])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.25)


def _paired(visits: Sequence[Visit], folder: Path) -> Path:
    """Times as multiples of Lacuna's on the same span."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(14, 3.2), layout="constrained", sharey=True)
    for axes, state in zip(panels, STATES, strict=True):
        reference = ("lacuna", REFERENCE, state)
        found = {
            name if system == name else f"Lacuna, {name}": paired(
                visits, (system, name, state), reference, seconds
            )
            for system, name in main_systems()
            if name != REFERENCE
        }
        found = {name: ratios for name, ratios in found.items() if ratios}
        axes.boxplot(list(found.values()), orientation="horizontal", widths=0.5, sym=".")
        axes.set_yticks(range(1, len(found) + 1), list(found))
        axes.invert_yaxis()
        axes.axvline(1, color=BLUE)
        axes.set(title=state, xlabel="times as long as Lacuna by diffusion on the same span")
        _logarithmic(axes)
    return _saved(figure, folder / "paired.png")


def _costs(costs: Sequence[dict[str, Any]], folder: Path) -> Path:
    """What a step and a fill cost by context, canvas and candidates."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    labels = {
        "context": "tokens around the gap",
        "canvas": "positions of the canvas",
        "candidates": "candidates",
    }
    for axes, (curve, label) in zip(panels, labels.items(), strict=True):
        points = [cost for cost in costs if cost["curve"] == curve]
        places = [cost["x"] for cost in points]
        for kind, mark, colour in (("fill_ms", "o", BLUE), ("step_ms", "s", ORANGE)):
            name = {"fill_ms": "fill of at most four steps", "step_ms": "one step"}[kind]
            axes.plot(places, [cost[kind] for cost in points], mark + "-", color=colour, label=name)
        axes.set(xlabel=label, xticks=places)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("ms, warm, median")
    panels[0].legend(frameon=False)
    return _saved(figure, folder / "costs.png")


def _saved(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path
