"""The ONNX graphs of a cached-family model, written node by node; they hold no weights.

- `transformer.onnx`: the model over some tokens, which see of those before them and of each other
  what an input says: causal for a text, more for a canvas. Keys and values of what was there come
  out again with the new ones behind them; where input and output are the same memory they stay
  where they are, so no step over a canvas copies its context.
- `head.onnx`: hidden rows -> the K most probable tokens, and the probabilities of two given ones.
- `draft.onnx`: a draft and one more token -> the tokens likely after it.

Weights are declared external under the names of `weights.py`, and the engine supplies them in
memory, base and adapter merged: so an adapter can be exchanged without a new graph.

Made by hand because exporters leave what costs most on a small canvas: a cache that is copied at
every step, key heads repeated for their queries, unfused norms, three GEMMs where one does. What
was measured is in docs/speed.md.
Shapes: T tokens, P tokens before them, N = P + T, S = N or the places of a buffer, G key/value
heads, D head size.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .weights import Shape

MS = "com.microsoft"
OPSETS = (helper.make_opsetid("", 23), helper.make_opsetid(MS, 1))
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

    def op(
        self,
        kind: str,
        inputs: list[str],
        outputs: int = 1,
        names: list[str] | None = None,
        **attributes: object,
    ) -> list[str]:
        """Appends a node; an empty name is an optional input or output left out."""
        names = names or [f"v{len(self.nodes)}.{index}" for index in range(outputs)]
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

    def output(self, name: str, kind: int, *sizes: int | str) -> None:
        """Declares the value of this name an output."""
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
    "GroupQueryAttention",
    "QuickGelu",
    "RotaryEmbedding",
    "SkipSimplifiedLayerNormalization",
}
"""Operators of ONNX Runtime's own domain."""


def transformer_graph(shape: Shape, positions: int) -> onnx.ModelProto:
    """All layers and the final norm: `x` to `hidden`, both [1, T, hidden].

    `last` [1] is the index of the last key, `total` the number of keys, N: T of them are new, and
    stand behind the others in `key.N` and `value.N`. `bias` is added to the scores of N keys for T
    places. What the layers that a drafter looks at make of x comes out too, as `inner`
    [1, T, taps hidden].
    """
    graph = Graph()
    x = graph.input("x", TensorProto.FLOAT, 1, "T", shape.hidden)
    graph.input("position", TensorProto.INT64, 1, "T")
    graph.input("bias", TensorProto.FLOAT, 1, 1, "T", "N")
    graph.input("last", TensorProto.INT32, 1)
    graph.input("total", TensorProto.INT32)
    for index in range(shape.layers):
        for kind in ("key", "value"):
            graph.input(f"past_{kind}.{index}", TensorProto.FLOAT, *cached(shape, "P"))
            graph.output(f"{kind}.{index}", TensorProto.FLOAT, *cached(shape, "S"))
    rotary_tables(graph, shape, positions)
    norm = graph.weight("layers.0.norm1", TensorProto.FLOAT, shape.hidden)
    [hidden] = graph.op(
        "SimplifiedLayerNormalization", [x, norm], axis=-1, epsilon=shape.norm_epsilon
    )
    heads = shape.heads * shape.head_size
    packed = heads + 2 * shape.kv_heads * shape.head_size
    residual = x
    after = {}
    for index in range(shape.layers):
        qkv = linear(graph, hidden, f"layers.{index}.qkv", shape.hidden, packed)
        mixed = attention(graph, shape, index, qkv)
        attended = linear(graph, mixed, f"layers.{index}.o", heads, shape.hidden)
        hidden, residual = add_norm(graph, shape, residual, attended, f"layers.{index}.norm2")
        fed = feed_forward(graph, shape, index, hidden)
        last = index + 1 == shape.layers
        following = "final_norm" if last else f"layers.{index + 1}.norm1"
        name = "hidden" if last else None
        hidden, residual = add_norm(graph, shape, residual, fed, following, name)
        after[index + 1] = residual
    if shape.taps:
        graph.op("Concat", [after[count] for count in shape.taps], names=["inner"], axis=2)
        graph.output("inner", TensorProto.FLOAT, 1, "T", len(shape.taps) * shape.hidden)
    graph.output("hidden", TensorProto.FLOAT, 1, "T", shape.hidden)
    return graph.model("transformer")


def cached(shape: Shape, tokens: str) -> tuple[int | str, ...]:
    """The axes of a layer's keys or values of so many tokens."""
    return 1, shape.kv_heads, tokens, shape.head_size


