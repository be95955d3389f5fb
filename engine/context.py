"""What stands around the gap, as keys and values: read once, kept for the next request.

Prefix and suffix are read the same way, causally from position 0; the suffix's keys are then
rotated to their place after the canvas, so typing moves a suffix without reading it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from .errors import CancelledError
from .model import Context, Drafting, Floats, Ids, KeyValues, Model, Start, shared
from .prompt import Cancelled

CHUNK = 128
"""Tokens read in one pass: between two passes a request can be cancelled."""
TAIL = 6
"""Most new tokens at the end of a prefix that are left to the first pass over the canvas, and
given to a drafter before it drafts."""
HOP = 128
"""Tokens by which a prefix that outgrows its limit is cut at once."""


def window(ids: Ids, limit: int) -> Ids:
    """The end of `ids` that fits `limit` tokens, cut in hops: as text grows its start stays put,
    so that what is cached of it remains a beginning."""
    over = len(ids) - limit
    return ids if over <= 0 else ids[min(-(-over // HOP) * HOP, len(ids) - 1) :]


@dataclass(slots=True)
class Run:
    """Tokens read from position 0 on, in buffers that grow."""

    ids: Ids
    keys: Floats
    """[L, G, capacity, D], of which the first len(ids) tokens are in use."""
    values: Floats
    starts: dict[int, Start] = field(default_factory=dict)
    """What drafts behind so many of them, where that is known."""

    @classmethod
    def empty(cls, layers: int, kv_heads: int, head_size: int) -> Run:
        nothing = np.zeros((layers, kv_heads, 0, head_size), np.float32)
        return cls(np.zeros(0, np.int64), nothing, nothing)

    def shared(self, ids: Ids) -> int:
        """How many tokens `ids` begins with that this run holds."""
        return shared(self.ids, ids)

    def first(self, length: int) -> KeyValues:
        """Views of the first `length` tokens; they change when the run is written again."""
        return KeyValues(self.keys[:, :, :length], self.values[:, :, :length])

    def start(self, ids: Ids) -> Start | None:
        """What drafts behind `ids`, if this run knows one behind most of them."""
        known = self.shared(ids)
        behind = max((n for n in self.starts if len(ids) - TAIL <= n <= known), default=None)
        if behind is None:
            return None
        return partial(fed, self.starts[behind], ids[behind:].tolist())

    def put(self, ids: Ids, at: int, new: KeyValues, start: Start | None = None) -> None:
        """Writes tokens at index `at`; what stood there and after is dropped. `start` drafts behind
        them."""
        end = at + len(ids)
        if end > self.keys.shape[2]:
            self.keys = _grown(self.keys, at, end + CHUNK // 2)
            self.values = _grown(self.values, at, end + CHUNK // 2)
        self.keys[:, :, at:end] = new.keys
        self.values[:, :, at:end] = new.values
        self.ids = np.concatenate([self.ids[:at], ids])
        self.starts = {n: known for n, known in self.starts.items() if n <= at}
        if start is not None:
            self.starts[end] = start


def fed(start: Start, tokens: Sequence[int], context: Context) -> Drafting:
    """Drafts behind some more tokens."""
    drafting = start(context)
    for token in tokens:
        drafting.after(token)
    return drafting


def _grown(buffer: Floats, kept: int, capacity: int) -> Floats:
    layers, kv_heads, _, head_size = buffer.shape
    grown = np.empty((layers, kv_heads, capacity, head_size), np.float32)
    grown[:, :, :kept] = buffer[:, :, :kept]
    return grown


class Runs:
    """The runs read last, at most `capacity` tokens together."""

    def __init__(self, model: Model, capacity: int, *, drafts: bool = False) -> None:
        """`drafts`: whether it is wanted to know what drafts behind them."""
        self._model = model
        self._capacity = capacity
        self._drafts = drafts
        self._runs: list[Run] = []

    @property
    def tokens(self) -> int:
        """Tokens kept."""
        return sum(len(run.ids) for run in self._runs)

    def read(self, ids: Ids, cancelled: Cancelled, spare: int = 0) -> KeyValues:
        """Keys and values of `ids` at positions 0..n-1: only what no kept run begins with is read,
        and where that is no more than `spare` tokens behind others, it is left out.

        The result is valid until the next call. Raises CancelledError between two passes; what was
        read until then is kept.
        """
        run = self._run_for(ids)
        known = run.shared(ids)
        if known and len(ids) - known <= spare:
            ids = ids[:known]
        try:
            for at in range(known, len(ids), CHUNK):
                if cancelled():
                    raise CancelledError("cancelled while the context was read")
                self._read_on(run, ids, at)
        finally:
            self._keep(run)
        return run.first(len(ids))

    def _read_on(self, run: Run, ids: Ids, at: int) -> None:
        """One pass over the tokens from index `at` on."""
        part = ids[at : at + CHUNK]
        past = run.first(at) if at else None
        if self._drafts and at + CHUNK >= len(ids):
            run.put(part, at, *self._model.encode_ahead(part, at, past))
        else:
            run.put(part, at, self._model.encode(part, at, past))

    def start(self, ids: Ids) -> Start | None:
        """What drafts behind `ids`, of which all or most were read last."""
        return self._runs[0].start(ids)

    def _run_for(self, ids: Ids) -> Run:
        """The kept run that shares most, if writing on loses no more than it saves; else a new one
        with what is shared."""
        card = self._model.card
        new = Run.empty(card.layers, card.kv_heads, card.head_size)
        best = max(self._runs, key=lambda run: run.shared(ids), default=new)
        known = best.shared(ids)
        if len(best.ids) <= 2 * known:
            return best
        if known:
            new.put(ids[:known], 0, best.first(known))
            new.starts = {n: start for n, start in best.starts.items() if n <= known}
        return new

    def _keep(self, run: Run) -> None:
        """Puts a run in front and forgets the oldest beyond the capacity, never this one."""
        self._runs = [run, *(o for o in self._runs if o is not run and len(o.ids))]
        while len(self._runs) > 1 and self.tokens > self._capacity:
            self._runs.pop()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The tokens around a gap."""

    prefix: Ids
    """[n], at least one."""
    suffix: Ids
    """[m], may be empty."""

    @property
    def position(self) -> int:
        """Position of the last prefix token, which is the first input of a canvas pass."""
        return len(self.prefix) - 1

    def followed_by(self, tokens: Ids, limit: int) -> Surroundings:
        """The same after `tokens` have been filled in, for the next canvas."""
        return Surroundings(window(np.concatenate([self.prefix, tokens]), limit), self.suffix)


