"""GGUF weights -> the int8 matrices of a model folder, in numpy.

The GEMMs of a layer as the graphs in `onnx_graph.py` want them: `qkv` [hidden, q + k + v], `o`,
`gate`, `up`, `down`, each [in, out] with one scale a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import LacunaError
from engine.weights import quantise

if TYPE_CHECKING:
    from gguf import GGUFReader

Floats = NDArray[np.float32]

MATRICES = {
    "qkv": ("q", "k", "v"),
    "o": ("o",),
    "gate": ("gate",),
    "up": ("up",),
    "down": ("down",),
}
"""Fused matrix -> the projections it holds, in the order of its columns."""

GGUF_NAMES = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the base network."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    rope_theta: float
    norm_epsilon: float

    @property
    def taps(self) -> tuple[int, int]:
        """After so many layers a drafter sees what a canvas pass has made of a place."""
        return max(self.layers // 3, 1), max(2 * self.layers // 3, 1)


@dataclass(frozen=True, slots=True)
class Base:
    """The base network in float32; matrices as [out, in], heads in half-rotation order."""

    shape: Shape
    embedding: Floats
    final_norm: Floats
    layers: tuple[dict[str, Floats], ...]
    """Per layer: the projections of GGUF_NAMES, and "norm1", "norm2"."""


def open_gguf(path: Path) -> GGUFReader:
    """What stands in a GGUF file. Raises LacunaError if it is none, cut short, or no Llama."""
    from gguf import GGUFReader  # not wanted by a machine that goes on from a model folder

    try:
        reader = GGUFReader(str(path))
    except (ValueError, IndexError) as error:
        raise LacunaError(
            f"{path}: cannot be read as GGUF ({error}); name another file with --gguf, or none"
        ) from None
    if "llama.block_count" not in reader.fields:
        raise LacunaError(
            f"{path}: has no network of Llama's shape; name another file with --gguf, or none"
        )
    return reader


def read_gguf(path: Path) -> Base:
    """Reads a Llama-shaped GGUF file, dequantised, q and k rows put back in half-rotation order.

    Raises LacunaError if it is no such file, or cut short.
    """
    from gguf import dequantize

    reader = open_gguf(path)
    tensors = {
        t.name: np.asarray(dequantize(t.data, t.tensor_type), np.float32) for t in reader.tensors
    }

    def number(name: str) -> float:
        return float(reader.fields[f"llama.{name}"].contents())

    heads = int(number("attention.head_count"))
    vocabulary, hidden = tensors["token_embd.weight"].shape
    shape = Shape(
        vocabulary=vocabulary,
        hidden=hidden,
        layers=int(number("block_count")),
        heads=heads,
        kv_heads=int(number("attention.head_count_kv")),
        head_size=hidden // heads,
        ffn=int(number("feed_forward_length")),
        rope_theta=number("rope.freq_base"),
        norm_epsilon=round(number("attention.layer_norm_rms_epsilon"), 12),
    )
    layers = []
    for index in range(shape.layers):
        layer = {
            ours: tensors[f"blk.{index}.{theirs}.weight"] for ours, theirs in GGUF_NAMES.items()
        }
        layer["q"] = half_rotation(layer["q"], shape.heads)
        layer["k"] = half_rotation(layer["k"], shape.kv_heads)
        layer["norm1"] = tensors[f"blk.{index}.attn_norm.weight"]
        layer["norm2"] = tensors[f"blk.{index}.ffn_norm.weight"]
        layers.append(layer)
    return Base(shape, tensors["token_embd.weight"], tensors["output_norm.weight"], tuple(layers))


def half_rotation(weight: Floats, heads: int) -> Floats:
    """Undoes GGUF's interleaved order of the rows of q and k ([out, in])."""
    rows, columns = weight.shape
    return (
        weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def fused_layers(base: Base) -> Iterator[dict[str, NDArray[np.generic]]]:
    """The tensors of each layer as the graphs name them, without the `layers.N.` before them."""
    for layer in base.layers:
        tensors: dict[str, NDArray[np.generic]] = {name: layer[name] for name in ("norm1", "norm2")}
        for name, parts in MATRICES.items():
            fused = np.concatenate([layer[part] for part in parts]).T
            tensors[f"{name}.weight"], tensors[f"{name}.scale"] = quantise(fused)
        yield tensors


def folder_tensors(base: Base) -> dict[str, dict[str, NDArray[np.generic]]]:
    """File name -> tensors of the base, each file under 100 MB."""
    half = (base.shape.layers + 1) // 2
    first: dict[str, NDArray[np.generic]] = {}
    second: dict[str, NDArray[np.generic]] = {"final_norm": base.final_norm}
    for index, tensors in enumerate(fused_layers(base)):
        into = first if index < half else second
        into.update({f"layers.{index}.{name}": value for name, value in tensors.items()})
    weight, scale = quantise(base.embedding.T)
    embedding = {"embedding.weight": np.ascontiguousarray(weight.T), "embedding.scale": scale}
    return {
        "base-1.safetensors": first,
        "base-2.safetensors": second,
        "embedding.safetensors": embedding,
    }


def adapter_tensors(adapter: dict[str, Floats], shape: Shape) -> dict[str, NDArray[np.generic]]:
    """A trained adapter (`layers.N.NAME.lora_A` [rank, in], `.lora_B` [out, rank]) for the folder.

    A is kept as int8 with a scale for each rank row, B with one for each rank column.
    """
    tensors: dict[str, NDArray[np.generic]] = {
        name: adapter[name] for name in ("mask_embedding", "final_norm")
    }
    for index in range(shape.layers):
        for name in GGUF_NAMES:
            key = f"layers.{index}.{name}"
            a, b = adapter[f"{key}.lora_A"], adapter[f"{key}.lora_B"]
            a_columns, a_scale = quantise(np.ascontiguousarray(a.T))
            tensors[f"{key}.a"] = np.ascontiguousarray(a_columns.T)
            tensors[f"{key}.b"], b_scale = quantise(b)
            tensors[f"{key}.scale"] = a_scale * b_scale
    return tensors
