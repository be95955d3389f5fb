"""ONNX Runtime: where a model runs, and networks that run there. The only file that imports it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from .errors import EngineFailedError, ModelFolderError, RuntimeMissingError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
SPIN = 20
"""For how many microseconds a thread without work keeps its core before it sleeps.

A pass takes as long with more where the cores are idle, and longer where something else needs them;
with 5 it takes longer where they are idle (docs/speed.md).
"""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how a model runs."""

    provider: str
    """"cpu" or "cuda"."""
    threads: int
    """Threads of one forward pass."""
    reason: str
    """Why this provider, as a sentence for people."""
    version: str
    """Of ONNX Runtime."""


def import_runtime() -> Any:
    """The module onnxruntime. Raises RuntimeMissingError with the command that installs it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissingError(
            f"ONNX Runtime cannot be imported ({error}). Lacuna's extra cpu brings it: "
            "`uv tool install '.[cpu]'` in its repository, or `pip install onnxruntime` where it "
            "is installed."
        ) from None
    return onnxruntime


def choose_runtime(provider: str = "auto", threads: int = 0) -> Runtime:
    """Which provider and how many threads to use; 0 threads: one for each physical core.

    Raises RuntimeMissingError when ONNX Runtime is missing or lacks the provider asked for.
    """
    runtime = import_runtime()
    available = runtime.get_available_providers()
    threads = threads or physical_cores()
    if provider not in ("auto", *PROVIDERS):
        known = ", ".join(PROVIDERS)
        raise RuntimeMissingError(f"there is no provider {provider!r}; use auto or one of {known}")
    if provider == "cuda" and PROVIDERS["cuda"] not in available:
        raise RuntimeMissingError(
            "this ONNX Runtime has no CUDA provider; Lacuna's extra cuda brings one: "
            "`uv tool install '.[cuda]'` in its repository, or `pip uninstall onnxruntime`, then "
            "`pip install onnxruntime-gpu`; or set the provider to cpu"
        )
    if provider == "auto":
        reason = "the weights are int8, for whose products CUDA has no kernel"
        return Runtime("cpu", threads, reason, runtime.__version__)
    return Runtime(provider, threads, "asked for", runtime.__version__)


def physical_cores() -> int:
    """Physical cores this process may run on; hyper-threads only slow a small int8 product."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed or 1, psutil.cpu_count(logical=False) or allowed or 1)


@cache
def cuts_off() -> bool:
    """Whether the processor cuts off large sums of int8 products unless it is asked for exact ones.

    x86 without VNNI does, and ONNX Runtime lets it by default. Asked on another processor it takes
    twice as long. So this is tried on products that are known, in a few milliseconds.
    """
    options = import_runtime().SessionOptions()
    options.intra_op_num_threads = 1
    path = str(Path(__file__).with_name("product.onnx"))
    session = import_runtime().InferenceSession(path, options, providers=[PROVIDERS["cpu"]])
    count = session.get_inputs()[0].shape[1]
    x = np.ones((4, count), np.float32)
    x[:, 0] = -1
    [found] = session.run(None, {"x": x})
    return not np.allclose(found, count - 2, rtol=0.02)


@dataclass(frozen=True, slots=True)
class Network:
    """A graph with its weights, ready to run."""

    session: Any
    borrowed: tuple[NDArray[Any], ...]
    """Arrays the session reads but does not own."""

    @classmethod
    def open(
        cls, path: Path, runtime: Runtime, tensors: Iterable[tuple[str, NDArray[Any]]]
    ) -> Network:
        """A graph with the initialisers it declares external.

        Raises ModelFolderError where this ONNX Runtime does not know the graph.
        """
        ort = import_runtime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = runtime.threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN))
        if cuts_off():
            options.add_session_config_entry("session.x64quantprecision", "1")
        # The session packs matrices into memory of its own while it is made, but goes on reading
        # vectors where they are, so those are kept with it.
        kept = {name: np.ascontiguousarray(tensor) for name, tensor in tensors}
        values = [borrowed(tensor) for tensor in kept.values()]
        options.add_external_initializers(list(kept), values)
        providers = [PROVIDERS[runtime.provider]]
        if runtime.provider == "cuda":
            providers.append(PROVIDERS["cpu"])
        try:
            session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime raises bare classes of its C++ module
            # The file is the published one, so it is the runtime that does not know the graph.
            raise ModelFolderError(
                f"{path}: ONNX Runtime {runtime.version} cannot load it; a newer one may: "
                "`uv tool upgrade lacuna-ls`, or `pip install --upgrade onnxruntime` where pip "
                f"installed Lacuna ({error})"
            ) from None
        return cls(session, tuple(tensor for tensor in kept.values() if tensor.ndim == 1))

    def width(self, output: str) -> int:
        """Size of an output's last axis; 0 where the graph has no such output."""
        return sum(out.shape[-1] for out in self.session.get_outputs() if out.name == output)

    def run(self, outputs: list[str], feeds: Mapping[str, Any]) -> list[Any]:
        """One forward pass that computes no more than the outputs need.

        Raises EngineFailedError.
        """
        options = import_runtime().RunOptions()
        options.only_execute_path_to_fetches = True
        with _reported():
            return list(self.session.run(outputs, feeds, options))

    def run_bound(self, binding: Any) -> None:
        """One forward pass from memory to memory. Raises EngineFailedError."""
        with _reported():
            self.session.run_with_iobinding(binding)


def borrowed(array: NDArray[Any]) -> Any:
    """The array's memory for ONNX Runtime, not copied: it must outlive what is made here."""
    return import_runtime().OrtValue.ortvalue_from_numpy(array)


@contextmanager
def _reported() -> Iterator[None]:
    """Raises EngineFailedError with what the runtime said."""
    try:
        yield
    except Exception as error:  # onnxruntime raises bare classes of its C++ module
        raise EngineFailedError(f"ONNX Runtime failed: {error}") from error
