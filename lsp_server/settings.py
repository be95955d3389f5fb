"""What the user may set, and how it is read: one bad value costs that value, never the rest.

The table in docs/protocol.md says the same for people; a test holds the two equal.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from engine.prompt import FillOptions, Mode

DEFAULT_EXCLUDED = (
    "**/.env",
    "**/.env.*",
    "**/*.pem",
    "**/*.key",
    "**/id_rsa*",
    "**/secrets.*",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One user's settings, each valid. The names on the wire are in camel case."""

    enabled: bool = True
    disabled_languages: tuple[str, ...] = ()
    excluded_globs: tuple[str, ...] = DEFAULT_EXCLUDED
    max_file_bytes: int = 2_000_000
    related_files: bool = True
    model: str = ""
    provider: str = "auto"
    threads: int = 0
    mode: str = Mode.DIFFUSION.value
    multiline: str = "auto"
    max_tokens: int = 96
    steps: int = 0
    threshold: float = 0.05
    min_probability: float = 0.7
    candidates: int = 3

    @property
    def model_folder(self) -> Path | None:
        """The model folder; None for the shipped one."""
        # Path.expanduser fails where a person has no home; such a folder is just not there.
        return Path(os.path.expanduser(self.model)) if self.model else None  # noqa: PTH111

    @property
    def fill_options(self) -> FillOptions:
        """What the engine is asked for when one suggestion is wanted."""
        steps = self.steps or None
        return FillOptions(
            mode=Mode(self.mode),
            max_tokens=self.max_tokens,
            steps=steps,
            threshold=self.threshold,
        )

    @property
    def doctor(self) -> str:
        """The command line that checks what these settings ask for."""
        model = ["--model", self.model] if self.model else []
        provider = ["--provider", self.provider] if self.provider != "auto" else []
        return shlex.join(["lacuna", "doctor", *model, *provider])

    def needs_other_engine(self, other: Settings) -> bool:
        """Whether an engine opened for these settings is not the one for the others."""
        return (self.model, self.provider, self.threads) != (
            other.model,
            other.provider,
            other.threads,
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the settings that a person should know."""

    path: str
    """The setting, such as `lacuna.threshold`."""
    complaint: str
    """What is wrong with it, the path named."""
    instead: str
    """What is used instead."""
    is_unknown: bool = False
    """A key that is no setting here; it may be the client's own."""

    @property
    def message(self) -> str:
        """All of it as a sentence."""
        return f"{self.complaint}; {self.instead}."


def read_settings(given: object) -> tuple[Settings, tuple[Problem, ...]]:
    """The settings in an object as JSON gives it, with defaults for what is absent or bad."""
    if given is None or given == []:  # Lua has one empty table for both
        return Settings(), ()
    if not isinstance(given, Mapping):
        complaint = f"lacuna must be an object, not {_show(given)}"
        return Settings(), (Problem("lacuna", complaint, "all defaults are used"),)
    values: dict[str, Any] = {}
    problems = []
    for key, value in given.items():
        rule = _RULES.get(key)
        path = f"lacuna.{key}"
        if rule is None:
            complaint = f"{path} is no setting of the server"
            problems.append(Problem(path, complaint, "it is ignored", is_unknown=True))
        elif value is None or rule.accepts(value):
            if value is not None:
                values[rule.field] = tuple(value) if isinstance(value, list | dict) else value
        else:
            complaint = f"{path} must be {rule.wanted}, not {_show(value)}"
            instead = f"its default {json.dumps(rule.default)} is used"
            problems.append(Problem(path, complaint, instead))
    return replace(Settings(), **values), tuple(problems)


def keys() -> dict[str, Any]:
    """Every key as it goes over the wire, with its default."""
    return {key: rule.default for key, rule in _RULES.items()}


@dataclass(frozen=True, slots=True)
class _Rule:
    """What values one key may have."""

    field: str
    wanted: str
    """What stands after "must be"."""
    accepts: Callable[[Any], bool]

    @property
    def default(self) -> Any:
        """The default as JSON has it."""
        value = getattr(Settings(), self.field)
        return list(value) if isinstance(value, tuple) else value


def _boolean(field: str) -> _Rule:
    return _Rule(field, "true or false", lambda value: isinstance(value, bool))


def _whole(field: str, least: int, most: int) -> _Rule:
    wanted = f"a whole number from {least} to {most}"
    return _Rule(field, wanted, lambda value: type(value) is int and least <= value <= most)


def _probability(field: str) -> _Rule:
    wanted = "a number from 0 to 1"
    return _Rule(field, wanted, lambda value: type(value) in (int, float) and 0 <= value <= 1)


def _one_of(field: str, *names: str) -> _Rule:
    wanted = " or ".join(f'"{name}"' for name in names)
    return _Rule(field, wanted, lambda value: isinstance(value, str) and value in names)


def _text(field: str) -> _Rule:
    return _Rule(field, "a string", lambda value: isinstance(value, str))


def _texts(field: str) -> _Rule:
    return _Rule(field, "a list of strings", _are_texts)


def _are_texts(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value == {}  # Lua's empty table again


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


_MOST_BYTES = 100_000_000
_ALL = (
    _boolean("enabled"),
    _texts("disabled_languages"),
    _texts("excluded_globs"),
    _whole("max_file_bytes", 0, _MOST_BYTES),
    _boolean("related_files"),
    _text("model"),
    _one_of("provider", "auto", "cpu", "cuda"),
    _whole("threads", 0, 256),
    _one_of("mode", *Mode),
    _one_of("multiline", "auto", "never"),
    _whole("max_tokens", 1, 1024),
    _whole("steps", 0, 1024),
    _probability("threshold"),
    _probability("min_probability"),
    _whole("candidates", 1, 10),
)
_RULES = {_camel(rule.field): rule for rule in _ALL}
assert [rule.field for rule in _ALL] == [field.name for field in fields(Settings)]


def _show(value: object) -> str:
    """A value as JSON, cut to a length that fits a message."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
