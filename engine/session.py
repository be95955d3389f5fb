"""A cached-family model in ONNX Runtime: the only file of Lacuna that knows it.

`Session.open` checks the folder, merges the adapter and builds three sessions (context, canvas,
head); after that every call is numpy in, numpy out, as `model.py` describes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import weights
from .card import Card, check_files
from .errors import EngineFailedError, ModelFolderError, RuntimeMissingError
from .model import Floats, Ids, KeyValues, Proposal

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

CHUNK = 128
"""Tokens encoded in one pass: the causal bias of a pass grows with the square of it."""


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
            f"ONNX Runtime cannot be imported ({error}). Install it with `pip install "
            "onnxruntime`, or `pip install onnxruntime-gpu` on a machine with an NVIDIA GPU."
        ) from None
    return onnxruntime


def choose_runtime(provider: str = "auto", threads: int = 0) -> Runtime:
    """Which provider and how many threads to use; 0 threads: one for each physical core.

    Raises RuntimeMissingError when ONNX Runtime is missing or lacks the provider asked for.
    """
    runtime = import_runtime()
    available = runtime.get_available_providers()
    threads = threads or physical_cores()
    has_cuda = PROVIDERS["cuda"] in available
    if provider == "cuda" and not has_cuda:
        raise RuntimeMissingError(
            "this ONNX Runtime has no CUDA provider; `pip uninstall onnxruntime`, then "
            "`pip install onnxruntime-gpu`, or set the provider to cpu"
        )
    if provider == "cuda" or (provider == "auto" and has_cuda):
        return Runtime("cuda", threads, "ONNX Runtime offers CUDA", runtime.__version__)
    reason = "asked for" if provider == "cpu" else "ONNX Runtime offers no CUDA here"
    return Runtime("cpu", threads, reason, runtime.__version__)


def physical_cores() -> int:
    """Physical cores this process may run on; hyper-threads only slow a small int8 product."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    logical = allowed or os.cpu_count() or 1
    try:
        siblings = {
            path.read_text().strip()
            for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/core_cpus_list")
        }
    except OSError:
        siblings = set()
    return min(logical, len(siblings)) if siblings else logical


class Session:
    """One loaded model. Not thread-safe: one request at a time."""

    def __init__(
        self, card: Card, runtime: Runtime, networks: _Networks, embedding: _Embedding
    ) -> None:
        self._card = card
        self.runtime = runtime
        self._networks = networks
        self._embedding = embedding
        self._spread: tuple[KeyValues, int, KeyValues] | None = None

    @classmethod
    def open(cls, folder: Path, provider: str = "auto", threads: int = 0) -> Session:
        """Loads a model folder; about two seconds on two cores.

        Raises ModelFolderError (missing, altered, unknown version) and RuntimeMissingError.
        """
        runtime = choose_runtime(provider, threads)
        card = Card.read(folder)
        check_files(folder, card, thorough=True)
        try:
            networks, embedding = _load(folder, card, runtime)
        except KeyError as error:
            raise ModelFolderError(f"{folder}: the tensor {error} is missing") from None
        return cls(card, runtime, networks, embedding)

    @property
    def card(self) -> Card:
        return self._card

    def encode(self, ids: Ids, position: int, past: KeyValues | None) -> KeyValues:
        """See Model.encode."""
        return self._read(ids, position, past)[0]

    def next_log_probs(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, Proposal]:
        """See Model.next_log_probs."""
        new, hidden = self._read(ids, position, past)
        current = np.zeros(len(ids), np.int64)
        wanted = np.ones((1, len(ids)), bool)
        return new, self._propose(hidden[None], current[None], wanted)

    def denoise(
        self,
        canvas: Ids,
        position: int,
        context: KeyValues,
        wanted: NDArray[np.bool_] | None = None,
    ) -> Proposal:
        """See Model.denoise."""
        batch, tokens = canvas.shape
        context = self._for_batch(context, batch)
        feeds = self._cache_feeds(context)
        feeds["x"] = self._embedding.canvas_rows(canvas)
        feeds["position"] = np.tile(np.arange(position, position + tokens), (batch, 1))
        [hidden] = self._run(self._networks.canvas, ["hidden"], feeds)
        if wanted is None:
            wanted = np.ones((batch, tokens - 1), bool)
        # Logit shift: the output at j predicts j + 1, so the last one is of no use.
        return self._propose(hidden[:, :-1], canvas[:, 1:], wanted)

    def rotate(self, keys: Floats, by: int) -> Floats:
        """See Model.rotate."""
        half = self._card.head_size // 2
        angle = by / self._card.rope_theta ** (np.arange(half) / half)
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        left, right = keys[..., :half], keys[..., half:]
        return np.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)

    def _read(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, NDArray[np.float32]]:
        """The base over `ids`: keys and values [L, G, n, D], final hidden rows [n, hidden]."""
        card = self._card
        if past is None:
            nothing = np.zeros((card.layers, card.kv_heads, 0, card.head_size), np.float32)
            past = KeyValues(nothing, nothing)
        feeds = self._cache_feeds(past)
        feeds["x"] = self._embedding.rows(ids)[None]
        feeds["position"] = np.arange(position, position + len(ids))[None]
        feeds["bias"] = causal_bias(len(past), len(ids), self._networks.queries_per_key)
        names = [f"{kind}.{i}" for kind in ("key", "value") for i in range(card.layers)]
        hidden, *new = self._run(self._networks.context, ["hidden", *names], feeds)
        keys, values = np.concatenate(new[: card.layers]), np.concatenate(new[card.layers :])
        return KeyValues(keys, values), hidden[0]

    def _cache_feeds(self, cache: KeyValues) -> dict[str, NDArray[Any]]:
        """The cache as graph inputs, one key and one value tensor [B, G, n, D] a layer."""
        feeds: dict[str, NDArray[Any]] = {}
        for kind, tensor in (("key", cache.keys), ("value", cache.values)):
            for index in range(self._card.layers):
                layer = tensor[index]
                feeds[f"past_{kind}.{index}"] = layer if layer.ndim == 4 else layer[None]
        return feeds

    def _for_batch(self, context: KeyValues, batch: int) -> KeyValues:
        """The context once for each canvas of a batch; kept, since every step asks for the same."""
        if batch == 1:
            return context
        spread = self._spread
        if spread is None or spread[0] is not context or spread[1] != batch:
            keys, values = (
                np.ascontiguousarray(np.broadcast_to(t[:, None], (len(t), batch, *t.shape[1:])))
                for t in (context.keys, context.values)
            )
            spread = self._spread = (context, batch, KeyValues(keys, values))
        return spread[2]

    def _propose(self, hidden: Floats, current: Ids, wanted: NDArray[np.bool_]) -> Proposal:
        """The head over the wanted rows of hidden [B, C, hidden]; other rows propose nothing."""
        count = self._card.proposals
        ids = np.zeros((*wanted.shape, count), np.int64)
        log_probs = np.full((*wanted.shape, count), -np.inf, np.float32)
        end = np.full(wanted.shape, -np.inf, np.float32)
        now = np.full(wanted.shape, -np.inf, np.float32)
        if wanted.any():
            feeds = {"rows": hidden[wanted], "current": current[wanted]}
            names = ["ids", "log_probs", "end_log_prob", "current_log_prob"]
            results = self._run(self._networks.head, names, feeds)
            for target, result in zip((ids, log_probs, end, now), results, strict=True):
                target[wanted] = result
        return Proposal(ids, log_probs, end, now)

    def _run(self, network: _Network, outputs: list[str], feeds: Mapping[str, Any]) -> list[Any]:
        """One forward pass. Raises EngineFailedError with what the runtime said."""
        try:
            return list(network.session.run(outputs, feeds))
        except Exception as error:  # onnxruntime raises bare classes of its C++ module
            raise EngineFailedError(f"ONNX Runtime failed: {error}") from error


