"""A format as an automaton over a model's tokens: from which state a token leads to which.

The expression becomes a deterministic automaton over bytes (outlines-core, that is Rust's
regex-automata), which is lifted to tokens as by Willard and Louf (arXiv 2307.09702): a token is the
walk of its bytes. Bytes that no state tells apart are one letter, and tokens spelt alike in these
letters one word, so that of a vocabulary of 49,152 only some hundred walks are left as a rule.
"""

from __future__ import annotations

import marshal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import determine
from .errors import FormatError
from .formats import MOST_STATES, Format, pointed, too_large
from .model import Bools, Ids

Table = NDArray[np.int32]

PATIENCE = 10.0
"""Seconds that an expression has to become deterministic."""
MOST_MOVES = 20_000_000
"""Beyond these a format is refused as well."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """S states, W words and P moves: a state, a word and the state it leads to."""

    told: str
    """The format in a message."""
    start: int
    accepting: Bools
    """[S] where a text may end."""
    words: Ids
    """[vocabulary] the word that a token is; -1 for one without text."""
    firsts: Ids
    """[W + 1] where the moves of each word begin."""
    sources: Ids
    """[P]"""
    targets: Ids
    """[P]"""
    edges: Ids
    """[2, E] the pairs of states that some token joins."""
    fan: Ids
    """[S] how many tokens lead on from each."""

    @classmethod
    def of(
        cls, form: Format, pieces: Sequence[bytes], *, one_line: bool, owed: bytes = b""
    ) -> Automaton:
        """A format over tokens of these bytes; `one_line`: of its texts those without line feeds.

        Its texts come after `owed`, which the tokens have to spell too.

        Takes a tenth of a second, with a thousand texts most of one. Raises FormatError for an
        expression that is no automaton or too large a one.
        """
        start, accepting, table = by_bytes(form)
        if one_line:
            table[:, ord("\n")] = len(accepting)
        start, accepting, table = preceded(owed, start, accepting, table)
        letters, letter = np.unique(table, axis=1, return_inverse=True)
        spelling = bytes(letter.ravel().tolist())
        spelt = [piece.translate(spelling) for piece in pieces]
        different = sorted(set(spelt) - {b""})
        place = {word: index for index, word in enumerate(different)}
        counts, sources, targets = _walked(different, letters, form.told)
        states, words = len(accepting), np.array([place.get(word, -1) for word in spelt], np.int64)
        tokens = np.repeat(np.bincount(words[words >= 0], minlength=len(different)), counts)
        return cls(
            told=form.told + (" and is one line" if one_line else ""),
            start=start,
            accepting=accepting,
            words=words,
            firsts=np.cumsum([0, *counts]),
            sources=sources,
            targets=targets,
            edges=np.stack(np.divmod(np.unique(sources * states + targets), states)),
            fan=np.bincount(sources, weights=tokens, minlength=states).astype(np.int64),
        )

    @property
    def shortest(self) -> int | None:
        """How few tokens a text may have; None when there is no text."""
        count, reached = 0, np.arange(len(self.accepting)) == self.start
        while not (reached & self.accepting).any():
            wider = reached | self.after(reached)
            if (wider == reached).all():
                return None
            count, reached = count + 1, wider
        return count

    def after(self, states: Bools, token: int | None = None) -> Bools:
        """[S] where a token, or any one, leads from some states [S]."""
        sources, targets = self.edges if token is None else self.moves(token)
        found = np.zeros(len(states), bool)
        found[targets[states[sources]]] = True
        return found

    def before(self, states: Bools, token: int | None = None) -> Bools:
        """[S] from where a token, or any one, leads into some states [S]."""
        sources, targets = self.edges if token is None else self.moves(token)
        found = np.zeros(len(states), bool)
        found[sources[states[targets]]] = True
        return found

    def moves(self, token: int) -> tuple[Ids, Ids]:
        """The states a token leads from, and beside each the one it leads to."""
        word = self.words[token]
        if word < 0:
            return self.sources[:0], self.targets[:0]
        these = slice(self.firsts[word], self.firsts[word + 1])
        return self.sources[these], self.targets[these]

    def between(self, left: Bools, right: Bools) -> Ids:
        """The tokens that lead from one of some states [S] into one of others [S]."""
        if not (left.any() and right.any()):
            return self.sources[:0]
        fits = left[self.sources] & right[self.targets]
        total = np.concatenate([[0], np.cumsum(fits)])
        word_fits = total[self.firsts[1:]] > total[self.firsts[:-1]]
        return np.flatnonzero(np.append(word_fits, False)[self.words])


def preceded(owed: bytes, start: int, accepting: Bools, table: Table) -> tuple[int, Bools, Table]:
    """The same automaton for its texts with `owed` before them: a chain of states leads into it."""
    states, chain = len(accepting), len(owed)
    grown = np.full((states + chain + 1, 256), states + chain, table.dtype)
    grown[:states] = np.where(table[:states] == states, states + chain, table[:states])
    for index, byte in enumerate(owed):
        grown[states + index, byte] = start if index + 1 == chain else states + index + 1
    first = states if chain else start
    return first, np.concatenate([accepting, np.zeros(chain, bool)]), grown


def by_bytes(form: Format) -> tuple[int, Bools, Table]:
    """The start, the accepting states [S], and the state after each byte [S + 1, 256].

    The state S is the dead end. A zero byte, which stands in no text, closes the expression: the
    library follows no alternative further once an earlier one has matched, so nothing may match
    before the end.
    """
    found = determined(rf"(?:{form.regex})\x00", form)
    if found is None:
        return 0, np.zeros(1, bool), np.full((2, 256), 1, np.int32)
    first, final, moves = found
    dead = len(moves)
    number = {state: place for place, state in enumerate(moves)}
    table = np.full((dead + 1, 256), dead, np.int32)
    accepting = np.zeros(dead, bool)
    for state, following in moves.items():
        accepting[number[state]] = following.get(0) in final
        for byte in following.keys() - {0, 256}:
            table[number[state], byte] = number[following[byte]]
    return number[first], accepting, table


Determined = tuple[int, set[int], dict[int, dict[int, int]]]
"""The first state, the final ones, and the state after each byte in each."""


def determined(regex: str, form: Format) -> Determined | None:
    """An expression as the library's automaton over bytes; None where nothing matches it.

    Raises FormatError for one that is too large, or would take too long to become one: what
    determinism makes exponentially larger, such as `(a|b)*a(a|b){20}`.
    """
    program = [sys.executable, "-P", determine.__file__, str(MOST_STATES)]
    try:
        done = subprocess.run(program, input=regex.encode(), capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise too_large(form.told) from None
    reason = done.stderr.decode(errors="replace").strip()
    if "no transitions from state" in reason:
        return None
    if done.returncode < 0 or done.returncode == determine.TOO_LARGE:
        raise too_large(form.told)
    if done.returncode:
        raise FormatError(pointed(form.written, 0, f"it is no automaton ({reason})"))
    found: Determined = marshal.loads(done.stdout)
    return found


def _walked(words: Sequence[bytes], table: Table, told: str) -> tuple[list[int], Ids, Ids]:
    """How many moves each word has, and the sources and targets [P] of all. Raises FormatError."""
    moves, total = [], 0
    for move in walks(words, table):
        moves.append(move)
        total += len(move[0])
        if total > MOST_MOVES:
            raise too_large(told)
    sources, targets = zip(*moves, strict=True)
    return [len(source) for source in sources], np.concatenate(sources), np.concatenate(targets)


def walks(words: Sequence[bytes], table: Table) -> Iterator[tuple[Ids, Ids]]:
    """For each of some sorted words the states [n] it leads from, and those [n] it leads to.

    `table` [S + 1, letters] is the state after each letter, S the dead end. What a word has in
    common with the one before it is not walked again, and nothing is after a dead end.
    """
    dead = len(table) - 1
    path = [(np.arange(dead), np.arange(dead))]
    walked = b""
    for word in words:
        del path[alike(walked, word) + 1 :]
        for letter in word[len(path) - 1 :]:
            source, at = path[-1]
            if not len(source):
                break
            target = table[at, letter].astype(np.int64)
            alive = target != dead
            path.append((source[alive], target[alive]))
        walked = word[: len(path) - 1]
        yield path[-1]


def alike(one: bytes, other: bytes) -> int:
    """How many bytes two words begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
