"""Glob patterns as editors write them, held against the path of a file.

`*` and `?` stay within a folder's name, `**` does not, `{a,b}` is either, `[...]` one of a set, and
`[!...]` or `[^...]` none of it. A pattern that does not start at the root may start at any folder,
and one that ends with `/` means all in that folder. Case is ignored: a pattern that keeps a file
from being read had better match too much. (`glob.translate` is new in Python 3.13.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

_TOKEN = re.compile(
    r"(?P<folders>(?:(?<=[/{,])|^)\*\*/+)|(?P<any>\*\*+)|(?P<name>\*)|(?P<one>\?)"
    r"|\[(?P<not>[!^]?)(?P<set>[^\]/]+)\]|(?P<open>\{)|(?P<or>,)|(?P<close>\})|(?P<literal>.)",
    re.DOTALL,
)


def excluded(path: Path, patterns: Iterable[str]) -> bool:
    """Whether any of the patterns matches a path as it is spelled, or where links in it lead."""
    patterns = tuple(patterns)
    spelled, real = path.as_posix(), Path(os.path.realpath(path)).as_posix()
    return any(matches(name, patterns) for name in {spelled, real})


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether any of the patterns matches a path; the path's separator is `/`."""
    return any(_compiled(pattern).fullmatch(path) for pattern in patterns)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    anywhere = "" if pattern.startswith("/") else "(?:.*/)?"
    pattern = pattern.removeprefix("./")
    pattern += "**" * pattern.endswith("/")
    return re.compile(anywhere + _translated(pattern), re.IGNORECASE | re.DOTALL)


def _translated(pattern: str) -> str:
    balanced, depth, parts = pattern.count("{") == pattern.count("}"), 0, []
    for token in _TOKEN.finditer(pattern):
        part = _regex(token)
        if balanced and token.lastgroup == "open":
            part, depth = "(?:", depth + 1
        elif depth and token.lastgroup == "or":
            part = "|"
        elif depth and token.lastgroup == "close":
            part, depth = ")", depth - 1
        parts.append(part)
    return "".join(parts) + ")" * depth


def _regex(token: re.Match[str]) -> str:
    """What one token of a pattern means where it stands in no braces."""
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
            return f"[{'^' if token['not'] else ''}{members}]" if _is_set(members) else "[^/]"
        case _:
            return re.escape(token[0])


def _is_set(members: str) -> bool:
    """Whether they are in order: `z-a` is no range, so it is held to be any character."""
    try:
        re.compile(f"[{members}]")
    except re.error:
        return False
    return True
