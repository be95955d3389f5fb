"""Settings are read value by value, and the table for people says what the code does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine import FillOptions, Mode
from lsp_server.settings import Settings, keys, read_settings

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_the_table_in_the_protocol_has_every_key_with_its_default() -> None:
    table = PROTOCOL.read_text("utf-8").split("## Settings")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (?:[^|\\]|\\\|)+ \| (.+?) \| .+ \|$", table, re.MULTILINE)
    assert {key: json.loads(default.strip("`")) for key, default in rows} == keys()


def test_nothing_given_gives_the_defaults() -> None:
    assert read_settings(None) == read_settings({}) == read_settings([]) == (Settings(), ())


def test_good_values_are_taken() -> None:
    settings, problems = read_settings(
        {
            "enabled": False,
            "disabledLanguages": ["markdown"],
            "excludedGlobs": {},
            "maxFileBytes": 1000,
            "relatedFiles": False,
            "model": "~/m",
            "provider": "cpu",
            "threads": 2,
            "mode": "left-to-right",
            "multiline": "never",
            "maxTokens": 10,
            "steps": 4,
            "threshold": 1,
            "minProbability": 0,
            "candidates": 2,
        }
    )
    assert problems == ()
    assert settings == Settings(
        False,
        ("markdown",),
        (),
        1000,
        False,
        "~/m",
        "cpu",
        2,
        "left-to-right",
        "never",
        10,
        4,
        1,
        0,
        2,
    )
    assert settings.model_folder == Path.home() / "m"
    assert settings.fill_options == FillOptions(
        mode=Mode.LEFT_TO_RIGHT, max_tokens=10, steps=4, threshold=1
    )


BAD = [
    ("enabled", 1, "true or false"),
    ("disabledLanguages", "python", "a list of strings"),
    ("disabledLanguages", [1], "a list of strings"),
    ("excludedGlobs", {"a": 1}, "a list of strings"),
    ("maxFileBytes", -1, "a whole number from 0 to"),
    ("maxFileBytes", 1.5, "a whole number from 0 to"),
    ("model", 3, "a string"),
    ("provider", "tpu", '"auto" or "cpu" or "cuda"'),
    ("threads", True, "a whole number from 0 to 256"),
    ("mode", "backwards", '"diffusion" or "left-to-right" or "verified"'),
    ("multiline", "always", '"auto" or "never"'),
    ("maxTokens", 0, "a whole number from 1 to"),
    ("steps", "4", "a whole number from 0 to"),
    ("threshold", -0.01, "a number from 0 to 1"),
    ("threshold", 1.01, "a number from 0 to 1"),
    ("minProbability", -0.1, "a number from 0 to 1"),
    ("minProbability", True, "a number from 0 to 1"),
    ("candidates", 11, "a whole number from 1 to 10"),
]


@pytest.mark.parametrize(("key", "value", "wanted"), BAD)
def test_a_bad_value_costs_that_value_only(key: str, value: Any, wanted: str) -> None:
    other = "threads" if key != "threads" else "steps"
    settings, problems = read_settings({key: value, other: 1})
    assert settings == read_settings({other: 1})[0] != Settings()
    [problem] = problems
    assert not problem.is_unknown
    assert problem.path == f"lacuna.{key}"
    assert problem.message.startswith(f"lacuna.{key} must be {wanted}")
    assert json.dumps(keys()[key]) in problem.message


def test_an_unknown_key_is_told_apart_from_a_bad_value() -> None:
    settings, problems = read_settings({"treshold": 0.5})
    assert settings == Settings()
    assert [(p.path, p.is_unknown) for p in problems] == [("lacuna.treshold", True)]


@pytest.mark.parametrize("given", ["on", 3, ["a"], True])
def test_settings_that_are_no_object(given: object) -> None:
    settings, [problem] = read_settings(given)
    assert settings == Settings()
    assert problem.path == "lacuna"


def test_a_long_bad_value_is_cut_in_the_message() -> None:
    _, [problem] = read_settings({"provider": "x" * 10_000})
    assert len(problem.message) < 200


def test_only_what_an_engine_is_opened_with_needs_another_one() -> None:
    assert Settings().needs_other_engine(Settings(model="m"))
    assert Settings().needs_other_engine(Settings(threads=3))
    assert not Settings().needs_other_engine(Settings(max_tokens=3, enabled=False))


def test_the_command_that_checks_them_names_what_is_not_the_default() -> None:
    assert Settings(threads=2).doctor == "lacuna doctor"
    settings = Settings(model="~/my models/x", provider="cuda")
    assert settings.doctor == "lacuna doctor --model '~/my models/x' --provider cuda"


def test_a_model_folder_is_looked_for_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home")
    assert Settings(model="~/model").model_folder == Path("/home/model")
    assert Settings(model="~noone/model").model_folder == Path("~noone/model")
    assert Settings().model_folder is None
