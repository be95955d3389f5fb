"""Processes that train together."""

from functools import partial
from pathlib import Path

import torch

from export.workers import Team, run_together


def meet(folder: Path, team: Team) -> None:
    tensors = [torch.full((2, 3), float(team.rank)), torch.tensor([10.0 * team.rank])]
    team.average(tensors)
    said = [team.agrees(False), team.agrees(team.rank == 1)]
    torch.save((tensors, said, team.leads), folder / f"{team.rank}.pt")


def test_all_processes_hold_the_mean_and_hear_what_one_says(tmp_path):
    run_together(2, partial(meet, tmp_path))
    for rank in (0, 1):
        [first, second], said, leads = torch.load(tmp_path / f"{rank}.pt")
        assert first.shape == (2, 3) and (first == 0.5).all()
        assert second == 5.0
        assert said == [False, True]
        assert leads == (rank == 0)


def test_one_process_is_a_team_of_its_own(tmp_path):
    run_together(1, partial(meet, tmp_path))
    [first, _], said, leads = torch.load(tmp_path / "0.pt")
    assert (first == 0).all() and said == [False, False] and leads
