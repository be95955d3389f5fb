"""`lacuna serve` itself: the command, the shipped model, what may be wrong with it, and TCP."""

import ast
import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from lsp_editor import SERVER, URI, Editor

from engine import default_model_folder
from engine.card import Card

SERVE = (str(Path(sys.executable).with_name("lacuna")), "serve")
SOURCE = "import json\n\n\ndef load(path):\n    with open(path) as f:\n        return json.▮\n"


@pytest.fixture
async def editor() -> AsyncIterator[Editor]:
    editor = Editor()
    yield editor
    await editor.leave()


def altered(tmp_path: Path, name: str, content: bytes | None) -> Path:
    """The shipped model folder with one file changed, or without it."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in default_model_folder().iterdir():
        if file.name != name:
            (folder / file.name).symlink_to(file)
    if content is not None:
        (folder / name).write_bytes(content)
    return folder


async def refused(editor: Editor, *command: str, **options: Any) -> str:
    """What the server says of a model it cannot load, and that it goes on answering."""
    await editor.launch(*command, options=options)
    status = await editor.until("error")
    assert await editor.ask(editor.open(SOURCE)) == []
    assert await editor.why() == "no-engine"
    assert (await editor.call("lacuna/getStatus")).message == status.message
    assert "lacuna doctor" in status.message
    return status.message


@pytest.mark.model
async def test_the_shipped_model_fills_a_gap(editor: Editor) -> None:
    await editor.launch(*SERVE)
    at = editor.open(SOURCE)
    status = await editor.until("ready")
    assert status.model == Card.read(default_model_folder()).name
    item, *_ = await editor.ask(at, invoked=True)
    filled = SOURCE[: SOURCE.index("json.▮")] + item.insert_text + "\n"
    ast.parse(filled)
    trace = await editor.call("lacuna/trace")
    committed = "".join(c.text for c in trace.steps[-1].cells if c.state != "end")
    assert item.insert_text.removeprefix("json.").strip() in committed
    assert (await editor.call("lacuna/getStatus")).latencyMs > 0
    assert psutil.Process(editor.process.pid).memory_info().rss < 700e6


@pytest.mark.model
async def test_a_place_is_filled_as_its_like_in_another_file(
    editor: Editor, tmp_path: Path
) -> None:
    """In an open one, in the folder, or in one that is not to be looked at."""
    account = (
        "class AccountView(View):\n    def get(self, account_id):\n"
        "        account = self.database.find_account(account_id)\n"
        "        self.audit.note_access('account', account_id)\n        return account.render()\n"
    )
    user = account.replace("Account", "User").replace("account", "user")
    user = re.sub("audit.*", "▮", user)
    uri = (tmp_path / "user.py").as_uri()
    await editor.launch(*SERVE)
    await editor.until("ready")

    async def inserted() -> str:
        return (await editor.ask(at, uri, invoked=True))[0].insert_text

    at = editor.open(user, uri)
    assert "audit" not in await inserted()
    (tmp_path / "account.py").write_text(account)
    editor.configure()  # what was chosen is forgotten
    assert await inserted() == "audit.note_access('user', user_id)"
    editor.configure(excludedGlobs=["**/account.*"])
    assert "audit" not in await inserted()
    editor.open(account, "untitled:account")
    editor.configure(excludedGlobs=["**/account.py"])
    assert await inserted() == "audit.note_access('user', user_id)"
    editor.configure(relatedFiles=False, excludedGlobs=["**/account.py"])
    assert "audit" not in await inserted()


@pytest.mark.model
async def test_the_shipped_model_writes_lines_anew(editor: Editor) -> None:
    await editor.launch(*SERVE)
    editor.open("def add(a, b):\n    pass\n\n\ndef subtract(a, b):\n    return a - b\n")
    await editor.until("ready")
    document = {"uri": URI, "version": 1}
    found = await editor.call("lacuna/fillLines", textDocument=document, startLine=1, endLine=1)
    assert found.reason is None
    ast.parse(f"def add(a, b):\n{found.text}\n")


async def test_no_model_folder(editor: Editor, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert missing in await refused(editor, *SERVE, model=missing)


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("adapter.safetensors", b"short", "has 5 bytes instead of"),
        ("tokenizer.json", None, "missing"),
        ("card.json", b'{"schema": 99}', "schema is 99"),
        ("card.json", b"{", "cannot be read as JSON"),
    ],
)
async def test_an_altered_model_folder(
    editor: Editor, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    folder = altered(tmp_path, name, content)
    message = await refused(editor, *SERVE, model=str(folder))
    assert told in message
    assert str(folder / name) in message


@pytest.mark.model
async def test_no_onnxruntime(editor: Editor) -> None:
    program = (
        "import sys; sys.modules['onnxruntime'] = None;"
        "from lsp_server.cli import main; sys.exit(main(['serve']))"
    )
    message = await refused(editor, sys.executable, "-c", program)
    assert "pip install" in message


# TCP


def test_only_this_machine_can_connect() -> None:
    done = subprocess.run([*SERVE, "--tcp", "0.0.0.0:0"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "loopback" in done.stderr
    assert "127.0.0.1" in done.stderr


def test_an_address_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*SERVE, "--tcp", f"127.0.0.1:{port}"]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_over_tcp_until_the_connection_closes() -> None:
    script = json.dumps({"texts": ["f.read()"], "tcp": True})
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVER), script, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    told = (await process.stderr.readline()).decode()
    match = re.fullmatch(r"lacuna: listening on 127\.0\.0\.1:(\d+)\n", told)
    assert match is not None
    editor = Editor()
    await editor.start_tcp("127.0.0.1", int(match[1]))
    await editor.shake_hands("utf-8", None, inline=True, process_id=None)
    await editor.until("ready")
    at = editor.open("with open(p) as f:\n    x = ▮\n")
    assert [item.insert_text for item in await editor.ask(at)] == ["f.read()"]
    assert isinstance(editor.protocol.writer, asyncio.StreamWriter)
    editor.protocol.writer.close()
    async with asyncio.timeout(120):
        assert await process.wait() == 1
    await editor.stop()
    assert b"Traceback" not in await process.stderr.read()
