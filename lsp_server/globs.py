"""Glob patterns as editors write them, held against the path of a file.

`*` and `?` stay within a folder's name, `**` does not, `{a,b}` is either, `[...]` one of a set. A
pattern that does not start at the root may start at any folder. Case is ignored: a pattern that
keeps a file from being read had better match too much. (`glob.translate` is new in Python 3.13.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_TOKEN = re.compile(
    r"(?P<folders>(?:(?<=/)|^)\*\*/+)|(?P<any>\*\*+)|(?P<name>\*)|(?P<one>\?)"
    r"|\[(?P<not>!?)(?P<set>[^\]/]+)\]|\{(?P<either>[^{}]*)\}|(?P<literal>.)",
    re.DOTALL,
)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether any of the patterns matches a path; the path's separator is `/`."""
    return any(_compiled(pattern).fullmatch(path) for pattern in patterns)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    anywhere = "" if pattern.startswith("/") else "(?:.*/)?"
    try:
        return re.compile(anywhere + _translated(pattern), re.IGNORECASE | re.DOTALL)
    except re.error:  # a set such as [z-a]
        return re.compile(re.escape(pattern))


def _translated(pattern: str) -> str:
    return "".join(map(_regex, _TOKEN.finditer(pattern)))


def _regex(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "folders":
            return "(?:.*/)?"
        case "any":
            return ".*"
        case "name":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "set":
            members = re.escape(token["set"]).replace(r"\-", "-")
            return f"[{'^' if token['not'] else ''}{members}]"
        case "either":
            return f"(?:{'|'.join(map(_translated, token['either'].split(',')))})"
        case _:
            return re.escape(token[0])
