"""The engine's home: one thread on which it is opened and every fill runs.

It knows whose turn it is, not what is computed: of one document only the newest request counts, and
the one before it is cancelled at its next denoising step.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from engine import Engine
from engine.errors import CancelledError
from engine.prompt import Cancelled
from lsp_server.settings import Settings

T = TypeVar("T")
AHEAD = "ahead"
"""The key of what is done before anybody asks; it is no document's."""
Opener = Callable[[Settings], Engine]
Job = Callable[[Engine, Cancelled], T]


def open_engine(settings: Settings) -> Engine:
    """The engine that the settings ask for, warm; seconds. Raises what `Engine.open` raises."""
    engine = Engine.open(settings.model_folder, settings.provider, settings.threads)
    engine.warm_up()
    return engine


class Host:
    """Opens an engine and lends it to one job at a time. All methods belong to the event loop.

    pygls can cancel neither a running thread nor a plain handler, and reads standard input on its
    own thread pool; hence a thread of our own and an event that the engine asks at every step.
    """

    def __init__(self, opener: Opener = open_engine) -> None:
        self._opener = opener
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._turns: dict[Hashable, Event] = {}
        self._opening = 0
        self.engine: Engine | None = None
        """None until it is open."""

    @property
    def is_busy(self) -> bool:
        """Whether a job that somebody waits for runs or waits."""
        return any(key != AHEAD for key in self._turns)

    def drop(self) -> None:
        """Cancels every job and gives the engine up."""
        self.cancel_all()
        self.engine = None

    async def open(self, settings: Settings) -> None:
        """Opens an engine, unless another opening overtakes this one.

        Raises ModelFolderError, RuntimeMissingError, and whatever else the libraries raise.
        """
        self._opening += 1
        opening = self._opening
        loop = asyncio.get_running_loop()
        engine = await loop.run_in_executor(self._thread, self._opened, settings)
        if opening == self._opening:
            self.engine = engine

    def _opened(self, settings: Settings) -> Engine:
        # A session knows its buffers, and they what drafts behind them, which is the session: one
        # that was dropped stays in memory, half a gigabyte of it, until such rings are looked for.
        gc.collect()
        return self._opener(settings)

    def turn(self, key: Hashable, job: Job[T]) -> asyncio.Future[T]:
        """Runs a job with the engine, which must be open. The one of the same key is cancelled, and
        so is what is done ahead.

        The future raises CancelledError when the job was cancelled, and what the job raises. To
        cancel the future is to cancel the job.
        """
        assert self.engine is not None
        self.cancel(key)
        self.cancel(AHEAD)
        cancelled = self._turns[key] = Event()
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, _run, job, self.engine, cancelled)
        future.add_done_callback(lambda _: self._end(key, cancelled))
        return future

    def _end(self, key: Hashable, cancelled: Event) -> None:
        cancelled.set()
        if self._turns.get(key) is cancelled:
            del self._turns[key]

    def cancel(self, key: Hashable) -> None:
        """Cancels the job of a key, if there is one."""
        if turn := self._turns.get(key):
            turn.set()

    def cancel_all(self) -> None:
        """Cancels every job."""
        for turn in self._turns.values():
            turn.set()

    def close(self) -> None:
        """Cancels every job and lets the thread end."""
        self.cancel_all()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _run(job: Job[T], engine: Engine, cancelled: Event) -> T:
    """A job on the engine's thread. What was cancelled in its last step gives nothing either."""
    if not cancelled.is_set():
        result = job(engine, cancelled.is_set)
    if cancelled.is_set():
        raise CancelledError("cancelled by a later request, a change or the editor")
    return result
