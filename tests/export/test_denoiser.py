"""A row of training computes what the plain model computes for each gap alone."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from engine.errors import ModelFolderError
from engine.model import Context
from export import packing
from export.denoiser import PROJECTIONS, Adapter, Denoiser, load_adapter, save_adapter
from export.limits import END_ID, MASK_ID
from export.packing import Example, lay_out
from export.sight import Sight
from export.torch_model import TorchModel, card_of
from export.train import arrays

RNG = np.random.default_rng(0)
WINDOW = RNG.integers(20, 320, 60).tolist()
GAPS = [
    Example(20, [*WINDOW[20:25], END_ID], []),
    Example(33, [*WINDOW[33:40], END_ID], WINDOW[40:52]),
]


@pytest.fixture
def adapter_file(base, tmp_path):
    torch.manual_seed(0)
    adapter = Adapter(base, rank=4)
    for parameter in adapter.b.values():
        torch.nn.init.normal_(parameter, std=0.2)
    path = tmp_path / "adapter.safetensors"
    save_adapter(adapter, path)
    return path


@pytest.fixture
def model(base, adapter_file) -> Denoiser:
    adapter = Adapter(base, rank=4)
    adapter.load_state_dict(load_adapter(adapter_file))
    return Denoiser(base, adapter, torch.float32)


@pytest.fixture(autouse=True)
def both_canvases(monkeypatch):
    monkeypatch.setattr(packing, "DRAFTED_CANVASES", 1.0)


def read(model: Denoiser, batch) -> torch.Tensor:
    found = model(batch["ids"], batch["positions"], sight_of(batch).attend())
    hidden, taps = found.hidden, found.taps
    assert taps.shape == (*hidden.shape[:2], 2, hidden.shape[2])
    return hidden[0].detach()


def sight_of(batch) -> Sight:
    return Sight(batch["part"], batch["reach"], batch["suffix"], batch["is_open"])


def part(batch, index: int) -> np.ndarray:
    return np.flatnonzero(batch["part"][0].numpy() == index)


def test_a_canvas_before_nothing_is_the_window_read_on(model):
    batch = arrays(lay_out([(WINDOW, GAPS)], Random(0)))
    hidden, canvas = read(model, batch), part(batch, 2)[:-1]  # without the end
    torch.testing.assert_close(hidden[canvas], hidden[19 : 19 + len(canvas)])


def test_closed_places_do_not_know_of_open_ones(model):
    counted = 0
    for seed in range(12):
        batch = arrays(lay_out([(WINDOW, GAPS)], Random(seed)))
        hidden, whole, drafted = read(model, batch), part(batch, 5), part(batch, 6)
        is_open = batch["is_open"][0, drafted].numpy()
        left = int(is_open.argmax())
        torch.testing.assert_close(hidden[drafted[:left]], hidden[whole[:left]])
        if left < len(whole):
            assert not torch.allclose(hidden[drafted[left]], hidden[whole[left]])
            counted += left > 1
    assert counted


@pytest.mark.parametrize("seed", range(4))
def test_a_row_is_what_the_plain_model_reads_part_by_part(base, model, adapter_file, seed):
    plain = TorchModel(card_of(base), base, adapter_file)
    batch = arrays(lay_out([(WINDOW, GAPS)], Random(seed)))
    hidden = read(model, batch)
    suffix = part(batch, 4)
    before = plain.encode(np.array(WINDOW[:32]), 0, None)
    after = plain.encode(np.array(GAPS[1].suffix), int(batch["positions"][0, suffix[0]]), None)
    context = Context(before, after, np.array(WINDOW[:32]))
    for index in (5, 6):
        canvas = part(batch, index)
        row = batch["ids"][0, canvas].numpy()
        if (row == MASK_ID).any() and not is_a_state(row):
            continue
        proposal = plain.denoise(row, 32, context)
        logits = torch.nn.functional.linear(hidden[canvas[:-1]], model.embedding)
        best = logits.index_fill(1, torch.arange(1, 17), -torch.inf).argmax(1)
        assert proposal.ids[:, 0].tolist() == best.tolist()


def is_a_state(row: np.ndarray) -> bool:
    """Whether all closed places lie left of the open ones."""
    is_open = row == MASK_ID
    return bool(is_open[int(is_open.argmax()) :].all())


def test_a_tail_is_read_with_the_canvas_as_if_it_had_been_read_before(base, adapter_file):
    plain = TorchModel(card_of(base), base, adapter_file)
    ids = np.array(WINDOW)
    before, after = plain.encode(ids[:31], 0, None), plain.encode(ids[40:50], 48, None)
    short = Context(plain.encode(ids[:28], 0, None), after, ids[:28], ids[28:31])
    row = np.full(17, MASK_ID)
    row[0] = ids[31]
    whole = plain.denoise(row, 31, Context(before, after, ids[:31]))
    parts = plain.denoise(row, 31, short)
    np.testing.assert_allclose(parts.log_probs, whole.log_probs, atol=1e-4)


def test_an_adapter_is_kept_as_it_is(base, tmp_path, adapter_file):
    state = load_adapter(adapter_file)
    assert set(state) == set(Adapter(base, rank=4).state_dict())
    again = Adapter(base, rank=4)
    again.load_state_dict(state)
    save_adapter(again, tmp_path / "again.safetensors")
    for name, tensor in load_adapter(tmp_path / "again.safetensors").items():
        torch.testing.assert_close(tensor, state[name])


def test_an_adapter_of_a_model_folders_base_is_put_on_no_other(base, tmp_path):
    path = tmp_path / "adapter.safetensors"
    save_adapter(Adapter(base, rank=4), path, base="folder")
    with pytest.raises(ModelFolderError, match=r"--adapter-only.* and use `evaluate --model`"):
        TorchModel(card_of(base), base, path)


def test_a_damaged_adapter_is_an_error_that_names_it(adapter_file):
    adapter_file.write_bytes(adapter_file.read_bytes()[:-1])
    with pytest.raises(
        ModelFolderError, match=r"adapter\.safetensors: cannot be read .*train` wri"
    ):
        load_adapter(adapter_file)


def test_a_new_adapter_changes_nothing_and_learns_everywhere(base):
    fresh = Denoiser(base, Adapter(base, rank=4), torch.float32)
    batch = arrays(lay_out([(WINDOW, GAPS)], Random(0)))
    hidden = read(fresh, batch)
    plain = TorchModel(card_of(base), base, None)
    _, logits = plain.read(np.array(WINDOW), 0, None)
    own = torch.nn.functional.linear(hidden[: len(WINDOW)], fresh.embedding)
    torch.testing.assert_close(own, logits, atol=1e-3, rtol=1e-3)
    out = fresh(batch["ids"], batch["positions"], sight_of(batch).attend()).hidden
    out.square().sum().backward()
    for name in PROJECTIONS:
        gradient = fresh.adapter.b[name].grad
        assert gradient is not None
        # Keys and values of the last layer and what comes after them reach the output too.
        assert (gradient.abs().amax((1, 2)) > 0).all(), name
    assert fresh.adapter.mask_embedding.grad is not None


@pytest.mark.filterwarnings("ignore:flex_attention called without")
def test_blocks_that_nobody_sees_can_be_left_out():
    """Forward and uncompiled: this machine's torch has no gradient of it without CUDA."""
    sight = sight_of(two_rows())
    q, k, v = (part.detach() for part in asked(2))
    places = sight.part.shape[1]
    blocks = create_block_mask(sight.sees, 2, None, places, places, device="cpu")
    sparse = flex_attention(q, k, v, block_mask=blocks)
    torch.testing.assert_close(sparse, by_table(sight, q, k, v), atol=1e-4, rtol=1e-4)


def test_attention_by_parts_is_that_of_a_whole_table():
    sight, asking = sight_of(two_rows()), asked(2)
    found, wanted = sight.attend()(*asking), by_table(sight, *asking)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    weights = torch.randn_like(found)
    for mine, its in zip(
        torch.autograd.grad((found * weights).sum(), asking),
        torch.autograd.grad((wanted * weights).sum(), asking),
        strict=True,
    ):
        torch.testing.assert_close(mine, its, atol=1e-5, rtol=1e-5)


def two_rows():
    """Of different parts; the first gap of each has no suffix."""
    windows = [(WINDOW, GAPS), (WINDOW[:45], [*GAPS, GAPS[1]])]
    return arrays(lay_out(windows, Random(0)))


def asked(rows: int) -> list[torch.Tensor]:
    return [torch.randn(rows, 3, packing.ROW, 16, requires_grad=True) for _ in range(3)]


def by_table(sight: Sight, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attention over all places, by a table of who sees whom."""
    at, row = torch.arange(q.shape[2]), torch.arange(len(q))[:, None, None]
    seen = sight.sees(row, row, at[None, :, None], at[None, None, :])
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None])
