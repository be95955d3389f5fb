"""Token healing: what a fill must begin with where a cursor cuts a token in two.

Left of a cursor in `pri` stands a token that the model has hardly ever seen before `nt`. So the
last tokens of the prefix are taken back, and the first ones written must spell them again: each
begins with the text taken back, or is a beginning of it, until that is used up. Everything is in
bytes, since tokens may cut a character. The technique is that of guidance (Lundberg, 2023).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .model import Bools, Ids
from .tokenizer import Tokenizer

MOST_TAKEN_BACK = 4
"""Tokens looked back over for one that spells them all."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A prefix without the tokens taken back, and how to read tokens that come after it."""

    ids: Ids
    """[n], at least one."""
    taken: Ids
    """What was taken back."""
    healing: Healing

    @property
    def owed(self) -> bytes:
        """The text taken back: what is written must begin with it."""
        return self.healing.text(self.taken)

    def rest(self, tokens: Sequence[int]) -> bytes:
        """What is still owed after some tokens."""
        return self.owed[len(self.healing.text(tokens)) :]

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens after the prefix add to it: their text without the text taken back."""
        added = self.healing.text(tokens)[len(self.owed) :]
        return added.decode("utf-8", "replace")

    def adds(self, tokens: Sequence[int]) -> bool:
        """Whether the last of some tokens does more than spell what was taken back."""
        spelled, owed = self.healing.text(tokens), len(self.owed)
        return len(spelled) > owed or len(self.healing.text(tokens[:-1])) == owed

    def count(self, tokens: Sequence[int]) -> int:
        """How many tokens after the prefix do more than that."""
        return sum(self.adds(tokens[: n + 1]) for n in range(len(tokens)))


class Healing:
    """The tokens of a vocabulary by how they begin, put in order when first asked for."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int) -> None:
        """`vocabulary` is the model's, which may have tokens that the tokenizer does not know."""
        self.tokenizer = tokenizer
        self._vocabulary = vocabulary

    @cached_property
    def pieces(self) -> Sequence[bytes]:
        """[vocabulary] the bytes of each token; none for those that stand for no text."""
        known = self.tokenizer.pieces
        return [*known, *[b""] * (self._vocabulary - len(known))]

    @cached_property
    def newline(self) -> Bools:
        """[vocabulary] whether a token's text holds a line feed."""
        return np.array([b"\n" in piece for piece in self.pieces])

    @cached_property
    def _order(self) -> Ids:
        """The tokens that stand for text, by their bytes."""
        found = (i for i, piece in enumerate(self.pieces) if piece)
        return np.array(sorted(found, key=self.pieces.__getitem__), np.int64)

    @cached_property
    def _sorted(self) -> list[bytes]:
        return [self.pieces[i] for i in self._order.tolist()]

    def cut(self, prefix: Ids, start_id: int) -> Cut:
        """Takes back the last token, or as many as one token of the vocabulary can spell at once.

        Where nothing is left of the prefix, `start_id` stands for it.
        """
        last = [self.pieces[i] for i in prefix[-MOST_TAKEN_BACK:]]
        counts = [n for n in range(1, len(last) + 1) if all(last[-n:]) and self._begin(last[-n:])]
        if not counts:
            return self.whole(prefix)
        kept, taken = prefix[: -counts[-1]], prefix[-counts[-1] :]
        return Cut(kept if len(kept) else np.array([start_id], np.int64), taken, self)

    def whole(self, prefix: Ids) -> Cut:
        """A prefix of which nothing is taken back."""
        return Cut(prefix, prefix[:0], self)

    def text(self, ids: Ids | Sequence[int]) -> bytes:
        """The bytes of some tokens."""
        return b"".join(self.pieces[i] for i in ids)

    def spelling(self, owed: bytes) -> Ids:
        """The tokens that begin with `owed` or are a beginning of it; never none."""
        begin = bisect_left(self._sorted, owed)
        # In this order those that begin with it are neighbours, and first among the greater ones.
        end = bisect_left(self._sorted, True, begin, key=lambda piece: not piece.startswith(owed))
        shorter = [self._at(owed[:size]) for size in range(1, len(owed))]
        found = [token for token in shorter if token is not None]
        return np.concatenate([self._order[begin:end], np.array(found, np.int64)])

    def spells(self, token: int, owed: bytes) -> bool:
        """Whether a token is one of those."""
        piece = self.pieces[token]
        return bool(piece) and (piece.startswith(owed) or owed.startswith(piece))

    def _begin(self, pieces: Sequence[bytes]) -> bool:
        """Whether a token begins with these, which begin with a whole character."""
        text = b"".join(pieces)
        if text[0] & 0xC0 == 0x80:
            return False
        place = bisect_left(self._sorted, text)
        return place < len(self._sorted) and self._sorted[place].startswith(text)

    def _at(self, piece: bytes) -> int | None:
        place = bisect_left(self._sorted, piece)
        found = place < len(self._sorted) and self._sorted[place] == piece
        return int(self._order[place]) if found else None
