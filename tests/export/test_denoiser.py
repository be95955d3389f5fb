"""The trainer's packed passes compute what the plain model computes for each gap alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.model import KeyValues
from export.denoiser import PROJECTIONS, Adapter, Canvases, Denoiser, load_adapter, save_adapter
from export.limits import END_ID, MASK_ID
from export.packing import Example, Layout, lay_out
from export.reference import card_of
from export.torch_model import TorchModel
from export.views import lay_canvases

LAYOUT = Layout(canvas=8, windows=2, gaps=2, window=20, suffix=6)


@pytest.fixture
def adapter_file(base, tmp_path):
    torch.manual_seed(0)
    adapter = Adapter(base, rank=4)
    for parameter in adapter.b.values():
        torch.nn.init.normal_(parameter, std=0.2)
    path = tmp_path / "adapter.safetensors"
    save_adapter(adapter.state_dict(), path)
    return path


def windows():
    rng = np.random.default_rng(0)

    def ids(count: int) -> list[int]:
        return rng.integers(20, 320, count).tolist()

    def example(shared: int, tail: int, suffix: int, middle: int) -> Example:
        canvas = (ids(middle) + [END_ID] * LAYOUT.canvas)[: LAYOUT.canvas]
        return Example(shared, ids(tail), ids(suffix), canvas, middle + 1)

    return [
        (ids(20), [example(20, 0, 6, 3), example(7, 2, 4, 7)]),
        (ids(11), [example(5, 1, 0, 2), example(1, 0, 6, 8)]),
    ]


def test_packed_gaps_equal_gaps_read_one_by_one(base, adapter_file):
    adapter = Adapter(base, rank=4)
    adapter.load_state_dict(load_adapter(adapter_file))
    packed = Denoiser(base, adapter, torch.float32)
    plain = TorchModel(card_of(base), base, adapter_file)
    rows = windows()
    batch = lay_out(LAYOUT, rows)
    _, cache = packed.read_context(
        torch.from_numpy(batch.context_ids),
        torch.from_numpy(batch.context_positions),
        torch.from_numpy(batch.context_bias),
    )
    is_open = np.random.default_rng(1).random((2, 2, 3, 8)) < 0.6
    canvases = lay_canvases(packed, batch, is_open)
    logits = packed.logits(packed.denoise(canvases, cache))
    for row, (window, examples) in enumerate(rows):
        for index, example in enumerate(examples):
            prefix = [*window[: example.shared], *example.tail]
            context = context_of(plain, prefix, example.suffix, LAYOUT.canvas)
            for view in range(3):
                canvas = np.where(is_open[row, index, view], MASK_ID, example.middle)
                ids = np.concatenate([prefix[-1:], canvas])[None]
                proposal = plain.denoise(ids, len(prefix) - 1, context)
                ours = logits[row, index * 3 + view, :-1].detach().clone()
                ours[:, 1:17] = -torch.inf
                best = ours.log_softmax(-1).topk(8).values.numpy()
                np.testing.assert_allclose(best, proposal.log_probs[0], atol=2e-4)


def context_of(model: TorchModel, prefix, suffix, canvas: int) -> KeyValues:
    parts = []
    if len(prefix) > 1:
        parts.append(model.encode(np.array(prefix[:-1]), 0, None))
    if suffix:
        read = model.encode(np.array(suffix), 0, None)
        keys = model.rotate(read.keys, len(prefix) + canvas)
        parts.append(KeyValues(keys, read.values))
    shape = model.shape
    nothing = np.zeros((shape.layers, shape.kv_heads, 0, shape.head_size), np.float32)
    return KeyValues(
        np.concatenate([nothing, *(part.keys for part in parts)], 2),
        np.concatenate([nothing, *(part.values for part in parts)], 2),
    )


def test_a_cache_read_in_parts_is_the_cache_read_at_once(base):
    model = TorchModel(card_of(base), base, None)
    ids = np.arange(30, 50)
    whole, logits = model.read(ids, 0, None)
    first, _ = model.read(ids[:8], 0, None)
    second, later = model.read(ids[8:], 8, first)
    np.testing.assert_allclose(whole.keys[:, :, 8:], second.keys, atol=1e-5)
    np.testing.assert_allclose(logits[8:].numpy(), later.numpy(), atol=1e-4)


def test_an_adapter_keeps_its_values_and_its_published_names(base, adapter_file):
    from safetensors import safe_open

    with safe_open(adapter_file, "np") as file:
        names = set(file.keys())
    wanted = {
        f"layers.{index}.{name}.lora_{matrix}"
        for index in range(2)
        for name in PROJECTIONS
        for matrix in "AB"
    }
    assert names == wanted | {"mask_embedding", "final_norm"}
    adapter = Adapter(base, rank=4)
    adapter.load_state_dict(load_adapter(adapter_file))
    save_adapter(adapter.state_dict(), adapter_file.with_name("again.safetensors"))
    assert adapter_file.read_bytes() == adapter_file.with_name("again.safetensors").read_bytes()


def test_a_fresh_adapter_leaves_the_base_as_it_is(base):
    model = Denoiser(base, Adapter(base, rank=4), torch.float32)
    plain = TorchModel(card_of(base), base, None)
    ids = np.array([[40, 41, 42]])
    none = torch.zeros(1, 1, 0)
    batch = Canvases(torch.from_numpy(ids[None]), torch.arange(3)[None, None], none, none)
    nothing = torch.zeros(1, base.shape.kv_heads, 0, base.shape.head_size)
    hidden = model.denoise(batch, [(nothing, nothing)] * base.shape.layers)
    logits = model.logits(hidden)[0, 0, :-1].detach().clone()
    logits[:, 1:17] = -torch.inf
    empty = np.zeros((2, 2, 0, 4), np.float32)
    expected = plain.denoise(ids, 0, KeyValues(empty, empty))
    best = logits.log_softmax(-1).topk(8).values
    np.testing.assert_allclose(best.numpy(), expected.log_probs[0], atol=1e-4)


def test_the_tail_of_a_prefix_has_its_places():
    batch = lay_out(LAYOUT, windows())
    assert batch.context_ids.shape == (2, LAYOUT.window + 2 * LAYOUT.own)
    # Each canvas sees its prefix but for the last token, and its suffix.
    seen = (batch.window_bias == 0).sum(-1) + (batch.own_bias == 0).sum(-1)
    assert (seen == [[25, 12], [5, 6]]).all()
