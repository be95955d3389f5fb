"""Which documents are not to be read, and why: by the user's settings, or as they are no text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lsp_server import globs
from lsp_server.document import Document
from lsp_server.nothing import Nothing
from lsp_server.settings import Settings

DISABLED = Nothing("disabled", "Lacuna is switched off in the settings.")
LANGUAGE = Nothing("disabled-language", "This language is switched off in the settings.")
EXCLUDED = Nothing("excluded", "The file matches excludedGlobs, so it is never read.")
TOO_LARGE = Nothing("too-large", "The file is larger than maxFileBytes.")
BINARY = Nothing("binary", "The file is no text: it has a zero byte.")


def left_alone(document: Document, settings: Settings) -> Nothing | None:
    """Why a document is not to be read by these settings."""
    if not settings.enabled:
        return DISABLED
    if document.language in settings.disabled_languages:
        return LANGUAGE
    if any(globs.matches(path, settings.excluded_globs) for path in _paths(document)):
        return EXCLUDED
    return no_text(document, settings)


def no_text(document: Document, settings: Settings) -> Nothing | None:
    """Why a document is not to be read for what its text is."""
    if document.size > settings.max_file_bytes:
        return TOO_LARGE
    return BINARY if "\0" in document.text else None


def _paths(document: Document) -> Iterator[str]:
    """The paths that globs are held against: as it was opened, and where links to it lead.

    All of what is no URI.
    """
    uri = document.notebook or document.uri
    try:
        yield unquote(urlsplit(uri).path)
    except ValueError:  # such as a bracket that is not closed
        yield unquote(uri)
    if document.path:
        yield Path(os.path.realpath(document.path)).as_posix()
