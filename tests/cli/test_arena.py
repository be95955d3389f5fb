"""`lacuna arena` as a user runs it: the real command, the shipped model, a browser's requests."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lsp_server.arena_server import hosts

pytestmark = pytest.mark.model

Run = Callable[..., subprocess.CompletedProcess[bytes]]
ROOT = Path(__file__).resolve().parents[2]
SMALL = """\
# A shop that sells whatever somebody wants to have, at a price that somebody is willing to pay, as
# long as there is some of it. This is long enough for a gap to have something to go by, and no
# longer than that. Here it begins:


def total(prices, vat):
    net = sum(prices)
    return net + net * vat
"""
PATIENCE_S = 120


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    content: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.content))


class Arena:
    """A running arena, and what a page would ask of it."""

    def __init__(self, command: str, *arguments: str | Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [command, "arena", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.address, self.told = (self.process.stdout.readline().strip() for _ in range(2))
        parts = urlsplit(self.address)
        self.host, self.path = parts.netloc, parts.path

    def ask(
        self, what: str, body: str | None = None, method: str | None = None, **headers: str
    ) -> Reply:
        """The reply to a request for a path."""
        method = method or ("GET" if body is None else "POST")
        with closing(HTTPConnection(self.host, timeout=PATIENCE_S)) as connection:
            connection.request(method, what, body, headers)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())

    def round(self) -> dict[str, Any]:
        """The next round, once it is there."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            told = self.ask(f"{self.path}round").json
            if told["round"]:
                return dict(told["round"])
            assert told["doing"] in ("", "Loading the model ...", "Filling ...")
            time.sleep(0.05)
        raise AssertionError("no round came")

    def vote(self, number: int, vote: str) -> dict[str, Any]:
        """What the round was."""
        reply = self.ask(f"{self.path}vote", json.dumps({"round": number, "vote": vote}))
        assert reply.status == 200
        return reply.json

    def end(self) -> tuple[str, str, int]:
        """Ctrl-C; what was said meanwhile, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return out, err, self.process.returncode

    def kill(self) -> None:
        """Ends it, if it has not ended."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def arena(command: str) -> Iterator[Callable[..., Arena]]:
    started: list[Arena] = []

    def start(*arguments: str | Path, **environment: str) -> Arena:
        started.append(Arena(command, *arguments, **environment))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def test_rounds_are_played_and_voted_on(arena: Callable[..., Arena], tmp_path: Path) -> None:
    ledger = tmp_path / "votes.jsonl"
    ledger.write_text('{"an": "earlier vote"}')  # by an editor that writes no last line end
    played = arena("engine", "lsp_server", "--seed", "3", "--votes", ledger)
    shown = [play(played, vote) for vote in ("first", "tie")]
    assert [round_["number"] for round_, _ in shown] == [1, 2]
    told = played.ask(f"{played.path}round").json["standing"]
    assert (sum(told["wins"]), told["ties"], told["rounds"]) == (1, 1, 2 + told["same"])
    out, err, code = played.end()
    assert (err, code) == ("", 0)
    assert played.told == f"{len(CODE_FILES)} files of code, --seed 3; Ctrl-C ends it"
    assert re.search(r"^A \(mode=diffusion\) +\d +\d+ of \d+ +\d+$", out, re.M)
    assert re.search(r"^B \(mode=left-to-right\) +\d +\d+ of \d+ +\d+$", out, re.M)
    assert "1 decided, 1 equally good, 0 both bad" in out and "That may still be chance." in out
    _, first, second = map(json.loads, ledger.read_text().splitlines())
    assert (first["vote"], second["vote"]) == (first["first"], "tie")
    assert set(first) == {"when", "file", "line", "column", "gap", "vote", "first", "A", "B"}
    assert (first["A"]["settings"], first["B"]["settings"]) == (
        "mode=diffusion",
        "mode=left-to-right",
    )
    for (round_, was), line in zip(shown, (first, second), strict=True):
        assert [line[key] for key in ("file", "line", "column")] == [
            round_[key] for key in ("file", "line", "column")
        ]
        assert was["suggestions"][0]["name"] == line["first"]
        for one in was["suggestions"]:
            noted = line[one["name"]]
            assert (noted["exact"], noted["ms"]) == (one["exact"], round(one["ms"], 1))


CODE_FILES = [*ROOT.glob("engine/*.py"), *ROOT.glob("lsp_server/*.py")]
CODE_FILES = [path for path in CODE_FILES if path.stat().st_size]


