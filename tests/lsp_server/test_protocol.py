"""docs/protocol.md says what the code does: methods, states, counts, reasons."""

import re
from dataclasses import asdict
from pathlib import Path

from lsp_server import wire
from lsp_server.server import make_server
from lsp_server.status import Counts, State, Status

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text("utf-8")


def section(title: str) -> str:
    return PROTOCOL.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_methods() -> None:
    features = make_server(lambda settings: None).protocol.fm.features
    told = section("Notifications to the server") + section("Requests to the server")
    assert set(re.findall(r"`(lacuna/\w+)`", told)) - {"lacuna/status"} == {
        name for name in features if name.startswith("lacuna/")
    }


def test_states() -> None:
    [states] = re.findall(r"`state` one of ((?:`\w+`(?:, )?)+)", PROTOCOL)
    assert re.findall(r"\w+", states) == [*State]


def test_status() -> None:
    [keys] = re.findall(r"`lacuna/status` `\{(.+)\}`", PROTOCOL)
    full = wire.status(Status(State.READY, "m", 1.0, "model", "cpu"))
    assert [key.rstrip("?") for key in keys.split(", ")] == list(full)
    least = wire.status(Status(State.OFF, "m"))
    assert [key for key in keys.split(", ") if not key.endswith("?")] == list(least)


def test_counts() -> None:
    [keys] = re.findall(r"`counts: \{(.+?)\}`", PROTOCOL)
    assert set(keys.split(", ")) == set(wire.counts(Counts()))
    assert len(asdict(Counts())) == len(wire.counts(Counts()))


def test_reasons() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "lsp_server").glob("*.py")]
    names = re.findall(r'\bNothing\(\s*"([a-z-]+)"', "".join(sources))
    rows = re.findall(r"^\| (`.+?) \| ", section("Reasons"), re.MULTILINE)
    assert set(re.findall(r"[a-z-]+", " ".join(rows))) == set(names)
