"""The trainer learns, goes on where it stopped, and says what it did."""

from __future__ import annotations

import argparse
import json

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import ModelFolderError
from export import curve, train
from export.denoiser import load_adapter
from export.drafter import MATRICES
from export.folder import check_unsmoothed
from export.limits import END_ID
from export.packing import Example
from export.shelf import Shelf
from export.shipped import Shipped

WINDOW = (list(range(30, 90)) * 2)[:100]


def written(path, shift: int) -> None:
    shelf = Shelf()
    window = [token + shift for token in WINDOW]
    for start in range(4):
        gaps = [
            Example(at, [*window[at : at + 6], END_ID], window[at + 6 : at + 16])
            for at in range(20 + start, 80, 20)
        ]
        shelf.add((window, gaps))
    shelf.save(path)


@pytest.fixture
def options(tmp_path, monkeypatch):
    """The trainer's arguments, uncompiled; a step counts as a second."""
    folder = tmp_path / "examples"
    folder.mkdir()
    written(folder / "0000.npz", 0)
    written(folder / "held-0000.npz", 1)
    monkeypatch.setattr(train.Denoiser, "compile", lambda self: None)
    monkeypatch.setattr(train.Trainer, "clock", lambda self: float(self.step))
    monkeypatch.setattr(train, "HELD_BATCHES", 1)
    monkeypatch.setattr(train, "WARM_UP", 1e-9)
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    text = f"--examples {folder} --to {tmp_path / 'run'} --minutes 0.5 --rank 8 --rate 2e-2"
    made = parser.parse_args([*text.split(), "--rows", "2", "--workers", "0", "--every", "9"])
    made.to.mkdir()
    return made


def log(options) -> list[dict]:
    return [json.loads(line) for line in (options.to / "log.jsonl").read_text().splitlines()]


def test_it_learns_and_writes_what_it_learned(options, base):
    trainer = train.Trainer(options, Shipped(base, {}, {}))
    trainer.run()
    assert trainer.step == 30, "half a minute"
    lines = log(options)
    assert [line["step"] for line in lines] == [10, 20, 30]
    for name in ("read", "text", "drafted", "drafter"):
        assert lines[2]["training"][name] < lines[0]["training"][name] - 0.2, name
    assert lines[-1]["held_out"]["read"] > 0
    assert load_adapter(options.to / "adapter.safetensors")["b.q"].abs().sum() > 0
    assert load_file(options.to / "drafter.safetensors")["write.weight"].abs().sum() > 0


def test_it_goes_on_where_it_stopped_and_ends_when_its_time_is_up(options, base):
    options.minutes = 10 / 60
    first = train.Trainer(options, Shipped(base, {}, {}))
    first.run()
    options.minutes = 20 / 60
    second = train.Trainer(options, Shipped(base, {}, {}))
    assert (second.step, second.seconds) == (10, 10.0)
    for name, tensor in first.model.adapter.state_dict().items():
        torch.testing.assert_close(second.model.adapter.state_dict()[name], tensor)
    assert second.optimisers["rate"].state_dict()["state"], "what it remembers of gradients"
    second.run()
    assert second.step == 20
    assert second.left == 0.0
    assert second.optimisers["rate"].param_groups[0]["lr"] == pytest.approx(2e-2 / 20)


def test_a_run_that_is_taken_up_does_not_see_the_same_again(options, base):
    """Its first windows would come a second time with the same gaps, to be learned by heart."""
    options.minutes = 1 / 60
    first = train.Trainer(options, Shipped(base, {}, {}))
    seen = next(first.batches)
    again = train.Trainer(options, Shipped(base, {}, {}))
    assert torch.equal(next(again.batches)["ids"], seen["ids"])
    again.run()
    second = train.Trainer(options, Shipped(base, {}, {}))
    assert second.step > 0
    now = next(second.batches)["ids"]
    assert not torch.equal(now, seen["ids"])


