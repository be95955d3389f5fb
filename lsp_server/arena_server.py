"""The arena's page and what it asks for, over HTTP on 127.0.0.1.

    GET  /TOKEN/         the page (arena.html)
    GET  /TOKEN/round    the round to vote on, blind, and how the votes stand
    POST /TOKEN/vote     {"round": 3, "vote": "first"}; what the round was

Nobody without the token gets anything, and it is told to the user alone: others on this machine can
reach the port, and so can a page on the web that has its name lead here (hence the check of Host).
Code goes to the page as text in JSON, nothing is logged, and the browser keeps nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import Any

from lsp_server.change import Edit
from lsp_server.contest import Pair, Round, Standing, Vote
from lsp_server.duel import Duel
from lsp_server.excerpt import Excerpt
from lsp_server.source_file import InputError

HOST = "127.0.0.1"
HTTP_PORT = 80
"""The port that browsers leave out."""
LINES_ABOVE, LINES_BELOW = 8, 6
"""Lines shown around a gap."""
SILENT_S = 30
"""A connection on which nothing comes for so long is closed."""
_LENGTH = re.compile(r"[0-9]{1,3}")
"""Of a vote, in bytes."""


class RefusedError(Exception):
    """A request that is not served; its text says why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@contextmanager
def serving(duel: Duel, port: int) -> Iterator[str]:
    """Serves a duel on a port (0: any free one) and yields the page's address, token included.

    Raises InputError when the port cannot be had.
    """
    try:
        server = _Server(duel, port)
    except OSError as error:
        raise InputError(
            f"--port {port}: {error.strerror}; leave it out to get a free one"
        ) from None
    with server:
        Thread(target=server.serve_forever, name="page", daemon=True).start()
        try:
            yield f"http://{server.host}/{server.token}/"
        finally:
            server.shutdown()


class _Server(ThreadingTCPServer):
    """HTTPServer would look up the name of this machine."""

    allow_reuse_address = sys.platform != "win32"  # where two could have one port then
    daemon_threads = True

    def __init__(self, duel: Duel, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.duel = duel
        self.token = secrets.token_urlsafe(24)
        self.host = f"{HOST}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # who asked has gone
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SILENT_S

    def do_GET(self) -> None:
        self._serve({"": self._page, "round": self._round})

    def do_POST(self) -> None:
        self._serve({"vote": self._vote})

    def _serve(self, answers: dict[str, Any]) -> None:
        try:
            name = self._name()
            if name not in answers:
                raise RefusedError(HTTPStatus.NOT_FOUND, "There is nothing here.")
            answers[name]()
        except RefusedError as error:
            self._json({"error": str(error)}, error.status)

    def _name(self) -> str:
        """What is asked for, by somebody who may."""
        if self.headers.get("Host") not in hosts(self.server.server_address[1]):
            raise RefusedError(HTTPStatus.FORBIDDEN, "Ask for 127.0.0.1 or localhost.")
        token, slash, name = self.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise RefusedError(HTTPStatus.FORBIDDEN, "The address lacks its token.")
        if not slash:
            raise RefusedError(HTTPStatus.NOT_FOUND, "The address ends with a slash.")
        return name

    def _page(self) -> None:
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", page())

    def _round(self) -> None:
        duel = self.server.duel
        round_ = duel.round
        self._json(
            {
                "round": blind(round_) if round_ else None,
                "doing": duel.doing,
                "standing": standing(duel.standing),
            }
        )

    def _vote(self) -> None:
        number, vote = self._asked()
        duel = self.server.duel
        try:
            voted = duel.vote(number, vote)
        except OSError as error:
            why = f"The vote cannot be noted, so it does not count: {error.strerror}."
            raise RefusedError(HTTPStatus.INSUFFICIENT_STORAGE, why) from None
        if voted is None:
            raise RefusedError(HTTPStatus.CONFLICT, "This round is not the one to vote on.")
        self._json({"was": revealed(duel.pair, voted), "standing": standing(duel.standing)})

    def _asked(self) -> tuple[int, Vote]:
        """The round and the vote that a request brings."""
        length = self.headers.get("Content-Length", "")
        if not _LENGTH.fullmatch(length):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "A vote has a length, and it is small.")
        try:
            given = json.loads(self.rfile.read(int(length)))
            return given["round"], Vote(given["vote"])
        except (ValueError, TypeError, KeyError, RecursionError):
            why = 'A vote is {"round": 1, "vote": "first"}, or second, tie or bad.'
            raise RefusedError(HTTPStatus.BAD_REQUEST, why) from None

    def _json(self, answer: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, "application/json", json.dumps(answer).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": policy(),
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        return "lacuna"

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


@cache
def page() -> bytes:
    """The page: the same for everybody, without any code of the user."""
    return Path(__file__).with_name("arena.html").read_bytes()


@cache
def policy() -> str:
    """What the page may do: run its own script in its own style and ask this server."""
    allowed = {
        f"{element}-src": re.search(rb"<%b>(.*?)</%b>" % (tag, tag), page(), re.DOTALL)
        for element, tag in (("script", b"script"), ("style", b"style"))
    }
    rules = [
        "default-src 'none'; connect-src 'self'; img-src data:",
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        *(f"{source} '{_digest(found[1])}'" for source, found in allowed.items() if found),
    ]
    return "; ".join(rules)


def _digest(content: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


def blind(round_: Round) -> dict[str, Any]:
    """A round as somebody sees it who does not know which suggestion is whose."""
    line, column = round_.gap.place
    return {
        "number": round_.number,
        "file": round_.gap.file.encode("utf-8", "replace").decode(),
        "line": line,
        "column": column,
        "is_body": round_.gap.is_body,
        "first_line": max(line - LINES_ABOVE, 1),
        "suggestions": [asdict(_suggestion(round_, who)) for who in round_.order],
    }


def revealed(pair: Pair, round_: Round) -> dict[str, Any]:
    """What the round was: whose the first and the second suggestion, and what stood there."""
    truth = Edit(round_.gap.start, round_.gap.start, round_.gap.middle)
    return {
        "truth": asdict(_in_place(round_, truth, above=0, below=0)),
        "suggestions": [
            {
                "name": pair[who].name,
                "settings": pair[who].description,
                "exact": round_.exact[who],
                "ms": round_.attempts[who].ms,
                "probability": round_.attempts[who].probability,
            }
            for who in round_.order
        ],
    }


def standing(stands: Standing) -> dict[str, Any]:
    """How the votes stand."""
    return asdict(stands) | {
        "rounds": stands.rounds,
        "share": stands.share,
        "interval": stands.interval,
        "counts": stands.counts,
        "verdict": stands.verdict,
    }


def _suggestion(round_: Round, who: int) -> Excerpt:
    attempt = round_.attempts[who]
    if attempt.edit is not None:
        return _in_place(round_, attempt.edit)
    shown = _in_place(round_, Edit(round_.gap.start, round_.gap.start, ""))
    return replace(shown, nothing=attempt.why)


def _in_place(
    round_: Round, edit: Edit, above: int = LINES_ABOVE, below: int = LINES_BELOW
) -> Excerpt:
    """An edit with the lines around its gap."""
    document = round_.gap.document
    line = document.line_at(round_.gap.start)
    first = document.line_starts[max(line - above, 0)]
    last = document.line_bounds(min(line + below, len(document.line_starts) - 1))[1]
    return Excerpt.of(document, edit, first, last)


def hosts(port: int) -> list[str]:
    """What browsers may call this server."""
    names = [HOST, "localhost"]
    return [f"{name}:{port}" for name in names] + (names if port == HTTP_PORT else [])