def rotary_tables(graph: Graph, shape: Shape, positions: int) -> None:
    """cos and sin [positions, D / 2] of RoPE."""
    half = np.arange(0, shape.head_size, 2, dtype=np.float64) / shape.head_size
    angles = np.arange(positions)[:, None] / shape.rope_theta**half
    graph.constant("cos", np.cos(angles).astype(np.float32))
    graph.constant("sin", np.sin(angles).astype(np.float32))


def add_norm(
    graph: Graph, shape: Shape, x: str, y: str, weight: str, name: str | None = None
) -> tuple[str, str]:
    """RMS norm of x + y, and x + y itself, in one node."""
    graph.weight(weight, TensorProto.FLOAT, shape.hidden)
    node = len(graph.nodes)
    names = [name or f"v{node}.norm", "", "", f"v{node}.sum"]
    graph.op(
        "SkipSimplifiedLayerNormalization", [x, y, weight], names=names, epsilon=shape.norm_epsilon
    )
    return names[0], names[3]


def linear(graph: Graph, x: str, name: str, rows: int, columns: int) -> str:
    """x @ weight in int8: x quantised as it comes, with one scale; the weight one scale a column.

    MLAS has VNNI kernels for this; MatMulNBits was two to three times slower from 9 rows on.
    """
    weight = graph.weight(f"{name}.weight", TensorProto.INT8, rows, columns)
    scale = graph.weight(f"{name}.scale", TensorProto.FLOAT, columns)
    return graph.op("DynamicQuantizeMatMul", [x, weight, scale])[0]


def linear_by_row(graph: Graph, x: str, name: str, rows: int, columns: int) -> str:
    """The same with every row of x divided by its largest magnitude: one scale then suits all rows.

    Between the two matrices of a feed-forward block some tokens are a hundred times as large as
    others. Quantised together they leave the others no bits. Before the other matrices the rows are
    alike enough, and five more nodes for each would cost 5 % of a step.
    """
    [magnitude] = graph.op("Abs", [x])
    [largest] = graph.op("ReduceMax", [magnitude, graph.shape(-1)], keepdims=1)
    graph.constant("tiny", np.array(1e-12, np.float32))
    [size] = graph.op("Add", [largest, "tiny"])
    [unit] = graph.op("Div", [x, size])
    return graph.op("Mul", [linear(graph, unit, name, rows, columns), size])[0]


def attention(graph: Graph, shape: Shape, index: int, qkv: str) -> str:
    """Rotation, cache and grouped-query attention [1, T, heads D] in one node."""
    past = [f"past_key.{index}", f"past_value.{index}"]
    return graph.op(
        "GroupQueryAttention",
        [qkv, "", "", *past, "last", "total", "cos", "sin", "position", "bias"],
        names=[f"mixed.{index}", f"key.{index}", f"value.{index}"],
        num_heads=shape.heads,
        kv_num_heads=shape.kv_heads,
        do_rotary=1,
        causal=0,
    )[0]


def feed_forward(graph: Graph, shape: Shape, index: int, x: str) -> str:
    """SwiGLU: down(silu(gate) * up); QuickGelu with alpha 1 is SiLU in one node."""
    layer = f"layers.{index}"
    gate = linear(graph, x, f"{layer}.gate", shape.hidden, shape.ffn)
    up = linear(graph, x, f"{layer}.up", shape.hidden, shape.ffn)
    [gate] = graph.op("QuickGelu", [gate], alpha=1.0)
    [product] = graph.op("Mul", [gate, up])
    return linear_by_row(graph, product, f"{layer}.down", shape.ffn, shape.hidden)


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
    graph.op("TopK", [log_probs, graph.shape(proposals)], names=["log_probs", "ids"], axis=-1)
    graph.constant("end_id", np.array(end_id, np.int64))
    graph.op("Gather", [log_probs, "end_id"], names=["end_log_prob"], axis=1)
    [column] = graph.op("Unsqueeze", ["current", graph.shape(1)])
    [current] = graph.op("GatherElements", [log_probs, column], axis=1)
    graph.op("Squeeze", [current, graph.shape(1)], names=["current_log_prob"])
    graph.output("ids", TensorProto.INT64, "M", proposals)
    graph.output("log_probs", TensorProto.FLOAT, "M", proposals)
    graph.output("end_log_prob", TensorProto.FLOAT, "M")
    graph.output("current_log_prob", TensorProto.FLOAT, "M")
    return graph.model("head")


