"""The systems that are compared, each behind the same three calls. A worker holds one of them.

All read the same prompt in the same tokens, as far back as Lacuna's model can see, run on the same
number of threads, are greedy, and stop where the span ends.
"""

from __future__ import annotations

import ctypes
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine import Engine, FillOptions, Prompt, default_model_folder
from engine.card import Card
from engine.choose import Policy
from engine.context import window
from engine.extent import end_of
from engine.healing import Cut, Healing
from engine.model import Ids
from engine.prompt import Mode
from engine.runtime import physical_cores
from engine.tokenizer import FileTokenizer
from lsp_server.critic import critic_of
from lsp_server.prompt import prompt_for
from lsp_server.spans import Span

from .spans import Made, before_typing, key_before, within

Scores = NDArray[np.float32]
"""[vocabulary] how likely each token is to come next, as logits."""
Allowed = Callable[[], Ids | None]
"""The tokens that may come next; None: any."""


class Encoder(Protocol):
    """As much of a tokenizer as left-to-right writing needs; see engine.tokenizer.Tokenizer."""

    @property
    def pieces(self) -> Sequence[bytes]: ...

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run a system: a row of the table."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of `FillOptions`, where they are not the defaults; only Lacuna has any."""
    critic: bool = True
    """Whether the parser may doubt a fill, as it does in the server."""
    is_main: bool = False
    """Whether it is in the main table, and so goes through all spans and is started cold too."""

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Variant:
        """From JSON, which knows no enumerations."""
        kinds: dict[str, Callable[[Any], Any]] = {"mode": Mode, "policy": Policy}
        options = {k: kinds[k](v) if k in kinds else v for k, v in content["options"].items()}
        return cls(**{**content, "options": options})


class System(Protocol):
    """What can fill a gap, and forget that it did."""

    def versions(self) -> dict[str, str]:
        """What it is made of, for the header of the results."""
        ...

    def forget(self) -> None:
        """Afterwards nothing of any text is cached."""
        ...

    def read(self, span: Span, variant: Variant) -> None:
        """Afterwards everything around the gap is cached but what was typed last."""
        ...

    def type(self, span: Span, variant: Variant) -> None:
        """Afterwards the last character before the gap was typed just now, and the gap had been
        filled before that."""
        ...

    def fill(self, span: Span, variant: Variant) -> Made:
        """Fills the gap and says what it took."""
        ...


class Lacuna:
    """This project's engine, with the server's critic."""

    def __init__(self, folder: Path | None) -> None:
        self._engine = Engine.open(folder)

    def versions(self) -> dict[str, str]:
        """See System.versions."""
        runtime = self._engine.runtime
        return {"model": self._engine.card.name, "onnxruntime": runtime.version}

    def forget(self) -> None:
        """See System.forget."""
        self._engine.forget()

    def read(self, span: Span, variant: Variant) -> None:
        """See System.read."""
        options = FillOptions(**{**variant.options, "max_tokens": 1, "steps": 1})
        self._engine.fill(before_typing(prompt_for(span)), options)

    def type(self, span: Span, variant: Variant) -> None:
        """See System.type."""
        self.read(span, variant)
        options = within(span, FillOptions(**variant.options))
        self._engine.fill(key_before(prompt_for(span)), options)

    def fill(self, span: Span, variant: Variant) -> Made:
        """See System.fill."""
        prompt = prompt_for(span)
        critic = critic_of(span) if variant.critic else None
        options = within(span, FillOptions(**variant.options))
        start = time.perf_counter()
        best = self._engine.fill(prompt, options, critic=critic)[0]
        seconds = time.perf_counter() - start
        return Made(best.text, best.tokens, best.steps + best.checks, seconds)


