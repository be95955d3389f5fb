"""How many keys it saves whoever types: `python -m bench.keystrokes --corpus corpus`.

Lines of held-out files are typed as a person would, key by key, and a real `lacuna serve` is asked
after each. A suggestion that is what stands there, or a beginning of it, is taken with one key; any
other is typed past. Who types so never errs and overlooks nothing, so this is what could
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
from typing import Any, Protocol

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from export.held_out import HeldOut, held_out
from lsp_server.document import Document
from lsp_server.edits import Rejected, to_edit
from lsp_server.indent import indentation
from lsp_server.spans import NoSpan, choose

from .latency import SERVE, leave, loaded
from .systems import FillInTheMiddle, System, Variant

LINES = 3
"""Most lines that are typed at one place."""
WORTH = 2
"""Fewest characters that are worth a key of their own."""
NOT_TYPED = "\0"
"""Stands for an edit that no typing leads to."""


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


class Writer(Protocol):
    """What makes suggestions."""

    async def open(self, place: Place) -> None:
        """A file without the lines of a place."""
        ...

    async def suggest(self, text: str) -> str:
        """What would be written at the end of `text`, to which the file was typed since the last
        call, if all that is shown there were taken; empty where nothing is shown."""
        ...


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


class Server:
    """Lacuna, in a real `lacuna serve`."""

    def __init__(self, client: LanguageClient) -> None:
        self._client = client
        self._opened = 0

    @classmethod
    async def started(cls, settings: dict[str, Any]) -> Server:
        """With its model loaded."""
        return cls(await loaded(SERVE, settings))

    async def open(self, place: Place) -> None:
        """See Writer.open."""
        self._opened += 1
        self._version, self._text, self._after = 0, place.before, place.after
        text = place.before + place.after
        item = types.TextDocumentItem(self._uri, place.language, 0, text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    async def suggest(self, text: str) -> str:
        """See Writer.suggest."""
        if typed := text.removeprefix(self._text):
            self._tell(typed)
        self._text = text
        found = await self._client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
                types.TextDocumentIdentifier(self._uri),
                position(text),
            )
        )
        items = found.items if isinstance(found, types.InlineCompletionList) else found or []
        return self._added(items[0]) if items else ""

    async def leave(self) -> None:
        """Ends it."""
        await leave(self._client)

    @property
    def _uri(self) -> str:
        return f"untitled:{self._opened}"

    def _tell(self, typed: str) -> None:
        self._version += 1
        at = position(self._text)
        event = types.TextDocumentContentChangePartial(types.Range(at, at), typed)
        document = types.VersionedTextDocumentIdentifier(self._version, self._uri)
        params = types.DidChangeTextDocumentParams(document, [event])
        self._client.text_document_did_change(params)

    def _added(self, item: types.InlineCompletionItem) -> str:
        assert isinstance(item.insert_text, str)
        assert item.range is not None
        left, right = self._text.rpartition("\n")[2], self._after.partition("\n")[0]
        start = in_code_points(left + right, item.range.start.character)
        end = in_code_points(left + right, item.range.end.character)
        made = (left + right)[:start] + item.insert_text + (left + right)[end:]
        if not made.startswith(left) or not made.endswith(right):
            return NOT_TYPED
        return made[len(left) : len(made) - len(right)]


class Peer:
    """A model in llama.cpp whose fill is shown whole, and stays while it is typed along."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def open(self, place: Place) -> None:
        """See Writer.open."""
        self._place, self._text, self._shown = place, place.before, ""

    async def suggest(self, text: str) -> str:
        """See Writer.suggest."""
        typed = text.removeprefix(self._text)
        rest = self._shown.removeprefix(typed) if self._shown.startswith(typed) else ""
        self._text, self._shown = text, rest if rest.strip() else self._filled(text)
        return self._shown

    def _filled(self, text: str) -> str:
        document = Document.open("", self._place.language, 0, text + self._place.after)
        span = choose(document, len(text))
        if isinstance(span, NoSpan):
            return ""
        edit = to_edit(document, span, self._system.fill(document, span, Variant("fill")).text)
        if isinstance(edit, Rejected):
            return ""
        return edit.text if edit.start == edit.end == len(text) else NOT_TYPED


def position(text: str) -> types.Position:
    """Where a text ends."""
    row = text.rpartition("\n")[2]
    return types.Position(text.count("\n"), len(row.encode("utf-16-le")) // 2)


def in_code_points(row: str, units: int) -> int:
    """A column in UTF-16 units as one in code points."""
    return len(row.encode("utf-16-le")[: 2 * units].decode("utf-16-le"))


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
    parser.add_argument("--corpus", type=Path, required=True, help="folder made by export's corpus")
    parser.add_argument("--places", type=int, default=150, help="the first N of the held-out set")
    parser.add_argument("--skip", type=int, default=0, help="but not the first of them")
    parser.add_argument(
        "--settings", type=json.loads, default={}, metavar="JSON", help="as an editor sends them"
    )
    parser.add_argument(
        "--fim",
        type=Path,
        metavar="GGUF",
        help="type with this model in llama.cpp instead, which was trained to fill in the middle",
    )
    arguments = parser.parse_args()
    gaps = [gap for gap in held_out(arguments.corpus) if gap.span.stop_at_newline]
    places = [Place.of(gap) for gap in gaps[arguments.skip : arguments.places]]
    places = [place for place in places if place.middle]
    print(json.dumps(asdict(asyncio.run(run(places, arguments.settings, arguments.fim)))))


async def run(places: list[Place], settings: dict[str, Any], fim: Path | None) -> Tally:
    """Types at all places, with Lacuna or with a peer."""
    if fim:
        return await measured(places, Peer(FillInTheMiddle(None, fim)))
    server = await Server.started(settings)
    try:
        return await measured(places, server)
    finally:
        await server.leave()


if __name__ == "__main__":
    main()
