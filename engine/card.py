"""The model folder's own description: `card.json`, read and checked.

Nothing about a model stands in code: ids, sizes and limits come from here. Sizes are in
tokens unless they say otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .errors import ModelFolderError

SCHEMA = 6
"""The version of card.json that this engine reads."""

FAMILIES = ("cached",)
"""cached: context encoded once, only the canvas runs at each step."""

DRAFTER = "drafter.safetensors"
"""The file that a model with a drafter has."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileFact:
    """What a file of the folder must be."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Card:
    """A model as its folder describes it."""

    name: str
    family: str
    mask_id: int
    end_id: int
    """Token that closes the middle; the rest of the canvas repeats it."""
    start_id: int
    """Token that stands for an empty prefix."""
    vocabulary: int
    layers: int
    kv_heads: int
    head_size: int
    hidden: int
    rope_theta: float
    logit_shift: bool
    """The output at position j predicts token j + 1."""
    canvas_sizes: tuple[int, ...]
    """Ascending."""
    max_related: int
    """Of lines from elsewhere, read before the prefix."""
    max_prefix: int
    max_suffix: int
    proposals: int
    """How many tokens a step proposes for each position (K)."""
    matrices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Fused weight matrix -> the projections it holds, in the order of its columns."""
    adapter_scale: float = 1.0
    """effective weight = base + B A * adapter_scale."""
    files: dict[str, FileFact] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    """Base model, licences, quantisation, training: for people, not for the engine."""

    @property
    def max_before(self) -> int:
        """Of all that is read before a gap."""
        return self.max_related + self.max_prefix

    @property
    def has_drafter(self) -> bool:
        """Whether a small network of its own drafts tokens for a pass to check."""
        return DRAFTER in self.files

    @classmethod
    def read(cls, folder: Path) -> Card:
        """Reads and validates `folder/card.json`.

        Raises ModelFolderError naming the folder, file or key that is wrong.
        """
        path = folder / "card.json"
        if not os.path.isdir(folder):  # noqa: PTH112 - pathlib's raises for a name that is too long
            raise ModelFolderError(
                f"{folder}: no such model folder; correct its name where one is given (--model, "
                "the setting model, the variable LACUNA_MODEL), else install Lacuna anew, which "
                "brings one"
            )
        try:
            content = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise ModelFolderError(f"{folder}: no card.json, so this is no model folder") from None
        except (OSError, ValueError) as error:
            raise ModelFolderError(f"{path}: cannot be read as JSON ({error})") from None
        return cls._parse(_Keys(path, content))

    @classmethod
    def _parse(cls, keys: _Keys) -> Card:
        schema = keys.take("schema", int)
        if schema != SCHEMA:
            raise keys.wrong("schema", f"is {schema}; this version of Lacuna reads {SCHEMA}")
        card = cls(
            name=keys.take("name", str),
            family=keys.take("family", str),
            mask_id=keys.take("mask_id", int),
            end_id=keys.take("end_id", int),
            start_id=keys.take("start_id", int),
            vocabulary=keys.take("vocabulary", int),
            layers=keys.take("layers", int),
            kv_heads=keys.take("kv_heads", int),
            head_size=keys.take("head_size", int),
            hidden=keys.take("hidden", int),
            rope_theta=keys.take("rope_theta", float),
            logit_shift=keys.take("logit_shift", bool),
            canvas_sizes=tuple(keys.take("canvas_sizes", list)),
            max_related=keys.take("max_related", int),
            max_prefix=keys.take("max_prefix", int),
            max_suffix=keys.take("max_suffix", int),
            proposals=keys.take("proposals", int),
            matrices=keys.lists("matrices"),
            adapter_scale=keys.take("adapter_scale", float),
            files=keys.files(),
            facts=keys.take("facts", dict),
        )
        card._check(keys)
        return card

    def _check(self, keys: _Keys) -> None:
        """Raises ModelFolderError for values of the right type that make no sense together."""
        if self.family not in FAMILIES:
            raise keys.wrong("family", f"is {self.family!r}; known: {', '.join(FAMILIES)}")
        if not self.logit_shift:
            raise keys.wrong("logit_shift", "is false; only models with it are run")
        for name in ("mask_id", "end_id", "start_id"):
            if not 0 <= getattr(self, name) < self.vocabulary:
                raise keys.wrong(name, f"is outside the vocabulary of {self.vocabulary}")
        sizes = self.canvas_sizes
        if not sizes or not all(type(s) is int for s in sizes) or sorted(set(sizes)) != list(sizes):
            raise keys.wrong("canvas_sizes", "must be a rising list of whole numbers")
        if self.max_related < 0:
            raise keys.wrong("max_related", "must not be negative")
        if min(sizes[0], self.max_prefix, self.max_suffix, self.proposals, self.layers) < 1:
            raise keys.wrong(
                "canvas_sizes, max_prefix, max_suffix, proposals, layers", "must be positive"
            )


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of a parsed card.json, taken one by one with a type."""

    path: Path
    content: Any

    def take(self, name: str, kind: type[T]) -> T:
        if not isinstance(self.content, dict) or name not in self.content:
            raise self.wrong(name, "is missing")
        value = self.content[name]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise self.wrong(name, f"must be {kind.__name__}, not {type(value).__name__}")
        return value

    def lists(self, name: str) -> dict[str, tuple[Any, ...]]:
        inner = _Keys(self.path, self.take(name, dict))
        return {each: tuple(inner.take(each, list)) for each in inner.content}

    def files(self) -> dict[str, FileFact]:
        facts = {}
        for name, fact in self.take("files", dict).items():
            inner = _Keys(self.path, fact)
            if Path(name).name != name:
                raise self.wrong(f"files.{name}", "must be a plain file name")
            facts[name] = FileFact(inner.take("size", int), inner.take("sha256", str))
        return facts

    def wrong(self, name: str, problem: str) -> ModelFolderError:
        return ModelFolderError(f"{self.path}: key {name} {problem}")


def check_files(folder: Path, card: Card, *, thorough: bool) -> None:
    """Checks that every file is there in its size and, if `thorough`, in its content.

    Raises ModelFolderError naming the first file that is missing, cut short or altered.
    """
    for name, fact in card.files.items():
        path = folder / name
        if not path.is_file():
            raise ModelFolderError(f"{path}: missing; get the model folder anew")
        size = path.stat().st_size
        if size != fact.size:
            raise ModelFolderError(
                f"{path}: has {size} bytes instead of {fact.size}; get the model folder anew"
            )
        try:
            is_published = not thorough or digest(path) == fact.sha256
        except OSError as error:
            raise ModelFolderError(f"{path}: cannot be read ({error.strerror})") from None
        if not is_published:
            raise ModelFolderError(f"{path}: its content is not the published one (sha256 differs)")


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
