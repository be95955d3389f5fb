"""Several processes that train one adapter, each on its share of a step's windows.

One process with a thread for each core waits in every product for its slowest thread; where other
programs share the machine that is most of the time. Processes of one thread each meet once a step,
when their gradients are averaged.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as processes
from torch import Tensor


class Team:
    """The processes of a run; the first one logs, saves and hears SIGTERM."""

    def __init__(self, rank: int = 0, size: int = 1, meeting: Path | None = None) -> None:
        self.rank, self.size = rank, size
        if size > 1:
            torch.set_num_threads(1)
            dist.init_process_group(
                "gloo", init_method=f"file://{meeting}", rank=rank, world_size=size
            )

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replaces the tensors in place by their means over all processes."""
        if self.size == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        parts = (flat / self.size).split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def agrees(self, flag: bool) -> bool:
        """Whether any process says so: all get the same answer."""
        if self.size == 1:
            return flag
        said = torch.tensor([int(flag)])
        dist.all_reduce(said)
        return bool(said)


def run_together(size: int, work: Callable[[Team], None]) -> None:
    """Calls `work` in `size` processes, of which this one is the first; ends when all have.

    `work` is sent to the others, so it must be picklable: a partial of a module's function.
    """
    if size == 1:
        work(Team())
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        spawn = processes.get_context("spawn")
        others = [
            spawn.Process(target=_join, args=(rank, size, meeting, work), daemon=True)
            for rank in range(1, size)
        ]
        for other in others:
            other.start()
        work(Team(0, size, meeting))
        for other in others:
            other.join()
    dist.destroy_process_group()


def _join(rank: int, size: int, meeting: Path, work: Callable[[Team], None]) -> None:
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)  # the first process stops the others
    work(Team(rank, size, meeting))
    dist.destroy_process_group()
