"""The bytes under the protocol, and when they end. It knows sockets and processes, not LSP."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import BinaryIO

from lsp_server.source_file import InputError

_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Streams:
    """The two ways of a connection."""

    read: Callable[[int], bytes]
    """Waits for what the client writes and gives up to so many bytes of it; none at the end."""
    output: BinaryIO


class Reader(asyncio.StreamReader):
    """What a client writes, for one event loop.

    A thread waits for it and hands over all that is there: one switch of threads for several
    messages, where pygls' own reader makes three for each.
    """

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        feed = partial(self._feed, streams, asyncio.get_running_loop())
        Thread(target=feed, name="reader", daemon=True).start()

    async def readline(self) -> bytes:
        """The next line; the handler of the message before it has begun by then.

        Else it would see a document as later messages of the same chunk have left it.
        """
        await asyncio.sleep(0)
        return await super().readline()

    def _feed(self, streams: Streams, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know
            with suppress(OSError):
                while chunk := streams.read(_CHUNK_BYTES):
                    loop.call_soon_threadsafe(self.feed_data, chunk)
            loop.call_soon_threadsafe(self.feed_eof)


def standard_streams() -> Streams:
    """Standard input and output. What a library prints goes to standard error from now on.

    Raises InputError when standard input is closed.
    """
    if sys.stdin is None:
        raise InputError("standard input is closed; an editor speaks to the server there")
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return Streams(partial(os.read, sys.stdin.fileno()), output)


def one_client(host: str, port: int) -> Streams:
    """Listens on a loopback address until one client connects; port 0 takes any free one.

    The address is told on standard error. Raises InputError when it cannot be listened on, or when
    others than this machine could reach it: whoever connects reads what the user types.
    """
    given = _address(host, port)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise InputError(f"--tcp {given}: not a loopback address; use 127.0.0.1:{port}")
        with socket.create_server(address[:2], family=family, backlog=1) as listener:
            name = _address(*listener.getsockname()[:2])
            print(f"lacuna: listening on {name}", file=sys.stderr, flush=True)
            connection, _ = listener.accept()
    except (OSError, UnicodeError) as error:  # the latter of a name that cannot be one
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"--tcp {given}: {reason}") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Streams(connection.recv, connection.makefile("wb"))


def _address(host: str, port: int) -> str:
    """HOST:PORT, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def end_with(pid: int) -> None:
    """Ends this process, at once and without cleaning up, when process `pid` has ended.

    An editor that is killed closes standard input, unless another of its children holds the pipe.
    A process that cannot be seen from here (another machine, another container) is not waited for.
    """

    def end() -> None:
        import psutil  # not above: it takes some 15 ms, which the first request need not wait for

        with suppress(psutil.Error):
            psutil.Process(pid).wait()
            os._exit(1)

    Thread(target=end, name="parent", daemon=True).start()