class LeftToRight(ABC):
    """A base model as an ordinary completion model: it sees the prefix alone.

    Where the cursor cuts a token in two it spells it again (`engine/healing.py`), which gives these
    models their best. One forward pass makes one token.
    """

    def __init__(self, folder: Path | None) -> None:
        folder = folder or default_model_folder()
        self._card = Card.read(folder)
        self._tokenizer: Encoder = FileTokenizer(folder / "tokenizer.json")
        self._healing = Healing(self._tokenizer, self._card.vocabulary)
        self._ends = {self._card.end_id}

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """See System.versions."""

    @abstractmethod
    def forget(self) -> None:
        """See System.forget."""

    @abstractmethod
    def _greedy(self, ids: list[int], allowed: Allowed) -> Iterator[int]:
        """The most probable tokens after `ids`, each of those allowed.

        What the ids share with those of the last call is not read again.
        """

    def read(self, span: Span, variant: Variant) -> None:
        """See System.read."""
        cut = self._cut(before_typing(prompt_for(span)))
        next(self._written(cut))

    def type(self, span: Span, variant: Variant) -> None:
        """See System.type."""
        self.read(span, variant)
        limits = within(span, FillOptions())
        self._filled(key_before(prompt_for(span)), limits)

    def fill(self, span: Span, variant: Variant) -> Made:
        """See System.fill."""
        return self._filled(prompt_for(span), within(span, FillOptions()))

    def _filled(self, prompt: Prompt, limits: FillOptions) -> Made:
        start = time.perf_counter()
        cut, text, tokens = self._cut(prompt), "", 0
        for written in self._written(cut):
            text, tokens = written[len(cut.owed) :].decode("utf-8", "replace"), tokens + 1
            if end := end_of(text, limits):
                text = text[: end[0]]
                break
            if tokens >= limits.max_tokens:
                break
        return Made(text, tokens, tokens, time.perf_counter() - start)

    def _cut(self, prompt: Prompt) -> Cut:
        """What is read: as much of the prefix as Lacuna's model sees, the last token taken back."""
        ids = np.array(self._tokenizer.encode(prompt.prefix) or [self._card.start_id], np.int64)
        return self._healing.cut(window(ids, self._card.max_prefix), self._card.start_id)

    def _written(self, cut: Cut) -> Iterator[bytes]:
        """The text after each token, the text taken back first; ends after the end token."""
        text, pieces = b"", self._healing.pieces

        def allowed() -> Ids | None:
            owed = cut.owed[len(text) :]
            return self._healing.spelling(owed) if owed else None

        for token in self._greedy(cut.ids.tolist(), allowed):
            text += pieces[token]
            yield text
            if token in self._ends:
                return


class LlamaCpp(LeftToRight):
    """llama.cpp through llama-cpp-python, with its own prompt cache, on a GGUF as it is."""

    ROOM = 1024
    """Tokens of its context window: the prefix and the longest fill."""

    def __init__(self, folder: Path | None, gguf: Path) -> None:
        import llama_cpp

        super().__init__(folder)
        threads = physical_cores()
        self._library = llama_cpp
        self._llama = llama_cpp.Llama(
            str(gguf),
            n_ctx=self.ROOM,
            n_batch=self.ROOM,
            n_threads=threads,
            n_threads_batch=threads,
            verbose=False,
        )

    @classmethod
    def in_eight_bits(cls, folder: Path | None, gguf: Path) -> LlamaCpp:
        """The same weights as Q8_0: as wide as Lacuna's, and with llama.cpp's fastest kernels,
        which the base's own Q4_1 has not."""
        import llama_cpp

        options = llama_cpp.llama_model_quantize_default_params()
        options.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
        options.allow_requantize = True
        with tempfile.TemporaryDirectory() as temporary:
            wider = Path(temporary) / gguf.name
            paths = [str(path).encode() for path in (gguf, wider)]
            if llama_cpp.llama_model_quantize(*paths, ctypes.byref(options)):
                raise RuntimeError(f"llama.cpp cannot quantise {gguf.name} anew")
            return cls(folder, wider)

    def versions(self) -> dict[str, str]:
        """See System.versions."""
        features = self._library.llama_print_system_info().decode()
        flags = [part.split()[0] for part in features.split(":", 1)[1].split("|") if "= 1" in part]
        return {"llama-cpp-python": self._library.__version__, "features": " ".join(flags)}

    def forget(self) -> None:
        """See System.forget."""
        self._llama.reset()
        self._llama._ctx.kv_cache_clear()

    def _greedy(self, ids: list[int], allowed: Allowed) -> Iterator[int]:
        def held(so_far: NDArray[np.intc], scores: Scores) -> Scores:
            return among(scores, allowed())

        processors = self._library.LogitsProcessorList([held])
        return iter(self._llama.generate(ids, temp=0.0, logits_processor=processors))


