"""Smoothing leaves the function as it is and the activations more alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from export.denoiser import PROJECTIONS
from export.smoothing import Watched, calibrate, smooth_adapter, smooth_base
from export.weights import Base, Shape

SHAPE = Shape(
    vocabulary=300,
    hidden=64,
    layers=2,
    heads=4,
    kv_heads=2,
    head_size=16,
    ffn=96,
    rope_theta=10_000.0,
    norm_epsilon=1e-5,
)
IDS = np.random.default_rng(3).integers(20, 300, 40)


@pytest.fixture(scope="module")
def base() -> Base:
    """A base with one loud channel in every norm, as language models have."""
    rng = np.random.default_rng(2)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) / columns**0.5).astype(np.float32)

    sizes = {"q": (64, 64), "k": (32, 64), "v": (32, 64), "o": (64, 64)}
    sizes |= {"gate": (96, 64), "up": (96, 64), "down": (64, 96)}
    loud = np.ones(64, np.float32)
    loud[7] = 60
    layers = [
        {name: matrix(*size) for name, size in sizes.items()} | {"norm1": loud, "norm2": loud}
        for _ in range(SHAPE.layers)
    ]
    return Base(SHAPE, 4 * matrix(300, 64), np.ones(64, np.float32), tuple(layers))


def test_the_smoothed_base_computes_the_same(base):
    smoothed = smooth_base(base, calibrate(base, IDS))
    before, expected = Watched(base).read(IDS, 0, None)
    after, logits = Watched(smoothed).read(IDS, 0, None)
    np.testing.assert_allclose(after.keys, before.keys, atol=1e-4)
    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=1e-3)


def test_an_adapter_adds_the_same_to_the_smoothed_base(base):
    rng = np.random.default_rng(4)
    scales = calibrate(base, IDS)
    adapter = {
        f"layers.{index}.{name}.lora_A": rng.standard_normal((4, base.layers[index][name].shape[1]))
        for index in range(SHAPE.layers)
        for name in PROJECTIONS
    }
    fitted = smooth_adapter(adapter, scales)
    x = rng.standard_normal(64)
    for index, scale in enumerate(scales):
        for name, norm in (("q", "norm1"), ("v", "norm1"), ("up", "norm2")):
            key = f"layers.{index}.{name}.lora_A"
            np.testing.assert_allclose(fitted[key] @ (x / scale[norm]), adapter[key] @ x)
        untouched = f"layers.{index}.down.lora_A"
        assert fitted[untouched] is adapter[untouched]


def test_the_loud_channel_is_less_loud(base):
    smoothed = smooth_base(base, calibrate(base, IDS))
    spread = [loudness(model) for model in (base, smoothed)]
    assert spread[1] < spread[0] / 3


def loudness(base: Base) -> float:
    """How far the largest channel that `q` reads is above the middle one."""
    model = Watched(base)
    model.read(IDS, 0, None)
    size = model.largest[0, "q"]
    return float(size.max() / size.median())


def test_the_first_token_of_the_text_has_no_say(base):
    loud = base.embedding.copy()
    loud[299] = 1000 * np.eye(64, dtype=np.float32)[3]
    base = replace(base, embedding=loud)
    once = calibrate(base, np.array([299, *IDS[IDS != 299]]))
    twice = calibrate(base, np.array([299, 299, *IDS[IDS != 299]]))
    assert 1.5 * once[0]["norm1"][3] < twice[0]["norm1"][3]
