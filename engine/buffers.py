"""Where the passes over a canvas read and write: the keys and values of all that is in sight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .card import Card
from .model import Bools, Context, Floats, Ids, shared
from .runtime import Network, borrowed

ROOM = 64
"""Buffers of keys and values grow in steps of so many tokens: typing on fits into the old ones."""
HIDDEN = -1e9
"""Bias of what a place does not see."""


def bias_of(unseen: Bools) -> Floats:
    """[1, 1, T, N]: what keeps T places from the keys, of N, that they do not see."""
    return np.where(unseen, np.float32(HIDDEN), np.float32(0))[None, None]


@dataclass(frozen=True, slots=True)
class Pass:
    """Memory of a pass over T places, bound to the network once: what is written is read there."""

    binding: Any
    x: Floats
    """[1, T, hidden]"""
    position: Ids
    """[1, T]"""
    hidden: Floats
    """[1, T, hidden]"""
    inner: Floats
    """[1, T, ...]"""
    last: NDArray[np.int32]
    """[1]: index of the last key."""
    total: NDArray[np.int32]
    """[]: number of keys."""


@dataclass(slots=True)
class Buffers:
    """The buffers of canvas passes: keys and values of a suffix, of the prefix, then of the canvas.

    Those of the context are copied in once; the prefix stands behind the suffix, so that when a
    text grows only its new tokens are. At every pass the network writes those of the canvas behind
    them, in place. What is closed sees nothing right of it, so its keys and values stay as they
    are: a pass goes over what is new.
    """

    network: Network
    card: Card
    keys: Floats
    """[L, 1, G, S, D]"""
    values: Floats
    context: Context | None = None
    """What the buffers hold."""
    closed: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """And behind it, of the last canvas: the context's tail, the last prefix token and what was
    closed after it."""
    passes: dict[int, Pass] = field(default_factory=dict)
    """By places."""
    bias: Floats = field(default_factory=lambda: np.zeros((1, 1, 0, 0), np.float32))
    """[1, 1, T, N] of the last pass, which the runtime borrows."""

    @classmethod
    def of(cls, network: Network, card: Card, context: int, tokens: int) -> Buffers:
        room = -(-(context + max(tokens, card.canvas_sizes[-1] + 1)) // ROOM) * ROOM
        buffers = (card.layers, 1, card.kv_heads, room, card.head_size)
        return cls(network, card, np.zeros(buffers, np.float32), np.zeros(buffers, np.float32))

    @property
    def before(self) -> int:
        """Tokens in the buffers before the last prefix token, with which a canvas begins."""
        assert self.context is not None
        return len(self.context) + len(self.context.tail)

    def fits(self, context: int, tokens: int) -> bool:
        """Whether a canvas of `tokens` behind a context of this length needs no other memory."""
        return bool(context + tokens <= self.keys.shape[3])

    def hold(self, context: Context) -> None:
        """Copies a context in, unless it is there already."""
        if context is self.context:
            return
        after, held = len(context.suffix), self.held(context)
        for buffer, suffix, prefix in (
            (self.keys, context.suffix.keys, context.prefix.keys),
            (self.values, context.suffix.values, context.prefix.values),
        ):
            buffer[:, 0, :, :after] = suffix
            buffer[:, 0, :, after + held : len(context)] = prefix[:, :, held:]
        self.context, self.closed = context, self.closed[:0]

    def held(self, context: Context) -> int:
        """How many tokens of the prefix stand where this context has them already."""
        if self.context is None or len(self.context.suffix) != len(context.suffix):
            return 0
        return shared(self.context.ids, context.ids)

    def known(self, line: Ids, first: int) -> int:
        """How many of the first places [T] need no pass; `first` is the first one wanted."""
        return min(shared(self.closed, line), first, len(line) - 1)

    def prepared(self, x: Floats, is_open: Bools, position: int, known: int) -> Pass:
        """The run over the places [T] from `known` on, with its inputs in place.

        x is [T - known, hidden].
        """
        assert self.context is not None
        self.closed = self.closed[:known]  # a pass that fails may have written behind these
        places = len(x)
        if places not in self.passes:
            self.passes[places] = self._bound(places)
        run = self.passes[places]
        before = len(self.context) + known
        run.x[0] = x
        run.position[0] = np.arange(position + known, position + known + places)
        run.total[...] = before + places
        run.last[:] = run.total - 1
        unseen = np.zeros((places, before + places), bool)
        unseen[:, before:] = ~(is_open[known:, None] | np.tri(places, dtype=bool))
        tail = max(len(self.context.tail) - known, 0)
        unseen[:tail, : len(self.context.suffix)] = True
        self.bias = bias_of(unseen)
        run.binding.bind_ortvalue_input("bias", borrowed(self.bias))
        return run

    def written(self, line: Ids, mask_id: int) -> None:
        """Notes what the buffers hold after a pass over `line` [T]."""
        is_open = line == mask_id
        self.closed = line[: int(is_open.argmax()) if is_open.any() else len(line)].copy()

    def _bound(self, places: int) -> Pass:
        hidden, inner = self.card.hidden, self.network.width("inner")
        run = Pass(
            self.network.session.io_binding(),
            x=np.zeros((1, places, hidden), np.float32),
            position=np.zeros((1, places), np.int64),
            hidden=np.zeros((1, places, hidden), np.float32),
            inner=np.zeros((1, places, inner), np.float32),
            last=np.zeros(1, np.int32),
            total=np.zeros((), np.int32),
        )
        for name in ("x", "position", "last", "total"):
            run.binding.bind_ortvalue_input(name, borrowed(getattr(run, name)))
        run.binding.bind_ortvalue_output("hidden", borrowed(run.hidden))
        if inner:  # without a drafter nobody wants them
            run.binding.bind_ortvalue_output("inner", borrowed(run.inner))
        for kind, buffers in (("key", self.keys), ("value", self.values)):
            for index, buffer in enumerate(buffers):
                value = borrowed(buffer)
                run.binding.bind_ortvalue_input(f"past_{kind}.{index}", value)
                run.binding.bind_ortvalue_output(f"{kind}.{index}", value)
        return run
