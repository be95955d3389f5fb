"""The default model in torch: a frozen causal base, and a LoRA adapter that makes it a denoiser.

Two passes. `read_context`: the base over prefixes and suffixes, causal as they lie, without
gradient, kept as keys and values. `denoise`: base + adapter over canvases, each [last prefix token,
canvas], attending to the context that its gap may see. Masked places see the whole canvas, the
others what is left of them: so the token after a closed left part is predicted as a left-to-right
model would, and what is closed checks itself. Logits are shifted as in the base: the output at
place j predicts the token at j + 1.
Shapes: B windows of W places, K gaps a window, each with E places of its own (the end of its
prefix, its suffix); L = W + K E; V views a gap; U = K V canvases a window; T = 1 + C places a
canvas; G key/value heads, J query heads a group, D head size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .limits import MASK_ID
from .weights import Base, Shape

PROJECTIONS = ("q", "k", "v", "o", "gate", "up", "down")
ALPHA = 32
"""Effective weight = base + B A * ALPHA / rank."""

Layer = dict[str, Tensor]
Cache = list[tuple[Tensor, Tensor]]
"""Keys and values of a context, a pair [B, G, L, D] for each layer."""


class Adapter(nn.Module):
    """The trained part: LoRA matrices of every projection, the mask's embedding, the final norm."""

    def __init__(self, base: Base, rank: int) -> None:
        super().__init__()
        self.scale = ALPHA / rank
        self.a, self.b = nn.ParameterDict(), nn.ParameterDict()
        for index, layer in enumerate(base.layers):
            for name in PROJECTIONS:
                outputs, inputs = layer[name].shape
                a = torch.randn(rank, inputs) / math.sqrt(inputs)
                self.a[f"{index}_{name}"] = nn.Parameter(a)
                self.b[f"{index}_{name}"] = nn.Parameter(torch.zeros(outputs, rank))
        self.mask_embedding = nn.Parameter(torch.tensor(base.embedding.mean(0)))
        self.final_norm = nn.Parameter(torch.tensor(base.final_norm))

    def layer(self, index: int, kind: torch.dtype) -> tuple[Layer, Layer]:
        """A and B of one layer in the type that is computed with."""
        a = {name: self.a[f"{index}_{name}"].to(kind) for name in PROJECTIONS}
        return a, {name: self.b[f"{index}_{name}"].to(kind) for name in PROJECTIONS}


