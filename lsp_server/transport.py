"""The bytes under the protocol, and when they end. It knows sockets and processes, not LSP."""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from threading import Thread
from typing import BinaryIO

from lsp_server.source_file import InputError

Streams = tuple[BinaryIO, BinaryIO]
"""What the client writes, and where it reads."""

_POLL_SECONDS = 5.0


def standard_streams() -> Streams:
    """Standard input and output. What a library prints goes to standard error from now on."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return sys.stdin.buffer, output


def one_client(host: str, port: int) -> Streams:
    """Listens on a loopback address until one client connects; port 0 takes any free one.

    The address is told on standard error. Raises InputError when it cannot be listened on, or when
    others than this machine could reach it: whoever connects reads what the user types.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise InputError(f"--tcp {host}:{port}: not a loopback address; use 127.0.0.1:{port}")
        with socket.create_server(address[:2], family=family, backlog=1) as listener:
            name = ":".join(map(str, listener.getsockname()[:2]))
            print(f"lacuna: listening on {name}", file=sys.stderr, flush=True)
            connection, _ = listener.accept()
    except OSError as error:
        raise InputError(f"--tcp {host}:{port}: {error.strerror or error}") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:  # the two files keep the socket open
        return connection.makefile("rb"), connection.makefile("wb")


def end_with(pid: int) -> None:
    """Ends this process, at once and without cleaning up, when process `pid` has ended.

    An editor that is killed closes standard input, unless another of its children holds the pipe.
    A process that cannot be seen from here (another machine, another container) is not waited for.
    """
    if sys.platform == "win32":
        return
    if sys.platform == "linux":
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            return
        _end_after(lambda: select.select([handle], [], []))
    elif _is_alive(pid):
        _end_after(lambda: _wait_for(pid))


def _end_after(wait: Callable[[], object]) -> None:
    def end() -> None:
        wait()
        os._exit(1)

    Thread(target=end, name="parent", daemon=True).start()


def _wait_for(pid: int) -> None:
    while _is_alive(pid):
        time.sleep(_POLL_SECONDS)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
