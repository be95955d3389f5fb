"""The three ONNX graphs of a cached-family model, written node by node; they hold no weights.

- `context.onnx`: the frozen base over new tokens, causal, after the cached keys and values.
- `canvas.onnx`: the denoiser (base + adapter, merged at load) over [last prefix token, canvas],
  bidirectional, with the context's keys and values as inputs.
- `head.onnx`: hidden rows -> the K most probable tokens, and the probabilities of two given ones.

Weights are declared external under the names of `weights.py`; the engine supplies them in memory, so
both networks share the embedding and an adapter can be exchanged without a new graph.

Made by hand because exporters leave what costs most on a small canvas: a concatenated cache without
fused attention, unfused norms, three GEMMs where one does. Measured choices are in docs/design.md.
Shapes: B canvases, T tokens, P cached tokens, G key/value heads, D head size, J query heads a group.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .weights import Shape

MS = "com.microsoft"
OPSETS = (helper.make_opsetid("", 21), helper.make_opsetid(MS, 1))
IR_VERSION = 10
NEVER = -1e30
"""Logit of a token that may not be proposed."""


@dataclass
class Graph:
    """A graph under construction; every method appends and returns value names."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    initialisers: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def op(self, kind: str, inputs: list[str], outputs: int = 1, **attributes: object) -> list[str]:
        """Appends a node; empty input names are left out, as ONNX wants it."""
        names = [f"v{len(self.nodes)}.{index}" for index in range(outputs)]
        fused = kind in FUSED
        self.nodes.append(
            helper.make_node(kind, inputs, names, domain=MS if fused else "", **attributes)
        )
        return names

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """A small tensor kept inside the graph."""
        self.initialisers[name] = numpy_helper.from_array(value, name)
        return name

    def shape(self, *sizes: int) -> str:
        """A shape or split as a constant, shared by all nodes that want the same."""
        return self.constant("i" + "_".join(map(str, sizes)), np.array(sizes, np.int64))

    def weight(self, name: str, kind: int, *sizes: int) -> str:
        """A tensor that the engine supplies."""
        tensor = TensorProto(name=name, data_type=kind, dims=sizes)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="supplied-by-the-engine")
        self.initialisers[name] = tensor
        return name

    def input(self, name: str, kind: int, *sizes: int | str) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, sizes))
        return name

    def output(self, value: str, name: str, kind: int, *sizes: int | str) -> None:
        """Declares `value` as an output called `name`."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, sizes))

    def model(self, name: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes, name, self.inputs, self.outputs, list(self.initialisers.values())
        )
        model = helper.make_model(graph, opset_imports=OPSETS, producer_name="lacuna")
        model.ir_version = IR_VERSION
        return model


FUSED = {
    "DynamicQuantizeMatMul",
    "MultiHeadAttention",
    "QuickGelu",
    "RotaryEmbedding",
    "SkipSimplifiedLayerNormalization",
}
"""Operators of ONNX Runtime's own domain."""


def context_graph(shape: Shape, positions: int) -> onnx.ModelProto:
    """The base, causal: embeddings, positions, cache and bias in; new keys, values, hidden out.

    `bias` [1, 1, J T, P + T] is 0 where a query may look and very negative elsewhere; queries that
    share a key head follow each other, so row t J + j belongs to token t.
    """
    graph = Graph()
    x = transformer(graph, shape, positions, batch=1, cache="past", bias=True)
    graph.output(x, "hidden", TensorProto.FLOAT, 1, "T", shape.hidden)
    return graph.model("context")


def canvas_graph(shape: Shape, positions: int) -> onnx.ModelProto:
    """The denoiser, bidirectional: embeddings, positions and the context's cache in; hidden out."""
    graph = Graph()
    x = transformer(graph, shape, positions, batch="B", cache="P", bias=False)
    graph.output(x, "hidden", TensorProto.FLOAT, "B", "T", shape.hidden)
    return graph.model("canvas")


def transformer(
    graph: Graph, shape: Shape, positions: int, *, batch: int | str, cache: str, bias: bool
) -> str:
    """All layers and the final norm; with `bias` the new keys and values become outputs."""
    x = graph.input("x", TensorProto.FLOAT, batch, "T", shape.hidden)
    graph.input("position", TensorProto.INT64, batch, "T")
    for index in range(shape.layers):
        for kind in ("key", "value"):
            name = f"past_{kind}.{index}"
            graph.input(name, TensorProto.FLOAT, batch, shape.kv_heads, cache, shape.head_size)
    if bias:
        graph.input("bias", TensorProto.FLOAT, 1, 1, "rows", "columns")
    rotary_tables(graph, shape, positions)
    norm = graph.weight("layers.0.norm1", TensorProto.FLOAT, shape.hidden)
    [hidden] = graph.op(
        "SimplifiedLayerNormalization", [x, norm], axis=-1, epsilon=shape.norm_epsilon
    )
    residual = x
    for index in range(shape.layers):
        attended = attention(graph, shape, index, hidden, bias=bias)
        hidden, residual = add_norm(graph, shape, residual, attended, f"layers.{index}.norm2")
        fed = feed_forward(graph, shape, index, hidden)
        last = index + 1 == shape.layers
        following = "final_norm" if last else f"layers.{index + 1}.norm1"
        hidden, residual = add_norm(graph, shape, residual, fed, following)
    return hidden


def rotary_tables(graph: Graph, shape: Shape, positions: int) -> None:
    """cos and sin [positions, D / 2] of RoPE."""
    half = np.arange(0, shape.head_size, 2, dtype=np.float64) / shape.head_size
    angles = np.arange(positions)[:, None] / shape.rope_theta**half
    graph.constant("cos", np.cos(angles).astype(np.float32))
    graph.constant("sin", np.sin(angles).astype(np.float32))


