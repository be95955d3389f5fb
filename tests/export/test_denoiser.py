"""The trainer's packed passes compute what the plain model computes for each gap alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.model import KeyValues
from export import masks, views
from export.denoiser import PROJECTIONS, Adapter, Denoiser, load_adapter, save_adapter
from export.limits import END_ID, MASK_ID
from export.packing import Example, Layout, lay_out
from export.reference import card_of
from export.torch_model import TorchModel
from export.train import read
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


@pytest.fixture
def packed(base, adapter_file) -> Denoiser:
    adapter = Adapter(base, rank=4)
    adapter.load_state_dict(load_adapter(adapter_file))
    return Denoiser(base, adapter, torch.float32)


@pytest.fixture
def fresh(base) -> Denoiser:
    return Denoiser(base, Adapter(base, rank=4), torch.float32)


def log_probs(model: Denoiser, batch, is_open, there=None) -> torch.Tensor:
    """[B, K, V, C, vocabulary] what a pass over the views [B, K, V, C] proposes for each place."""
    there = np.ones_like(is_open) if there is None else there
    hidden = model.denoise(lay_canvases(model, batch, is_open, there), read(model, batch))
    found = model.logits(hidden[:, :, :-1]).detach().log_softmax(-1)
    return found.view(*is_open.shape, -1)


def test_packed_gaps_equal_gaps_read_one_by_one(base, packed, adapter_file):
    plain = TorchModel(card_of(base), base, adapter_file)
    rows = windows()
    rng = np.random.default_rng(1)
    is_open = rng.random((2, 2, 3, 8)) < 0.6
    # The first view has the whole canvas; what is not there of the others does not exist for the
    # plain model.
    widths = rng.integers(1, 8, (2, 2, 3))
    widths[:, :, 0] = 8
    there = np.arange(8) < widths[..., None]
    found = log_probs(packed, lay_out(LAYOUT, rows), is_open, there)
    for row, gap, view in np.ndindex(2, 2, 3):
        window, examples = rows[row]
        example, width = examples[gap], widths[row, gap, view]
        prefix = [*window[: example.shared], *example.tail]
        context = context_of(plain, prefix, example.suffix, LAYOUT.canvas)
        canvas = np.where(is_open[row, gap, view], MASK_ID, example.middle)[:width]
        ids = np.concatenate([prefix[-1:], canvas])[None]
        proposal = plain.denoise(ids, len(prefix) - 1, context)
        ours = found[row, gap, view, :width].clone()
        ours[:, 1:17] = -torch.inf
        best = ours.log_softmax(-1).topk(8).values.numpy()
        np.testing.assert_allclose(best, proposal.log_probs[0], atol=2e-4)


def test_closed_places_do_not_see_what_is_right_of_them_and_masked_ones_do(packed):
    batch = lay_out(LAYOUT, windows())
    row = np.array([False, False, False, True, True, False, True, True])
    is_open = np.broadcast_to(row, (2, 2, 1, 8))
    middles = batch.middles.copy()
    middles[..., 5] += 1
    before = log_probs(packed, batch, is_open)
    after = log_probs(packed, replace(batch, middles=middles), is_open)
    # The token of a place is proposed by the place left of it; 3 and 4 are the first masked ones.
    torch.testing.assert_close(after[..., :4, :], before[..., :4, :])
    assert ((after - before)[..., 4:, :].abs().amax(-1) > 1e-3).all()


def test_up_to_the_first_masked_place_a_draft_is_what_reading_proposes(packed):
    batch = lay_out(LAYOUT, windows())
    is_open = np.zeros((2, 2, 2, 8), bool)
    is_open[:, :, 1, 3:] = True
    found = log_probs(packed, batch, is_open)
    torch.testing.assert_close(found[:, :, 1, :4], found[:, :, 0, :4])
    assert ((found[:, :, 1] - found[:, :, 0])[:, :, 4:].abs().amax(-1) > 1e-3).all()


@pytest.mark.parametrize("beyond", [False, True])
def test_what_is_not_there_changes_nothing(packed, beyond):
    batch = lay_out(LAYOUT, windows())
    is_open = np.zeros((2, 2, 1, 8), bool)
    is_open[..., 2:5] = True
    others = is_open.copy()
    others[..., 7] = True
    middles = batch.middles.copy()
    middles[..., 5:] += 1
    there = np.broadcast_to((np.arange(8) < 5) | ~np.bool_(beyond), is_open.shape)
    before = log_probs(packed, batch, is_open, there)
    after = log_probs(packed, replace(batch, middles=middles), others, there)
    # Places 3 and 4 are proposed by masked ones, which see all that is there.
    moved = (after - before)[..., 3:5, :].abs().amax(-1)
    assert (moved < 1e-5).all() if beyond else (moved > 1e-3).all()


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


def without_suffixes():
    return [(ids, [replace(e, suffix=[]) for e in found]) for ids, found in windows()]


def base_log_probs(base, rows) -> torch.Tensor:
    """[B, K, C, vocabulary] the base alone over prefix and middle, as one text."""
    plain = TorchModel(card_of(base), base, None)

    def of(window, example) -> torch.Tensor:
        prefix = [*window[: example.shared], *example.tail]
        _, logits = plain.read(np.array([*prefix, *example.middle]), 0, None)
        return logits[len(prefix) - 1 : -1].log_softmax(-1)

    return torch.stack([torch.stack([of(window, e) for e in found]) for window, found in rows])


def test_a_fresh_adapter_leaves_the_base_as_it_is(base, fresh):
    rows = without_suffixes()
    batch = lay_out(LAYOUT, rows)
    states = masks.read(batch.lengths.ravel(), LAYOUT.canvas)
    is_open, there = (x.reshape(2, 2, 1, 8) for x in (states.is_open, states.there))
    found = log_probs(fresh, batch, is_open, there)[:, :, 0]
    torch.testing.assert_close(found, base_log_probs(base, rows), atol=1e-4, rtol=0)


def test_the_loss_of_a_fresh_adapter_is_that_of_the_base(base, fresh, monkeypatch):
    monkeypatch.setattr(views, "DRAFTED_SHARE", 0.0)
    rows = without_suffixes()
    batch = lay_out(LAYOUT, rows)
    losses = views.Losses()
    with torch.no_grad():
        loss = views.loss_of(fresh, batch, read(fresh, batch), np.random.default_rng(0), losses)
    middles = torch.from_numpy(batch.middles)[..., None]
    each = -base_log_probs(base, rows).gather(-1, middles)[..., 0].numpy()
    places, lengths = np.arange(LAYOUT.canvas), batch.lengths[..., None]
    end, text = places == lengths - 1, places < lengths
    assert float(loss) == pytest.approx(each[text].mean(), abs=1e-3)
    means = losses.means()
    assert means["read"] == pytest.approx(each[text & ~end].mean(), abs=1e-3)
    assert means["end"] == pytest.approx(each[end].mean(), abs=1e-3)
    assert means["first"] == pytest.approx(each[..., 0].mean(), abs=1e-3)


def test_the_loss_reaches_all_of_the_adapter(packed):
    batch = lay_out(LAYOUT, windows())
    loss = views.loss_of(
        packed, batch, read(packed, batch), np.random.default_rng(0), views.Losses()
    )
    loss.backward()
    for name, parameter in packed.adapter.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_tail_of_a_prefix_has_its_places():
    batch = lay_out(LAYOUT, windows())
    assert batch.context_ids.shape == (2, LAYOUT.window + 2 * LAYOUT.own)
    # Each canvas sees its prefix but for the last token, and its suffix.
    seen = (batch.window_bias == 0).sum(-1) + (batch.own_bias == 0).sum(-1)
    assert (seen == [[25, 12], [5, 6]]).all()
