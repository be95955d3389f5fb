"""The slow and obvious way to fill a gap: no cache, the whole context anew for every token.

It is what the fast paths are tested against: one token a pass with nothing put forward, on one
canvas of the largest size after the other, and the same greedy base left to right, as plainly as it
can be.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .context import Surroundings
from .healing import Cut
from .model import Context, Ids, KeyValues, Model, Proposal


def fill_slowly(model: Model, cut: Cut, suffix: Ids, max_tokens: int) -> list[int]:
    """The tokens of the gap, without the end, with those that spell what was taken back."""
    card = model.card
    gap, filled = Surroundings(cut.ids, suffix), list[int]()
    while cut.count(filled) < max_tokens:
        canvas = list[int]()
        while len(canvas) < card.canvas_sizes[-1]:
            proposal = propose(model, gap, [*canvas, card.mask_id])
            owed = cut.rest([*filled, *canvas])
            token = spelled(proposal, owed, cut) if owed else int(proposal.ids[-1, 0])
            if token == card.end_id:
                return filled + canvas
            canvas.append(token)
        filled += canvas
        gap = gap.followed_by(np.array(canvas, np.int64), card.max_before)
    return filled


def spelled(proposal: Proposal, owed: bytes, cut: Cut) -> int:
    """The most probable token at the last place that spells what is owed, or a part of it."""
    tokens = cut.healing.spelling(owed)
    assert proposal.others is not None
    [scores] = proposal.others(np.array([len(proposal.ids) - 1]), tokens)
    return int(tokens[scores.argmax()])


def write_slowly(model: Model, pieces: Sequence[bytes], prefix: Ids, max_tokens: int) -> bytes:
    """What the base writes left to right after a prefix, tokens taken back and healed (healing.py).

    `pieces` are the bytes of every token. Ends at the end token or after `max_tokens`.
    """
    ids, owed = list(prefix), b""
    for count in range(1, min(4, len(ids)) + 1):
        text = b"".join(pieces[i] for i in prefix[-count:])
        if any(piece.startswith(text) for piece in pieces):
            ids, owed = list(prefix[:-count]) or [model.card.start_id], text
    written, start = b"", len(owed)
    tokens = 0
    while tokens < max_tokens:
        rest = owed[len(written) :]
        spelling = [
            i for i, p in enumerate(pieces) if p and (p.startswith(rest) or rest.startswith(p))
        ]
        among = {len(ids) - 1: np.array(spelling, np.int64)} if rest else None
        _, proposal = model.next_log_probs(np.array(ids, np.int64), 0, None, among)
        token = int(proposal.ids[-1, 0])
        if token == model.card.end_id:
            break
        ids.append(token)
        written += pieces[token]
        tokens += len(written) > start or not rest
    return written[start:]


def propose(model: Model, gap: Surroundings, canvas: list[int]) -> Proposal:
    """One forward pass with everything encoded from the start, the suffix at its own positions."""
    prefix = encode(model, gap.prefix[:-1], 0)
    suffix = encode(model, gap.suffix, len(gap.prefix) + model.card.canvas_sizes[-1])
    context = Context(prefix, suffix, gap.prefix[:-1])
    ids = np.array([gap.prefix[-1], *canvas], np.int64)
    return model.denoise(ids, gap.position, context)


def encode(model: Model, ids: Ids, position: int) -> KeyValues:
    """Keys and values of some tokens, of none as well."""
    if len(ids):
        return model.encode(ids, position, None)
    card = model.card
    nothing = np.zeros((card.layers, card.kv_heads, 0, card.head_size), np.float32)
    return KeyValues(nothing, nothing)
