"""The slow and obvious way to fill a gap: no cache, the whole context anew at every step.

It is what the fast paths are tested against: the same greedy threshold decoding on one canvas of
the largest size after the other, and the same greedy base left to right, as plainly as it can be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .context import Surroundings
from .model import Floats, Ids, KeyValues, Model, Proposal


def fill_slowly(model: Model, gap: Surroundings, threshold: float, max_tokens: int) -> list[int]:
    """The tokens of the gap, without the end."""
    card = model.card
    filled: list[int] = []
    while len(filled) < max_tokens:
        canvas = [card.mask_id] * card.canvas_sizes[-1]
        while card.mask_id in canvas:
            commit(canvas, propose(model, gap, canvas), threshold, card.mask_id, card.end_id)
        text = canvas[: canvas.index(card.end_id)] if card.end_id in canvas else canvas
        filled += text
        if len(text) < len(canvas):
            break
        gap = gap.followed_by(np.array(text, np.int64), card.max_prefix)
    return filled


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
        token = int(proposal.ids[0, -1, 0])
        if token == model.card.end_id:
            break
        ids.append(token)
        written += pieces[token]
        tokens += len(written) > start or not rest
    return written[start:]


def propose(model: Model, gap: Surroundings, canvas: list[int]) -> Proposal:
    """One forward pass with everything encoded from the start, the suffix at its own positions."""
    parts = [encode(model, gap.prefix[:-1], 0)]
    parts.append(encode(model, gap.suffix, len(gap.prefix) + len(canvas)))
    context = KeyValues(
        np.concatenate([part.keys for part in parts], axis=2),
        np.concatenate([part.values for part in parts], axis=2),
    )
    ids = np.array([[gap.prefix[-1], *canvas]], np.int64)
    return model.denoise(ids, gap.position, context)


def encode(model: Model, ids: Ids, position: int) -> KeyValues:
    """Keys and values of some tokens, of none as well."""
    if len(ids):
        return model.encode(ids, position, None)
    card = model.card
    nothing = np.zeros((card.layers, card.kv_heads, 0, card.head_size), np.float32)
    return KeyValues(nothing, nothing)


def commit(
    canvas: list[int], proposal: Proposal, threshold: float, mask_id: int, end_id: int
) -> None:
    """Commits on `canvas`, in place, what reaches the threshold, and some of the text at least."""
    length = likeliest_length(canvas, proposal.end_log_prob[0], mask_id, end_id)
    choices: list[tuple[float, int, int]] = []
    for place in range(min(length + 1, len(canvas))):
        if canvas[place] != mask_id:
            continue
        if place == length:
            choices.append((float(proposal.end_log_prob[0, place]), -place, end_id))
        else:
            choices.append(best_text(proposal, place, end_id))
    chosen = [choice for choice in choices if math.exp(choice[0]) >= threshold]
    text = [choice for choice in choices if choice[2] != end_id]
    if text and not any(choice in chosen for choice in text):
        chosen.append(max(text, key=lambda choice: choice[1]))
    if any(choice not in chosen for choice in text):
        chosen = [choice for choice in chosen if choice in text]
    for _, place, token in chosen or choices:
        canvas[-place] = token
    after = last_token(canvas, mask_id, end_id) + 1
    if mask_id not in canvas[:after] and after < len(canvas):
        is_certain = math.exp(proposal.end_log_prob[0, after]) >= threshold
        if is_certain or canvas[after] == end_id:
            canvas[after:] = [end_id] * (len(canvas) - after)


def best_text(proposal: Proposal, place: int, end_id: int) -> tuple[float, int, int]:
    """Log-probability, minus the position (ties go left), and the best token but the end."""
    pairs = zip(proposal.log_probs[0, place], proposal.ids[0, place], strict=True)
    log_prob, token = next((float(p), int(t)) for p, t in pairs if t != end_id)
    return log_prob, -place, token


def last_token(canvas: list[int], mask_id: int, end_id: int) -> int:
    """The rightmost position that holds a token of the text; -1 when none does."""
    return max((i for i, token in enumerate(canvas) if token not in (mask_id, end_id)), default=-1)


def likeliest_length(canvas: list[int], end: Floats, mask_id: int, end_id: int) -> int:
    """The n for which "text before n, ends from n on" is most likely; len(canvas): no new end."""
    stop = canvas.index(end_id) if end_id in canvas else len(canvas)

    def likelihood(n: int) -> float:
        total = 0.0
        for place in range(stop):
            if canvas[place] == mask_id:
                log_end = min(float(end[place]), -1e-9)
                total += log_end if place >= n else math.log(-math.expm1(log_end))
        return total

    lengths = range(last_token(canvas, mask_id, end_id) + 1, stop + 1)
    best = max(lengths, key=likelihood)
    return len(canvas) if best == stop else best
