"""`lacuna fill` and `lacuna doctor` with the shipped model, as a user runs them."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import Terminal

pytestmark = pytest.mark.model

Run = Callable[..., subprocess.CompletedProcess[bytes]]

LOADS = """\
import json


def load(path):
    with open(path) as f:
        data =\x20
    return data
"""


def test_a_gap_is_filled_by_what_fits_it(lacuna: Run, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(LOADS)
    ran = lacuna("fill", path, "--at", "6:16", "--json")
    assert (ran.returncode, ran.stderr) == (0, b"")
    told = json.loads(ran.stdout)
    assert told["text"].startswith("json.load")
    assert told["model"] == "lacuna-135m"
    assert told["steps"] >= 1 and told["tokens"] >= 1
    assert told["ms"].pop("base") == 0  # only other modes ask it
    assert min(told["ms"].values()) > 0


def test_a_long_file_in_windows_style_is_filled_in_place(lacuna: Run, tmp_path: Path) -> None:
    """50,000 lines, byte-order mark, CR LF, tabs, an emoji before the cursor, broken syntax."""
    noise = 'def f(:\r\n\tg = "😋"\r\n' * 25_000
    loads = LOADS.replace("    ", "\t").replace("\n", "\r\n")
    before = f"\ufeff{noise}{loads}"
    path = tmp_path / "long.py"
    path.write_bytes(before.encode())
    ran = lacuna("fill", path, "--at", "50006:10", "--write", "--json")
    assert ran.returncode == 0, ran.stderr.decode()
    fill = json.loads(ran.stdout)["text"]
    assert fill.strip()
    assert path.read_bytes().decode() == before.replace("data = ", f"data = {fill}")


HANDLER = """\
class InvoiceHandler:
    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, invoice_id: int) -> dict:
        invoice = self.store.fetch_invoice(invoice_id)
        self.audit.note_access("invoice", invoice_id)
        return invoice.to_dict()
"""


def test_what_another_file_of_the_folder_does_there(lacuna: Run, tmp_path: Path) -> None:
    (tmp_path / "invoice.py").write_text(HANDLER)
    path = tmp_path / "receipt.py"
    receipts = HANDLER.replace("Invoice", "Receipt").replace("invoice", "receipt")
    path.write_text(re.sub(r"audit.*", "", receipts))
    assert (
        lacuna("fill", path, "--at", "7:14").stdout == b'audit.note_access("receipt", receipt_id)\n'
    )
    assert b"audit" not in lacuna("fill", path, "--at", "7:14", "--alone").stdout


def test_a_language_without_a_grammar_is_filled_too(lacuna: Run) -> None:
    text = b"[server]\nhost = localhost\nport = 8080\n\n[client]\nhost = \nport = 8080\n"
    ran = lacuna("fill", "-", "--language", "ini", "--at", "6:8", stdin=text)
    assert ran.returncode == 0
    assert ran.stdout.strip()
    assert ran.stderr == b"lacuna: no grammar for 'ini'; going by indentation\n"


def test_the_canvas_resolves_on_a_terminal(command: str, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(LOADS)
    with Terminal([command, "fill", str(path), "--at", "6:16", "--watch", "--write"]) as terminal:
        seen = terminal.until(lambda seen: "filled" in seen)
        assert terminal.wait() == 0
    masked = [
        int(count) for count in re.findall(r"step +\d+: +(\d+) of +\d+ masked, +\d+ ms", seen)
    ]
    assert "step  1: " in seen
    assert masked[0] > masked[-1] == 0
    assert "░" in seen
    assert path.read_text().startswith(LOADS.partition("data = ")[0] + "data = json.load")


def test_an_interrupt_between_steps_writes_nothing(command: str, tmp_path: Path) -> None:
    """Lines as wide as these fill the terminal, so it waits at a step until somebody reads on."""
    path, wide = tmp_path / "app.py", "# " + "wide " * 500 + "\n"
    path.write_text(4 * wide + LOADS)
    asked = [command, "fill", str(path), "--lines", "5-11", "--watch", "--write"]
    with Terminal(asked) as terminal:
        terminal.until(lambda seen: "step  1:" in seen)
        terminal.process.send_signal(signal.SIGINT)
        seen = terminal.until(lambda _: terminal.process.poll() is not None)
        assert terminal.wait() == 130
    assert "Traceback" not in seen
    assert path.read_text() == 4 * wide + LOADS
    assert list(tmp_path.iterdir()) == [path]


def test_a_healthy_doctor_measures(lacuna: Run) -> None:
    ran = lacuna("doctor", "--json")
    report = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr, report["healthy"]) == (0, b"", True)
    found = {finding["subject"]: finding["facts"] for finding in report["findings"]}
    assert set(found) == {"versions", "languages", "runtime", "model", "speed"}
    assert found["runtime"]["provider"] in ("cpu", "cuda") and found["runtime"]["threads"] >= 1
    assert found["model"]["name"] == "lacuna-135m"
    assert all(value > 0 for value in found["speed"].values())


def test_a_doctor_says_what_is_wrong_and_what_to_do(
    lacuna: Run, model_copy: Path, no_runtime: dict[str, str]
) -> None:
    (model_copy / "head.onnx").unlink()
    ran = lacuna("doctor", "--model", model_copy, **no_runtime)
    assert (ran.returncode, ran.stderr) == (1, b"")
    told = ran.stdout.decode()
    assert re.search(r"^wrong  runtime .*pip install onnxruntime", told, re.MULTILINE)
    assert re.search(r"^wrong  model .*head\.onnx: missing", told, re.MULTILINE)
    assert "speed" not in told
    assert "2 of 4 checks failed." in told
