"""A loaded model that fills gaps. `Engine.fill` is the way of a gap through the model.

It knows nothing of editors: text around a gap in, fills out.
"""

from __future__ import annotations

import math
import os
import sysconfig
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .automaton import Automaton
from .base import Base
from .candidate import Rules
from .canvas import Canvas
from .card import Card
from .choose import SURE, Choice, Policy
from .clock import Clock
from .context import ContextCache, Surroundings, window
from .filling import Filling
from .formats import Format
from .healing import Cut, Healing
from .held import Hold
from .left_to_right import LeftToRight
from .model import NOTHING, Ids, Model
from .prompt import Cancelled, Critic, Fill, FillOptions, Mode, OnStep, Prompt
from .rank import ranked
from .tokenizer import FileTokenizer, Tokenizer
from .trace import Trace
from .verify import Verified

if TYPE_CHECKING:
    from .runtime import Runtime

DEFAULT_MODEL = "lacuna-135m"
READ_PER_TOKEN = 16
"""Text further from the gap than this times the token limit is not even tokenized."""


def default_model_folder() -> Path:
    """$LACUNA_MODEL, else the folder shipped beside the code or installed with it, for all users of
    this Python or for one."""
    if chosen := os.environ.get("LACUNA_MODEL"):
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 - pathlib's may fail
    schemes = sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")
    installed = [Path(sysconfig.get_path("data", scheme), "share", "lacuna") for scheme in schemes]
    roots = [Path(__file__).resolve().parent.parent, *installed]
    folders = [root / "models" / DEFAULT_MODEL for root in roots]
    # pathlib's is_dir raises where a name is too long, or a folder above may not be looked into.
    return next((folder for folder in folders if os.path.isdir(folder)), folders[1])  # noqa: PTH112


def never() -> bool:
    """The `cancelled` of a request that nobody cancels."""
    return False


