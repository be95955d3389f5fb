"""What the tests of the Neovim client share: the servers, and an editor to sit down at."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from driver import Neovim

LACUNA = Path(sys.executable).with_name("lacuna")
ORACLE = Path(__file__).with_name("oracle_server.py")

Opener = Callable[..., Neovim]


class Scripted:
    """What the scripted server is told, and what it has been asked."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "script.json"
        self.log = folder / "requests.jsonl"
        self.tell("")

    def tell(
        self,
        target: str,
        *,
        delay: float = 0.0,
        lines: int = 1,
        others: Sequence[str] = (),
        from_word: bool = False,
        closing: str = "",
        die_on: str | None = None,
        hang_on: str | None = None,
    ) -> None:
        """What it does from its next request on; see oracle_server.py. The log begins anew."""
        script = {"target": target, "delay": delay, "lines": lines, "closing": closing}
        script |= {"others": list(others), "from_word": from_word}
        whole = self.script.with_suffix(".new")
        whole.write_text(json.dumps({**script, "die_on": die_on, "hang_on": hang_on}))
        whole.replace(self.script)  # it may be read at any time
        self.log.write_text("")

    @property
    def command(self) -> str:
        """The server as the Lua list of its words."""
        words = [sys.executable, str(ORACLE), str(self.script), str(self.log)]
        return "{" + ", ".join(f"'{word}'" for word in words) + "}"

    def events(self, name: str) -> list[dict[str, object]]:
        """The events of this name, oldest first."""
        lines = self.log.read_text().splitlines(keepends=True)
        # The last one may just be being written.
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in events if event["event"] == name]

    def requests(self) -> list[str]:
        """The text before the cursor in each request."""
        return [str(event["before"]) for event in self.events("request")]

    def read_ahead(self) -> list[str]:
        """The text before the cursor at each place it was to read around."""
        return [str(event["before"]) for event in self.events("readAhead")]


@dataclass
class Desk:
    """One editor with the scripted server and `keys = true`; each test takes a file of its own."""

    nvim: Neovim
    server: Scripted
    files: int = 0

    def sit(self, target: str, *, delay: float = 0.0, lines: int = 1) -> Neovim:
        """The editor in insert mode in an empty file, the server ready to suggest `target`."""
        self.files += 1
        self.nvim.open(f"{self.files}.py", "")
        # By its own account: then it has also done what it was asked before, and logs that no more.
        self.nvim.until(lambda: self.told_of(f"{self.files}.py"), "the server has the buffer")
        self.nvim.until(self.nvim.attached, "the server has the buffer")
        self.server.tell(target, delay=delay, lines=lines)
        self.nvim.keys("i")
        return self.nvim

    @contextmanager
    def waiting(self, *, typing: int, deleting: int) -> Iterator[None]:
        """With other times from a key to a request, in ms."""
        current = "require('lacuna.config').current.debounce"
        self.nvim.lua(
            f"waits = {current}; {current} = {{ typing = {typing}, deleting = {deleting} }}"
        )
        try:
            yield
        finally:
            self.nvim.lua(f"{current} = waits")

    def told_of(self, name: str) -> bool:
        """The server has been shown a file of this name."""
        return any(str(e["uri"]).endswith(f"/{name}") for e in self.server.events("opened"))

    def requests(self) -> list[str]:
        """The text before the cursor in each request since `sit`."""
        return self.server.requests()

    def told(self, event: str) -> list[dict[str, object]]:
        """What the server was told of the suggestions for this file."""
        name = f"{self.files}.py:"
        return [fact for fact in self.server.events(event) if str(fact["id"]).startswith(name)]

    def leave(self) -> None:
        """Back to how it was: normal mode, one window, no file."""
        self.nvim.keys("<Esc><Esc>")
        self.nvim.rpc.command("silent! only! | %bwipeout!")
        self.nvim.lua("notices = {}")
