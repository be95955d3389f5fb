"""The default model in torch: a frozen causal base, and a LoRA adapter that makes it a denoiser.

One pass reads whole rows (`packing.py`): windows, what follows their gaps, and canvases. Logits are
shifted as in the base: the output at place j predicts the token at j + 1.
Shapes: B rows of R places, G key/value heads, J query heads a group, D head size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.errors import ModelFolderError

from .limits import MASK_ID
from .sight import Attend
from .weights import Base, Shape

PROJECTIONS = ("q", "k", "v", "o", "gate", "up", "down")
ALPHA = 32
"""Effective weight = base + B A * ALPHA / rank."""

Layer = dict[str, Tensor]
Heads = Sequence[tuple[int, int]]
"""Layer and query head of each, in rising order."""


class Adapter(nn.Module):
    """The trained part: LoRA matrices of every projection, the mask's embedding, the final norm."""

    def __init__(self, base: Base, rank: int) -> None:
        super().__init__()
        self.scale = ALPHA / rank
        self.a, self.b = nn.ParameterDict(), nn.ParameterDict()
        for name in PROJECTIONS:
            outputs, inputs = base.layers[0][name].shape
            count = len(base.layers)
            self.a[name] = nn.Parameter(torch.randn(count, rank, inputs) / math.sqrt(inputs))
            self.b[name] = nn.Parameter(torch.zeros(count, outputs, rank))
        self.mask_embedding = nn.Parameter(torch.tensor(base.embedding.mean(0)))
        self.final_norm = nn.Parameter(torch.tensor(base.final_norm))

    def merged(self, name: str, weight: Tensor) -> Tensor:
        """[layers, out, in] the base's matrices of one projection with this change."""
        a, b = self.a[name].to(weight.dtype), self.b[name].to(weight.dtype)
        return torch.baddbmm(weight, b, a, alpha=self.scale)


def save_adapter(adapter: Adapter, path: Path, *, base: str = "gguf") -> None:
    """Writes an adapter as bf16 safetensors under the names `export folder` reads. `base` tells
    what it was trained on: "folder" for the base of a model folder, as that has it."""
    state = adapter.state_dict()
    named = {name: state[name] for name in ("mask_embedding", "final_norm")}
    for name in PROJECTIONS:
        for index, (a, b) in enumerate(zip(state[f"a.{name}"], state[f"b.{name}"], strict=True)):
            named |= {f"layers.{index}.{name}.lora_A": a, f"layers.{index}.{name}.lora_B": b}
    unfinished = path.with_suffix(".part")
    tensors = {n: t.to("cpu", torch.bfloat16).contiguous() for n, t in named.items()}
    save_file(tensors, unfinished, {"base": base})
    unfinished.replace(path)


