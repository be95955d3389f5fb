"""Networks in ONNX Runtime, apart from any model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from engine.runtime import Network, choose_runtime
from export.onnx_graph import Graph, linear

ROWS, COLUMNS = 64, 32


@pytest.mark.parametrize("count", [1, 5, 40])
def test_large_products_are_not_cut_off(tmp_path: Path, count: int) -> None:
    """What each int8 product is at its largest: x86 processors without VNNI cut off such sums.

    On any other machine the test holds whatever the session's options are.
    """
    graph = Graph()
    graph.input("x", TensorProto.FLOAT, "T", ROWS)
    product = linear(graph, "x", "large", ROWS, COLUMNS)
    graph.output(product, TensorProto.FLOAT, "T", COLUMNS)
    path = tmp_path / "linear.onnx"
    onnx.save(graph.model("linear"), path)
    weight = np.full((ROWS, COLUMNS), 127, np.int8)
    scale = np.full(COLUMNS, 1 / 127, np.float32)
    tensors = {"large.weight": weight, "large.scale": scale}
    network = Network.open(path, choose_runtime("cpu"), tensors.items())
    x = np.ones((count, ROWS), np.float32)
    x[:, 0] = -1
    [y] = network.run([product], {"x": x})
    np.testing.assert_allclose(y, np.full((count, COLUMNS), ROWS - 2), rtol=0.01)
