"""The extension's package: types, style, unit tests, and a manifest that keeps to the protocol."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from get_vscode import EXTENSION, ROOT, prepared

from lsp_server.settings import read_settings

JSON_TYPES = {"bool": "boolean", "int": "integer", "number": "number", "string": "string"}
MANIFEST = json.loads((EXTENSION / "package.json").read_text())


@pytest.fixture(scope="session")
def packages() -> None:
    """The npm packages that the scripts need."""
    prepared()


@pytest.mark.parametrize("script", ["check", "lint", "test"])
def test_the_npm_script_passes_and_leaves_nothing_behind(
    packages: None, script: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        ["npm", "run", "--silent", script],
        cwd=EXTENSION,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert not list(tmp_path.glob("lacuna-*"))


def test_the_package_carries_what_it_needs_and_nothing_of_this_machine(vsix: Path) -> None:
    with zipfile.ZipFile(vsix) as package:
        names = set(package.namelist())
        needed = {"dist/extension.js", "dist/denoising.js", "media/denoising.css", "media/icon.png"}
        assert {f"extension/{name}" for name in needed} <= names
        assert not [name for name in names if "node_modules" in name or name.endswith(".ts")]
        texts = [package.read(name) for name in names if name.endswith((".js", ".md", ".json"))]
    assert not [text for text in texts if str(ROOT).encode() in text]


def table() -> dict[str, tuple[str, str, str]]:
    """Each setting in docs/protocol.md: its type, default and meaning."""
    text = (ROOT / "docs" / "protocol.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {
        key: (kind.replace("\\|", "|"), default, meaning) for key, kind, default, meaning in rows
    }


def properties() -> dict[str, dict[str, Any]]:
    """Each setting in package.json, without the prefix."""
    groups = MANIFEST["contributes"]["configuration"]
    found = {name: value for group in groups for name, value in group["properties"].items()}
    return {name.removeprefix("lacuna."): value for name, value in found.items()}


def test_the_settings_are_those_of_the_protocol_and_two_to_start_the_server() -> None:
    assert len(table()) > 10
    assert set(properties()) == set(table()) | {"server.path", "server.package"}


@pytest.mark.parametrize("key", table())
def test_a_setting_has_the_protocols_type_default_and_meaning(key: str) -> None:
    kind, default, meaning = table()[key]
    setting = properties()[key]
    assert setting["default"] == json.loads(default.strip("`"))
    assert meaning.lower() in setting["description"].lower()
    if kind.endswith("[]"):
        assert setting["type"] == "array"
        assert setting["items"]["type"] == JSON_TYPES[kind.removesuffix("[]")]
    elif "|" in kind:
        assert setting["enum"] == json.loads(f"[{kind.replace('|', ',')}]")
    else:
        assert setting["type"] == JSON_TYPES[kind]


@pytest.mark.parametrize(
    "key", [key for key, (kind, _, _) in table().items() if kind in {"int", "number"}]
)
def test_a_number_has_the_bounds_that_the_server_keeps_it_to(key: str) -> None:
    setting = properties()[key]
    least, most = setting["minimum"], setting["maximum"]
    step = 1 if setting["type"] == "integer" else 0.001
    accepted = [not read_settings({key: value})[1] for value in (least, most)]
    refused = [bool(read_settings({key: value})[1]) for value in (least - step, most + step)]
    assert (accepted, refused) == ([True, True], [True, True])


def test_settings_that_name_programs_or_models_cannot_come_with_a_workspace() -> None:
    machine = {name for name, value in properties().items() if value.get("scope") == "machine"}
    assert machine == {"server.path", "server.package", "model", "provider", "threads"}


def test_every_command_shown_is_registered() -> None:
    source = (EXTENSION / "src" / "extension.ts").read_text()
    registered = set(re.findall(r'^ +"(lacuna\.\w+)": (?:\(\) =>|alone)', source, re.MULTILINE))
    shown = {command["command"] for command in MANIFEST["contributes"]["commands"]}
    assert registered == shown


def test_the_walkthrough_names_files_and_commands_that_are_there() -> None:
    steps = MANIFEST["contributes"]["walkthroughs"][0]["steps"]
    shown = {command["command"] for command in MANIFEST["contributes"]["commands"]}
    for step in steps:
        assert (EXTENSION / step["media"]["markdown"]).is_file()
        assert set(re.findall(r"command:([\w.]+)", step["description"])) <= shown


def test_what_the_walkthrough_waits_for_is_set_somewhere() -> None:
    source = "".join(path.read_text() for path in (EXTENSION / "src").glob("*.ts"))
    steps = MANIFEST["contributes"]["walkthroughs"][0]["steps"]
    awaited = re.findall(r"onContext:([\w.]+)", json.dumps(steps))
    assert awaited
    for key in awaited:
        assert f'"setContext", "{key}", true' in source


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (EXTENSION / "package-lock.json").read_text()
