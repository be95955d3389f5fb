"""What training minimises falls, and is told as it is."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch

from export.denoiser import Adapter, Denoiser, Read
from export.drafter import Drafter
from export.limits import END_ID
from export.losses import Meter, drafter_loss, model_loss
from export.packing import SHARES, Example, lay_out
from export.sight import Sight
from export.train import arrays

WINDOW = (list(range(30, 90)) * 2)[:100]


@pytest.fixture
def batch():
    gaps = [
        Example(at, [*WINDOW[at : at + 6], END_ID], WINDOW[at + 6 : at + 16]) for at in (20, 40, 70)
    ]
    return arrays(lay_out([(WINDOW, gaps)] * 2, Random(1)))


@pytest.fixture
def model(base) -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(base, Adapter(base, rank=8), torch.float32)


HEADS = [(0, 3), (1, 0), (1, 5)]


def read(model: Denoiser, batch) -> Read:
    sight = Sight(batch["part"], batch["reach"], batch["suffix"], batch["is_open"])
    return model(batch["ids"], batch["positions"], sight.attend(), HEADS)


def test_the_loss_is_the_mean_of_each_kind_by_its_share(model, batch):
    meter = Meter()
    hidden = read(model, batch).hidden
    loss = model_loss(model, hidden, batch, meter)
    means = meter.read()
    expected = sum(
        share * means[name]
        for share, name in zip(SHARES.values(), ("read", "drafted", "text"), strict=True)
    )
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-3)
    assert meter.read() == {}, "what was read is forgotten"
    logits = torch.nn.functional.linear(hidden[0, 0], model.embedding)
    first = float((logits.logsumexp(-1) - logits[WINDOW[1]]).detach())
    each = model.cross_entropy(hidden[:1, :1], torch.tensor([[WINDOW[1]]]))
    assert float(each.detach()) == pytest.approx(first, abs=1e-4)


def test_every_kind_is_learned(model, batch):
    optimiser = torch.optim.AdamW(model.adapter.parameters(), lr=2e-2, weight_decay=0.0)
    first, last = Meter(), Meter()
    for step in range(40):
        hidden = read(model, batch).hidden
        model_loss(model, hidden, batch, last if step == 39 else first).backward()
        if step == 0:
            before = first.read()
        optimiser.step()
        optimiser.zero_grad()
    after = last.read()
    assert all(after[name] < before[name] - 0.5 for name in ("read", "drafted", "text"))


def test_a_drafter_learns_what_the_model_would_write(base, model, batch):
    torch.manual_seed(0)
    known = torch.arange(0, 200, 1)
    known = known[known != WINDOW[25]]  # one token of the text is none of its own
    drafter = Drafter(base, known, torch.tensor(HEADS))
    assert int(drafter.place[WINDOW[25]]) == -1
    with torch.no_grad():
        found = read(model, batch)
    optimiser = torch.optim.AdamW(drafter.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        meter = Meter()
        with torch.autocast("cpu", torch.bfloat16):
            loss = drafter_loss(drafter, found, batch, meter)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]
    told = meter.read()
    assert told["drafter"] == pytest.approx(losses[-1], abs=1e-3)
    assert all(0 <= told[f"draft{depth}"] <= 1 for depth in range(1, 8))