def product_graph(rows: int = 64, columns: int = 32) -> onnx.ModelProto:
    """`x` [T, rows] times weights that are all 1: `product` [T, columns].

    In int8 both are as large as can be, so a processor that cuts sums off shows it here. It is kept
    as `engine/product.onnx`, since the engine has no library that writes graphs.
    """
    graph = Graph()
    graph.input("x", TensorProto.FLOAT, "T", rows)
    graph.constant("weight", np.full((rows, columns), 127, np.int8))
    graph.constant("scale", np.full(columns, 1 / 127, np.float32))
    graph.op("DynamicQuantizeMatMul", ["x", "weight", "scale"], names=["product"])
    graph.output("product", TensorProto.FLOAT, "T", columns)
    return graph.model("product")


def draft_graph(
    shape: Shape, vocabulary: int, inner: int, positions: int, heads: list[tuple[int, int]]
) -> onnx.ModelProto:
    """The drafter of `drafter.py` after one more token: what may come next.

    Its `state` [1, hidden], the token's row `x` [1, hidden] and `position` [1, 1] in; the state
    `after` it and `log_probs` [1, vocabulary] out. `heads` look things up, each a layer and a query
    head of it, in rising order; `keys.N` and `values.N` [n, D] are those of the Nth of `reads_of`.
    """
    graph = Graph()
    state = graph.input("state", TensorProto.FLOAT, 1, shape.hidden)
    x = graph.input("x", TensorProto.FLOAT, 1, shape.hidden)
    graph.constant("ones", np.ones(shape.hidden, np.float32))
    token = norm(graph, shape, x, "ones")
    [seen] = graph.op("Concat", [norm(graph, shape, state, "ones"), token], axis=1)
    [state] = graph.op("Add", [state, looked_up(graph, shape, seen, positions, heads)])
    [seen] = graph.op("Concat", [norm(graph, shape, state, "ones"), token], axis=1)
    both = linear(graph, seen, "read", 2 * shape.hidden, 2 * inner)
    gate, up = graph.op("Split", [both, graph.shape(inner, inner)], outputs=2, axis=1)
    [gate] = graph.op("QuickGelu", [gate], alpha=1.0)
    [product] = graph.op("Mul", [gate, up])
    written = linear(graph, product, "write", inner, shape.hidden)
    graph.op("Add", [state, written], names=["after"])
    normed = norm(graph, shape, "after", graph.weight("norm", TensorProto.FLOAT, shape.hidden))
    logits = linear(graph, normed, "columns", shape.hidden, vocabulary)
    graph.op("LogSoftmax", [logits], names=["log_probs"], axis=-1)
    graph.output("after", TensorProto.FLOAT, 1, shape.hidden)
    graph.output("log_probs", TensorProto.FLOAT, 1, vocabulary)
    return graph.model("draft")


def reads_of(shape: Shape, heads: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The layers and key/value heads that some heads look at, each once, in order."""
    group = shape.heads // shape.kv_heads
    return list(dict.fromkeys((layer, head // group) for layer, head in heads))


def looked_up(
    graph: Graph, shape: Shape, seen: str, positions: int, heads: list[tuple[int, int]]
) -> str:
    """What the heads of a drafter find [1, hidden] among the keys and values in sight."""
    size = shape.head_size
    width = len(heads) * size
    rotary_tables(graph, shape, positions)
    graph.input("position", TensorProto.INT64, 1, 1)
    asked = linear(graph, seen, "ask", 2 * shape.hidden, width)
    [asked] = graph.op("Unsqueeze", [asked, graph.shape(0)])
    [asked] = graph.op(
        "RotaryEmbedding",
        [asked, "position", "cos", "sin"],
        num_heads=len(heads),
        rotary_embedding_dim=0,
    )
    [asked] = graph.op("Reshape", [asked, graph.shape(len(heads), size)])
    reads = reads_of(shape, heads)
    group = shape.heads // shape.kv_heads
    counts = [sum((la, h // group) == read for la, h in heads) for read in reads]
    parts = graph.op("Split", [asked, graph.shape(*counts)], outputs=len(reads), axis=0)
    found = []
    for index, part in enumerate(parts):
        keys = graph.input(f"keys.{index}", TensorProto.FLOAT, "N", size)
        values = graph.input(f"values.{index}", TensorProto.FLOAT, "N", size)
        [scores] = graph.op("Gemm", [part, keys], transB=1, alpha=size**-0.5)
        [weights] = graph.op("Softmax", [scores], axis=-1)
        found += graph.op("MatMul", [weights, values])
    [mixed] = graph.op("Concat", found, axis=0)
    [mixed] = graph.op("Reshape", [mixed, graph.shape(1, width)])
    return linear(graph, mixed, "tell", width, shape.hidden)


def norm(graph: Graph, shape: Shape, x: str, weight: str) -> str:
    """RMS norm."""
    epsilon = shape.norm_epsilon
    return graph.op("SimplifiedLayerNormalization", [x, weight], axis=-1, epsilon=epsilon)[0]
