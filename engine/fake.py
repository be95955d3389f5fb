"""An engine that fills from a script: the whole path without weights or ONNX Runtime.

It is what a real model cannot be told to be: slow, failing, repeating itself. Only compute is
scripted; canvas, denoising and cache are the real ones.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from .card import Card
from .engine import Engine, never
from .errors import EngineFailedError
from .healing import Cut
from .model import Among, Bools, Context, Floats, Ids, KeyValues, Proposal, Start
from .prompt import Cancelled, Critic, Fill, FillOptions, OnStep, Prompt
from .runtime import Runtime

FIRST_BYTE = 17
"""Token id of the byte 0; smaller ids are special."""
CARD = Card(
    name="scripted",
    family="cached",
    mask_id=16,
    end_id=0,
    start_id=0,
    vocabulary=FIRST_BYTE + 256,
    layers=1,
    kv_heads=1,
    head_size=2,
    hidden=2,
    rope_theta=10000.0,
    logit_shift=True,
    canvas_sizes=(8, 16, 32),
    max_related=96,
    max_prefix=512,
    max_suffix=192,
    proposals=4,
)
CERTAIN, SURE, UNSURE, RARE = (math.log(p) for p in (0.999, 0.95, 0.6, 1e-4))


class ByteTokenizer:
    """One token a byte of UTF-8."""

    pieces: tuple[bytes, ...] = (b"",) * FIRST_BYTE + tuple(bytes([byte]) for byte in range(256))

    def encode(self, text: str) -> list[int]:
        """See Tokenizer.encode."""
        return [FIRST_BYTE + byte for byte in text.encode("utf-8", "replace")]

    def decode(self, ids: Sequence[int]) -> str:
        """See Tokenizer.decode."""
        return bytes(i - FIRST_BYTE for i in ids if i >= FIRST_BYTE).decode("utf-8", "replace")


@dataclass
class ScriptedModel:
    """Proposes `text` at every canvas, certain where a token is put forward already, and sure of a
    few open positions at a time."""

    step_seconds: float = 0.0
    sure: int = 8
    """Open positions that a step is sure of, from the left."""
    text: str = ""
    base_text: str | None = None
    """What the base alone would write; None: the same text."""
    fails: bool = False
    card: Card = CARD
    encoded: list[int] = field(default_factory=list)
    """Tokens read by each encode, for tests of the cache."""
    passes: int = 0
    """Over canvases."""
    _start: int = 0
    _owed: str = ""

    def begin(self, text: str, fails: bool, *, start: int = 0, owed: str = "") -> None:
        """A new request, to be filled with `text`.

        Its prefix ends at the position `start`, and `owed` has been taken back from it.
        """
        self.text, self.fails, self._start, self._owed = text, fails, start, owed

    def encode(self, ids: Ids, position: int, past: KeyValues | None) -> KeyValues:
        """See Model.encode: each key holds its token's id."""
        self.encoded.append(len(ids))
        values = np.zeros((1, 1, len(ids), 2), np.float32)
        values[..., 0] = ids
        return KeyValues(values.copy(), values)

    def encode_ahead(
        self, ids: Ids, position: int, past: KeyValues | None
    ) -> tuple[KeyValues, Start | None]:
        """See Model.encode_ahead."""
        return self.encode(ids, position, past), None

    def next_log_probs(
        self, ids: Ids, position: int, past: KeyValues | None, among: Among | None = None
    ) -> tuple[KeyValues, Proposal]:
        """See Model.next_log_probs: the base's script from the last prefix token on."""
        time.sleep(self.step_seconds)
        if self.fails:
            raise EngineFailedError("the script says that this request fails")
        text = self.text if self.base_text is None else self.base_text
        start = position - self._start
        script = np.concatenate([self._script(start + place, 1, text) for place in range(len(ids))])
        for place, tokens in (among or {}).items():
            script[place] = tokens[0]
        proposal = self._proposal(script, np.ones(len(ids), bool))
        following = np.append(ids[1:], 0)
        hit = proposal.ids == following[:, None]
        proposal.current_log_prob[:] = np.where(
            hit.any(axis=1), proposal.log_probs[np.arange(len(ids)), hit.argmax(axis=1)], RARE
        )
        return self.encode(ids, position, past), proposal

    def denoise(
        self,
        canvas: Ids,
        position: int,
        context: Context,
        wanted: Bools | None = None,
    ) -> Proposal:
        """See Model.denoise."""
        self.passes += 1
        time.sleep(self.step_seconds)
        if self.fails:
            raise EngineFailedError("the script says that this request fails")
        script = self._script(position - self._start, len(canvas) - 1, self.text)
        return self._proposal(script, canvas[1:] == self.card.mask_id)

    def rotate(self, keys: Floats, by: int) -> Floats:
        """See Model.rotate: nothing is encoded in the keys' angles here."""
        return keys.copy()

    def _script(self, start: int, size: int, text: str) -> Ids:
        """The tokens of a text from `start` on, then ends."""
        tokens = ByteTokenizer().encode(self._owed + text)[max(start, 0) :][:size]
        return np.array(tokens + [self.card.end_id] * (size - len(tokens)), np.int64)

    def _proposal(self, script: Ids, is_open: Bools) -> Proposal:
        """[C] tokens -> a proposal that puts them first, and other bytes after them."""
        others = FIRST_BYTE + ord("a") + np.arange(self.card.proposals - 1)
        ids = np.empty((len(script), self.card.proposals), np.int64)
        ids[:, 0] = script
        ids[:, 1:] = others
        of_open = np.where(np.cumsum(is_open) <= self.sure, SURE, UNSURE)
        best = np.where(is_open, of_open, CERTAIN).astype(np.float32)
        rest = np.log((1 - np.exp(best)) / 8).astype(np.float32)
        log_probs = np.repeat(rest[:, None], self.card.proposals, axis=1)
        log_probs[:, 0] = best
        end = np.where(script == self.card.end_id, best, rest).astype(np.float32)

        def of_any(places: Ids, tokens: Ids) -> Floats:
            hit = ids[places][:, None] == tokens[:, None]
            found: Floats = np.where(hit, log_probs[places][:, None], RARE).max(axis=2)
            return found

        return Proposal(ids, log_probs, end, best, of_any)


