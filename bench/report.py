"""The measured spans as `RESULTS.md`: what on, what came out, how sure it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lsp_server.contest import wilson

from .records import Log, Record, Visit
from .spans import STATES
from .variants import FIM, ONE, PEERS, REFERENCE, WITHOUT_CRITIC, variants

GROUPS = {"all": "All spans", "line": "One line", "lines": "Several lines"}
Way = tuple[str, str, str]
"""System, variant, state."""


def report(log: Log, costs: Sequence[dict[str, Any]], images: Sequence[Path]) -> str:
    """All of it in Markdown."""
    pictures = {path.stem: f"![{path.stem}]({path.as_posix()})" for path in images}
    parts = [
        "# Lacuna against its peers",
        header(log),
        NOTES,
        *([FIM_NOTE] if any(of_way(log.visits, (FIM, FIM, state)) for state in STATES) else []),
        *(main_table(title, grouped(log.visits, group)) for group, title in GROUPS.items()),
        pictures.get("paired", ""),
        "## Quality against speed",
        CURVE,
        pictures.get("quality-speed", ""),
        variant_table(log.visits),
        "## The parser as critic",
        critic_lines(log.visits),
        "## What a step and a fill cost",
        COSTS,
        pictures.get("costs", ""),
        cost_table(costs),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


NOTES = """\
**Cold**: a file never seen. **Warm**: all but the last 8 characters before the gap were read, as
when one comes back to a place. **Typed**: as at a key in the midst of typing: the gap had been
filled, then its last character before the gap was typed. What a system remembers of that fill is
its own affair: its cache, and with Lacuna a draft where the fill began with that character. *ms*:
from the prompt's text to the complete fill's, median over spans with quartiles. *x*: how many times
as long as Lacuna as it comes (`diffusion`) took on the same span in the same state, median with
quartiles; above 1 is slower. *Tokens/s* and *tokens a pass*: sums by sums, the end token counted.
*Passes*: forward passes (NFE) a fill, mean; reading the context is none. *Exact*: what stood there,
letter for letter, with the 95 % interval. *As shown*: the share of spans in which the edit that an
editor would show makes the file what it was. *Parses*: with the raw fill the file has no more
errors than it had. *Peak MB*: the most resident memory of the system's process, mapped files
included; Lacuna's runs all modes in one, which a server does not (the README has what it takes).
*n*: spans.

*llama.cpp* reads the base's file as it is published, *llama.cpp Q8_0* the same weights in eight
bits, as wide as Lacuna's, for which it has faster kernels; *transformers* has them in bfloat16.

All systems and modes go through all spans warm and through every second one cold and typed; the
points of the curve go through every third.

