"""Single arguments of the command `lacuna`: what they mean, and how they are refused.

The functions are types for argparse; each says what is wrong in its ArgumentTypeError.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DIGITS = 18
"""Most digits of a number, so that it fits where it goes."""


class Parser(argparse.ArgumentParser):
    """Refuses with its own usage what it does not know; argparse's leaves that to its parent."""

    def parse_known_args(self, *given: Any, **named: Any) -> Any:
        arguments, unknown = super().parse_known_args(*given, **named)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return arguments, unknown


class Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"lacuna {version('lacuna-ls')}")
        parser.exit()


def joined(given: Sequence[str]) -> list[str]:
    """The arguments with a place that begins with `-` joined to its option: argparse would take it
    for an option too, and say that the place is missing."""
    joined: list[str] = []
    for argument in given:
        if joined and joined[-1] in ("--at", "--lines") and re.match(r"-\d", argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def position(text: str) -> tuple[int, int]:
    """LINE:COLUMN."""
    line, separator, column = text.partition(":")
    if not (separator and _is_number(line) and _is_number(column)):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not LINE:COLUMN, such as 12:9")
    return int(line), int(column)


def lines(text: str) -> tuple[int, int]:
    """A-B, or A for one line."""
    first, separator, last = text.partition("-")
    last = last if separator else first
    if not (_is_number(first) and _is_number(last)):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not A-B, such as 12-15")
    if int(first) > int(last):
        raise argparse.ArgumentTypeError(f"{_shown(text)} ends above the line where it begins")
    return int(first), int(last)


def folder(text: str) -> Path | None:
    """A folder, whose path may begin with `~`; none as in the settings, where it is empty."""
    return Path(os.path.expanduser(text)) if text else None  # noqa: PTH111 - pathlib's may fail


def address(text: str) -> tuple[str, int]:
    """HOST:PORT; the server refuses hosts that others can reach."""
    host, separator, port = text.rpartition(":")
    if not (host and separator and _is_number(port) and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not HOST:PORT, such as 127.0.0.1:2087")
    return host.strip("[]"), int(port)


def _is_number(text: str) -> bool:
    """A whole number of no more digits than anything here can have."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS


def _shown(text: str) -> str:
    """What was given, cut to a length that fits a message."""
    shown = repr(text)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def count(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number of at least `least` and at most `most`."""

    def parse(text: str) -> int:
        if not _is_number(text) or int(text) < least or (most is not None and int(text) > most):
            bounds = f"of at least {least} and at most {DIGITS} digits"
            if most is not None:
                bounds = f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{_shown(text)} is not a whole number {bounds}")
        return int(text)

    return parse


def number(least: float, most: float) -> Callable[[str], float]:
    """A number from `least` to `most`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            bounds = f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{_shown(text)} is not a number {bounds}")
        return value

    return parse