class ScriptedEngine(Engine):
    """An engine whose request i is filled with texts[i % len(texts)]."""

    def __init__(
        self, model: ScriptedModel, texts: Sequence[str], fail_on: Collection[int]
    ) -> None:
        runtime = Runtime(provider="cpu", threads=1, reason="scripted", version="scripted")
        super().__init__(model, ByteTokenizer(), runtime)
        self.script = model
        self.requests = 0
        """Requests so far."""
        self._texts = texts
        self._fail_on = fail_on

    def warm_up(self) -> None:
        """Nothing: a warm-up would use up a text of the script."""

    def begin(self, prompt: Prompt, request: int = 0) -> Cut:
        """Sets the script for a request; gives the prefix that it goes on from."""
        _, cut = self._around(prompt)
        self.script.begin(
            self._texts[request % len(self._texts)],
            request in self._fail_on,
            start=len(cut.ids) - 1,
            owed=cut.owed.decode("utf-8", "replace"),
        )
        return cut

    def fill(
        self,
        prompt: Prompt,
        options: FillOptions | None = None,
        *,
        cancelled: Cancelled = never,
        on_step: OnStep | None = None,
        critic: Critic | None = None,
    ) -> tuple[Fill, ...]:
        """See Engine.fill."""
        request, self.requests = self.requests, self.requests + 1
        self.begin(prompt, request)
        return super().fill(prompt, options, cancelled=cancelled, on_step=on_step, critic=critic)


def scripted_engine(
    texts: Sequence[str], *, step_seconds: float = 0.0, fail_on: Collection[int] = ()
) -> ScriptedEngine:
    """A real engine over a scripted model: each step takes at least `step_seconds`."""
    return ScriptedEngine(ScriptedModel(step_seconds), texts, fail_on)
