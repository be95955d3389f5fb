"""A new drafter asks what the model's own induction heads ask."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch

from export.denoiser import Adapter, Denoiser, rotate, rotation
from export.drafter import Drafter
from export.induction import COUNT, asked, induction_heads, read
from export.limits import END_ID
from export.packing import Example, lay_out
from export.train import arrays
from export.weights import Base

TEXT = [int(token) for token in np.random.default_rng(3).integers(30, 300, 40)] * 3
LOOKS = (1, 4)
"""The head that is made an induction head."""


@pytest.fixture
def batch():
    gaps = [Example(at, [*TEXT[at : at + 6], END_ID], TEXT[at + 6 : at + 16]) for at in (50, 80)]
    return arrays(lay_out([(TEXT, gaps)] * 2, Random(1)))


@pytest.fixture
def model(base: Base) -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(base, Adapter(base, rank=8), torch.float32)


def test_the_heads_that_look_behind_the_like_are_found(model, batch, monkeypatch):
    """One head's queries and keys are made such that it looks where it should, and nowhere else."""
    known = read(model, batch, [])
    forward = Denoiser.forward

    def looking(self, ids, positions, attend, heads=()):
        found = forward(self, ids, positions, attend, heads)
        places = ids.shape[1]
        code = torch.nn.functional.normalize(torch.randn(320, 16), dim=1) * 16
        before = torch.roll(ids, 1, 1)
        queries, keys = torch.zeros(2, len(ids), len(heads), places, 16)
        if LOOKS in heads:
            queries[:, heads.index(LOOKS)], keys[:, heads.index(LOOKS)] = code[ids], code[before]
        return type(found)(found.hidden, found.taps, queries, keys, found.values)

    monkeypatch.setattr(Denoiser, "forward", looking)
    heads = induction_heads(model, batch)
    assert known.keys.shape[1] == 0, "no heads asked for, none given"
    assert heads.shape == (COUNT, 2)
    assert heads.tolist() == sorted(heads.tolist())
    assert list(LOOKS) in heads.tolist()
    monkeypatch.setattr("export.induction.COUNT", 1)
    assert induction_heads(model, batch).tolist() == [list(LOOKS)]


def test_it_asks_most_nearly_what_they_ask(base, model, batch):
    heads = [(0, 2), (1, 4)]
    drafter = Drafter(base, torch.arange(20, 200), torch.tensor(heads))
    drafter.ask.weight.data = asked(model, drafter, [batch])
    found = read(model, batch, heads)
    cos, sin = rotation(base.shape, batch["positions"])
    wanted = rotate(found.queries, cos, -sin)[0, :, 1 : len(TEXT)].transpose(0, 1).flatten(1)
    features = torch.cat([found.hidden[:, :, None], found.taps], 2)[0, : len(TEXT) - 1]
    state = drafter.first(features)
    told = drafter.ask(drafter.seen(state, batch["ids"][0, 1 : len(TEXT)]).float())
    unexplained = (told - wanted).square().mean() / wanted.square().mean()
    assert float(unexplained.detach()) < 0.35