def save_adapter(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Writes an adapter's state as bf16 safetensors under the names `export folder` reads."""
    named = {}
    for key, tensor in tensors.items():
        if key[:2] in ("a.", "b."):
            index, name = key[2:].split("_")
            key = f"layers.{index}.{name}.lora_{key[0].upper()}"
        named[key] = tensor.to(torch.bfloat16).contiguous()
    unfinished = path.with_suffix(".part")
    save_file(named, unfinished)
    unfinished.replace(path)


def load_adapter(path: Path) -> dict[str, Tensor]:
    """The state of an `Adapter` from such a file."""
    state = {}
    for key, tensor in load_file(path).items():
        if key.startswith("layers."):
            _, index, name, matrix = key.split(".")
            key = f"{matrix[-1].lower()}.{index}_{name}"
        state[key] = tensor.float()
    return state


def rank_of(state: Mapping[str, Tensor]) -> int:
    return int(state["a.0_q"].shape[0])


@dataclass(frozen=True)
class Canvases:
    """What a denoising pass reads."""

    ids: Tensor
    """[B, U, T]: the last prefix token, then the canvas; MASK_ID where open."""
    positions: Tensor
    """[B, U, T]"""
    window_bias: Tensor
    """[B, K, W]: 0 where a gap's canvases see the window, very negative elsewhere."""
    own_bias: Tensor
    """[B, K, E]: the same for the gap's own places."""
    near_bias: Tensor
    """[B, K, V, T, T]: the same for what each place sees of its canvas."""


class Denoiser(nn.Module):
    """Base (frozen) and adapter (trained)."""

    def __init__(self, base: Base, adapter: Adapter, kind: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.shape, self.kind, self.adapter = base.shape, kind, adapter
        self.embedding = torch.tensor(base.embedding, dtype=kind)
        self.layers: list[Layer] = [
            {name: torch.tensor(matrix, dtype=kind) for name, matrix in layer.items()}
            for layer in base.layers
        ]
        self._context_layer = context_layer
        self._canvas_layer = canvas_layer

    def compile(self) -> None:  # type: ignore[override]
        """Compiles the two layers, once for each set of sizes."""
        torch._dynamo.config.cache_size_limit = 64
        self._context_layer = torch.compile(context_layer, dynamic=False)
        self._canvas_layer = torch.compile(canvas_layer, dynamic=False)

    @torch.no_grad()
    def read_context(self, ids: Tensor, positions: Tensor, bias: Tensor) -> Cache:
        """The base's keys and values of ids [B, L].

        Windows are read causally; `bias` [B, K, E, W + E] tells what a gap's own places see.
        """
        x = F.embedding(ids, self.embedding)
        rotation = self.rotation(positions)
        cache: Cache = []
        for layer in self.layers:
            x, keys, values = self._context_layer(x, layer, bias, *rotation, self.shape)
            cache.append((keys, values))
        return cache

    def denoise(self, canvases: Canvases, cache: Cache) -> Tensor:
        """Final hidden states [B, U, T, hidden] of base + adapter."""
        for x in self.after_layers(canvases, cache):  # noqa: B007
            pass
        return self.normed(x)

    def normed(self, x: Tensor) -> Tensor:
        """The final norm of what the last layer gives."""
        return rms_norm(x, self.adapter.final_norm.to(self.kind), self.shape)

    def after_layers(self, canvases: Canvases, cache: Cache) -> Iterator[Tensor]:
        """What each layer makes of the canvases [B, U, T, hidden]."""
        is_open = (canvases.ids == MASK_ID)[..., None]
        mask = self.adapter.mask_embedding.to(self.kind)
        x = torch.where(is_open, mask, F.embedding(canvases.ids, self.embedding))
        rotation = self.rotation(canvases.positions)
        biases = (canvases.window_bias, canvases.own_bias, canvases.near_bias)
        for index, layer in enumerate(self.layers):
            lora = (*self.adapter.layer(index, self.kind), self.adapter.scale)
            x = self._canvas_layer(x, layer, lora, cache[index], biases, *rotation, self.shape)
            yield x

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., hidden] -> float32 [..., vocabulary]."""
        return F.linear(hidden, self.embedding).float()

    def rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin [..., D] of RoPE in the half-rotation form."""
        half = torch.arange(0, self.shape.head_size, 2).float() / self.shape.head_size
        angles = positions[..., None].float() / self.shape.rope_theta**half
        angles = torch.cat([angles, angles], -1)
        return angles.cos().to(self.kind), angles.sin().to(self.kind)


def rms_norm(x: Tensor, weight: Tensor, shape: Shape) -> Tensor:
    return F.rms_norm(x, (shape.hidden,), weight, shape.norm_epsilon)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat([-right, left], -1) * sin


def context_layer(
    x: Tensor, layer: Layer, bias: Tensor, cos: Tensor, sin: Tensor, shape: Shape
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer of the base over [B, L, hidden], with the bias [B, K, E, W + E] of own places.

    No place of a gap sees those of another, so a gap's scores are taken over window and gap alone.
    Plain products, faster in bf16 than fused SDPA.
    """
    b, length, _ = x.shape
    _, k_gaps, e, seen = bias.shape
    w = seen - e
    g, d = shape.kv_heads, shape.head_size
    j = shape.heads // g
    h = rms_norm(x, layer["norm1"], shape)
    q = F.linear(h, layer["q"]).view(b, length, g * j, d)
    k = F.linear(h, layer["k"]).view(b, length, g, d)
    v = F.linear(h, layer["v"]).view(b, length, g, d).transpose(1, 2)
    cos, sin = cos[:, :, None], sin[:, :, None]
    q = rotate(q, cos, sin).view(b, length, g, j, d).transpose(1, 2) * d**-0.5
    k = rotate(k, cos, sin).transpose(1, 2)
    window_keys, window_values = (z[:, :, :w].reshape(b * g, w, d) for z in (k, v))
    own_keys, own_values = (z[:, :, w:].reshape(b * g * k_gaps, e, d) for z in (k, v))

    scores = torch.bmm(q[:, :, :w].reshape(b * g, w * j, d), window_keys.transpose(1, 2))
    causal = torch.ones(w, w, dtype=torch.bool).tril()[:, None]
    scores = scores.view(b * g, w, j, w).masked_fill(~causal, float("-inf"))
    weights = scores.softmax(-1).view(b * g, w * j, w)
    window = torch.bmm(weights, window_values).view(b, g, w, j, d)

    own_q = q[:, :, w:]
    far = torch.bmm(own_q.reshape(b * g, k_gaps * e * j, d), window_keys.transpose(1, 2))
    near = torch.bmm(own_q.reshape(b * g * k_gaps, e * j, d), own_keys.transpose(1, 2))
    by_gap = (b, g, k_gaps, e, j)
    scores = torch.cat([far.view(*by_gap, w), near.view(*by_gap, e)], -1)
    weights = (scores + bias[:, None, :, :, None]).softmax(-1)
    far, near = weights.split([w, e], -1)
    own = torch.bmm(far.reshape(b * g, k_gaps * e * j, w), window_values).view(*by_gap, d)
    near = torch.bmm(near.reshape(b * g * k_gaps, e * j, e), own_values)
    own = (own + near.view(*by_gap, d)).reshape(b, g, k_gaps * e, j, d)

    mixed = torch.cat([window, own], 2).transpose(1, 2)
    x = x + F.linear(mixed.reshape(b, length, g * j * d), layer["o"])
    h = rms_norm(x, layer["norm2"], shape)
    fed = F.silu(F.linear(h, layer["gate"])) * F.linear(h, layer["up"])
    return x + F.linear(fed, layer["down"]), k.contiguous(), v.contiguous()


def canvas_layer(
    x: Tensor,
    layer: Layer,
    lora: tuple[Layer, Layer, float],
    cached: tuple[Tensor, Tensor],
    biases: tuple[Tensor, Tensor, Tensor],
    cos: Tensor,
    sin: Tensor,
    shape: Shape,
) -> Tensor:
    """One layer of base + adapter over [B, U, T, hidden], with the three biases of `Canvases`."""
    lora_a, lora_b, scale = lora

    def project(name: str, x: Tensor) -> Tensor:
        low = F.linear(F.linear(x, lora_a[name]), lora_b[name])
        return F.linear(x, layer[name]) + low * scale

    b, u, t, _ = x.shape
    g, d = shape.kv_heads, shape.head_size
    j = shape.heads // g
    (_, k_gaps, w), e = biases[0].shape, biases[1].shape[2]
    views = u // k_gaps
    h = rms_norm(x, layer["norm1"], shape)
    cos, sin = cos[:, :, :, None], sin[:, :, :, None]
    q = rotate(project("q", h).view(b, u, t, g * j, d), cos, sin) * d**-0.5
    k = rotate(project("k", h).view(b, u, t, g, d), cos, sin)
    v = project("v", h).view(b, u, t, g, d)
    q = q.view(b, u, t, g, j, d).permute(0, 3, 1, 4, 2, 5)  # B, G, U, J, T, D
    k, v = (z.permute(0, 3, 1, 2, 4).reshape(b * g * u, t, d) for z in (k, v))
    window_keys, window_values = (z[:, :, :w].reshape(b * g, w, d) for z in cached)
    own_keys, own_values = (z[:, :, w:].reshape(b * g * k_gaps, e, d) for z in cached)
    shared = (b, g, k_gaps, views * j * t)
    far = torch.bmm(q.reshape(b * g, u * j * t, d), window_keys.transpose(1, 2)).view(*shared, w)
    own = torch.bmm(q.reshape(b * g * k_gaps, views * j * t, d), own_keys.transpose(1, 2))
    near = torch.bmm(q.reshape(b * g * u, j * t, d), k.transpose(1, 2))
    near = near.view(b, g, k_gaps, views, j, t, t) + biases[2][:, None, :, :, None]
    near = near.view(*shared, t)
    far = far + biases[0][:, None, :, None]
    own = own.view(*shared, e) + biases[1][:, None, :, None]
    weights = torch.cat([far, own, near], -1).softmax(-1)
    far, own, near = weights.split([w, e, t], -1)
    mixed = torch.bmm(far.reshape(b * g, u * j * t, w), window_values).view(*shared, d)
    own = torch.bmm(own.reshape(b * g * k_gaps, views * j * t, e), own_values)
    near = torch.bmm(near.reshape(b * g * u, j * t, t), v)
    mixed = mixed + own.view(*shared, d) + near.view(*shared, d)
    mixed = mixed.view(b, g, u, j, t, d).permute(0, 2, 4, 1, 3, 5).reshape(b, u, t, g * j * d)
    x = x + project("o", mixed)
    h = rms_norm(x, layer["norm2"], shape)
    return x + project("down", F.silu(project("gate", h)) * project("up", h))
