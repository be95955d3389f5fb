"""The trainer learns, goes on where it stopped, and says what it did."""

from __future__ import annotations

import argparse
import json
import signal

import numpy as np
import pytest
import torch

from engine.healing import Healing
from export import curve, train
from export.batches import Texts, batch
from export.denoiser import load_adapter
from export.folder import engine_tokenizer
from export.limits import END_ID
from export.packing import Layout
from export.workers import Team

CODE = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n"
CODE += "    return result\n\n\n"


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "python.txt").write_text("\0".join([CODE * 20, CODE * 30]))
    (folder / "held-python.txt").write_text(CODE.replace("value", "number") * 20)
    return folder


@pytest.fixture
def options(tmp_path, corpus, base, tokenizer, monkeypatch):
    """The trainer's arguments, on a tiny base, uncompiled."""
    layout = Layout(canvas=16, windows=2, gaps=2, window=120, suffix=12)
    monkeypatch.setattr(train, "LAYOUTS", ((layout, 1.0),))
    monkeypatch.setattr(train, "base_of", lambda gguf: (base, tokenizer))
    monkeypatch.setattr(train.Denoiser, "compile", lambda self: None)
    monkeypatch.setattr(train, "HELD_STEPS", 10)
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    text = f"--corpus {corpus} --to {tmp_path / 'run'} --rank 4 --rate 2e-2"
    return parser.parse_args(text.split())


def trained(options, steps: int) -> train.Trainer:
    options.to.mkdir(exist_ok=True)
    options.steps = steps
    trainer = train.Trainer(options, Team())
    trainer.run()
    return trainer


def log(options) -> list[dict]:
    return [json.loads(line) for line in (options.to / "log.jsonl").read_text().splitlines()]


def test_it_learns_and_writes_what_it_learned(options):
    trained(options, 60)
    held = [line["held_out"] for line in log(options) if "held_out" in line]
    assert len(held) == 6
    for name in ("read", "end", "draft 1", "draft 2"):
        assert held[-1][name] < held[0][name] - 0.3, name
    saved = load_adapter(options.to / "adapter.safetensors")
    assert saved["b.0_q"].abs().sum() > 0


def test_going_on_is_the_same_as_never_having_stopped(options, tmp_path):
    whole = trained(options, 6)
    options.to = tmp_path / "halves"
    trained(options, 3)
    second = trained(options, 6)
    for name, tensor in whole.model.adapter.state_dict().items():
        torch.testing.assert_close(second.model.adapter.state_dict()[name], tensor)
        torch.testing.assert_close(second.average[name], whole.average[name])
    assert second.spans == whole.spans == 24


def test_a_signal_ends_it_after_the_step_and_all_is_saved(options, monkeypatch):
    step = train.Trainer._train_step

    def signalled(trainer):
        if trainer.step == 1:
            signal.raise_signal(signal.SIGTERM)
        return step(trainer)

    monkeypatch.setattr(train.Trainer, "_train_step", signalled)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert trained(options, 50).step == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert torch.load(options.to / "state.pt")["step"] == 2


def test_it_begins_from_an_adapter(options, tmp_path):
    trained(options, 3)
    options.init, options.to = options.to / "adapter.safetensors", tmp_path / "second"
    options.to.mkdir()
    start = train.Trainer(options, Team()).model.adapter.state_dict()
    for name, tensor in load_adapter(options.init).items():
        torch.testing.assert_close(start[name], tensor)


def test_cooling_lets_the_rate_fall_to_nothing_and_stops(options):
    options.cool = 5
    trainer = trained(options, 0)
    assert trainer.step == 5
    assert trainer._rate() == 0.0


def test_the_curve_is_drawn_of_losses_that_are_logged(options):
    trained(options, 20)
    held = [line["held_out"] for line in log(options) if "held_out" in line]
    assert all(set(curve.SERIES) <= set(losses) for losses in held)
    train.run(argparse.Namespace(plot=True, to=options.to))
    assert (options.to / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_batches_are_made_of_the_text_they_claim(options, corpus, tokenizer):
    from random import Random

    layout = train.LAYOUTS[0][0]
    texts = Texts(corpus, {"python": 1.0})
    healing = Healing(engine_tokenizer(tokenizer), tokenizer.get_vocab_size())
    drawn = batch(layout, texts, healing, Random(5))
    same = batch(layout, texts, healing, Random(5))
    np.testing.assert_array_equal(drawn.context_ids, same.context_ids)
    whole = CODE * 30
    for row in range(layout.windows):
        for gap in range(layout.gaps):
            length = min(drawn.lengths[row, gap], layout.canvas + 1) - 1
            middle = tokenizer.decode(drawn.middles[row, gap, :length].tolist())
            seen = drawn.window_bias[row, gap] == 0
            prefix = tokenizer.decode(drawn.context_ids[row, : layout.window][seen].tolist())
            last = tokenizer.decode([int(drawn.before[row, gap])])
            assert prefix[-20:] + last + middle in whole
            assert (drawn.middles[row, gap, length + 1 :] == END_ID).all()
