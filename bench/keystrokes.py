"""How many keys it saves whoever types: `python -m bench.keystrokes --project FOLDER`.

Functions of a project, or lines of held-out files, are typed as a person would, key by key, and
a real `lacuna serve` is asked after each. A suggestion that is what stands there, or a beginning
of it, is taken with one key; any other is typed past. Who types so never errs and overlooks
nothing, so this is what could be saved at most, and how often a wrong suggestion stood in the way.
The last line is one JSON object with all figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lsp_server.indent import indentation
from lsp_server.source_file import InputError

from .places import Place, of_functions, of_gaps
from .writers import Peer, Server, Sure, Writer

WORTH = 2
"""Fewest characters that are worth a key of their own."""


@dataclass(slots=True)
class Tally:
    """What typing took. One is added to another field by field."""

    characters: int = 0
    """That a person without suggestions would have typed: indentation is the editor's."""
    keys: int = 0
    """Pressed, those that took a suggestion among them."""
    taken: int = 0
    """Suggestions that were right, and taken."""
    wrong: int = 0
    """Different suggestions that were not what stands there."""
    in_the_way: int = 0
    """Keys that were pressed while a wrong suggestion stood there."""

    def add(self, other: Tally) -> None:
        for field in fields(self):
            name = field.name
            setattr(self, name, getattr(self, name) + getattr(other, name))


async def typed(place: Place, writer: Writer) -> Tally:
    """Types the lines of a place."""
    tally, done, standing = Tally(), 0, ""
    await writer.open(place)
    while done < len(place.middle):
        left = place.middle[done:]
        added = await writer.suggest(place.before + place.middle[:done])
        is_right = bool(added) and left.startswith(added)
        if is_right and len(added) >= WORTH:
            step, standing = added, ""
            tally.taken += 1
        else:
            step = key(left)
            tally.in_the_way += bool(added) and not is_right
            tally.wrong += bool(added) and not is_right and added != standing
            standing = added.removeprefix(step) if added.startswith(step) else ""
        tally.keys += 1
        tally.characters += sum(1 for _ in keys(step))
        done += len(step)
    await writer.close()
    return tally


def key(left: str) -> str:
    """What the next key writes: after a line end the indentation, which the editor adds."""
    end = 1 + (len(indentation(left[1:])) if left[0] == "\n" else 0)
    return left[:end]


def keys(text: str) -> Iterator[str]:
    """The keys that write a text: one character each."""
    while text:
        one = key(text)
        yield one[0]
        text = text[len(one) :]


async def measured(places: list[Place], writer: Writer) -> Tally:
    """All places, with what is known so far on one line."""
    total = Tally()
    for number, place in enumerate(places, 1):
        total.add(await typed(place, writer))
        print(f"\r{number} of {len(places)}: {summary(total)}", end="", flush=True)
    print()
    return total


def summary(tally: Tally) -> str:
    """The figures that are made of the counts."""
    saved = 1 - tally.keys / tally.characters
    right = tally.taken / max(tally.taken + tally.wrong, 1)
    return (
        f"{saved:.1%} of keys saved, {right:.0%} of suggestions right, "
        f"{100 * tally.wrong / tally.keys:.1f} wrong ones in 100 keys, "
        f"one in the way at {tally.in_the_way / tally.keys:.0%} of keys"
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
    places = known[arguments.skip : arguments.places]
    print(json.dumps(asdict(asyncio.run(run(places, arguments.settings, arguments.fim)))))


async def run(places: list[Place], settings: dict[str, Any], fim: Path | None) -> Tally:
    """Types at all places, with Lacuna or with a peer."""
    if fim:
        return await measured(places, Peer(Sure(None, fim), settings.get("minProbability", 0)))
    server = await Server.started(settings)
    try:
        return await measured(places, server)
    finally:
        await server.leave()


if __name__ == "__main__":
    main()
