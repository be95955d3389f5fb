"""A headless Neovim with Lacuna in it, driven as a user would: by keys, and by looking."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pynvim
from servers import servers_of

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "editors" / "nvim"

Seen = TypeVar("Seen")

# What the user sees of a suggestion, as one string: the inline parts, then the lines below.
GHOST = """
local name = ...
local namespace = vim.api.nvim_create_namespace(name)
local parts, below = {}, {}
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
  for _, chunk in ipairs(mark[4].virt_text or {}) do table.insert(parts, chunk[1]) end
  for _, line in ipairs(mark[4].virt_lines or {}) do
    local text = ''
    for _, chunk in ipairs(line) do text = text .. chunk[1] end
    table.insert(below, text)
  end
end
if #parts + #below == 0 then return '' end
return table.concat(vim.list_extend({ table.concat(parts) }, below), '\\n')
"""


class NotSeenError(AssertionError):
    """What the test waited for did not come; the message holds what was there instead."""


@dataclass(frozen=True)
class Moment:
    """What stands in the buffer, what is drawn in it, and where the cursor is."""

    lines: list[str]
    ghost: str
    cursor: tuple[int, int]
    mode: str


class Neovim:
    """One editor in a folder of its own; a context manager that leaves no process behind."""

    def __init__(self, binary: Path, home: Path, setup: str, namespace: str = "lacuna") -> None:
        """Starts `binary` and runs `require('lacuna').setup(<setup>)`, whose text is Lua."""
        self.home = home
        self.namespace = namespace
        home.mkdir(parents=True, exist_ok=True)
        init = home / "init.lua"
        init.write_text(
            f"vim.opt.runtimepath:prepend('{PLUGIN}')\n"
            "vim.cmd('filetype plugin indent on')\n"
            "notices = {}\n"
            "vim.notify = function(m, level) table.insert(notices, { level or 2, m }) end\n"
            f"require('lacuna').setup({setup})\n"
        )
        # Short, since the name of a socket has at most 107 bytes.
        self.socket = (
            Path(tempfile.gettempdir()) / f"lacuna-{os.getpid()}-{time.monotonic_ns()}.sock"
        )
        self.output = (home / "nvim.out").open("wb")
        self.process = subprocess.Popen(
            [binary, "--headless", "-n", "-i", "NONE", "-u", init, "--listen", self.socket],
            cwd=home,
            env={**os.environ, **environment(home)},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
        )
        try:
            self.until(self.listens, "Neovim listens", 60)
        except BaseException:
            self.process.kill()
            self.process.wait()
            self.output.close()
            raise
        self.rpc = pynvim.attach("socket", path=str(self.socket))

    def listens(self) -> bool:
        """Its socket takes connections; the file is there a little earlier."""
        if self.process.poll() is not None:
            said = (self.home / "nvim.out").read_text(errors="replace")
            raise NotSeenError(f"Neovim exited {self.process.returncode}: {said[-1000:]}")
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def __enter__(self) -> Neovim:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            print(self.report())  # pytest shows it when the test has failed
        finally:
            alive = self.quit()
        assert not alive, f"left behind by Neovim: {alive}"

    def quit(self) -> list[psutil.Process]:
        """Ends Neovim as a user would; returns those of its children that had to be killed."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        with suppress(EOFError, OSError):  # the answer to this is the end of the connection
            self.rpc.command("qa!")
        self.rpc.close()
        self.process.wait(60)
        self.output.close()
        self.socket.unlink(missing_ok=True)
        _, alive = psutil.wait_procs(children, timeout=60)
        for child in alive:
            child.kill()
        return list(alive)

    def report(self) -> str:
        """What a failed test wants to see: the editor's own words, and the server's log."""
        notices = self.lua("return notices")
        log = self.log.read_text()[-3000:] if self.log.exists() else "(none)"
        lsp = self.home / "state/nvim/lsp.log"
        lsp_log = lsp.read_text()[-3000:] if lsp.exists() else "(none)"
        messages = self.rpc.funcs.execute("messages")
        return (
            f"buffer: {self.look()}\nnotices: {notices}\nmessages: {messages}\n"
            f"server's log: {log}\nlsp.log: {lsp_log}"
        )

    @property
    def log(self) -> Path:
        """Where the plugin keeps the server's error output."""
        return self.home / f"state/nvim/lacuna-{self.process.pid}.log"

    def lua(self, code: str, *arguments: Any) -> Any:
        """The result of a piece of Lua."""
        return self.rpc.exec_lua(code, *arguments)

    def keys(self, keys: str) -> None:
        """Types `keys`, in Neovim's notation, as a keyboard would."""
        self.rpc.input(keys)

    def type(self, text: str, gap: float = 0.0) -> None:
        """Types plain text, one key each `gap` seconds."""
        for character in text:
            self.keys({"<": "<lt>", "\n": "<CR>"}.get(character, character))
            if gap:
                time.sleep(gap)

    def open(self, name: str, text: str, at: tuple[int, int] | None = None) -> None:
        """Edits a new file with this text; the cursor at a line and byte column, both from 1."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.rpc.command(f"edit! {path}")
        # What is typed is what is meant: no indenting by Neovim.
        self.rpc.command("setlocal indentexpr= nocindent noautoindent nosmartindent expandtab")
        if at is not None:
            self.rpc.funcs.cursor(*at)

    def look(self) -> Moment:
        """Buffer, drawn suggestion and cursor (line from 1, byte from 0), all of one moment."""
        lines, ghost, cursor, mode = self.lua(
            "local ghost = loadstring(select(2, ...))(...)\n"
            "return { vim.api.nvim_buf_get_lines(0, 0, -1, false), ghost,"
            " vim.api.nvim_win_get_cursor(0), vim.api.nvim_get_mode().mode }",
            self.namespace,
            GHOST,
        )
        return Moment(lines, ghost, tuple(cursor), mode)

    def ghost(self) -> str:
        """What is drawn of a suggestion; empty when nothing is."""
        return self.look().ghost

    def text(self) -> str:
        """The buffer."""
        return "\n".join(self.look().lines)

    def screen_row(self, row: int) -> str:
        """A row of the screen (from 1) as it is drawn."""
        self.rpc.command("redraw")
        columns = int(self.rpc.options["columns"])
        return "".join(self.rpc.funcs.screenstring(row, c) for c in range(1, columns + 1)).rstrip()

    def notices(self) -> str:
        """All messages the plugin has shown."""
        return "\n".join(message for _, message in self.lua("return notices"))

    def servers(self) -> list[psutil.Process]:
        """The processes of language servers."""
        return servers_of(self.process.pid)

    def server(self) -> psutil.Process:
        """The language server's process."""
        servers = self.servers()
        assert len(servers) == 1, servers
        return servers[0]

    def state(self) -> str:
        """The server's state as the plugin knows it; "none" before it has spoken."""
        return str(self.lua("return (require('lacuna.status').last() or { state = 'none' }).state"))

    def attached(self) -> bool:
        """The server has this buffer."""
        return bool(self.lua("return require('lacuna.client').of(0 + vim.fn.bufnr()) ~= nil"))

    def until(self, look: Callable[[], Seen], what: str, seconds: float = 60) -> Seen:
        """What `look` returns, once it is true of it."""
        end = time.monotonic() + seconds
        while True:
            late = time.monotonic() >= end  # told first: who was stopped meanwhile looks once more
            if seen := look():
                return seen
            if late:
                told = f"not seen in {seconds:g} s: {what}; the last look gave {seen!r}"
                raise NotSeenError(told)
            time.sleep(0.02)

    def shows(self, ghost: str) -> None:
        """Waits until exactly this is drawn of a suggestion."""
        self.until(lambda: self.ghost() == ghost, f"the ghost {ghost!r}")

    def holds(self, text: str) -> None:
        """Waits until exactly this stands in the buffer."""
        self.until(lambda: self.text() == text, f"the text {text!r}")

    def says(self, words: str) -> None:
        """Waits until a message of the plugin holds these words."""
        self.until(lambda: words in self.notices(), f"the message {words!r}")

    def never(self, look: Callable[[], object], what: str, seconds: float) -> None:
        """Fails when `look` turns true within some time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = look()
            assert not seen, f"{what}: {seen!r}"
            time.sleep(0.02)


def environment(home: Path) -> dict[str, str]:
    """Folders of its own for a Neovim, so that it reads and leaves nothing of the user's."""
    folders = {"HOME": home, "XDG_CONFIG_HOME": home / "config", "XDG_DATA_HOME": home / "data"}
    folders |= {"XDG_STATE_HOME": home / "state", "XDG_CACHE_HOME": home / "cache"}
    return {name: str(path) for name, path in folders.items()} | {
        "NVIM_LOG_FILE": str(home / "log")
    }
