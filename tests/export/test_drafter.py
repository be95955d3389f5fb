"""The drafter learns what the adapter would choose next."""

from __future__ import annotations

import argparse
import json

import pytest
import torch
from safetensors.torch import load_file

from export import drafter
from export.denoiser import Adapter, Denoiser, save_adapter
from export.packing import Layout

CODE = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n"
CODE += "    return result\n\n\n"


@pytest.fixture
def options(tmp_path, base, tokenizer, monkeypatch):
    """The arguments of a small run on a tiny base."""
    (tmp_path / "python.txt").write_text("\0".join([CODE * 20, CODE * 30]))
    (tmp_path / "held-python.txt").write_text(CODE.replace("value", "number") * 20)
    save_adapter(Adapter(base, 4).state_dict(), tmp_path / "adapter.safetensors")
    text = Layout(canvas=drafter.LINE, windows=2, gaps=3, window=120, suffix=4)
    gap = Layout(canvas=16, windows=2, gaps=2, window=120, suffix=12)
    monkeypatch.setattr(drafter, "LAYOUTS_OF_TEXT", ((text, 0.8),))
    monkeypatch.setattr(drafter, "LAYOUTS", ((gap, 1.0),))
    monkeypatch.setattr(drafter, "VOCABULARY", 300)
    monkeypatch.setattr(drafter, "base_of", lambda gguf: (base, tokenizer))
    monkeypatch.setattr(Denoiser, "compile", lambda self: None)
    parser = argparse.ArgumentParser()
    drafter.add_arguments(parser)
    return parser.parse_args(
        f"--corpus {tmp_path} --adapter {tmp_path / 'adapter.safetensors'} "
        f"--to {tmp_path / 'run'} --batches 30 --steps 150".split()
    )


def test_it_learns_what_the_adapter_would_choose(options):
    drafter.run(options)
    lines = [json.loads(x) for x in (options.to / "drafter.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 150
    assert lines[-1]["held_out_loss"] < lines[0]["held_out_loss"] - 1
    saved = load_file(options.to / "drafter.safetensors")
    assert saved["write.weight"].abs().sum() > 0
    assert saved["tokens"].tolist() == sorted(set(saved["tokens"].tolist()))


def test_a_stretch_of_text_is_a_gap_with_its_true_middle(options, tokenizer):
    from random import Random

    from export.batches import Texts
    from export.folder import engine_tokenizer

    layout, _ = drafter.LAYOUTS_OF_TEXT[0]
    texts = Texts(options.corpus, {"python": 1.0})
    source = drafter.stretches(layout, texts, engine_tokenizer(tokenizer), Random(1))
    for _ in range(5):
        window, gaps = next(source)
        assert len(gaps) == layout.gaps
        for gap in gaps:
            known = [*window, *[-1] * drafter.LINE][gap.shared : gap.shared + drafter.LINE]
            assert all(a in (-1, b) for a, b in zip(known, gap.middle, strict=True))
            assert len(gap.middle) == drafter.LINE


def test_a_place_counts_fully_where_the_text_is_the_adapters_own(base):
    """The text is what the adapter would write up to a place, and something else from there on."""
    torch.manual_seed(0)
    tokens = torch.arange(20, 320)
    network = drafter.Drafter(base, tokens)
    seen = torch.randn(1, drafter.PLACES, 3, base.shape.hidden)
    best = tokens[(seen[:, :, 0].bfloat16() @ network.columns.T).argmax(-1)]
    ids = torch.cat([torch.tensor([[20]]), best[:, :-1]], 1)
    ids[0, 11:] = (ids[0, 11:] + 1 - 20) % 300 + 20
    known = drafter.Features(ids, torch.tensor([drafter.PLACES]), seen.bfloat16())
    agreement = drafter.Agreement.none()
    with torch.autocast("cpu", torch.bfloat16):
        drafter.loss_of(network, known, agreement)
    assert agreement.reached.tolist() == [10, 9, 8, 7]
