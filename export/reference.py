"""The torch model in the engine, and the base alone left to right: what others are held against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer as Library
from torch import Tensor

from engine import Engine
from engine.model import KeyValues
from engine.runtime import Runtime
from lsp_server.prompt import prompt_for

from .folder import base_of, engine_tokenizer
from .held_out import Answer, HeldOut
from .limits import CANVAS_SIZES, END_ID
from .torch_model import TorchModel, card_of


def torch_model(
    gguf: Path | None,
    adapter: Path | None,
    kind: torch.dtype = torch.float32,
    canvases: tuple[int, ...] = CANVAS_SIZES,
) -> tuple[TorchModel, Library]:
    """Base and adapter, computed in `kind`, on canvases of these sizes; and their tokenizer."""
    base, library = base_of(gguf)
    card = replace(card_of(base), canvas_sizes=canvases)
    return TorchModel(card, base, adapter, kind), library


def torch_engine(model: TorchModel, library: Library) -> Engine:
    """The real engine on the torch model."""
    runtime = Runtime("torch", torch.get_num_threads(), "the reference", torch.__version__)
    return Engine(model, engine_tokenizer(library), runtime)


class LeftToRight:
    """The base as an ordinary completion model: greedy, prefix only, with token healing.

    A cursor may cut a token in two, and then the base has never seen what comes next. So the last
    token of the prefix is taken back, and the first one made must begin with its text.
    """

    def __init__(self, model: TorchModel, library: Library) -> None:
        self._model, self._library = model, library
        count = model.card.vocabulary
        self._tokens = [library.id_to_token(index) or "" for index in range(count)]

    def __call__(self, gap: HeldOut) -> Answer:
        prefix = prompt_for(gap.span).prefix
        ids = self._library.encode(prefix, add_special_tokens=False).ids
        *ids, healed = ids[-self._model.card.max_prefix :]
        made, cache = self._first(ids, healed)
        start = len(self._library.decode([healed]))
        while made[-1] != END_ID and len(made) <= gap.span.max_tokens:
            text = self._library.decode(made)[start:]
            if gap.span.stop_at_newline and "\n" in text:
                break
            new, logits = self._model.read(np.array(made[-1:]), len(ids) + len(made) - 1, cache)
            cache = cache.followed_by(new)
            made.append(int(logits[-1].argmax()))
        text = self._library.decode(made)[start:]
        text = text.split("\n", 1)[0] if gap.span.stop_at_newline else text
        return Answer(text, len(made), len(made))

    def _first(self, ids: list[int], healed: int) -> tuple[list[int], KeyValues]:
        """The first token, which begins with the text of `healed`, and the cache before it."""
        ids = ids or [END_ID]
        cache, logits = self._model.read(np.array(ids), 0, None)
        allowed = [t.startswith(self._tokens[healed]) for t in self._tokens]
        barred: Tensor = logits[-1].masked_fill(~torch.tensor(allowed), -torch.inf)
        return [int(barred.argmax())], cache
