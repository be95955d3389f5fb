"""A file on disk as the command line sees it: read with checks, written back atomically.

It knows bytes, text and 1-based positions; nothing of spans, models or editors.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

BOM = "\ufeff"
MOST_BYTES = 100_000_000
"""A larger file is not read; a device may have no end at all."""


class InputError(Exception):
    """The user's input cannot be used; the text says what is wrong and where. Exit code 2."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Text with where it came from. `text` keeps its line ends and has no byte-order mark."""

    name: str
    """The path as the user gave it, or "<stdin>"."""
    text: str
    path: Path | None = None
    """The file behind it, links resolved; None for standard input."""
    bom: bool = False
    """Whether the bytes began with a UTF-8 byte-order mark, kept on writing."""

    @classmethod
    def read(cls, name: str) -> SourceFile:
        """Reads a path, or standard input for "-".

        Raises InputError for what is missing, a folder, unreadable, too large, binary or not UTF-8.
        """
        if name == "-" and sys.stdin is None:
            raise InputError("standard input is closed; name a file")
        if not name:  # which is the folder one stands in for Path
            raise InputError("the name of the file is empty")
        path = Path(name)
        try:
            if name == "-":
                return cls._decode("<stdin>", sys.stdin.buffer.read(MOST_BYTES + 1), None)
            with path.open("rb") as file:
                return cls._decode(name, file.read(MOST_BYTES + 1), path.resolve())
        except FileNotFoundError:
            raise InputError(f"{name}: no such file") from None
        except OSError as error:
            # Windows says of a folder no more than that access is denied; pathlib may raise.
            if os.path.isdir(path):  # noqa: PTH112
                raise InputError(f"{name}: is a folder; name a file") from None
            raise InputError(f"{name}: cannot be read ({error.strerror})") from None

    @classmethod
    def _decode(cls, name: str, content: bytes, path: Path | None) -> SourceFile:
        if b"\0" in content:
            raise InputError(f"{name}: is a binary file (byte 0 at {content.index(0)})")
        if len(content) > MOST_BYTES:
            raise InputError(f"{name}: is larger than {MOST_BYTES:,} bytes")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise InputError(f"{name}: line {line} is not UTF-8; save the file as UTF-8") from None
        return cls(name, text.removeprefix(BOM), path, bom=text.startswith(BOM))

    def lines(self) -> list[str]:
        """The lines with their ends (LF, CR LF, CR); an empty one follows a final line end."""
        lines = list(io.StringIO(self.text, newline=""))
        return lines if lines and not lines[-1].endswith(("\n", "\r")) else [*lines, ""]

    def offset(self, line: int, column: int) -> int:
        """The code-point offset of a 1-based line and column, counted in characters.

        Raises InputError when the position is outside the file.
        """
        lines = self.lines()
        if not 1 <= line <= len(lines):
            raise InputError(
                f"{self.name}: line {line} is outside the file, which has {len(lines)}"
            )
        width = len(lines[line - 1].rstrip("\r\n"))
        if not 1 <= column <= width + 1:
            raise InputError(
                f"{self.name}: column {column} is outside line {line} (columns 1 to {width + 1})"
            )
        return sum(map(len, lines[: line - 1])) + column - 1

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based line and column (in characters) of a code-point offset."""
        start = 0
        for number, line in enumerate(self.lines(), 1):
            if offset < start + len(line) or not line.endswith(("\n", "\r")):
                return number, offset - start + 1
            start += len(line)
        raise AssertionError("the last line has no line end")

    def check_writable(self) -> None:
        """Raises InputError when `write` would: no file, read-only, of several names, changed since
        it was read."""
        if self.path is None:
            raise InputError("--write needs a file; standard input cannot be written to")
        folder = self.path.parent
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):  # a pipe would be waited for
                raise InputError(f"{self.name}: is no regular file; nothing was written")
            names = self.path.stat().st_nlink
            # On Windows a folder's read-only bit keeps nobody from writing in it.
            writable, has_place = _is_writable(self.path), os.name == "nt" or _is_writable(folder)
            changed = self.path.read_bytes() != self._encode(self.text)
        except OSError as error:
            raise self._unwritable(error) from None
        if not writable:
            raise InputError(f"{self.name}: is read-only; nothing was written")
        if names > 1:
            raise InputError(
                f"{self.name}: has other names too (hard links), which would keep the old text; "
                "nothing was written; `--diff` prints a patch"
            )
        if not has_place:
            raise InputError(
                f"{folder}: is a read-only folder, and {self.name} is written anew in it; "
                "nothing was written"
            )
        if changed:
            raise InputError(f"{self.name}: was changed in the meantime; nothing was written")

    def write(self, text: str) -> None:
        """Replaces the file's content by `text`, all or nothing; mode, owner and BOM stay.

        Raises InputError when there is no file behind this text, it cannot be written or would
        change hands, or it has been changed since it was read; the file is then untouched.
        """
        self.check_writable()
        assert self.path is not None
        try:
            _replace(self.path, self._encode(text))
        except OSError as error:
            raise self._unwritable(error) from None

    def with_bom(self, text: str) -> str:
        """A text with the byte-order mark that this file has, if it has one."""
        return BOM * self.bom + text

    def _encode(self, text: str) -> bytes:
        return self.with_bom(text).encode("utf-8")

    def _unwritable(self, error: OSError) -> InputError:
        assert self.path is not None
        return InputError(
            f"{self.name}: cannot be written in {self.path.parent} ({error.strerror})"
        )


def _is_writable(path: Path) -> bool:
    """Mode bits are looked at as well, since the superuser may write to any file."""
    return bool(path.stat().st_mode & 0o222) and os.access(path, os.W_OK)


def _replace(path: Path, content: bytes) -> None:
    """Writes beside `path` and renames over it: a reader sees the old file or the new one.

    Raises OSError, also where the new one would not belong to the same user and group.
    """
    before = path.stat()
    descriptor, temporary = tempfile.mkstemp(prefix=".lacuna-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _give(temporary, before)
        Path(temporary).chmod(stat.S_IMODE(before.st_mode))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _give(path: str, facts: os.stat_result) -> None:
    """Has a file belong to whom these facts say, if it does not already."""
    made = Path(path).stat()
    if (made.st_uid, made.st_gid) == (facts.st_uid, facts.st_gid):
        return
    try:
        os.chown(path, facts.st_uid, facts.st_gid)
    except PermissionError as error:
        reason = "you cannot give a file to its user and group; `--diff` prints a patch"
        raise PermissionError(error.errno, reason) from None
