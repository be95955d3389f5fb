"""Fixtures: an editor on a server with a scripted model."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsp_editor import SERVER, Editor, Scripted


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    """Starts an editor on a server whose model says `texts` one after the other, and is ready."""
    editors: list[Editor] = []

    async def start(*texts: str, wait: bool = True, **given: Any) -> Editor:
        handshake = {
            key: given.pop(key)
            for key in ("encoding", "options", "inline", "process_id")
            if key in given
        }
        editor = Editor()
        editors.append(editor)
        script = json.dumps({"texts": texts or ["f.read()"], **given})
        await editor.launch(sys.executable, str(SERVER), script, **handshake)
        if wait:
            await editor.until("ready")
        return editor

    yield start
    for editor in editors:
        await editor.leave()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What the scripted server waits for until it is touched."""
    return tmp_path / "gate"