def add_norm(graph: Graph, shape: Shape, x: str, y: str, weight: str) -> tuple[str, str]:
    """RMS norm of x + y, and x + y itself, in one node."""
    graph.weight(weight, TensorProto.FLOAT, shape.hidden)
    inputs = [x, y, weight]
    names = graph.op(
        "SkipSimplifiedLayerNormalization", inputs, outputs=4, epsilon=shape.norm_epsilon
    )
    graph.nodes[-1].output[1] = graph.nodes[-1].output[2] = ""
    return names[0], names[3]


def linear(graph: Graph, x: str, name: str, rows: int, columns: int) -> str:
    """x @ weight in int8: x quantised per tensor as it comes, the weight one scale a column.

    MLAS has VNNI kernels for this; MatMulNBits was two to three times slower from 9 rows on.
    """
    weight = graph.weight(f"{name}.weight", TensorProto.INT8, rows, columns)
    scale = graph.weight(f"{name}.scale", TensorProto.FLOAT, columns)
    return graph.op("DynamicQuantizeMatMul", [x, weight, scale])[0]


def attention(graph: Graph, shape: Shape, index: int, x: str, *, bias: bool) -> str:
    """Grouped-query attention; heads that share a key head are folded into the sequence.

    So MultiHeadAttention runs with G heads and J T queries: no key is repeated in memory.
    """
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    layer = f"layers.{index}"
    qkv = linear(graph, x, f"{layer}.qkv", shape.hidden, queries + 2 * keys)
    qk, v = graph.op("Split", [qkv, graph.shape(queries + keys, keys)], outputs=2, axis=2)
    [qk] = graph.op(
        "RotaryEmbedding",
        [qk, "position", "cos", "sin"],
        num_heads=shape.heads + shape.kv_heads,
        rotary_embedding_dim=0,
    )
    q, k = graph.op("Split", [qk, graph.shape(queries, keys)], outputs=2, axis=2)
    k, v = by_head(graph, shape, k), by_head(graph, shape, v)
    if bias:
        sizes = (1, shape.kv_heads, "T", shape.head_size)
        graph.output(k, f"key.{index}", TensorProto.FLOAT, *sizes)
        graph.output(v, f"value.{index}", TensorProto.FLOAT, *sizes)
    [k] = graph.op("Concat", [f"past_key.{index}", k], axis=2)
    [v] = graph.op("Concat", [f"past_value.{index}", v], axis=2)
    [q] = graph.op("Reshape", [q, graph.shape(0, -1, keys)])
    inputs = [q, k, v, "", "", "bias"] if bias else [q, k, v]
    [a] = graph.op("MultiHeadAttention", inputs, num_heads=shape.kv_heads)
    [a] = graph.op("Reshape", [a, graph.shape(0, -1, queries)])
    return linear(graph, a, f"{layer}.o", queries, shape.hidden)


def by_head(graph: Graph, shape: Shape, x: str) -> str:
    """[B, T, G D] -> [B, G, T, D]."""
    [x] = graph.op("Reshape", [x, graph.shape(0, 0, shape.kv_heads, shape.head_size)])
    return graph.op("Transpose", [x], perm=[0, 2, 1, 3])[0]


def feed_forward(graph: Graph, shape: Shape, index: int, x: str) -> str:
    """SwiGLU: down(silu(gate) * up); QuickGelu with alpha 1 is SiLU in one node."""
    layer = f"layers.{index}"
    both = linear(graph, x, f"{layer}.gate_up", shape.hidden, 2 * shape.ffn)
    gate, up = graph.op("Split", [both, graph.shape(shape.ffn, shape.ffn)], outputs=2, axis=2)
    [gate] = graph.op("QuickGelu", [gate], alpha=1.0)
    [product] = graph.op("Mul", [gate, up])
    return linear(graph, product, f"{layer}.down", shape.ffn, shape.hidden)


def head_graph(shape: Shape, proposals: int, end_id: int, never: list[int]) -> onnx.ModelProto:
    """Rows [M, hidden] and the tokens `current` [M] -> ids, log_probs [M, K], end, current [M].

    The softmax runs over all tokens but `never`; only K of them leave the graph, since copying and
    sorting rows of the whole vocabulary in Python would cost more than the product.
    """
    graph = Graph()
    graph.input("rows", TensorProto.FLOAT, "M", shape.hidden)
    graph.input("current", TensorProto.INT64, "M")
    graph.weight("embedding.weight", TensorProto.INT8, shape.hidden, shape.vocabulary)
    graph.weight("embedding.scale", TensorProto.FLOAT, shape.vocabulary)
    bias = np.zeros(shape.vocabulary, np.float32)
    bias[never] = NEVER
    graph.constant("never", bias)
    [logits] = graph.op(
        "DynamicQuantizeMatMul", ["rows", "embedding.weight", "embedding.scale", "", "never"]
    )
    [log_probs] = graph.op("LogSoftmax", [logits], axis=-1)
    best, ids = graph.op("TopK", [log_probs, graph.shape(proposals)], outputs=2, axis=-1)
    graph.constant("end_id", np.array(end_id, np.int64))
    [end] = graph.op("Gather", [log_probs, "end_id"], axis=1)
    [column] = graph.op("Unsqueeze", ["current", graph.shape(1)])
    [current] = graph.op("GatherElements", [log_probs, column], axis=1)
    [current] = graph.op("Squeeze", [current, graph.shape(1)])
    graph.output(ids, "ids", TensorProto.INT64, "M", proposals)
    graph.output(best, "log_probs", TensorProto.FLOAT, "M", proposals)
    graph.output(end, "end_log_prob", TensorProto.FLOAT, "M")
    graph.output(current, "current_log_prob", TensorProto.FLOAT, "M")
    return graph.model("head")
