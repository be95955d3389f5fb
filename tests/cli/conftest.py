"""Fixtures: the installed command, and model folders with something wrong."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import default_model_folder

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A shell starts what runs in the background deaf to interrupts, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a terminal is asked for by the environment of who runs the tests is no matter."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture(scope="session")
def command() -> str:
    """The console script beside the interpreter that runs the tests."""
    found = shutil.which("lacuna", path=str(Path(sys.executable).parent))
    assert found, "the environment has no command `lacuna`; `make test` installs it"
    return found


@pytest.fixture
def lacuna(command: str) -> Run:
    """Runs the real command to its end."""

    def run(
        *arguments: str | Path, stdin: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [command, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            timeout=240,
            env=os.environ | environment,
        )

    return run


@pytest.fixture
def no_runtime(tmp_path: Path) -> dict[str, str]:
    """An environment in which onnxruntime cannot be imported."""
    package = tmp_path / "no-runtime" / "onnxruntime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('raise ImportError("No module named onnxruntime")\n')
    return {"PYTHONPATH": str(package.parent)}


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    """A model folder whose big files are links; replace what you change, do not write into it."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in default_model_folder().iterdir():
        (folder / file.name).symlink_to(file)
    return folder
