"""The seam between decoding and compute: what a cached-family model can do, in numpy.

`session.py` implements it with ONNX Runtime, `fake.py` with a script. Decoding sees only this.
Shapes: L layers, G key/value heads, D head size, n context tokens, C canvas positions, K proposals
a position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .card import Card

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
NOTHING: Ids = np.zeros(0, np.int64)
"""No tokens."""
Among = Mapping[int, Ids]
"""Place -> the only tokens that may be proposed there; places it does not name are free."""

Others = Callable[[Ids, Ids], Floats]
"""Places [m] and tokens [n] -> the log-probabilities [m, n] of the tokens there, natural and under
the full softmax; as near as the head's rounding to what it proposes."""


class Drafting(Protocol):
    """A text that goes on from one place of a pass, token by token, for a fraction of its cost."""

    @property
    def tokens(self) -> Ids:
        """[V] the tokens it knows, rising."""
        ...

    def after(self, token: int) -> Floats:
        """The text goes on with `token`: natural-log probabilities [V] of what may come next."""
        ...


Ahead = Callable[[int], Drafting]
"""A place for which a token is proposed -> what follows that token; until the next pass."""


def shared(one: Ids, other: Ids) -> int:
    """How many tokens two texts begin with that are the same."""
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Keys, already rotated to their positions, and values of n tokens."""

    keys: Floats
    """float32 [L, G, n, D]."""
    values: Floats
    """The same shape."""

    def __len__(self) -> int:
        return int(self.keys.shape[2])

    def first(self, count: int) -> KeyValues:
        """Views of the first `count` tokens."""
        return KeyValues(self.keys[:, :, :count], self.values[:, :, :count])

    def followed_by(self, others: KeyValues) -> KeyValues:
        """These and others, in new arrays."""
        return KeyValues(
            np.concatenate([self.keys, others.keys], axis=2),
            np.concatenate([self.values, others.values], axis=2),
        )


@dataclass(frozen=True, slots=True)
class Context:
    """What a canvas stands in."""

    prefix: KeyValues
    """[L, G, n, D] of the prefix as far as it was read; may be views that change later."""
    suffix: KeyValues
    """[L, G, m, D]"""
    ids: Ids
    """[n] the tokens that were read, by which a model knows what it holds of them already."""
    tail: Ids = field(default_factory=lambda: NOTHING)
    """[t] prefix tokens that come after those: a pass reads them with the canvas. They see the
    prefix alone."""
    start: Start | None = None
    """Drafts behind all of these, before any pass over a canvas; None where that is not known."""

    def __len__(self) -> int:
        return len(self.prefix) + len(self.suffix)


Start = Callable[[Context], Drafting]
"""Begins to draft behind tokens that were read, each time anew; they stand in this context."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one denoising step proposes for each canvas position (logit shift already undone)."""

    ids: Ids
    """[C, K] the K most probable tokens, most probable first; never the mask token."""
    log_probs: Floats
    """[C, K] their natural-log probabilities under the full softmax."""
    end_log_prob: Floats
    """[C] log-probability of the end token."""
    current_log_prob: Floats
    """[C] log-probability of the token now on the canvas (meaningless where masked)."""
    others: Others | None = None
    """For tokens that are not among the K; None where a model cannot tell."""
    ahead: Ahead | None = None
    """What may follow the tokens chosen; None where a model has no drafter."""


class Model(Protocol):
    """Compute of one loaded model. Not thread-safe: one request at a time."""

    @property
    def card(self) -> Card: ...

    def encode(self, ids: Ids, position: int, past: KeyValues | None) -> KeyValues:
        """Keys and values of `ids` [n], read causally after `past`."""
        ...

    def encode_ahead(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, Start | None]:
        """The same, and what drafts behind them; None in a model without a drafter."""
        ...

    def next_log_probs(
        self, ids: Ids, position: int, past: KeyValues | None, among: Among | None = None
    ) -> tuple[KeyValues, Proposal]:
        """The model left to right: as encode, plus the proposal for the token after each of `ids`.

        The proposal has C=n; its `current_log_prob` is that of the token which follows in `ids`,
        meaningless at the last place. At a place that `among` names all log-probabilities
        are given that one of its tokens stands there: what was typed is no guess. Where it leaves
        fewer than K the rest have log-probability -inf.
        """
        ...

    def denoise(
        self,
        canvas: Ids,
        position: int,
        context: Context,
        wanted: Bools | None = None,
    ) -> Proposal:
        """One forward pass over `canvas` [1+C]: the last prefix token, then C positions.

        Open positions hold the mask id, and see the whole canvas; the others see what is left of
        them, so what they propose for the next position does not depend on what stands there.
        C may be less than the canvas that the suffix of the context leaves room for. `position` is
        that of the last prefix token. `context` holds prefix (without its last token) and suffix.
        `wanted` [C] are the positions to propose for (None: all); the others propose nothing,
        with log-probability -inf.
        """
        ...

    def rotate(self, keys: Floats, by: int) -> Floats:
        """The same keys moved `by` positions to the right (RoPE is a rotation); a new array."""
        ...
