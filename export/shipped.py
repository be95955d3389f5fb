"""A model folder taken apart again, for training to go on from it.

The base is taken as the folder has it, in int8 and perhaps smoothed, so an adapter trained on it
goes back into that folder as it is (`export folder --adapter-only`, without `--smooth`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.card import DRAFTER, Card, check_files
from engine.weights import Tensors, read

from .denoiser import PROJECTIONS
from .drafter import MATRICES
from .weights import Base, Floats, Shape


@dataclass(frozen=True, slots=True)
class Shipped:
    """What training starts from."""

    base: Base
    adapter: dict[str, Tensor]
    """The state of an `Adapter`."""
    drafter: dict[str, Tensor]
    """What there is of the state of a `Drafter`; empty where the model has none."""


def opened(folder: Path) -> Shipped:
    """Reads a model folder. Raises ModelFolderError (missing, altered, unknown version)."""
    card = checked(folder)
    base = base_tensors(folder) | read(folder / "embedding.safetensors")
    drafter = drafter_state(read(folder / DRAFTER)) if card.has_drafter else {}
    adapter = adapter_state(read(folder / "adapter.safetensors"), card.layers)
    return Shipped(base_of(card, base, epsilon_of(folder)), adapter, drafter)


def checked(folder: Path) -> Card:
    """The card of a model folder whose every file is what it says. Raises ModelFolderError."""
    card = Card.read(folder)
    check_files(folder, card, thorough=True)
    return card


def base_tensors(folder: Path) -> Tensors:
    """Those of the base's layers, as the folder has them."""
    return {name: x for path in folder.glob("base-*") for name, x in read(path).items()}


def shape_in(folder: Path) -> Shape:
    """The sizes of a folder's base."""
    return shape_of(Card.read(folder), base_tensors(folder), epsilon_of(folder))


def shape_of(card: Card, tensors: Tensors, norm_epsilon: float) -> Shape:
    """What the card tells of the sizes, and the matrices [in, out] of the first layer."""
    return Shape(
        vocabulary=card.vocabulary,
        hidden=card.hidden,
        layers=card.layers,
        heads=len(tensors["layers.0.o.weight"]) // card.head_size,
        kv_heads=card.kv_heads,
        head_size=card.head_size,
        ffn=len(tensors["layers.0.down.weight"]),
        rope_theta=card.rope_theta,
        norm_epsilon=norm_epsilon,
    )


def base_of(card: Card, tensors: Tensors, norm_epsilon: float) -> Base:
    """The base in float32, its fused matrices taken apart."""
    shape = shape_of(card, tensors, norm_epsilon)
    layers = [layer_of(card, tensors, f"layers.{index}") for index in range(card.layers)]
    embedding = tensors["embedding.weight"] * tensors["embedding.scale"][:, None]
    return Base(shape, embedding, tensors["final_norm"], tuple(layers))


def layer_of(card: Card, tensors: Mapping[str, Floats], key: str) -> dict[str, Floats]:
    """The projections [out, in] of one layer, and its norms."""
    layer = {name: tensors[f"{key}.{name}"] for name in ("norm1", "norm2")}
    of_keys = card.kv_heads * card.head_size
    for matrix, parts in card.matrices.items():
        whole = (tensors[f"{key}.{matrix}.weight"] * tensors[f"{key}.{matrix}.scale"]).T
        others = [of_keys] * (len(parts) - 1)
        ends = np.cumsum([0, len(whole) - sum(others), *others])
        for part, (start, end) in zip(parts, pairwise(ends), strict=True):
            layer[part] = np.ascontiguousarray(whole[start:end])
    return layer


def epsilon_of(folder: Path) -> float:
    """What the norms add under their root; only the graphs know it."""
    import onnx  # not wanted by a machine that trains anew

    nodes = onnx.load(folder / "transformer.onnx", load_external_data=False).graph.node
    [first, *_] = (node for node in nodes if node.op_type == "SimplifiedLayerNormalization")
    [epsilon] = (a.f for a in first.attribute if a.name == "epsilon")
    return float(f"{epsilon:.6g}")


def adapter_state(tensors: Tensors, layers: int) -> dict[str, Tensor]:
    """A folder's adapter as an `Adapter` holds it. Of A and B the folder knows the product alone;
    the rows of A are given the length 1, as those of a new one have it on average."""
    state = {n: torch.from_numpy(tensors[n]) for n in ("mask_embedding", "final_norm")}
    for name in PROJECTIONS:
        parts: dict[str, list[Tensor]] = {"a": [], "b": []}
        for index in range(layers):
            key = f"layers.{index}.{name}"
            a, b = (torch.from_numpy(tensors[f"{key}.{part}"]).float() for part in "ab")
            length = a.norm(dim=1).clamp_min(1e-6)
            parts["a"].append(a / length[:, None])
            parts["b"].append(b * length * torch.from_numpy(tensors[f"{key}.scale"]))
        state |= {f"{part}.{name}": torch.stack(both) for part, both in parts.items()}
    return state


def drafter_state(tensors: Tensors) -> dict[str, Tensor]:
    """A folder's drafter as a `Drafter` holds it, less what is the base's."""
    state = {name: torch.from_numpy(tensors[name]) for name in ("tokens", "heads", "norm")}
    for name in MATRICES:
        matrix = (tensors[f"{name}.weight"] * tensors[f"{name}.scale"]).T
        state[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(matrix))
    return state
