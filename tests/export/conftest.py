"""A base network of a few thousand numbers, shaped like the real one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from export.weights import Base, Shape

SHAPE = Shape(
    vocabulary=320,
    hidden=24,
    layers=2,
    heads=6,
    kv_heads=2,
    head_size=4,
    ffn=32,
    rope_theta=10_000.0,
    norm_epsilon=1e-5,
)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Networks as small as these only lose time between threads."""
    torch.set_num_threads(1)


@pytest.fixture
def base() -> Base:
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) / columns**0.5).astype(np.float32)

    shape = SHAPE
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    layers = tuple(
        {
            "q": matrix(queries, shape.hidden),
            "k": matrix(keys, shape.hidden),
            "v": matrix(keys, shape.hidden),
            "o": matrix(shape.hidden, queries),
            "gate": matrix(shape.ffn, shape.hidden),
            "up": matrix(shape.ffn, shape.hidden),
            "down": matrix(shape.hidden, shape.ffn),
            "norm1": 1 + matrix(1, shape.hidden)[0],
            "norm2": 1 + matrix(1, shape.hidden)[0],
        }
        for _ in range(shape.layers)
    )
    embedding = matrix(shape.vocabulary, shape.hidden) * 3
    return Base(shape, embedding, 1 + matrix(1, shape.hidden)[0], layers)


@pytest.fixture
def tokenizer() -> Tokenizer:
    """Bytes, at ids from 20 on."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {f"<{i}>": i for i in range(20)} | {c: 20 + i for i, c in enumerate(letters)}
    built = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = decoders.ByteLevel()
    return built