def test_looking_at_what_is_held_out_takes_a_tenth_of_the_time(options, base, monkeypatch):
    """A look takes four seconds here, so there are thirty-six of learning before the next one."""
    looks, look = [], train.Trainer._held_out
    monkeypatch.setattr(train.Trainer, "_held_out", lambda self: looks.append(1) or look(self))
    monkeypatch.setattr(train.Trainer, "clock", lambda self: float(self.step + 4 * len(looks)))
    options.every, options.minutes = 5, 80 / 60
    train.Trainer(options, Shipped(base, {}, {})).run()
    lines = log(options)
    assert [line["step"] for line in lines if line["held_out"]] == [6, 42, 72]
    assert [line["step"] for line in lines][:4] == [6, 12, 18, 24], "and is saved all the same"


def test_it_begins_from_a_model(options, base, tmp_path):
    first = train.Trainer(options, Shipped(base, {}, {}))
    first.run()
    known = ("tokens", "heads", "norm", *(f"{matrix}.weight" for matrix in MATRICES))
    adapter, drafter = first.model.adapter.state_dict(), first.drafter.state_dict()
    start = Shipped(base, adapter, {name: drafter[name] for name in known})
    check_unsmoothed(options.to / "adapter.safetensors")
    options.to, options.rank, options.init = tmp_path / "second", 4, tmp_path / "model"
    second = train.Trainer(options, start)
    assert second.step == 0
    for name, tensor in adapter.items():
        torch.testing.assert_close(second.model.adapter.state_dict()[name], tensor)
    for name, tensor in drafter.items():
        torch.testing.assert_close(second.drafter.state_dict()[name], tensor)
    options.to.mkdir()
    second.run()
    with pytest.raises(ModelFolderError, match="without --smooth"):
        check_unsmoothed(options.to / "adapter.safetensors")


def test_without_a_rate_the_drafter_learns_alone(options, base):
    options.rate = 0.0
    trainer = train.Trainer(options, Shipped(base, {}, {}))
    before = {name: x.clone() for name, x in trainer.model.adapter.state_dict().items()}
    trainer.run()
    for name, tensor in before.items():
        torch.testing.assert_close(trainer.model.adapter.state_dict()[name], tensor, rtol=0, atol=0)
    first, *_, last = log(options)
    assert last["training"]["drafter"] < first["training"]["drafter"] - 0.2
    assert "read" not in last["training"], "what does not learn is not measured"


def test_a_base_alone_is_read_from_its_file(options, monkeypatch):
    monkeypatch.setattr(train, "read_gguf", lambda path: f"the base in {path}")
    options.gguf = "some.gguf"
    assert train.start_of(options) == Shipped("the base in some.gguf", {}, {})


def test_the_curve_is_drawn_of_losses_that_are_logged(options, base):
    train.Trainer(options, Shipped(base, {}, {})).run()
    looks = [set(line["held_out"]) for line in log(options) if line["held_out"]]
    assert len(looks) > 1 and all(set(curve.SERIES) <= names for names in looks)
    train.run(argparse.Namespace(plot=True, to=options.to))
    assert (options.to / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_curve_of_a_drafter_alone_is_that_of_its_drafts(options, base):
    options.rate = 0.0
    train.Trainer(options, Shipped(base, {}, {})).run()
    assert curve.plot(options.to).read_bytes().startswith(b"\x89PNG")


def test_few_examples_come_more_than_once_in_a_step(options, base):
    options.rows = 5
    batch = next(train.Trainer(options, Shipped(base, {}, {})).batches)
    assert len(batch["ids"]) == 5


def test_no_examples_are_an_error(options, base, tmp_path):
    options.examples = tmp_path / "elsewhere"
    with pytest.raises(FileNotFoundError, match="elsewhere: no examples; `python -m export ex"):
        train.Trainer(options, Shipped(base, {}, {}))


def test_nothing_need_be_held_out(options, base):
    (options.examples / "held-0000.npz").unlink()
    train.Trainer(options, Shipped(base, {}, {})).run()
    assert [line["held_out"] for line in log(options)] == [{}, {}, {}]
    assert curve.plot(options.to).exists()


def test_the_drafter_knows_the_commonest_tokens_and_the_end(options, base):
    tokens = train.Trainer(options, Shipped(base, {}, {})).drafter.tokens.tolist()
    assert tokens == sorted(set(tokens))
    assert {END_ID, *WINDOW} <= set(tokens)