def play(arena: Arena, vote: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One round: as it was shown, and as it was."""
    round_ = arena.round()
    first, second = round_["suggestions"]
    assert first != second
    was = arena.vote(round_["number"], vote)["was"]
    assert {one["name"] for one in was["suggestions"]} == {"A", "B"}
    lines = (ROOT / round_["file"]).read_text().split("\n")
    truth = code(was["truth"])
    at = round_["line"] - 1
    assert truth == "\n".join(lines[at : at + truth.count("\n") + 1])
    for shown, one in zip((first, second), was["suggestions"], strict=True):
        whole = code(shown)
        top = round_["first_line"] - 1
        assert one["exact"] == (whole == "\n".join(lines[top : top + whole.count("\n") + 1]))
    return round_, was


def code(shown: dict[str, Any]) -> str:
    """The lines as they are read."""
    return "".join(run["text"] for part in ("before", "text", "after") for run in shown[part])


def test_what_is_shown_does_not_tell_whose_it_is(arena: Callable[..., Arena]) -> None:
    played = arena("engine")
    shown_first: set[str] = set()
    while len(shown_first) < 2:
        round_ = played.round()
        assert set(round_) == {
            *("number", "file", "line", "column", "is_body", "first_line", "suggestions")
        }
        assert {key for one in round_["suggestions"] for key in one} == {
            *("before", "text", "after", "nothing")
        }
        was = played.vote(round_["number"], "bad")["was"]
        shown_first.add(was["suggestions"][0]["name"])


def test_one_seed_gives_the_same_rounds_again(arena: Callable[..., Arena]) -> None:
    rounds = []
    for _ in range(2):
        played = arena("engine", "lsp_server", "--seed", "3")
        rounds.append([play(played, "bad")[0] for _ in range(2)])
        played.end()
    assert rounds[0] == rounds[1]


def test_two_models_have_an_engine_each(arena: Callable[..., Arena], model_copy: Path) -> None:
    given = "--a", "steps=1", "--b", f"model={model_copy}", "--b", "relatedFiles=false"
    played = arena("lsp_server", *given, "--seed", "4")
    _, was = play(played, "second")
    assert {one["settings"] for one in was["suggestions"]} == {
        "steps=1",
        f"model={model_copy}, relatedFiles=false",
    }
    assert played.end()[1:] == ("", 0)


def test_settings_are_printed_as_they_were_given(arena: Callable[..., Arena]) -> None:
    settings = 'excludedGlobs=["[/a-z]:x:"]'
    played = arena("lsp_server", "--a", settings, "--b", "steps=1", COLUMNS="200")
    play(played, "bad")
    out, err, code = played.end()
    assert f"A ({settings})" in out
    assert (err, code) == ("", 0)


def test_all_gaps_come_to_their_end(arena: Callable[..., Arena], tmp_path: Path) -> None:
    path = tmp_path / "small.py"
    path.write_text(SMALL)
    played = arena(path, "--seed", "1")
    until = time.monotonic() + PATIENCE_S
    while True:
        told = played.ask(f"{played.path}round").json
        if told["round"]:
            played.vote(told["round"]["number"], "bad")
        elif told["doing"] == "There is no other line to take something from.":
            break
        assert time.monotonic() < until
        time.sleep(0.05)
    assert told["standing"]["rounds"] == told["standing"]["bad"] + told["standing"]["same"] == 3
    assert path.read_text() == SMALL


def test_nobody_is_served_without_the_token(arena: Callable[..., Arena]) -> None:
    played = arena("engine")
    played.round()
    wrong = played.path[:-2] + ("A/" if played.path[-2] != "A" else "B/")
    for path in ("/", "/round", "/favicon.ico", wrong, f"{wrong}round", f"/x{played.path}round"):
        reply = played.ask(path)
        assert (reply.status, reply.content) == (403, b'{"error": "The address lacks its token."}')
    reply = played.ask(f"{wrong}vote", '{"round": 1, "vote": "bad"}')
    assert reply.status == 403
    assert played.round()["number"] == 1
    assert played.end()[1:] == ("", 0)


def test_a_page_of_another_name_is_not_served(arena: Callable[..., Arena]) -> None:
    played = arena("engine")
    port = played.host.partition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil"):
        assert played.ask(played.path, Host=host).status == 403
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        reply = played.ask(played.path, Host=host)
        assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, None)


def test_browsers_leave_out_the_port_80() -> None:
    bare = ["127.0.0.1", "localhost"]
    assert hosts(80) == ["127.0.0.1:80", "localhost:80", *bare]
    assert not set(bare) & set(hosts(8080))


def test_only_this_machine_is_listened_to(arena: Callable[..., Arena]) -> None:
    port = int(arena("engine").host.partition(":")[2])
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=5):
        pass


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("vote", "", 400),
        ("vote", "nonsense", 400),
        ("vote", "[]", 400),
        ("vote", '"x"', 400),
        ("vote", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), 400),
        ("vote", '{"round": 1}', 400),
        ("vote", '{"round": 1, "vote": "A"}', 400),
        ("vote", '{"round": 1, "vote": ["bad"]}', 400),
        ("vote", "[" * 990, 400),
        ("vote", "x" * 100_000, 400),
        ("vote", '{"round": 7, "vote": "bad"}', 409),
        ("vote", '{"round": Infinity, "vote": "bad"}', 409),
        ("vote", '{"round": null, "vote": "bad"}', 409),
        ("round", "{}", 404),
        ("vote", None, 404),
        ("../secrets", None, 404),
        ("round?x", None, 404),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    served: Arena, what: str, body: str | None, status: int
) -> None:
    reply = served.ask(served.path + what, body)
    assert reply.status == status
    assert reply.json["error"]


@pytest.fixture(scope="module")
def served(command: str) -> Iterator[Arena]:
    """One arena for requests that must not change anything, nor be told on the terminal."""
    one = Arena(command, "engine")
    try:
        one.round()
        yield one
        assert one.round()["number"] == 1
        assert one.end()[1:] == ("", 0)
    finally:
        one.kill()


def test_requests_that_are_none_do_no_harm(served: Arena) -> None:
    host, port = served.host.split(":")
    for sent in (b"", b"\0\xff\r\n\r\n", b"GET\r\n\r\n", b"POST " + served.path.encode() + b"vote"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)
    assert served.ask(served.path, method="DELETE").status == 501
    assert served.ask(served.path.rstrip("/")).status == 404


def test_the_page_may_do_nothing_but_ask_its_server(served: Arena) -> None:
    reply = served.ask(served.path)
    page = reply.content.decode()
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith(
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'"
    )
    assert re.search(r"script-src 'sha256-\S{44}'; style-src 'sha256-\S{44}'$", policy)
    assert (reply.headers["Cache-Control"], reply.headers["Referrer-Policy"]) == (
        "no-store",
        "no-referrer",
    )
    assert "Python" not in str(reply.headers)
    assert "innerHTML" not in page and "http" not in page


@pytest.mark.skipif(
    not Path("/dev/full").is_char_device(), reason="this system has no device that is full"
)
def test_a_vote_that_cannot_be_noted_does_not_count(arena: Callable[..., Arena]) -> None:
    played = arena("engine", "--votes", "/dev/full")
    round_ = played.round()
    reply = played.ask(f"{played.path}vote", json.dumps({"round": round_["number"], "vote": "bad"}))
    assert (reply.status, reply.json["error"]) == (
        507,
        "The vote cannot be noted, so it does not count: No space left on device.",
    )
    assert played.round() == round_
    assert played.end()[1:] == ("", 0)


def test_the_browser_is_led_to_the_page_by_a_file_of_ones_own(
    arena: Callable[..., Arena], tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    told = tmp_path / "told"
    browser.write_text(
        f"#!{sys.executable}\nimport sys, pathlib, shutil\nfrom urllib.parse import urlsplit\n"
        f'path = urlsplit(sys.argv[1]).path\nshutil.copy2(path, "{told}.html")\n'
        f'pathlib.Path("{told}").write_text(" ".join(sys.argv[1:]))\n'
    )
    browser.chmod(0o755)
    played = arena("engine", "--browser", BROWSER=f"{browser} %s")
    played.round()
    assert played.path not in told.read_text()
    assert f"url={played.address}" in told.with_suffix(".html").read_text()
    path = Path(urlsplit(told.read_text()).path)
    assert path.parent.stat().st_mode & 0o077 == 0
    assert played.end()[1:] == ("", 0)
    assert not path.exists()


def test_an_interruption_while_the_model_loads_ends_it(arena: Callable[..., Arena]) -> None:
    assert arena("engine").end()[1:] == ("", 0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["gone"], "gone: no such file or folder"),
        (["docs"], "docs: no file of code that may be read"),
        (["lsp_server/__init__.py"], "lsp_server/__init__.py: no line of code to take something"),
        (["engine", "--a", "tempo=3"], "--a tempo=3: 'tempo' is none of "),
        (["engine", "--b", "steps=x"], "--b: lacuna.steps must be a whole number from 0 to 1024"),
        (["engine", "--a", "mode=diffusion"], "--a and --b are the same settings"),
        (["engine", "--votes", "engine"], "--votes engine: cannot be written (Is a directory)"),
        (["engine", "--b", "model=gone"], "gone: "),
        (["engine", "--b", "provider=cuda"], ""),
    ],
)
def test_what_cannot_be_done_is_told(
    lacuna: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], complaint: str
) -> None:
    monkeypatch.chdir(ROOT)
    ran = lacuna("arena", *arguments)
    assert ran.returncode == 2
    [line] = ran.stderr.decode().splitlines()
    assert line.startswith(f"lacuna: {complaint}")


def test_a_broken_model_is_told(lacuna: Run, model_copy: Path) -> None:
    (model_copy / "card.json").unlink()
    (model_copy / "card.json").write_text("{}")
    ran = lacuna("arena", ROOT / "engine", "--b", f"model={model_copy}")
    assert (ran.returncode, b"card.json" in ran.stderr) == (2, True)


def test_a_port_that_is_taken_is_told(lacuna: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = lacuna("arena", ROOT / "engine", "--port", port)
    assert (ran.returncode, ran.stdout) == (2, b"")
    told = ran.stderr.decode()
    assert told == (
        f"lacuna: --port {port}: Address already in use; leave it out to get a free one\n"
    )
