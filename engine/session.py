"""A cached-family model in ONNX Runtime: the only file of Lacuna that knows it.

`Session.open` checks the folder, merges the adapter and builds three sessions (context, canvas,
head); after that every call is numpy in, numpy out, as `model.py` describes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import weights
from .card import DRAFTER, Card, check_files
from .drafter import Drafter
from .errors import EngineFailedError, ModelFolderError, RuntimeMissingError
from .model import Among, Context, Drafting, Floats, Ids, KeyValues, Proposal, Start, shared

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

ROOM = 64
"""Buffers of keys and values grow in steps of so many tokens: typing on fits into the old ones."""

HIDDEN = -1e9
"""Bias of what a place does not see."""
CHUNK = 4096
"""Rows of the embedding that are dequantised at once: 9 MB."""


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
    if provider == "cuda" and PROVIDERS["cuda"] not in available:
        raise RuntimeMissingError(
            "this ONNX Runtime has no CUDA provider; `pip uninstall onnxruntime`, then "
            "`pip install onnxruntime-gpu`, or set the provider to cpu"
        )
    if provider == "auto":
        reason = "the weights are int8, for whose products CUDA has no kernel"
        return Runtime("cpu", threads, reason, runtime.__version__)
    return Runtime(provider, threads, "asked for", runtime.__version__)


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
        self,
        card: Card,
        runtime: Runtime,
        networks: _Networks,
        embedding: _Embedding,
        drafter: weights.Tensors,
    ) -> None:
        """`drafter` is empty where the model has none."""
        self._card = card
        self.runtime = runtime
        self._networks = networks
        self._embedding = embedding
        self._drafter: Drafter | None = None
        if drafter:
            begin = drafter["begin.weight"] * drafter["begin.scale"]
            self._drafter = Drafter(drafter["tokens"], begin, drafter["reads"], self._after)
        self._stage: _Stage | None = None

    @classmethod
    def open(cls, folder: Path, provider: str = "auto", threads: int = 0) -> Session:
        """Loads a model folder; about two seconds on two cores.

        Raises ModelFolderError (missing, altered, unknown version) and RuntimeMissingError.
        """
        runtime = choose_runtime(provider, threads)
        card = Card.read(folder)
        check_files(folder, card, thorough=True)
        try:
            return cls(card, runtime, *_load(folder, card, runtime))
        except KeyError as error:
            raise ModelFolderError(f"{folder}: the tensor {error} is missing") from None

    @property
    def card(self) -> Card:
        return self._card

    def encode(self, ids: Ids, position: int, past: KeyValues | None) -> KeyValues:
        """See Model.encode."""
        return self._read(ids, position, past, [])[0]

    def encode_ahead(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, Start | None]:
        """See Model.encode_ahead."""
        if self._drafter is None:
            return self.encode(ids, position, past), None
        new, parts = self._read(ids, position, past, ["hidden", "inner"])
        hidden, inner = (part[0] for part in parts)
        return new, partial(self._begin, self._seen(hidden, inner, (-1,)), position + len(ids) - 1)

    def next_log_probs(
        self, ids: Ids, position: int, past: KeyValues | None, among: Among | None = None
    ) -> tuple[KeyValues, Proposal]:
        """See Model.next_log_probs."""
        new, [hidden] = self._read(ids, position, past, ["hidden"])
        following = np.append(ids[1:], 0)[None]
        proposal = self._propose(hidden, following, np.ones((1, len(ids)), bool))
        for place, tokens in (among or {}).items():
            self._narrow(proposal, hidden, place, tokens)
        return new, proposal

    def denoise(
        self,
        canvas: Ids,
        position: int,
        context: Context,
        wanted: NDArray[np.bool_] | None = None,
    ) -> Proposal:
        """See Model.denoise."""
        if wanted is None:
            wanted = np.ones((len(canvas), canvas.shape[1] - 1), bool)
        # Logit shift: the output at j predicts j + 1, so the last one is of no use.
        rows = zip(canvas, wanted, strict=True)
        passed = [self._hidden(one, position, context, its) for one, its in rows]
        hidden, inner = (
            np.stack([part[:-1] for part in parts]) for parts in zip(*passed, strict=True)
        )
        proposal = self._propose(hidden, canvas[:, 1:], wanted)
        ahead = partial(self._ahead, hidden, inner, position) if self._drafter else None
        return replace(proposal, others=partial(self._log_probs, hidden, proposal), ahead=ahead)

    def rotate(self, keys: Floats, by: int) -> Floats:
        """See Model.rotate."""
        half = self._card.head_size // 2
        angle = by / self._card.rope_theta ** (np.arange(half) / half)
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        # One long row a head: numpy takes twice as long where the last axis is as short as `half`.
        layers, heads, count, size = keys.shape
        row = (layers * heads, count * size)
        swapped = np.ascontiguousarray(keys.reshape(-1, 2, half)[:, ::-1]).reshape(row)
        moved: Floats = keys.reshape(row) * np.tile(np.concatenate([cos, cos]), count)
        swapped *= np.tile(np.concatenate([-sin, sin]), count)
        moved += swapped
        return moved.reshape(keys.shape)

    def _read(
        self, ids: Ids, position: int, past: KeyValues | None, others: list[str]
    ) -> tuple[KeyValues, list[Floats]]:
        """The model over `ids`: keys and values [L, G, n, D], other outputs [1, n, ...] by name.

        A text's first token is read in a pass of its own. It draws massive activations (Sun et al.,
        2024), and activations are quantised with one scale a pass: beside it all others are coarse.
        """
        if past is None and len(ids) > 1:
            first, ahead = self._read(ids[:1], position, None, others)
            rest, behind = self._read(ids[1:], position + 1, first, others)
            outputs = zip(ahead, behind, strict=True)
            return first.followed_by(rest), [np.concatenate(both, axis=1) for both in outputs]
        card = self._card
        if past is None:
            nothing = np.zeros((card.layers, card.kv_heads, 0, card.head_size), np.float32)
            past = KeyValues(nothing, nothing)
        feeds: dict[str, NDArray[Any]] = {
            "x": self._embedding.rows(ids)[None],
            "position": np.arange(position, position + len(ids))[None],
        }
        for index in range(card.layers):
            feeds[f"past_key.{index}"] = past.keys[index][None]
            feeds[f"past_value.{index}"] = past.values[index][None]
        names = [f"{kind}.{i}" for kind in ("key", "value") for i in range(card.layers)]
        new = self._run(self._networks.context, [*names, *others], feeds)
        keys = np.concatenate(new[: card.layers])
        values = np.concatenate(new[card.layers : 2 * card.layers])
        return KeyValues(keys, values), new[2 * card.layers :]

    def _hidden(
        self, canvas: Ids, position: int, context: Context, wanted: NDArray[np.bool_]
    ) -> tuple[Floats, Floats]:
        """The denoiser over one canvas [T]: final hidden rows [T, hidden], those `wanted` [T], and
        what inner layers made of them [T, ...].

        A batch goes through one by one: the attention node takes a single canvas, and one fills the
        machine, so that three at once were hardly faster than three in turn.
        """
        tail = len(context.tail)
        line = np.concatenate([context.tail, canvas])
        stage = self._holding(context, len(line))
        known = stage.known(line, tail + int(wanted.argmax()))
        x = self._embedding.canvas_rows(line[known:])
        run = stage.prepared(x, line == self._card.mask_id, position - tail, known)
        with _reported():
            self._networks.canvas.session.run_with_iobinding(run.binding)
        stage.written(line, self._card.mask_id)
        hidden, inner = (
            np.zeros((len(line), rows.shape[2]), np.float32) for rows in (run.hidden, run.inner)
        )
        hidden[known:], inner[known:] = run.hidden[0], run.inner[0]
        return hidden[tail:], inner[tail:]

    def _holding(self, context: Context, tokens: int) -> _Stage:
        """Buffers that hold a context, with room for `tokens` behind it."""
        if self._stage is None or not self._stage.fits(len(context), tokens):
            self._stage = None  # frees the old buffers before there are new ones
            session = self._networks.canvas.session
            self._stage = _Stage.of(session, self._card, len(context), tokens)
        self._stage.hold(context)
        return self._stage

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

    def _narrow(self, proposal: Proposal, hidden: Floats, place: int, tokens: Ids) -> None:
        """Replaces what is proposed at a place by the best of `tokens`."""
        log_probs = self._log_probs(hidden, proposal, (0, np.array([place])), tokens)[0]
        best = np.argsort(-log_probs, kind="stable")[: self._card.proposals]
        proposal.log_probs[0, place] = -np.inf
        proposal.ids[0, place, : len(best)] = tokens[best]
        proposal.log_probs[0, place, : len(best)] = log_probs[best]

    def _log_probs(
        self, hidden: Floats, proposal: Proposal, index: tuple[int | Ids, ...], tokens: Ids
    ) -> Floats:
        """Log-probabilities [m, n] of tokens [n] at the places `index`, by that of the best there.

        The logits are taken here from rows of hidden [B, C, hidden]: the head gives the K best.
        """
        rows, best = hidden[index], proposal.ids[index][:, 0]
        its = (self._embedding.rows(best) * rows).sum(axis=1) - proposal.log_probs[index][:, 0]
        parts = np.split(tokens, range(CHUNK, len(tokens), CHUNK))
        logits = np.concatenate([rows @ self._embedding.rows(part).T for part in parts], axis=1)
        found: Floats = logits - its[:, None]
        return found

    def _begin(self, seen: Floats, position: int, context: Context) -> Drafting:
        """See Start; `seen` [F, hidden] and `position` are of the last token that was read."""
        tokens = len(context.tail) + 1 + self._card.canvas_sizes[-1]
        return self._drafting(seen, position, self._holding(context, tokens), len(context))

    def _ahead(
        self, hidden: Floats, inner: Floats, position: int, place: tuple[int, ...]
    ) -> Drafting:
        """See Ahead; hidden and inner are [B, C, ...], `position` is that of the first place."""
        assert self._stage is not None
        stage, (*_, column) = self._stage, place
        sight = stage.before
        if len(hidden) == 1:  # of several canvases only the last one is in the buffers
            sight += column + 1
        return self._drafting(self._seen(hidden, inner, place), position + column, stage, sight)

    def _drafting(self, seen: Floats, position: int, stage: _Stage, sight: int) -> Drafting:
        """Drafts behind a place that sees the first `sight` tokens of the buffers."""
        assert self._drafter is not None
        keys, values = (buffer[:, :, :, :sight] for buffer in (stage.keys, stage.values))
        return self._drafter.drafting(seen, position, keys, values)

    def _seen(self, hidden: Floats, inner: Floats, place: tuple[int, ...]) -> Floats:
        """[F, hidden] what the layers that a drafter reads made of a place, as a new array."""
        row = np.concatenate([hidden[place], inner[place]])
        return row.reshape(-1, self._card.hidden)

    def _after(
        self, state: Floats, token: int, position: int, sight: Mapping[str, Floats]
    ) -> tuple[Floats, Floats]:
        """See drafter.Step."""
        assert self._networks.draft is not None
        x = self._embedding.rows(np.array([token]))
        feeds = {"state": state, "x": x, "position": np.array([[position]]), **sight}
        after, log_probs = self._run(self._networks.draft, ["after", "log_probs"], feeds)
        return after, log_probs[0]

    def _run(self, network: _Network, outputs: list[str], feeds: Mapping[str, Any]) -> list[Any]:
        """One forward pass that computes no more than the outputs need."""
        options = import_runtime().RunOptions()
        options.only_execute_path_to_fetches = True
        with _reported():
            return list(network.session.run(outputs, feeds, options))


@contextmanager
def _reported() -> Iterator[None]:
    """Raises EngineFailedError with what the runtime said."""
    try:
        yield
    except Exception as error:  # onnxruntime raises bare classes of its C++ module
        raise EngineFailedError(f"ONNX Runtime failed: {error}") from error


@dataclass(frozen=True, slots=True)
class _Run:
    """Memory of a pass over T places, bound to the network once: what is written is read there."""

    binding: Any
    x: Floats
    """[1, T, hidden]"""
    position: Ids
    """[1, T]"""
    hidden: Floats
    """[1, T, hidden]"""
    inner: Floats
    """[1, T, ...]"""
    last: NDArray[np.int32]
    """[1]: index of the last key."""
    total: NDArray[np.int32]
    """[]: number of keys."""


@dataclass(slots=True)
class _Stage:
    """The buffers of canvas passes: keys and values of a suffix, of the prefix, then of the canvas.

    Those of the context are copied in once; the prefix stands behind the suffix, so that when a
    text grows only its new tokens are. At every pass the network writes those of the canvas behind
    them, in place. What is closed sees nothing right of it, so its keys and values stay as they
    are: a pass goes over what is new.
    """

    session: Any
    card: Card
    keys: Floats
    """[L, 1, G, S, D]"""
    values: Floats
    context: Context | None = None
    """What the buffers hold."""
    closed: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """And behind it, of the last canvas: the context's tail, the last prefix token and what was
    closed after it."""
    runs: dict[int, _Run] = field(default_factory=dict)
    """By places."""
    bias: Floats = field(default_factory=lambda: np.zeros((1, 1, 0, 0), np.float32))
    """[1, 1, T, N] of the last pass, which the runtime borrows."""

    @classmethod
    def of(cls, session: Any, card: Card, context: int, tokens: int) -> _Stage:
        room = -(-(context + max(tokens, card.canvas_sizes[-1] + 1)) // ROOM) * ROOM
        buffers = (card.layers, 1, card.kv_heads, room, card.head_size)
        return cls(session, card, np.zeros(buffers, np.float32), np.zeros(buffers, np.float32))

    @property
    def inner(self) -> int:
        """Numbers that inner layers give for a place; 0 where no drafter wants them."""
        return sum(out.shape[2] for out in self.session.get_outputs() if out.name == "inner")

    @property
    def before(self) -> int:
        """Tokens in the buffers before the last prefix token, with which a canvas begins."""
        assert self.context is not None
        return len(self.context) + len(self.context.tail)

    def fits(self, context: int, tokens: int) -> bool:
        """Whether a canvas of `tokens` behind a context of this length needs no other memory."""
        return bool(context + tokens <= self.keys.shape[3])

    def hold(self, context: Context) -> None:
        """Copies a context in, unless it is there already."""
        if context is self.context:
            return
        after, held = len(context.suffix), self.held(context)
        for buffer, suffix, prefix in (
            (self.keys, context.suffix.keys, context.prefix.keys),
            (self.values, context.suffix.values, context.prefix.values),
        ):
            buffer[:, 0, :, :after] = suffix
            buffer[:, 0, :, after + held : len(context)] = prefix[:, :, held:]
        self.context, self.closed = context, self.closed[:0]

    def held(self, context: Context) -> int:
        """How many tokens of the prefix stand where this context has them already."""
        if self.context is None or len(self.context.suffix) != len(context.suffix):
            return 0
        return shared(self.context.ids, context.ids)

    def known(self, line: Ids, first: int) -> int:
        """How many of the first places [T] need no pass; `first` is the first one wanted."""
        return min(shared(self.closed, line), first, len(line) - 1)

    def prepared(self, x: Floats, is_open: NDArray[np.bool_], position: int, known: int) -> _Run:
        """The run over the places [T] from `known` on, with its inputs in place.

        x is [T - known, hidden].
        """
        assert self.context is not None
        places = len(x)
        if places not in self.runs:
            self.runs[places] = self._bound(places)
        run = self.runs[places]
        before = len(self.context) + known
        run.x[0] = x
        run.position[0] = np.arange(position + known, position + known + places)
        run.total[...] = before + places
        run.last[:] = run.total - 1
        bias = np.zeros((1, 1, places, before + places), np.float32)
        bias[0, 0, :, before:] = ~(is_open[known:, None] | np.tri(places, dtype=bool)) * HIDDEN
        tail = max(len(self.context.tail) - known, 0)
        bias[0, 0, :tail, : len(self.context.suffix)] = HIDDEN
        self.bias = bias
        wrap = import_runtime().OrtValue.ortvalue_from_numpy
        run.binding.bind_ortvalue_input("bias", wrap(bias))
        return run

    def written(self, line: Ids, mask_id: int) -> None:
        """Notes what the buffers hold after a pass over `line` [T]."""
        is_open = line == mask_id
        self.closed = line[: int(is_open.argmax()) if is_open.any() else len(line)].copy()

    def _bound(self, places: int) -> _Run:
        hidden = self.card.hidden
        run = _Run(
            self.session.io_binding(),
            x=np.zeros((1, places, hidden), np.float32),
            position=np.zeros((1, places), np.int64),
            hidden=np.zeros((1, places, hidden), np.float32),
            inner=np.zeros((1, places, self.inner), np.float32),
            last=np.zeros(1, np.int32),
            total=np.zeros((), np.int32),
        )
        wrap = import_runtime().OrtValue.ortvalue_from_numpy  # borrows, does not copy
        for name in ("x", "position", "last", "total"):
            run.binding.bind_ortvalue_input(name, wrap(getattr(run, name)))
        run.binding.bind_ortvalue_output("hidden", wrap(run.hidden))
        if self.inner:
            run.binding.bind_ortvalue_output("inner", wrap(run.inner))
        for kind, buffers in (("key", self.keys), ("value", self.values)):
            for index, buffer in enumerate(buffers):
                value = wrap(buffer)
                run.binding.bind_ortvalue_input(f"past_{kind}.{index}", value)
                run.binding.bind_ortvalue_output(f"{kind}.{index}", value)
        return run


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
    draft: _Network | None
    """Of a model with a drafter."""


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


def _load(
    folder: Path, card: Card, runtime: Runtime
) -> tuple[_Networks, _Embedding, weights.Tensors]:
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
    merged = dict(weights.merged(card, base, adapter))
    base.clear()
    canvas = _network(folder / "canvas.onnx", runtime, merged.items())
    context = _network(folder / "context.onnx", runtime, merged.items())
    merged.clear()
    columns = {
        "embedding.weight": np.ascontiguousarray(embedding.table.T),
        "embedding.scale": scale,
    }
    head = _network(folder / "head.onnx", runtime, columns.items())
    draft, drafter = None, {}
    if card.has_drafter:
        drafter = weights.read(folder / DRAFTER)
        its = weights.drafter(drafter, columns)
        draft = _network(folder / "draft.onnx", runtime, its.items())
    return _Networks(context, canvas, head, draft), embedding, drafter


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
        # The file is the published one, so it is the runtime that does not know the graph.
        raise ModelFolderError(
            f"{path}: ONNX Runtime {runtime.version} cannot load it; a newer one may: "
            f"`pip install --upgrade onnxruntime` ({error})"
        ) from None
    return _Network(session, tuple(tensor for tensor in kept.values() if tensor.ndim == 1))
