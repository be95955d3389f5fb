"""Moves large activations into the weights before both become int8 (SmoothQuant, arXiv 2211.10438).

Activations have one int8 scale a pass, weights one a column, so a channel with large activations
costs all others their bits. Each input channel j of a matrix is divided by s_j, and its weights are
multiplied by it: s_j = max|x_j|^ALPHA / max|w_j|^(1 - ALPHA). Before `q`, `k`, `v`, `gate` and `up`
the division costs nothing at run time, since the norm before them does it. The function computed
stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from engine.model import Ids

from .torch_model import TorchModel, card_of
from .weights import Base, Floats

TINY = 1e-5
ALPHA = 0.5
"""How much of the spread goes into the weights; measured, see docs/speed.md."""
CALIBRATION = Path(__file__).with_name("calibration.txt")
"""Code of this project, whose activations are looked at: the result depends on nothing else."""

READERS = {"norm1": ("q", "k", "v"), "norm2": ("gate", "up")}
"""The projections that read what a norm gives."""

Scales = dict[str, Floats]
"""For one layer: what each norm's output is divided by, a number a channel."""


class Watched(TorchModel):
    """A base that remembers how large each input channel of each projection became."""

    def __init__(self, base: Base) -> None:
        super().__init__(card_of(base), base, None)
        self.largest: dict[tuple[int, str], Tensor] = {}

    def project(self, index: int, name: str, x: Tensor, weight: Tensor) -> Tensor:
        seen = x.abs().flatten(0, -2).amax(0)
        before = self.largest.get((index, name), seen)
        self.largest[index, name] = torch.maximum(before, seen)
        return super().project(index, name, x, weight)


def calibrate(base: Base, ids: Ids) -> list[Scales]:
    """The scales of every layer, from the base over `ids`: the same whatever adapter comes with it.

    What the first token does is forgotten: it has a pass of its own in use, for the same reason.
    """
    model = Watched(base)
    first = model.encode(ids[:1], 0, None)
    model.largest.clear()
    model.encode(ids[1:], 1, first)
    return [scales_of(model, index) for index in range(base.shape.layers)]


def scales_of(model: Watched, index: int) -> Scales:
    """One layer's scales."""
    scales: Scales = {}
    for norm, readers in READERS.items():
        size = model.largest[index, readers[0]]
        weight = torch.stack([model.layers[index][name].abs().amax(0) for name in readers]).amax(0)
        scale = size.clamp_min(TINY) ** ALPHA / weight.clamp_min(TINY) ** (1 - ALPHA)
        scales[norm] = (scale / scale.log().mean().exp()).numpy()
    return scales


def smooth_base(base: Base, scales: list[Scales]) -> Base:
    """The same function, with the scales in its norms and weights."""
    layers = []
    for layer, scale in zip(base.layers, scales, strict=True):
        smoothed = dict(layer)
        for norm, readers in READERS.items():
            smoothed[norm] = layer[norm] / scale[norm]
            smoothed |= {name: layer[name] * scale[norm] for name in readers}
        layers.append(smoothed)
    return replace(base, layers=tuple(layers))


def smooth_adapter(adapter: Mapping[str, Floats], scales: list[Scales]) -> dict[str, Floats]:
    """An adapter (`layers.N.NAME.lora_A` [rank, in]) that fits the smoothed base."""
    smoothed = dict(adapter)
    for index, scale in enumerate(scales):
        for norm, readers in READERS.items():
            for name in readers:
                key = f"layers.{index}.{name}.lora_A"
                smoothed[key] = adapter[key] * scale[norm]
    return smoothed
