"""Which places of a row see which, and attention that heeds it.

A place of a window sees the window so far, one of a canvas the window up to its gap, the gap's
suffix and its canvas; nobody sees another gap. Of a whole table of who sees whom an eighth is full:
on CUDA flex attention leaves out the empty blocks, on the CPU each part of a row is attended to by
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys and values [B, heads, R, D] -> what the places gather."""


@dataclass(frozen=True)
class Part:
    """Some places of a row, one after the other, that see the same parts besides their own."""

    size: int
    reach: int
    """How many places of the window, which is the row's first part, they see."""
    beside: bool
    """Whether they see the part before theirs: the suffix of their gap."""
    table: Tensor | None
    """[size, reach + those beside + size] which of all these they see; None: the window or a
    suffix, where a place sees what is left of it and itself."""


@dataclass(frozen=True)
class Sight:
    """What the places of rows see: four numbers of each place, [B, R], as in `packing.Batch`."""

    part: Tensor
    reach: Tensor
    suffix: Tensor
    is_open: Tensor

    @property
    def sees(self) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
        """Tells of row b (and any head) whether place q sees place k."""
        part, reach, suffix, is_open = self.part, self.reach, self.suffix, self.is_open

        def sees(b: Tensor, _head: Tensor, q: Tensor, k: Tensor) -> Tensor:
            its = part[b, k]
            own = (its == part[b, q]) & ((k <= q) | (is_open[b, q] == 1))
            window = (its == 0) & (k < reach[b, q])
            return own | window | (its == suffix[b, q])

        return sees

    def attend(self) -> Attend:
        """Attention that sees so."""
        if self.part.is_cuda:
            rows, places = self.part.shape
            device = self.part.device
            blocks = create_block_mask(self.sees, rows, None, places, places, device=device)
            return partial(compiled_flex(), block_mask=blocks)
        return partial(by_parts, [list(self.parts(row)) for row in range(len(self.part))])

    def parts(self, row: int) -> Iterator[Part]:
        """Of a row, in the order of its places: the window, then of each gap the suffix and all
        canvases as one, then what is left over."""
        of, suffix = self.part[row], self.suffix[row]
        canvases = suffix >= 0
        belongs = torch.where(canvases, suffix, of)
        turns = (belongs.diff() != 0) | (canvases.diff() != 0)
        edges = [0, *(turns.nonzero()[:, 0] + 1).tolist(), len(of)]
        at, b = torch.arange(len(of)), torch.tensor(row)
        for start, end in pairwise(edges):
            if not canvases[start]:
                yield Part(end - start, 0, False, None)
                continue
            reach = int(self.reach[row, start:end].max())
            beside = at[of == suffix[start]]
            seen = torch.cat([at[:reach], beside, at[start:end]])
            table = self.sees(b, b, at[start:end, None], seen[None])
            yield Part(end - start, reach, len(beside) > 0, table)


@cache
def compiled_flex() -> Attend:
    return torch.compile(flex_attention, dynamic=False)


def by_parts(parts: list[list[Part]], q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of rows part by part."""
    rows = zip(parts, q.split(1), k.split(1), v.split(1), strict=True)
    return torch.cat([torch.cat(list(of_row(*row)), 2) for row in rows])


def of_row(parts: list[Part], q: Tensor, k: Tensor, v: Tensor) -> Iterator[Tensor]:
    """What each part of one row [1, heads, R, D] gathers."""
    sizes = [part.size for part in parts]
    keys, values = k.split(sizes, 2), v.split(sizes, 2)
    for index, (part, queries) in enumerate(zip(parts, q.split(sizes, 2), strict=True)):
        causal = part.table is None
        seen = [
            torch.cat([all_[0][:, :, : part.reach], *all_[index - part.beside : index + 1]], 2)
            for all_ in (keys, values)
        ]
        yield F.scaled_dot_product_attention(queries, *seen, attn_mask=part.table, is_causal=causal)
