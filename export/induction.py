"""The heads of a model that look up what followed where the like stood before, and what they ask.

Induction heads (Olsson et al., arXiv 2209.11895) look at the places behind earlier occurrences of
the token they stand at. A drafter that asks what they ask finds there what it may copy. It does not
run the layers below them, but what it knows, the place before and the token, tells their queries
nearly as well: a linear map, fitted here, leaves a tenth of them unexplained.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from .denoiser import Denoiser, Read, rotate, rotation
from .drafter import Drafter
from .losses import Arrays
from .sight import Sight

COUNT = 10
"""Heads that a drafter has."""
HIDDEN = -1e9
"""Score of what a place does not see."""
RIDGE = 1e-3
"""Added to the mean square of what the queries are told from."""


@torch.no_grad()
def induction_heads(model: Denoiser, batch: Arrays) -> Tensor:
    """[COUNT, 2] layer and head of those that do so most, in rising order."""
    every = [(la, head) for la in range(model.shape.layers) for head in range(model.shape.heads)]
    totals = torch.zeros(len(every), device=batch["ids"].device)
    for index in range(len(batch["ids"])):
        row = {name: tensor[index : index + 1] for name, tensor in batch.items()}
        totals += looking(read(model, row, every), row)
    best = totals.topk(min(COUNT, len(every))).indices
    return torch.tensor([every[index] for index in sorted(best.tolist())])


def looking(found: Read, row: Arrays) -> Tensor:
    """[H] how much each head looks behind earlier occurrences of the token it stands at, summed
    over the places of a row."""
    ids, part = row["ids"][0], row["part"][0]
    at = torch.arange(len(ids), device=ids.device)
    seen = sight_of(row).sees(at.new_zeros(()), at, at[:, None], at[None])
    before = torch.where(part[1:] == part[:-1], ids[:-1], -1)
    behind = torch.cat([before.new_full((1,), -1), before])  # the token that each place follows
    wanted = seen & (behind == ids[:, None]) & (at[:, None] != at) & (part >= 0)[:, None]
    shares = []
    for queries, keys in zip(found.queries[0], found.keys[0], strict=True):
        scores = (queries @ keys.T).float() * queries.shape[1] ** -0.5
        weights = scores.masked_fill(~seen, HIDDEN).softmax(-1)
        shares.append((weights * wanted).sum())
    return torch.stack(shares)


@torch.no_grad()
def asked(model: Denoiser, drafter: Drafter, batches: Iterable[Arrays]) -> Tensor:
    """The weight of `drafter.ask` with which it asks most nearly what its heads ask themselves."""
    heads = [(layer, head) for layer, head in drafter.heads.tolist()]
    inputs, outputs = drafter.ask.in_features, drafter.ask.out_features
    squares = torch.zeros(inputs, inputs, device=drafter.ask.weight.device)
    products, count = squares.new_zeros(inputs, outputs), 0
    for batch in batches:
        found = read(model, batch, heads)
        cos, sin = rotation(model.shape, batch["positions"])
        queries = rotate(found.queries.float(), cos, -sin).transpose(1, 2).flatten(2)
        follows = (batch["part"][:, 1:] == batch["part"][:, :-1]) & (batch["part"][:, 1:] >= 0)
        features = torch.cat([found.hidden[:, :, None], found.taps], 2)[:, :-1][follows].float()
        known = drafter.seen(drafter.first(features), batch["ids"][:, 1:][follows]).float()
        squares += known.T @ known
        products += known.T @ queries[:, 1:][follows]
        count += len(known)
    ridge = RIDGE * count * torch.eye(inputs, device=squares.device)
    return torch.linalg.solve(squares + ridge, products).T.contiguous()


def sight_of(batch: Arrays) -> Sight:
    return Sight(*(batch[name] for name in ("part", "reach", "suffix", "is_open")))


def read(model: Denoiser, batch: Arrays, heads: list[tuple[int, int]]) -> Read:
    attend = sight_of(batch).attend()
    found: Read = model(batch["ids"], batch["positions"], attend, heads)
    return found
