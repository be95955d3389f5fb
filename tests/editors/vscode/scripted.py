"""The scripted server, as a test holds it."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

SCRIPTED = Path(__file__).with_name("scripted_lacuna.py")


class Scripted:
    """A server that does as it is told; `program` starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "lacuna"
        self.program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{SCRIPTED}" "{folder}" "$@"\n'
        )
        self.program.chmod(0o755)
        self.tell()

    def tell(self, **script: Any) -> None:
        """What to do from now on: texts, after, why, lines, die, hold, loads, ends_after_s."""
        # At once, since the server may be reading it.
        written = self.folder / "script.json.new"
        written.write_text(json.dumps({"texts": [], **script}))
        written.replace(self.folder / "script.json")

    def wheel(self) -> Path:
        """A Python package that installs the server, as `lacuna-ls` installs Lacuna's."""
        path = self.folder / "scripted_lacuna-1-py3-none-any.whl"
        info = "scripted_lacuna-1.dist-info"
        command = [sys.executable, str(SCRIPTED), str(self.folder), "serve"]
        files = {
            "scripted.py": f"import os\ndef main():\n    os.execv({command[0]!r}, {command!r})\n",
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: scripted-lacuna\nVersion: 1\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": "[console_scripts]\nlacuna = scripted:main\n",
        }
        record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in {**files, f"{info}/RECORD": record}.items():
                archive.writestr(name, text)
        return path

    def heard(self, *names: str) -> list[dict[str, Any]]:
        """The events of these names, oldest first."""
        path = self.folder / "heard.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        whole = (line for line in lines if line.endswith("\n"))  # the last may be in writing
        return [heard for heard in map(json.loads, whole) if heard["event"] in names]
