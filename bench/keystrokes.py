"""How many keys it saves whoever types: `python -m bench.keystrokes --project FOLDER`.

Functions of a project, or lines of held-out files, are typed as a person would, key by key, and
a real `lacuna serve` is asked as an editor asks. A suggestion that is what stands there, or a
beginning of it, is taken with one key; any other is typed past. Who types so never errs and
overlooks nothing, so this is what could be saved at most, and how often a wrong suggestion stood in
the way. `--gap 200 --look 300 --wait 50 --again 50` types at the speed of a person in VS Code, who
sees what is there after a while. The last line is one JSON object with all figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lsp_server.source_file import InputError

from .places import Place, of_functions, of_gaps
from .typist import Tally, Typist, typed
from .writers import Peer, Server, Sure, Writer

ASKED = {
    "gap": "from one key to the next, median; in no hurry without it",
    "look": "from when a suggestion is there to the first key that can take it",
    "wait": "from a key to when the editor asks, unless another key comes before",
    "again": "the same after a suggestion was taken",
}
"""What is asked of a typist."""


async def measured(places: dict[int, Place], writer: Writer, typist: Typist) -> Tally:
    """All places, by their numbers, with what is known so far on one line."""
    total = Tally()
    for count, (number, place) in enumerate(places.items(), 1):
        total.add(await typed(place, writer, typist, seed=number))
        print(f"\r{count} of {len(places)}: {summary(total)}", end="", flush=True)
    print()
    return total


def summary(tally: Tally) -> str:
    """The figures that are made of the counts."""
    saved = 1 - tally.keys / tally.characters
    right = tally.right / max(tally.right + tally.wrong, 1)
    return (
        f"{saved:.1%} of keys saved, {right:.0%} of suggestions right, "
        f"{100 * tally.wrong / tally.keys:.1f} wrong ones in 100 keys, "
        f"one in the way at {tally.in_the_way / tally.keys:.0%} of keys, "
        f"{tally.late} of {tally.asked} answers late"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.keystrokes", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--project", type=Path, help="folder of code; bodies of its functions")
    what.add_argument(
        "--corpus", type=Path, help="made by export's corpus; held-out gaps of a line"
    )
    parser.add_argument("--places", type=int, default=150, help="no more than the first N")
    parser.add_argument("--skip", type=int, default=0, help="but not the first of them")
    for name, default in asdict(Typist()).items():
        parser.add_argument(
            f"--{name}", type=float, default=default, metavar="MS", help=ASKED[name]
        )
    parser.add_argument(
        "--settings", type=json.loads, default={}, metavar="JSON", help="as an editor sends them"
    )
    parser.add_argument(
        "--fim",
        type=Path,
        metavar="GGUF",
        help="type with this model in llama.cpp instead, which was trained to fill in the middle; "
        "of the settings it knows minProbability alone, and is shown whole without it",
    )
    arguments = parser.parse_args()
    try:
        known = of_functions(arguments.project) if arguments.project else of_gaps(arguments.corpus)
    except (InputError, FileNotFoundError) as error:
        parser.error(str(error))
    numbers = range(len(known))[arguments.skip : arguments.places]
    places = {number: known[number] for number in numbers}
    typist = Typist(arguments.gap, arguments.look, arguments.wait, arguments.again)
    print(json.dumps(asdict(asyncio.run(run(places, typist, arguments.settings, arguments.fim)))))


async def run(
    places: dict[int, Place], typist: Typist, settings: dict[str, Any], fim: Path | None
) -> Tally:
    """Types at all places, with Lacuna or with a peer."""
    if fim:
        peer = Peer(Sure(None, fim), settings.get("minProbability", 0))
        return await measured(places, peer, typist)
    server = await Server.started(settings)
    try:
        return await measured(places, server, typist)
    finally:
        await server.leave()


if __name__ == "__main__":
    main()