class ContextCache:
    """Keys and values around gaps; remembers the last two of full size, so two files alternate."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._prefixes = Runs(model, 2 * model.card.max_before, drafts=True)
        self._suffixes = Runs(model, 2 * model.card.max_suffix)

    @property
    def tokens(self) -> int:
        """Tokens kept; never more than twice what the model can see at once."""
        return self._prefixes.tokens + self._suffixes.tokens

    def before(self, ids: Ids, cancelled: Cancelled) -> KeyValues:
        """Keys and values of some prefix tokens alone; valid until the cache is asked again.

        Raises CancelledError.
        """
        return self._prefixes.read(ids, cancelled)

    def read(self, gap: Surroundings, cancelled: Cancelled) -> tuple[KeyValues, KeyValues]:
        """Keys and values of the prefix, less its last token and perhaps a few new ones before it,
        and of the suffix; valid until the cache is asked again. Raises CancelledError."""
        # A pass over one token takes as long as one over ten: a few new ones go with the canvas.
        prefix = self._prefixes.read(gap.prefix[:-1], cancelled, spare=TAIL)
        return prefix, self._suffixes.read(gap.suffix, cancelled)

    def around(self, gap: Surroundings, size: int, cancelled: Cancelled) -> Context:
        """What stands around a canvas of `size`: the prefix without its last token, the suffix.

        The suffix stands at positions n + size, n + size + 1, ... Raises CancelledError.
        """
        prefix, suffix = self.read(gap, cancelled)
        moved = self.model.rotate(suffix.keys, len(gap.prefix) + size)
        ids, read = gap.prefix[:-1], len(prefix)
        start = self._prefixes.start(ids)
        return Context(prefix, KeyValues(moved, suffix.values), ids[:read], ids[read:], start)
