"""Bytes reach the event loop as they come, and the end of them too."""

import asyncio
import os
import re
import socket
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from lsp_server.source_file import InputError
from lsp_server.transport import Reader, Streams, one_client


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield Streams(partial(os.read, reading), BytesIO()), writing
    os.close(reading)


async def test_lines_and_bodies_arrive_whole_from_pieces(pipe: tuple[Streams, int]) -> None:
    streams, writing = pipe
    reader = Reader(streams)
    body = "é".encode() * 100_000
    sending = asyncio.to_thread(_write_pieces, writing, b"Length: 1\r\n\r\n" + body)
    sent = asyncio.ensure_future(sending)
    assert await reader.readline() == b"Length: 1\r\n"
    assert await reader.readline() == b"\r\n"
    assert await reader.readexactly(len(body)) == body
    await sent
    assert await reader.readline() == b""


def _write_pieces(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content[:10_007]) :]
    os.close(descriptor)


async def test_tasks_of_one_message_begin_before_the_next_is_read(
    pipe: tuple[Streams, int],
) -> None:
    """The handler of a request must see the document before the change that follows it."""
    streams, writing = pipe
    reader = Reader(streams)
    os.write(writing, b"a\nb\n")
    os.close(writing)
    seen = []

    async def handle(line: bytes) -> None:
        seen.append(line)

    tasks = []
    while line := await reader.readline():
        assert len(seen) == len(tasks)
        tasks.append(asyncio.ensure_future(handle(line)))
    assert seen == [b"a\n", b"b\n"]


async def test_a_broken_connection_is_an_end(tmp_path: Path) -> None:
    def read(size: int) -> bytes:
        raise ConnectionResetError

    assert await Reader(Streams(read, BytesIO())).readline() == b""


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_addresses_that_others_can_reach_are_refused(host: str) -> None:
    with pytest.raises(InputError, match="not a loopback address"):
        one_client(host, 0)


@pytest.mark.parametrize("host", [".", "x" * 64])
def test_what_can_be_no_host_is_refused(host: str) -> None:
    with pytest.raises(InputError, match=f"--tcp {re.escape(host)}:80: "):
        one_client(host, 80)


def test_an_ipv6_address_is_told_in_brackets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=re.escape("--tcp [::]:0: not a")):
        one_client("::", 0)
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")

    def accept(_: socket.socket) -> None:
        raise OSError("nobody came")

    monkeypatch.setattr(socket.socket, "accept", accept)
    with pytest.raises(InputError, match="nobody came"):
        one_client("::1", 0)
    assert re.fullmatch(r"lacuna: listening on \[::1\]:\d+\n", capsys.readouterr().err)
