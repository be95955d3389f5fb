"""The results as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .records import Visit
from .report import Way, main_systems, of_way, paired, seconds, share
from .variants import PEERS, REFERENCE, variants

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
"""Told apart by colour-blind eyes as well (Okabe and Ito)."""
PEER_MARKS = {
    "llama.cpp": ("s", ORANGE),
    "llama.cpp Q8_0": ("P", ORANGE),
    "transformers": ("D", GREEN),
}


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
    """How good a fill is against how long it takes, warm."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    measures = {"as shown exact, %": "shown_exact", "similarity, %": "similarity"}
    for axes, (label, measure) in zip(panels, measures.items(), strict=True):
        thresholds = []
        for variant in variants():
            point = _point(visits, ("lacuna", variant.name, "warm"), measure)
            if point is None:
                continue
            is_threshold = variant.name == REFERENCE or variant.name.startswith("threshold")
            if is_threshold:
                thresholds.append((variant.options.get("threshold", 0.9), *point))
            axes.plot(*point, "o" if is_threshold else "^", color=BLUE, markersize=6)
            axes.annotate(_short(variant.name), point, xytext=(5, 4), textcoords="offset points")
        ordered = [(x, y) for _, x, y in sorted(thresholds)]
        axes.plot(*zip(*ordered, strict=True), color=BLUE, alpha=0.4, zorder=0)
        for peer in PEERS:
            point = _point(visits, (peer, peer, "warm"), measure)
            if point is not None:
                mark, colour = PEER_MARKS[peer]
                axes.plot(*point, mark, color=colour, markersize=8)
                axes.annotate(peer, point, xytext=(6, 5), textcoords="offset points", color=colour)
        axes.set(xscale="log", xlabel="ms to the complete fill, warm, median", ylabel=label)
        axes.grid(alpha=0.25, which="both")
    figure.suptitle(f"Quality against speed, {len(visits)} held-out spans: up and left is better")
    return _saved(figure, folder / "quality-speed.png")


def _point(visits: Sequence[Visit], way: Way, measure: str) -> tuple[float, float] | None:
    found = of_way(visits, way)
    if not found:
        return None
    ms = 1e3 * float(np.median([seconds(record) for record in found]))
    return ms, share(getattr(record.score, measure) for record in found)


def _short(name: str) -> str:
    return "threshold 0.9" if name == REFERENCE else name


def _paired(visits: Sequence[Visit], folder: Path) -> Path:
    """Times as multiples of Lacuna's on the same span."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(11, 3.2), sharex=True, layout="constrained")
    for axes, state in zip(panels, ("cold", "warm"), strict=True):
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
        axes.axvline(1, color=BLUE)
        axes.set(xscale="log", title=state, xlabel="times as long as Lacuna on the same span")
        axes.grid(alpha=0.25, axis="x", which="both")
    return _saved(figure, folder / "paired.png")


def _costs(costs: Sequence[dict[str, Any]], folder: Path) -> Path:
    """What a step and a fill cost by context, canvas and candidates."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
    labels = {
        "context": "tokens around the gap",
        "canvas": "positions of the canvas",
        "candidates": "candidates",
    }
    for axes, (curve, label) in zip(panels, labels.items(), strict=True):
        points = [cost for cost in costs if cost["curve"] == curve]
        places = [cost["x"] for cost in points]
        for kind, mark, colour in (("fill_ms", "o", BLUE), ("step_ms", "s", ORANGE)):
            name = {"fill_ms": "fill of four steps", "step_ms": "one step"}[kind]
            axes.plot(places, [cost[kind] for cost in points], mark + "-", color=colour, label=name)
        axes.set(xlabel=label, ylim=(0, None))
        axes.set_xticks(places)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("ms, warm, median")
    panels[0].legend(frameon=False)
    return _saved(figure, folder / "costs.png")


def _saved(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path
