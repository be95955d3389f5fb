"""What a batch says against the model, and against the drafter that learns beside it."""

from __future__ import annotations

from collections import defaultdict

import torch
import torch.nn.functional as F
from torch import Tensor

from .denoiser import Denoiser, Read
from .drafter import Drafter, InSight
from .packing import DEEP, DRAFTED, READ, SHARES, STEPS, TEXT

NAMES = {READ: "read", DRAFTED: "drafted", TEXT: "text"}
UNREACHED = 0.2
"""Weight of a draft's token where the true text before it is not what the model would have
written."""
FADE = 0.9
"""Weight of a token of a draft beside the one before it."""

Arrays = dict[str, Tensor]
"""A `packing.Batch` by the names of its fields."""


class Meter:
    """Sums of losses, and how often drafts were right, since last read."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor | float] = defaultdict(float)
        self.counts: dict[str, Tensor | float] = defaultdict(float)

    def add(self, name: str, total: Tensor, count: Tensor) -> None:
        self.sums[name] = self.sums[name] + total.detach()
        self.counts[name] = self.counts[name] + count

    def read(self) -> dict[str, float]:
        """The means; and begins anew."""
        means = {
            n: round(float(s) / max(float(self.counts[n]), 1.0), 4) for n, s in self.sums.items()
        }
        self.sums.clear()
        self.counts.clear()
        return means


def model_loss(model: Denoiser, hidden: Tensor, batch: Arrays, meter: Meter) -> Tensor:
    """Cross-entropy of the tokens of a batch, the mean of each kind by its share."""
    rows = torch.arange(len(hidden), device=hidden.device)[:, None]
    each = model.cross_entropy(hidden[rows, batch["places"]], batch["targets"])
    total = each.new_zeros(())
    for kind, share in SHARES.items():
        weights = batch["weights"] * (batch["kinds"] == kind)
        its = (each * weights).sum()
        total = total + share * its / weights.sum().clamp(min=1)
        meter.add(NAMES[kind], its, weights.sum())
    return total


def drafter_loss(drafter: Drafter, read: Read, batch: Arrays, meter: Meter) -> Tensor:
    """Cross-entropy with the model's own distributions, along the true tokens of each draft.

    A token counts as reached where the true text before it is what the model would have written.
    """
    hidden, places = read.hidden.detach(), batch["own"].clamp(min=0)
    rows = torch.arange(len(hidden), device=hidden.device)[:, None, None]
    ids, known, given = batch["ids"][rows, places], batch["own"] >= 0, batch["given"]
    with torch.no_grad():
        own = F.linear(hidden[rows, places], drafter.columns).float()
        best, wanted = own.argmax(-1), own.softmax(-1)
        follows = drafter.place[ids]
    sight, start = in_sight(read, batch), places[:, :, :1]
    state = drafter.first(torch.cat([hidden[rows, start], read.taps[rows, start][:, :, 0]], 2))
    reached, steps = known[:, :, 0], []
    for step in range(1, STEPS + 1):
        state = drafter(state, ids[:, :, step], sight, step)
        logits = drafter.logits(state)
        chosen = best[:, :, step - 1] == follows[:, :, step]
        reached = reached & (chosen | (step <= given))
        each = -(wanted[:, :, step] * logits.log_softmax(-1)).sum(-1)
        steps.append((each, logits.argmax(-1) == best[:, :, step], reached))
    each, right, reached = (torch.stack(parts, -1) for parts in zip(*steps, strict=True))
    drafted = torch.arange(STEPS, device=hidden.device) - (given.clamp(min=1) - 1)[..., None]
    total = each.new_zeros(())
    for depth in range(DEEP):
        there = known[:, :, 1:] & (drafted == depth)
        weight = there * torch.where(reached, 1.0, UNREACHED)
        total = total + FADE**depth * (each * weight).sum() / weight.sum().clamp(min=1)
        there = there & reached
        meter.add(f"draft{depth + 1}", (right & there).sum(), there.sum())
    meter.add("drafter", total, torch.ones((), device=total.device))
    return total


def in_sight(read: Read, batch: Arrays) -> InSight:
    """What the drafts of a batch see: what the places see that they begin with, and a suffix."""
    start = batch["own"][:, :, 0].clamp(min=0)
    part, place = batch["part"][:, None], torch.arange(batch["part"].shape[1], device=start.device)
    its, reach = (batch[name].gather(1, start)[..., None] for name in ("part", "reach"))
    seen = (part == its) & (place <= start[..., None])
    seen |= (part == 0) & (place < reach)
    seen |= part == batch["beside"][..., None]
    return InSight(read.keys, read.values, seen, batch["positions"].gather(1, start))
