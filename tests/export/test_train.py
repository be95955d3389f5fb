"""The trainer learns, goes on where it stopped, and says what it did."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import LacunaError, ModelFolderError
from export import curve, packing, train
from export.denoiser import load_adapter
from export.drafter import MATRICES
from export.folder import check_unsmoothed
from export.limits import END_ID, SPECIAL
from export.losses import Meter
from export.packing import Example
from export.shelf import MADE_OF, Shelf
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
    """The trainer's arguments, uncompiled; a step counts as a second, and its rows have as many
    places and drafts as these examples fill."""
    folder = tmp_path / "examples"
    folder.mkdir()
    written(folder / "0000.npz", 0)
    written(folder / "held-0000.npz", 1)
    monkeypatch.setattr(packing, "ROW", 320)
    monkeypatch.setattr(packing, "STARTS", 32)
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
    options.minutes = 2 / 60
    second = train.Trainer(options, Shipped(base, {}, {}))
    assert second.step > 0
    now = next(second.batches)["ids"]
    assert not torch.equal(now, seen["ids"])


def test_a_run_that_is_taken_up_reads_the_heads_that_its_drafter_was_trained_with(
    options, base, monkeypatch
):
    """What else is seen first may tell of other heads, whose keys the drafter does not know."""
    options.minutes = 1 / 60
    first = train.Trainer(options, Shipped(base, {}, {}))
    first.run()
    others = torch.tensor([(0, head) for head in range(6)] + [(1, head) for head in range(4)])
    assert others.tolist() != first.drafter.heads.tolist()
    monkeypatch.setattr(train, "induction_heads", lambda model, batch: others)
    options.minutes = 2 / 60
    second = train.Trainer(options, Shipped(base, {}, {}))
    assert [list(head) for head in second.heads] == second.drafter.heads.tolist()
    assert second.heads == first.heads
    second.run()


def test_a_run_whose_time_is_up_says_so(options, base):
    options.minutes = 1 / 60
    train.Trainer(options, Shipped(base, {}, {})).run()
    options.minutes = 0.01
    with pytest.raises(LacunaError) as caught:
        train.Trainer(options, Shipped(base, {}, {}))
    up = "its 0.01 minutes are up; raise --minutes to go on, or name another folder"
    assert str(caught.value) == f"{options.to}: {up}"


@pytest.fixture
def begun(options, base):
    """The arguments of a run that was begun, with time left."""
    (options.examples / MADE_OF).write_text("some corpus")
    options.minutes = 1 / 60
    train.Trainer(options, Shipped(base, {}, {})).run()
    options.minutes = 2 / 60
    return options


def test_a_run_goes_on_only_with_the_rank_it_began_with(begun, base):
    begun.rank = 4
    with pytest.raises(LacunaError, match="run: began with rank 8, not 4; give it what it began"):
        train.Trainer(begun, Shipped(base, {}, {}))


def test_a_run_goes_on_only_on_the_base_it_began_with(begun, base, tmp_path):
    begun.init = tmp_path / "model"
    with pytest.raises(LacunaError, match="run: began with base gguf, not folder; give it what"):
        train.Trainer(begun, Shipped(base, {}, {}))


def test_a_run_goes_on_only_with_the_examples_it_began_with(begun, base):
    (begun.examples / MADE_OF).write_text("another corpus")
    with pytest.raises(LacunaError, match=r"run: began with examples [0-9a-f]{16}, not \w{16};"):
        train.Trainer(begun, Shipped(base, {}, {}))


def test_a_run_that_does_not_tell_what_it_began_with_goes_on(begun, base):
    """They did not once. The rank can be told from the adapter."""
    state = torch.load(begun.to / "state.pt")
    del state["began_from"]
    torch.save(state, begun.to / "state.pt")
    assert train.Trainer(begun, Shipped(base, {}, {})).step == 1
    begun.rank = 4
    with pytest.raises(LacunaError, match="began with rank 8, not 4"):
        train.Trainer(begun, Shipped(base, {}, {}))


def test_a_run_that_cannot_be_saved_says_so(options, base, monkeypatch):
    """Of a full disk torch tells in an error of its own."""
    trainer = train.Trainer(options, Shipped(base, {}, {}))

    def full(state, path):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0\nframe #0: ...")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(LacunaError, match=r"run: cannot be written to \(Pyt.* data/0\); see that"):
        trainer._save()


def test_what_is_held_out_is_looked_at_without_gradients(options, base, monkeypatch):
    """They would take the memory of a whole step, to be thrown away; the losses are the same."""
    trainer, losses = train.Trainer(options, Shipped(base, {}, {})), []
    loss = trainer._loss

    def kept(*given):
        losses.append(loss(*given))

    monkeypatch.setattr(trainer, "_loss", kept)
    found, meter = trainer._held_out(), Meter()
    assert losses and not any(one.requires_grad for one in losses)
    assert all(loss(batch, meter).requires_grad for batch in trainer.held)
    assert meter.read() == found


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
    options.minutes = 3 / 60
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


def test_the_curve_of_a_run_that_goes_on_with_the_drafter_alone_is_drawn(options):
    both = {"step": 1, "training": {"read": 2.0}, "held_out": {"read": 2.1}}
    alone = {"step": 2, "training": {"drafter": 1.0}, "held_out": {"drafter": 1.1}}
    lines = [json.dumps(line) + "\n" for line in (both, alone)]
    (options.to / "log.jsonl").write_text("".join(lines))
    assert curve.plot(options.to).read_bytes().startswith(b"\x89PNG")


def test_few_examples_come_more_than_once_in_a_step(options, base):
    options.rows = 5
    batch = next(train.Trainer(options, Shipped(base, {}, {})).batches)
    assert len(batch["ids"]) == 5


def test_no_examples_are_an_error(options, base, tmp_path):
    options.examples = tmp_path / "elsewhere"
    with pytest.raises(FileNotFoundError, match="elsewhere: no examples; `python -m export ex"):
        train.Trainer(options, Shipped(base, {}, {}))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_shard_that_cannot_be_read_is_an_error_of_one_line(options, base, workers):
    (options.examples / "0001.npz").write_bytes(b"PK cut short")
    options.workers = workers
    with pytest.raises(LacunaError, match=r"0001\.npz: cannot be read") as caught:
        train.Trainer(options, Shipped(base, {}, {}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("--minutes 0", "'0' is not a number from 0.01 to 1000000"),
        ("--rate -1", "'-1' is not a number from 0 to 1"),
        ("--rows 0", "'0' is not a whole number of at least 1"),
        ("--device gpu", "invalid choice: 'gpu'"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(given, fault, capsys):
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--to", "run", *given.split()])
    assert fault in capsys.readouterr().err


def test_a_gpu_that_is_not_there_is_an_error_of_one_line(tmp_path):
    command = f"-m export train --device cuda --to {tmp_path / 'run'}"
    done = subprocess.run(
        [sys.executable, *command.split()],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    fault = "--device cuda: torch finds no GPU that it can use; train on the cpu"
    assert (done.returncode, done.stderr) == (2, f"python -m export train: {fault}\n")
    assert not (tmp_path / "run").exists()


def test_nothing_need_be_held_out(options, base):
    (options.examples / "held-0000.npz").unlink()
    train.Trainer(options, Shipped(base, {}, {})).run()
    assert [line["held_out"] for line in log(options)] == [{}, {}, {}]
    assert curve.plot(options.to).exists()


def test_the_drafter_knows_the_commonest_tokens_and_the_end(options, base):
    tokens = train.Trainer(options, Shipped(base, {}, {})).drafter.tokens.tolist()
    assert tokens == sorted(set(tokens))
    assert {END_ID, *WINDOW} <= set(tokens)
    assert min(tokens[1:]) == SPECIAL, "of the special ones the end alone, though there is room"
