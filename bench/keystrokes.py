"""How many keys it saves whoever types: `python -m bench.keystrokes --corpus corpus`.

Lines of held-out files are typed as a person would, key by key, with a real `lacuna serve` that is
asked after each. A suggestion that is what stands there, or a beginning of it, is taken with one
key; any other is typed past. Who types so never errs and overlooks nothing, so this is what could
be saved at most, and how often a wrong suggestion stood in the way. The last line is one JSON
object with all figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from export.held_out import HeldOut, held_out
from lsp_server.indent import indentation

from .latency import SERVE, connected, leave

LINES = 3
"""Most lines that are typed at one place."""
WORTH = 2
"""Fewest characters that are worth a key of their own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of a file that are still to be typed."""

    language: str
    before: str
    """Up to where the first line's code begins."""
    middle: str
    after: str

    @classmethod
    def of(cls, gap: HeldOut) -> Place:
        """The gap's line as a whole, and what follows it at its depth or deeper."""
        lines = gap.whole.split("\n")
        first = gap.whole.count("\n", 0, gap.span.start)
        depth = len(indentation(lines[first]))
        end = first + 1
        while end < min(first + LINES, len(lines)) and lines[end].strip():
            if len(indentation(lines[end])) < depth:
                break
            end += 1
        middle = "\n".join(lines[first:end])[depth:].rstrip()
        before = "".join(line + "\n" for line in lines[:first]) + lines[first][:depth]
        return cls(gap.language, before, middle, "".join("\n" + line for line in lines[end:]))


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


async def typed(client: LanguageClient, place: Place, uri: str) -> Tally:
    """Types the lines of a place."""
    tally, seen = Tally(), ""
    item = types.TextDocumentItem(uri, place.language, 0, place.before + place.after)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    version, done = 0, 0
    while done < len(place.middle):
        text = place.before + place.middle[:done]
        left = place.middle[done:]
        added = await suggestion(client, uri, text, place.after)
        is_right = bool(added) and left.startswith(added)
        if is_right and len(added) >= WORTH:
            step, tally.taken, seen = added, tally.taken + 1, ""
        else:
            step = key(left)
            tally.in_the_way += bool(added) and not is_right
            tally.wrong += bool(added) and not is_right and added != seen
            seen = added[1:] if added[:1] == step else ""
        tally.keys += 1
        tally.characters += sum(map(len, keys(step)))
        done += len(step)
        version += 1
        await insert(client, uri, version, text, step)
    closed = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
    client.text_document_did_close(closed)
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


async def suggestion(client: LanguageClient, uri: str, text: str, after: str) -> str:
    """What would be written at the end of `text`; empty where nothing is shown there."""
    found = await client.text_document_inline_completion_async(
        types.InlineCompletionParams(
            types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
            types.TextDocumentIdentifier(uri),
            position(text),
        )
    )
    items = found.items if isinstance(found, types.InlineCompletionList) else found or []
    if not items:
        return ""
    item = items[0]
    assert isinstance(item.insert_text, str)
    assert item.range is not None
    row = text.rpartition("\n")[2] + after.partition("\n")[0]
    start = in_code_points(row, item.range.start.character)
    end = in_code_points(row, item.range.end.character)
    made = row[:start] + item.insert_text + row[end:]
    column, right = len(text.rpartition("\n")[2]), after.partition("\n")[0]
    if made[:column] != row[:column] or not made.endswith(right):
        return "\0"  # not what any typing leads to
    return made[column : len(made) - len(right)]


async def insert(client: LanguageClient, uri: str, version: int, text: str, new: str) -> None:
    """Tells of what was written at the end of `text`."""
    at = position(text)
    event = types.TextDocumentContentChangePartial(types.Range(at, at), new)
    document = types.VersionedTextDocumentIdentifier(version, uri)
    client.text_document_did_change(types.DidChangeTextDocumentParams(document, [event]))


def position(text: str) -> types.Position:
    """Where a text ends."""
    row = text.rpartition("\n")[2]
    return types.Position(text.count("\n"), len(row.encode("utf-16-le")) // 2)


def in_code_points(row: str, units: int) -> int:
    """A column in UTF-16 units as one in code points."""
    return len(row.encode("utf-16-le")[: 2 * units].decode("utf-16-le"))


async def measured(places: list[Place], settings: dict[str, Any]) -> Tally:
    """All places in one server."""
    client = await connected(SERVE, settings)
    client.initialized(types.InitializedParams())
    while (await client.protocol.send_request_async("lacuna/getStatus", {})).state == "loading":
        await asyncio.sleep(0.05)
    total = Tally()
    for number, place in enumerate(places, 1):
        total.add(await typed(client, place, f"untitled:{number}"))
        print(f"\r{number} of {len(places)}: {summary(total)}", end="", flush=True)
    print()
    await leave(client)
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
    parser.add_argument("--corpus", type=Path, required=True, help="folder made by export's corpus")
    parser.add_argument("--places", type=int, default=150, help="the first N of the held-out set")
    parser.add_argument("--skip", type=int, default=0, help="but not the first of them")
    parser.add_argument(
        "--settings", type=json.loads, default={}, metavar="JSON", help="as an editor sends them"
    )
    arguments = parser.parse_args()
    gaps = [gap for gap in held_out(arguments.corpus) if gap.span.stop_at_newline]
    places = [Place.of(gap) for gap in gaps[arguments.skip : arguments.places]]
    tally = asyncio.run(measured([p for p in places if p.middle], arguments.settings))
    print(json.dumps(asdict(tally)))


if __name__ == "__main__":
    main()
