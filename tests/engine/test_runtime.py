"""Networks in ONNX Runtime, apart from any model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from engine import runtime
from engine.errors import RuntimeMissingError
from engine.runtime import Network, choose_runtime, cuts_off
from export.onnx_graph import product_graph

KEPT = Path(runtime.__file__).with_name("product.onnx")


def test_the_graph_that_tries_the_processor_is_that_of_export() -> None:
    assert onnx.load(KEPT) == product_graph()


@pytest.mark.parametrize("count", [1, 5, 40])
def test_large_products_are_not_cut_off(count: int) -> None:
    """They are on x86 without VNNI, if a session does not ask for exact ones.

    On any other machine the test holds whatever the session asks for.
    """
    network = Network.open(KEPT, choose_runtime("cpu"), [])
    x = np.ones((count, 64), np.float32)
    x[:, 0] = -1
    [product] = network.run(["product"], {"x": x})
    np.testing.assert_allclose(product, np.full((count, 32), 62), rtol=0.01)


def test_exact_products_are_asked_for_where_they_are_cut_off_and_nowhere_else() -> None:
    """They take twice as long on a processor with VNNI, as this flag of Linux tells."""
    flags = Path("/proc/cpuinfo")
    if sys.platform != "linux" or "avx2" not in flags.read_text().split():
        pytest.skip("only Linux on x86 tells what its processor has")
    assert cuts_off() != any("vnni" in flag for flag in flags.read_text().split())
    options = Network.open(KEPT, choose_runtime("cpu"), []).session.get_session_options()
    try:
        asked = options.get_session_config_entry("session.x64quantprecision")
    except RuntimeError:  # it was not set
        asked = "0"
    assert asked == str(int(cuts_off()))


def test_a_provider_that_there_is_not_is_named() -> None:
    with pytest.raises(RuntimeMissingError, match="no provider 'rocm'; use auto or one of cpu"):
        choose_runtime("rocm")