Every system reads the same tokens before the gap (Lacuna those after it as well), is greedy, uses
one thread a physical core, spells a token that the cursor cuts in two again (token healing, where
it writes left to right), and ends where the span ends: at its line's end, or where a line leaves
the block. Each span goes through all systems in turn, in an order that is drawn for it, each in a
process of its own; warm ones use their own cache."""

FIM_NOTE = f"""\
*{FIM}* is another model, named above: one that was trained to fill in the middle and reads both
sides, as editors run it otherwise. Prefix and suffix have as many tokens as Lacuna's, but its own,
which are longer. Where the prefix has grown it reads the suffix anew; llama.cpp's own server has an
option against that (`--cache-reuse`), its Python library has not."""

CURVE = """\
Warm, on the spans that went through all of these ways. Every point is one way to fill; the
thresholds are joined by a line."""

COSTS = """\
Warm, medians. *Step*: one denoising step. *Fill*: a whole request of at most four steps after one
typed character; where the text ends sooner it takes fewer, so beside it stands how many, the mean.
Contexts are as long as the model can see, a quarter of them after the gap; the last one is its
limit. Each round goes through all points, so that a slow while bends no curve."""


def header(log: Log) -> str:
    """What was measured on what."""
    plan, visits = log.plan, log.visits
    loads = [visit.load for visit in visits] or [0.0]
    lines = [
        f"`python -m bench.compare`, {len(visits)} of {plan['spans']} spans of the held-out set "
        f"`{plan['set']}`, model {plan['name']} (`{plan['model']}`), base `{plan['base']}`, "
        f"code `{plan['code']}`.\n"
    ]
    lines += [f"- {line}." for line in dict.fromkeys(map(_machine, log.starts))]
    lines += [f"- {line}." for start in log.starts[-1:] for line in _systems(start)]
    if log.starts:
        when = [log.starts[0]["time"], log.starts[-1]["time"]]
        often = "once" if len(log.starts) == 1 else f"{len(log.starts)} times"
        lines.append(f"- Started {often}: {' to '.join(dict.fromkeys(when))}.")
    lines.append(
        f"- Load while it ran: median {np.median(loads):.1f}, at most {max(loads):.1f}; the run "
        "itself makes one busy thread a core, so what is above that was other work."
    )
    failures = [failure for visit in visits for failure in visit.failures]
    if failures:
        first = f"the first one of {failures[0].system}: {failures[0].reason}"
        lines.append(f"- {len(failures)} fills failed, {first}.")
    return "\n".join(lines)


def _machine(start: dict[str, Any]) -> str:
    return (
        f"{start['cpu']}, {start['cores']} cores ({' '.join(start['flags'])}), "
        f"{start['memory_gb']} GB, {start['system']}, Python {start['python']}"
    )


def _systems(start: dict[str, Any]) -> list[str]:
    """Every system with its versions, or why it is not there."""
    found = [
        f"{system}: {', '.join(f'{name} {version}' for name, version in versions.items())}"
        for system, versions in start["versions"].items()
    ]
    return found + [f"{name} was left out: {why}" for name, why in start["missing"].items()]


def grouped(visits: Sequence[Visit], group: str) -> list[Visit]:
    return [visit for visit in visits if group in ("all", visit.group)]


def main_table(title: str, visits: Sequence[Visit]) -> str:
    """Every system cold and warm."""
    rows = [
        "| system | | n | ms | x | tokens/s | passes | exact % | as shown % | similarity % "
        "| parses % | peak MB |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for system, name in main_systems():
        for state in STATES:
            found = of_way(visits, (system, name, state))
            if found:
                label = system if name == system else f"Lacuna, {name}"
                cells = [*speed_cells(visits, (system, name, state)), *quality_cells(found)]
                peak = max(record.peak_mb for record in found)
                rows.append(
                    f"| {label} | {state} | {len(found)} | {' | '.join(cells)} | {peak:.0f} |"
                )
    return f"## {title}: {len(visits)}\n\n" + "\n".join(rows) if visits else ""


def main_systems() -> list[tuple[str, str]]:
    ours = [("lacuna", variant.name) for variant in variants() if variant.is_main]
    return ours + [(peer, peer) for peer in PEERS]


def variant_table(visits: Sequence[Visit]) -> str:
    """Every variant of Lacuna, warm, on the same spans."""
    visits = of_curve(visits)
    rows = [
        "| Lacuna | n | ms | x | tokens/s | passes | exact % | as shown % | similarity % "
        "| parses % | tokens a pass | passes, of one token a pass |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for variant in variants():
        way = ("lacuna", variant.name, "warm")
        found = of_way(visits, way)
        if not found:
            continue
        cells = [*speed_cells(visits, way), *quality_cells(found)]
        tokens, passes = (sum(getattr(r.made, n) for r in found) for n in ("tokens", "passes"))
        fewer = paired(visits, way, ("lacuna", ONE, "warm"), lambda r: r.made.passes)
        cells += [f"{tokens / max(passes, 1):.2f}", spread(fewer, 2)]
        rows.append(f"| {variant.name} | {len(found)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def speed_cells(visits: Sequence[Visit], way: Way) -> list[str]:
    """ms, times the reference, tokens a second, passes."""
    found = of_way(visits, way)
    spent = [seconds(record) for record in found]
    reference = ("lacuna", REFERENCE, way[2])
    tokens = sum(record.made.tokens for record in found)
    return [
        spread([1e3 * one for one in spent]),
        "1" if way == reference else spread(paired(visits, way, reference, seconds), 2),
        f"{tokens / sum(spent):.0f}",
        f"{np.mean([record.made.passes for record in found]):.1f}",
    ]


def quality_cells(found: Sequence[Record]) -> list[str]:
    """Exact with its interval, as shown, similarity, parses; in percent."""
    return [
        interval(sum(record.score.exact for record in found), len(found)),
        f"{share(record.score.shown_exact for record in found):.1f}",
        f"{share(record.score.similarity for record in found):.1f}",
        f"{share(record.score.parses for record in found):.1f}",
    ]


def critic_lines(visits: Sequence[Visit]) -> str:
    """What repairing is good for and what it costs: the same spans with and without it."""
    with_critic, without = ("lacuna", REFERENCE, "warm"), ("lacuna", WITHOUT_CRITIC, "warm")
    pairs = list(both(visits, with_critic, without))
    if not pairs:
        return "No span went through both ways."
    broken = [mended for mended, raw in pairs if raw.breaks]
    repaired = sum(not mended.breaks for mended in broken)
    unparsed = [mended for mended, raw in pairs if not raw.score.parses]
    spoilt = sum(not mended.score.parses for mended, raw in pairs if raw.score.parses)
    exact = [sum(pair[way].score.exact for pair in pairs) for way in (1, 0)]
    passes = [float(np.mean([pair[way].made.passes for pair in pairs])) for way in (1, 0)]
    mending = (
        f"Masked again where the error is and denoised anew, {repaired} of them "
        f"({100 * repaired / len(broken):.0f} %) parse. "
        if broken
        else ""
    )
    return (
        f"Without the critic {len(broken) or 'none'} of {len(pairs)} fills break the parse as it "
        "judges, which leaves alone what an edit mends (a bracket brought twice). "
        f"{mending}By the raw text {len(unparsed)} do not parse without it, "
        f"{sum(one.score.parses for one in unparsed)} of which do with it, and {spoilt} that did "
        f"parse do not any more. Exact fills: {exact[0]} without, {exact[1]} with it. Passes a "
        f"fill, mean: {passes[0]:.2f} without, {passes[1]:.2f} with it. What still breaks the "
        "parse is never shown."
    )


def cost_table(costs: Sequence[dict[str, Any]]) -> str:
    rows = ["| | | step ms | fill ms | its steps |", "|---|--:|--:|--:|--:|"]
    for cost in costs:
        cells = f"{cost['x']} | {cost['step_ms']:.0f} | {cost['fill_ms']:.0f} | {cost['steps']:.1f}"
        rows.append(f"| {cost['curve']} | {cells} |")
    return "\n".join(rows)


def of_way(visits: Sequence[Visit], way: Way) -> list[Record]:
    """The fills of one way."""
    return [
        record
        for visit in visits
        for record in visit.records
        if (record.system, record.variant, record.state) == way
    ]


def of_curve(visits: Sequence[Visit]) -> list[Visit]:
    """The visits of spans that went through every variant."""
    return [visit for visit in visits if of_way([visit], ("lacuna", ONE, "warm"))]


def both(visits: Sequence[Visit], one: Way, other: Way) -> Iterable[tuple[Record, Record]]:
    """The fills of two ways on the spans that both filled."""
    for visit in visits:
        first, second = of_way([visit], one), of_way([visit], other)
        if first and second:
            yield first[0], second[0]


def paired(
    visits: Sequence[Visit], one: Way, other: Way, measure: Callable[[Record], float]
) -> list[float]:
    """Ratios of one way to another, span by span."""
    return [measure(first) / measure(second) for first, second in both(visits, one, other)]


def seconds(record: Record) -> float:
    return record.made.seconds


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median [lower quartile, upper quartile]."""
    if not len(values):
        return ""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def interval(hits: int, count: int) -> str:
    """A share in percent with its 95 % interval (Wilson, 1927)."""
    low, high = wilson(hits, count)
    return f"{100 * hits / count:.1f} [{100 * low:.0f}, {100 * high:.0f}]"


def share(values: Iterable[float | bool]) -> float:
    """A mean in percent."""
    return 100 * float(np.mean(list(values)))