def causal_bias(past: int, new: int, queries_per_key: int) -> NDArray[np.float32]:
    """[1, 1, J new, past + new]: 0 where a token may look, -1e9 at what comes after it."""
    after = np.triu(np.full((new, new), -1e9, np.float32), 1)
    rows = np.concatenate([np.zeros((new, past), np.float32), after], axis=1)
    return np.repeat(rows, queries_per_key, axis=0)[None, None]


@dataclass(frozen=True, slots=True)
class _Network:
    session: Any
    borrowed: tuple[NDArray[Any], ...]
    """Arrays the session reads but does not own."""


@dataclass(frozen=True, slots=True)
class _Networks:
    context: _Network
    canvas: _Network
    head: _Network
    queries_per_key: int


@dataclass(frozen=True, slots=True)
class _Embedding:
    """Token rows, dequantised as they are asked for; the canvas has its own row for the mask."""

    table: NDArray[np.int8]
    scale: NDArray[np.float32]
    mask_id: int
    mask_row: NDArray[np.float32]

    def rows(self, ids: Ids) -> Floats:
        """[...] -> [..., hidden] as the base reads them."""
        found: Floats = self.table[ids] * self.scale[ids][..., None]
        return found

    def canvas_rows(self, ids: Ids) -> Floats:
        """The same with the learned mask embedding at open positions."""
        found = self.rows(ids)
        found[ids == self.mask_id] = self.mask_row
        return found


def _load(folder: Path, card: Card, runtime: Runtime) -> tuple[_Networks, _Embedding]:
    """Weights into sessions, one network after the other so that few copies live at once."""
    base: weights.Tensors = {}
    for name in sorted(card.files):
        if name.startswith("base-"):
            base |= weights.read(folder / name)
    adapter = weights.read(folder / "adapter.safetensors")
    table = weights.read(folder / "embedding.safetensors")
    scale = table["embedding.scale"]
    embedding = _Embedding(
        table["embedding.weight"], scale, card.mask_id, adapter["mask_embedding"]
    )
    canvas = _network(folder / "canvas.onnx", runtime, weights.merged(card, base, adapter))
    context = _network(folder / "context.onnx", runtime, base.items())
    columns = {
        "embedding.weight": np.ascontiguousarray(embedding.table.T),
        "embedding.scale": scale,
    }
    head = _network(folder / "head.onnx", runtime, columns.items())
    queries = base["layers.0.o.weight"].shape[0] // (card.kv_heads * card.head_size)
    return _Networks(context, canvas, head, queries), embedding


def _network(path: Path, runtime: Runtime, tensors: Iterable[tuple[str, NDArray[Any]]]) -> _Network:
    """An inference session of a graph with the initialisers it declares external."""
    ort = import_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = runtime.threads
    options.log_severity_level = 3
    # A spinning pool would keep the cores busy between keystrokes.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # An OrtValue only borrows the array's memory. The session packs matrices into memory of its
    # own while it is made, but goes on reading vectors where they are, so those are kept with it.
    kept = {name: np.ascontiguousarray(tensor) for name, tensor in tensors}
    values = [ort.OrtValue.ortvalue_from_numpy(tensor) for tensor in kept.values()]
    options.add_external_initializers(list(kept), values)
    providers = [PROVIDERS[runtime.provider]]
    if runtime.provider == "cuda":
        providers.append(PROVIDERS["cpu"])
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime raises bare classes of its C++ module
        raise ModelFolderError(f"{path}: ONNX Runtime cannot load it ({error})") from None
    return _Network(session, tuple(kept.values()))
