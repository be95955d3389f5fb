"""What the user may set, and how it is read: one bad value costs that value, never the rest.

The table in docs/protocol.md says the same for people; a test holds the two equal.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

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
class _Rule:
    """What values a setting may have."""

    wanted: str
    """What stands after "must be"."""
    accepts: Callable[[Any], bool]


def _whole(least: int, most: int) -> _Rule:
    wanted = f"a whole number from {least} to {most}"
    return _Rule(wanted, lambda value: type(value) is int and least <= value <= most)


def _one_of(*names: str) -> _Rule:
    wanted = " or ".join(f'"{name}"' for name in names)
    return _Rule(wanted, lambda value: isinstance(value, str) and value in names)


def _are_texts(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value == {}  # Lua has one empty table for lists and objects


_BOOLEAN = _Rule("true or false", lambda value: isinstance(value, bool))
_TEXT = _Rule("a string", lambda value: isinstance(value, str))
_TEXTS = _Rule("a list of strings", _are_texts)
_PROBABILITY = _Rule(
    "a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One user's settings, each valid; beside each stands what it may be. The names on the wire are
    in camel case."""

    enabled: Annotated[bool, _BOOLEAN] = True
    disabled_languages: Annotated[tuple[str, ...], _TEXTS] = ()
    excluded_globs: Annotated[tuple[str, ...], _TEXTS] = DEFAULT_EXCLUDED
    max_file_bytes: Annotated[int, _whole(0, 100_000_000)] = 2_000_000
    related_files: Annotated[bool, _BOOLEAN] = True
    model: Annotated[str, _TEXT] = ""
    provider: Annotated[str, _one_of("auto", "cpu", "cuda")] = "auto"
    threads: Annotated[int, _whole(0, 256)] = 0
    mode: Annotated[str, _one_of(*Mode)] = Mode.DIFFUSION.value
    multiline: Annotated[str, _one_of("auto", "never")] = "auto"
    max_tokens: Annotated[int, _whole(1, 1024)] = 96
    steps: Annotated[int, _whole(0, 1024)] = 0
    threshold: Annotated[float, _PROBABILITY] = 0.05
    min_probability: Annotated[float, _PROBABILITY] = 0.7
    candidates: Annotated[int, _whole(1, 10)] = 3

    @property
    def model_folder(self) -> Path | None:
        """The model folder; None for the shipped one."""
        # Path.expanduser fails where a person has no home; such a folder is just not there.
        return Path(os.path.expanduser(self.model)) if self.model else None  # noqa: PTH111

    @property
    def fill_options(self) -> FillOptions:
        """What the engine is asked for when one suggestion is wanted."""
        return FillOptions(
            mode=Mode(self.mode),
            max_tokens=self.max_tokens,
            steps=self.steps or None,
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
        name, path = _NAMES.get(key), f"lacuna.{key}"
        if name is None:
            complaint = f"{path} is no setting of the server"
            problems.append(Problem(path, complaint, "it is ignored", is_unknown=True))
        elif value is not None and not _RULES[name].accepts(value):
            complaint = f"{path} must be {_RULES[name].wanted}, not {_show(value)}"
            instead = f"its default {json.dumps(keys()[key])} is used"
            problems.append(Problem(path, complaint, instead))
        elif value is not None:
            values[name] = tuple(value) if isinstance(value, list | dict) else value
    return Settings(**values), tuple(problems)


def keys() -> dict[str, Any]:
    """Every key as it goes over the wire, with its default as JSON has it."""
    values = {key: getattr(Settings(), name) for key, name in _NAMES.items()}
    return {key: [*value] if isinstance(value, tuple) else value for key, value in values.items()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


_NAMES = {_camel(field.name): field.name for field in fields(Settings)}
_HINTS = get_type_hints(Settings, include_extras=True)
_RULES: dict[str, _Rule] = {name: hint.__metadata__[0] for name, hint in _HINTS.items()}


def _show(value: object) -> str:
    """A value as JSON, cut to a length that fits a message."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