def read_trained(path: Path, wanted: str) -> tuple[dict[str, Tensor], str]:
    """The tensors of an adapter or a drafter in float32, and what `save_adapter` told of the base.

    Raises ModelFolderError if the file is missing, damaged, or without the tensor `wanted`.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            base = (file.metadata() or {}).get("base", "gguf")
    except (OSError, SafetensorError) as error:
        raise ModelFolderError(
            f"{path}: cannot be read ({error}); `python -m export train` writes such files"
        ) from None
    if wanted not in tensors:
        raise ModelFolderError(
            f"{path}: has no tensor {wanted}; are adapter and drafter exchanged?"
        )
    return tensors, base


def load_adapter(path: Path) -> dict[str, Tensor]:
    """The state of an `Adapter` from such a file.

    Raises ModelFolderError if it cannot be read, or is no adapter of the base that is in the GGUF.
    """
    tensors, base = read_trained(path, "mask_embedding")
    if base == "folder":
        raise ModelFolderError(
            f"{path}: was trained on a model folder's base, not on the GGUF's; put it into that "
            "folder (`python -m export folder --adapter-only`) and use `evaluate --model`"
        )
    state = {name: tensors[name] for name in ("mask_embedding", "final_norm")}
    layers = sum(name.endswith(".q.lora_A") for name in tensors)
    for name in PROJECTIONS:
        for ours, theirs in (("a", "lora_A"), ("b", "lora_B")):
            parts = [tensors[f"layers.{index}.{name}.{theirs}"] for index in range(layers)]
            state[f"{ours}.{name}"] = torch.stack(parts)
    return state


def rank_of(state: Mapping[str, Tensor]) -> int:
    return int(state["a.q"].shape[1])


@dataclass(frozen=True)
class Read:
    """What a pass made of rows; all but `hidden` without gradient."""

    hidden: Tensor
    """[B, R, hidden] final states."""
    taps: Tensor
    """[B, R, taps, hidden] what the layers at the taps made of the places."""
    queries: Tensor
    """[B, H, R, D] of the heads asked for, rotated to their positions."""
    keys: Tensor
    values: Tensor
    """The same of what they look at."""


class Denoiser(nn.Module):
    """Base (frozen) and adapter (trained)."""

    embedding: Tensor

    def __init__(self, base: Base, adapter: Adapter, kind: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.shape, self.kind, self.adapter = base.shape, kind, adapter
        self.register_buffer("embedding", torch.tensor(base.embedding, dtype=kind))
        for name in (*PROJECTIONS, "norm1", "norm2"):
            stacked = torch.stack([torch.tensor(layer[name], dtype=kind) for layer in base.layers])
            self.register_buffer(f"base_{name}", stacked)
        self._before, self._after = before_attention, after_attention
        self._cross_entropy = cross_entropy

    def compile(self) -> None:
        """Compiles what a pass is made of, once for each set of sizes."""
        self._before = torch.compile(before_attention, dynamic=False)
        self._after = torch.compile(after_attention, dynamic=False)
        self._cross_entropy = torch.compile(cross_entropy, dynamic=False)

    def forward(self, ids: Tensor, positions: Tensor, attend: Attend, heads: Heads = ()) -> Read:
        """A pass over rows [B, R]."""
        mask = self.adapter.mask_embedding.to(self.kind)
        x = torch.where((ids == MASK_ID)[..., None], mask, F.embedding(ids, self.embedding))
        cos, sin = (part.to(self.kind) for part in rotation(self.shape, positions))
        after: dict[int, Tensor] = {}
        parts: list[Tensor] = []
        for index, layer in enumerate(self._layers(), 1):
            q, k, v = self._before(x, layer, cos, sin, self.shape)
            x = self._after(x, attend(q, k, v), layer, self.shape)
            after[index] = x.detach()
            its = [head for of, head in heads if of == index - 1]
            parts.append(torch.stack([part[:, its].detach() for part in (q, k, v)]))
        hidden = rms_norm(x, self.adapter.final_norm.to(self.kind), self.shape)
        taps = torch.stack([after[count] for count in self.shape.taps], 2)
        return Read(hidden, taps, *torch.cat(parts, 2).unbind())

    def cross_entropy(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """float32 [...] nats of the tokens `targets` for final hidden states [..., hidden]."""
        return self._cross_entropy(hidden, self.embedding, targets)

    def _layers(self) -> list[Layer]:
        stacked = {name: getattr(self, f"base_{name}") for name in ("norm1", "norm2")}
        for name in PROJECTIONS:
            stacked[name] = self.adapter.merged(name, getattr(self, f"base_{name}"))
        parts = zip(*(tensor.unbind() for tensor in stacked.values()), strict=True)
        return [dict(zip(stacked, part, strict=True)) for part in parts]


def rotation(shape: Shape, positions: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin [B, 1, R, D] of RoPE in the half-rotation form, for positions [B, R]."""
    half = torch.arange(0, shape.head_size, 2, device=positions.device).float() / shape.head_size
    angles = positions[:, None, :, None] / shape.rope_theta**half
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rms_norm(x: Tensor, weight: Tensor, shape: Shape) -> Tensor:
    return F.rms_norm(x, (shape.hidden,), weight, shape.norm_epsilon)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat([-right, left], -1) * sin


def before_attention(
    x: Tensor, layer: Layer, cos: Tensor, sin: Tensor, shape: Shape
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values [B, heads, R, D] of one layer; each query head has its own keys."""
    b, r, _ = x.shape
    g, d = shape.kv_heads, shape.head_size
    h = rms_norm(x, layer["norm1"], shape)
    q = F.linear(h, layer["q"]).view(b, r, shape.heads, d).transpose(1, 2)
    k = F.linear(h, layer["k"]).view(b, r, g, d).transpose(1, 2)
    v = F.linear(h, layer["v"]).view(b, r, g, d).transpose(1, 2)
    q, k = rotate(q, cos, sin), rotate(k, cos, sin)
    j = shape.heads // g
    k, v = (z.repeat_interleave(j, 1).contiguous() for z in (k, v))
    return q.contiguous(), k, v


def after_attention(x: Tensor, mixed: Tensor, layer: Layer, shape: Shape) -> Tensor:
    """The rest of the layer, from what attention gathered [B, heads, R, D]."""
    b, r, _ = x.shape
    x = x + F.linear(mixed.transpose(1, 2).reshape(b, r, -1), layer["o"])
    h = rms_norm(x, layer["norm2"], shape)
    fed = F.silu(F.linear(h, layer["gate"])) * F.linear(h, layer["up"])
    return x + F.linear(fed, layer["down"])


def cross_entropy(hidden: Tensor, embedding: Tensor, targets: Tensor) -> Tensor:
    logits = F.linear(hidden, embedding).float()
    return logits.logsumexp(-1) - logits.gather(-1, targets[..., None])[..., 0]
