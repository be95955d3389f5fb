"""The language servers that an editor has started."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

# A word of the command line that only a server has.
SERVERS = {"serve", "scripted_server.py", "oracle_server.py"}


def servers_of(editor: int) -> list[psutil.Process]:
    """The language servers, scripted ones too, that run below the process with this id.

    One that ends while it is looked at is none of them.
    """
    children = psutil.Process(editor).children(recursive=True)
    return [child for child in children if _is_server(child)]


def _is_server(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # gone, or a zombie: one that nobody has waited for yet
        names = {Path(word).name for word in process.cmdline()}
        return not names.isdisjoint(SERVERS)
    return False
