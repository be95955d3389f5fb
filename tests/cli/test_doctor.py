"""What `lacuna doctor` says of things that are wrong."""

from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.fake import scripted_engine
from lsp_server import doctor, syntax
from lsp_server.doctor import State


def test_two_runtimes_in_one_environment_are_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in doctor.RUNTIMES:
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delattr(doctor, "cuts_off")  # no session may open where they overwrite each other
    found = doctor.check_runtime("auto", 0)
    assert found.state is State.WRONG
    assert found.detail == "onnxruntime and onnxruntime-gpu are both installed"
    assert "uninstall both" in found.remedy


def test_a_provider_that_is_not_there_is_wrong() -> None:
    if doctor.check_runtime("auto", 0).facts["provider"] == "cuda":
        pytest.skip("this machine has the provider")
    found = doctor.check_runtime("cuda", 0)
    assert found.state is State.WRONG
    assert "uv tool install '.[cuda]'" in found.detail  # which has no pip
    assert "pip install onnxruntime-gpu" in found.detail


@pytest.mark.parametrize("cuts_off", [True, False])
def test_a_processor_that_makes_a_pass_slower_is_told_of(
    monkeypatch: pytest.MonkeyPatch, cuts_off: bool
) -> None:
    monkeypatch.setattr(doctor, "cuts_off", lambda: cuts_off)
    found = doctor.check_runtime("cpu", 0)
    assert found.state is State.OK
    assert ("no VNNI" in found.detail) == found.facts["exact_products"] == cuts_off


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", (*doctor.PACKAGES, "no-such-package"))
    finding = doctor.versions()
    assert (finding.state, finding.facts) == (State.WRONG, {"missing": ["no-such-package"]})
    assert finding.remedy == "install Lacuna anew"


def test_a_grammar_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.languages().state is State.OK
    grammars = {**syntax._GRAMMARS, "cobol": ("tree_sitter_cobol", "language")}
    monkeypatch.setattr(syntax, "_GRAMMARS", grammars)
    found = doctor.languages()
    assert (found.state, found.detail) == (State.WRONG, "no grammar loads for cobol")


@pytest.mark.parametrize(
    ("how", "state", "told"),
    [
        ({}, State.OK, "a line of code"),
        ({"step_seconds": 0.06}, State.SLOW, "a denoising step "),
        ({"fail_on": {3}}, State.WRONG, "the script says that this request fails"),
    ],
)
def test_speed_is_measured_and_judged(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], state: State, told: str
) -> None:
    engine = scripted_engine(["0123456789"], **how)
    monkeypatch.setattr(Engine, "open", lambda *_, **__: engine)
    monkeypatch.setattr(doctor, "SLOW_FILL_MS", 100 if how else 60_000)
    found = doctor.speed(None, "auto", 0)
    assert found.state is state
    assert told in found.detail
    assert state is not State.SLOW or found.facts["step_ms"] >= 60
    assert bool(found.remedy) == (state is State.SLOW)