class FillInTheMiddle(LlamaCpp):
    """A model that was trained to fill in the middle, in llama.cpp: what editors run otherwise.

    It reads the prefix, the suffix, and then writes what is between, all left to right: prefix,
    suffix and middle in this order, between its own three marks. Both sides are cut where Lacuna's
    are, but in its own tokens, so where these are longer it sees more.
    """

    def __init__(self, folder: Path | None, gguf: Path) -> None:
        """Raises ValueError for a model without the marks."""
        super().__init__(folder, gguf)
        library, vocabulary = self._library, self._llama._model.vocab
        marks = (library.llama_vocab_fim_pre, library.llama_vocab_fim_suf)
        self._marks = [mark(vocabulary) for mark in (*marks, library.llama_vocab_fim_mid)]
        if min(self._marks) < 0:
            raise ValueError(f"{gguf.name} was not trained to fill in the middle")
        count = self._llama.n_vocab()
        self._tokenizer = GgufTokenizer(self._llama)
        self._healing = Healing(self._tokenizer, count)
        self._ends = {n for n in range(count) if library.llama_vocab_is_eog(vocabulary, n)}

    def versions(self) -> dict[str, str]:
        """See System.versions."""
        return {"model": self._llama.metadata["general.name"], **super().versions()}

    def _cut(self, prompt: Prompt) -> Cut:
        """What is read: prefix and suffix between the marks, the prefix's last token taken back."""
        begin, after, middle = self._marks
        ids = np.array(self._tokenizer.encode(prompt.prefix), np.int64)
        cut = self._healing.cut(window(ids, self._card.max_prefix), begin)
        prefix = cut.ids[cut.ids != begin].tolist()
        suffix = self._tokenizer.encode(prompt.suffix)[: self._card.max_suffix]
        return replace(cut, ids=np.array([begin, *prefix, after, *suffix, middle], np.int64))


class GgufTokenizer:
    """The tokenizer of a model in llama.cpp."""

    def __init__(self, llama: Any) -> None:
        self._llama = llama

    @cached_property
    def pieces(self) -> Sequence[bytes]:
        """See engine.tokenizer.Tokenizer.pieces."""
        return [self._llama.detokenize([n], special=False) for n in range(self._llama.n_vocab())]

    def encode(self, text: str) -> list[int]:
        """See engine.tokenizer.Tokenizer.encode."""
        clean = text.encode("utf-8", "replace")
        found: list[int] = self._llama.tokenize(clean, add_bos=False, special=False)
        return found


class Transformers(LeftToRight):
    """Hugging Face transformers in torch, with its key-value cache kept between requests."""

    def __init__(self, folder: Path | None, gguf: Path) -> None:
        import torch
        import transformers

        super().__init__(folder)
        torch.set_num_threads(physical_cores())
        self._torch, self._library = torch, transformers
        self._model = transformers.AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            quantization_config=transformers.GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
        ).eval()
        self.forget()

    def versions(self) -> dict[str, str]:
        """See System.versions."""
        torch, kind = self._torch.__version__, str(self._model.dtype).removeprefix("torch.")
        return {"transformers": self._library.__version__, "torch": torch, "weights": kind}

    def forget(self) -> None:
        """See System.forget."""
        self._cache = self._library.DynamicCache()
        self._cached: list[int] = []

    def _greedy(self, ids: list[int], allowed: Allowed) -> Iterator[int]:
        while True:
            ids = [*ids, int(among(self._after(ids), allowed()).argmax())]
            yield ids[-1]

    def _after(self, ids: list[int]) -> Scores:
        """What comes after `ids`; reads only what is not cached."""
        # The last token is read again where all is cached: its scores were not kept.
        pairs = zip(self._cached, ids[:-1], strict=False)
        shared = next((n for n, (a, b) in enumerate(pairs) if a != b), None)
        shared = min(len(self._cached), len(ids) - 1) if shared is None else shared
        self._cache.crop(shared - len(self._cached))
        new = self._torch.tensor([ids[shared:]])
        with self._torch.no_grad():
            output = self._model(new, cache=self._cache, use_cache=True, logits_to_keep=1)
        self._cached = ids
        scores: Scores = output.logits[0, -1].float().numpy()
        return scores


def among(scores: Scores, allowed: Ids | None) -> Scores:
    """The scores with no chance for tokens that are not allowed."""
    if allowed is None:
        return scores
    held = np.full_like(scores, -np.inf)
    held[allowed] = scores[allowed]
    return held