class Engine:
    """One model and what it remembers of the last texts. Not thread-safe: one request at a time."""

    def __init__(self, model: Model, tokenizer: Tokenizer, runtime: Runtime) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._healing = Healing(tokenizer, model.card.vocabulary)
        self._automaton = lru_cache(maxsize=4)(partial(lifted, self._healing))
        self.forget()
        self.runtime = runtime
        """Where and how the model runs."""

    @classmethod
    def open(cls, folder: Path | None = None, provider: str = "auto", threads: int = 0) -> Engine:
        """Loads a model folder (None: the default one); one to two seconds on two cores.

        Raises ModelFolderError (missing, altered, unknown version) and RuntimeMissingError.
        """
        from .session import Session

        folder = folder or default_model_folder()
        session = Session.open(folder, provider, threads)
        return cls(session, FileTokenizer(folder / "tokenizer.json"), session.runtime)

    @property
    def card(self) -> Card:
        """What the model says of itself."""
        return self._model.card

    @property
    def cached_tokens(self) -> int:
        """Tokens whose keys and values are kept for the next request."""
        return self._cache.tokens

    def count_tokens(self, text: str) -> int:
        """How many tokens a text is."""
        return len(self._tokenizer.encode(text))

    def forget(self) -> None:
        """Forgets all texts, so that the next one is read anew."""
        self._cache = ContextCache(self._model)
        self._last = "", ""
        """The prefix of the last request, and what was filled in behind it."""

    def warm_up(self) -> None:
        """A small fill, so that the first real one is not slow."""
        self.fill(Prompt("def f(x):\n    return ", "\n"), FillOptions(max_tokens=4, steps=1))

    def read(self, prompt: Prompt, *, cancelled: Cancelled = never) -> None:
        """Reads what stands around a gap, so that a fill asked for there later need not.

        `cancelled` is asked before each forward pass. Raises CancelledError (what was read until
        then is kept) and EngineFailedError.
        """
        self._cache.read(self._around(prompt)[0], cancelled)

    def fill(
        self,
        prompt: Prompt,
        options: FillOptions | None = None,
        *,
        cancelled: Cancelled = never,
        on_step: OnStep | None = None,
        critic: Critic | None = None,
    ) -> tuple[Fill, ...]:
        """Up to `options.candidates` different fills of the gap, the most probable first.

        There is at least one; its text may be empty. `on_step` sees every step of the first
        candidate, which need not be the most probable: its text `was_watched`. `cancelled` is asked
        before each pass. What `critic` doubts in a fill is masked and denoised again. Raises
        CancelledError, PromptError (an option out of its range) and EngineFailedError.
        """
        options = options or FillOptions()
        options.check()
        clock = Clock()
        with clock.measured("tokenize"):
            gap, cut = self._around(prompt)
        trace = Trace(self._tokenizer, cut, on_step) if on_step else None
        base = Base(self._model, self._cache, self._tokenizer, cut, cancelled, clock)
        if options.mode is not Mode.DIFFUSION:
            options = replace(options, max_tokens=min(options.max_tokens, base.room))
        filling = Filling(
            model=self._model,
            cache=self._cache,
            options=options,
            rules=self._rules(options, cut),
            cancelled=cancelled,
            clock=clock,
            cut=cut,
            expected=self._expected(prompt.prefix, cut) if not options.steps else NOTHING,
            critic=critic,
            trace=trace,
        )
        if options.mode is Mode.DIFFUSION:
            found = filling.fills(gap)
        elif options.mode is Mode.VERIFIED:
            found = Verified(base, filling).fills(gap)
        else:
            found = LeftToRight(base, options, self.card.end_id).fills(trace)
        best, watched = ranked(found), found[0].text if on_step else None
        self._last = prompt.prefix, best[0].text
        return tuple(
            replace(fill, timings=clock.timings(), was_watched=fill.text == watched)
            for fill in best
        )

    def _expected(self, prefix: str, cut: Cut) -> Ids:
        """The rest of the last fill, in tokens behind those of the cut prefix, where the text has
        grown by a beginning of it since; else nothing."""
        before, text = self._last
        typed = prefix[len(before) :]
        if not prefix.startswith(before) or not text.startswith(typed) or typed == text:
            return NOTHING
        rest = cut.owed.decode("utf-8", "ignore") + text[len(typed) :]
        return np.array(self._tokenizer.encode(rest), np.int64)

    def _around(self, prompt: Prompt) -> tuple[Surroundings, Cut]:
        """The prompt in tokens, cut to what the model can see, less those taken back."""
        card, encode = self.card, self._tokenizer.encode
        before = tail(prompt.prefix, card.max_prefix * READ_PER_TOKEN)
        after = prompt.suffix[: card.max_suffix * READ_PER_TOKEN]
        prefix = window(np.array(encode(before), np.int64), card.max_prefix)
        ids = [*self._related(prompt.related), *prefix.tolist()] or [card.start_id]
        suffix = np.array(encode(after), np.int64)
        cut = self._healing.cut(np.array(ids, np.int64), card.start_id)
        return Surroundings(cut.ids, suffix[: card.max_suffix]), cut

    def _related(self, text: str) -> list[int]:
        """As many of the last lines of a text as the model takes, and an empty one."""
        most = self.card.max_related
        lines = text[-most * READ_PER_TOKEN :].strip("\n").split("\n")
        for first in range(len(lines) if most and any(lines) else 0):
            ids = self._tokenizer.encode("\n".join(lines[first:]) + "\n\n")
            if len(ids) <= most:
                return ids
        return []

    def _rules(self, options: FillOptions, cut: Cut) -> Rules:
        choice = Choice(
            options.policy, options.threshold, top_k=options.top_k, entropy=options.entropy
        )
        if options.format is not None and options.policy is Policy.SELF_CHECK:
            # There nothing is checked, so what is committed at once has to be certain.
            choice = replace(choice, policy=Policy.THRESHOLD, threshold=SURE)
        return Rules(
            choice=choice,
            steps=options.steps,
            temperature=options.temperature,
            newline=self._healing.newline if options.stop_at_newline else None,
            cut=cut,
            remask=options.remask,
            hold=self._hold(options, cut),
            drafter=self.card.has_drafter,
            least_log_prob=self._least_log_prob(options),
        )

    def _least_log_prob(self, options: FillOptions) -> float:
        """Below what log-probability the denoiser gives up; what the base reads is its matter."""
        if options.mode is not Mode.DIFFUSION or not options.least_probability:
            return -math.inf
        return math.log(options.least_probability)

    def _hold(self, options: FillOptions, cut: Cut) -> Hold | None:
        """What keeps a fill to its format. Raises FormatError when nothing can satisfy it."""
        if options.format is None:
            return None
        card = self.card
        automaton = self._automaton(options.format, options.stop_at_newline, cut.owed)
        hold = Hold(automaton, options.max_tokens + len(cut.taken))
        hold.check(Canvas.masked(card.canvas_sizes[-1], card.mask_id, card.end_id))
        return hold


def lifted(healing: Healing, form: Format, one_line: bool, owed: bytes) -> Automaton:
    """A format over the tokens of a vocabulary, behind text that was taken back."""
    return Automaton.of(form, healing.pieces, one_line=one_line, owed=owed)


def tail(text: str, limit: int) -> str:
    """The end of a text, at most `limit` characters; its start moves in hops of a quarter."""
    over = len(text) - limit
    hop = limit // 4
    return text if over <= 0 else text[-(-over // hop) * hop :]
