"""The code among the files and folders that somebody names. It knows folders, not what is in files.

Of a folder what others wrote and what tools keep there is left out, as are links. No file is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lsp_server import globs
from lsp_server.settings import Settings
from lsp_server.source_file import InputError
from lsp_server.syntax import UNKNOWN, language_of

SKIPPED = frozenset(
    {"__pycache__", "build", "dist", "node_modules", "site-packages", "target", "vendor", "venv"}
)
"""Folders that are not gone into; and all whose names begin with a dot."""


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file in a language that has a grammar here."""

    name: str
    """The path as the user would write it."""
    size: int
    """Bytes."""

    @property
    def path(self) -> Path:
        return Path(os.path.abspath(self.name))  # noqa: PTH100 - resolve() would follow links

    @property
    def language(self) -> str:
        """The LSP language id."""
        return language_of(self.name)


def code_files(names: Iterable[str], *settings: Settings) -> list[CodeFile]:
    """The code in files and folders, each file once, that all of the settings let be read.

    Raises InputError for a name that is nothing here, or when there is no such file at all.
    """
    given = list(names)
    found = {
        file.path: file
        for name in given
        for file in map(_measured, _files(name))
        if file and all(_is_read(file, each) for each in settings)
    }
    if not found:
        raise InputError(f"{', '.join(given)}: no file of code that may be read")
    return list(found.values())


def _files(name: str) -> Iterator[str]:
    """A file, or those in a folder, in an order that is always the same."""
    if not os.path.exists(name):  # noqa: PTH110 - Path's fails where it may not look
        raise InputError(f"{name or repr(name)}: no such file or folder")
    if not Path(name).is_dir():
        yield name
    for folder, folders, files in os.walk(name):
        folders[:] = sorted(each for each in folders if not _is_skipped(each))
        for path in (Path(folder, file) for file in sorted(files)):
            if not path.is_symlink():
                yield str(path)


def _is_skipped(folder: str) -> bool:
    return folder.startswith(".") or folder in SKIPPED


def _measured(name: str) -> CodeFile | None:
    """A file of code that is there and says something."""
    try:
        size = Path(name).stat().st_size if Path(name).is_file() else 0
    except OSError:
        return None
    return CodeFile(name, size) if size and language_of(name) != UNKNOWN else None


def _is_read(file: CodeFile, settings: Settings) -> bool:
    return (
        file.size <= settings.max_file_bytes
        and file.language not in settings.disabled_languages
        and not globs.excluded(file.path, settings.excluded_globs)
    )
