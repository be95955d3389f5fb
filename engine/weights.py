"""The tensors of a model folder, ready for the runtime: the base with the adapter.

The adapter is merged at load because a merged int8 matrix runs as fast as the base's, while a LoRA
applied at run time adds fourteen small matrix products to each layer; and because an adapter is a
small file where merged weights would be a second model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from .card import Card
from .errors import ModelFolderError

Tensors = dict[str, NDArray[Any]]


def read(path: Path) -> Tensors:
    """The tensors of one safetensors file. Raises ModelFolderError if it is missing or damaged."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFolderError(f"{path}: cannot be read ({error})") from None


def merged(
    card: Card, base: Mapping[str, NDArray[Any]], adapter: Tensors
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The initialisers of the transformer: base + adapter, quantised anew, one by one."""
    yield "final_norm", adapter["final_norm"]
    for index in range(card.layers):
        for norm in ("norm1", "norm2"):
            yield f"layers.{index}.{norm}", base[f"layers.{index}.{norm}"]
        for matrix, parts in card.matrices.items():
            key = f"layers.{index}.{matrix}"
            change = [delta(adapter, f"layers.{index}.{part}") for part in parts]
            weight = base[f"{key}.weight"] * base[f"{key}.scale"]
            weight += np.concatenate(change, axis=1) * np.float32(card.adapter_scale)
            quantised, scale = quantise(weight)
            yield f"{key}.weight", quantised
            yield f"{key}.scale", scale


def delta(adapter: Tensors, key: str) -> NDArray[np.float32]:
    """(B A)^T of one projection: [in, out]."""
    a = adapter[f"{key}.a"].astype(np.float32) * adapter[f"{key}.scale"][:, None]
    b = adapter[f"{key}.b"].astype(np.float32)
    return a.T @ b.T


def quantise(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """float32 [in, out] -> int8 [in, out] and float32 [out]: symmetric, one scale a column."""
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / 127.0
    # In C order whatever the order of `weight`: safetensors writes the bytes as they lie.
    return np.rint(weight / scale).astype(np.int8, order="C"), scale.astype(np.float32)


NOT_IN_GRAPH = ("begin", "tokens", "heads", "reads")


def drafter(tensors: Tensors, columns: Tensors) -> Tensors:
    """The draft graph's initialisers: the drafter's own, and the head's `columns` of what it knows.

    `begin` is none of them: it reads rows with a few very large numbers, once, in float32.
    """
    tokens = tensors["tokens"]
    own = {name: tensors[name] for name in tensors if name.split(".")[0] not in NOT_IN_GRAPH}
    return own | {
        "columns.weight": np.ascontiguousarray(columns["embedding.weight"][:, tokens]),
        "columns.scale": columns["embedding.scale"][tokens],
    }
