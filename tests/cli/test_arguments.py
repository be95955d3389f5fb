"""What the command line takes and refuses. In process: argparse is the same there."""

import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from engine import FillOptions, Mode
from lsp_server import fill
from lsp_server.cli import main


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line on standard error of a command that must be refused with exit code 2."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["heal"], "invalid choice: 'heal'"),
        (["fill", "--at", "1:1"], "the following arguments are required: FILE"),
        (["fill", "a.py"], "one of the arguments --at --lines is required"),
        (["fill", "a.py", "--at", "1:1", "--lines", "1"], "not allowed with argument --at"),
        (["fill", "a.py", "--at", "3"], "'3' is not LINE:COLUMN, such as 12:9"),
        (["fill", "a.py", "--at", "x:1"], "'x:1' is not LINE:COLUMN"),
        (["fill", "a.py", "--at", "1:-1"], "'1:-1' is not LINE:COLUMN"),
        (["fill", "a.py", "--at", "²:1"], "'²:1' is not LINE:COLUMN"),
        (["fill", "a.py", "--at", "9" * 5000 + ":1"], f"'{'9' * 56}... is not LINE:COLUMN"),
        (["fill", "a.py", "--lines", "9" * 5000], f"'{'9' * 56}... is not A-B"),
        (["fill", "a.py", "--at", "1:1", "--seed", "9" * 5000], "... is not a whole number"),
        (["fill", "a.py", "--at", "-1:1"], "'-1:1' is not LINE:COLUMN"),
        (["fill", "a.py", "--lines", "-1-2"], "'-1-2' is not A-B, such as 12-15"),
        (["fill", "a.py", "--lines", "3-2"], "'3-2' ends above the line where it begins"),
        (["fill", "a.py", "--lines", "3-"], "'3-' is not A-B"),
        (["fill", "a.py", "--at", "1:1", "--candidates", "0"], "whole number from 1 to 16"),
        (["fill", "a.py", "--at", "1:1", "--threshold", "1.5"], "not a number from 0 to 1"),
        (["fill", "a.py", "--at", "1:1", "--threshold", "nan"], "not a number from 0 to 1"),
        (["fill", "a.py", "--at", "1:1", "--max-tokens", "0"], "whole number of at least 1"),
        (["fill", "a.py", "--at", "1:1", "--mode", "x"], "invalid choice: 'x'"),
        (["fill", "a.py", "--at", "1:1", "--provider", "tpu"], "invalid choice: 'tpu'"),
        (["fill", "a.py", "--at", "1:1", "--json", "--diff"], "--diff: not allowed with"),
        (["fill", "a.py", "b.py", "--at", "1:1"], "lacuna fill: error: unrecognized"),
        (["arena", "--a"], "argument --a: expected one argument"),
        (["arena", "--port", "99999"], "whole number from 0 to 65535"),
        (["arena", "--seed", "x"], "whole number of at least 0"),
        (["doctor", "--threads", "-1"], "whole number from 0 to 256"),
        (["doctor", "--threads", "257"], "whole number from 0 to 256"),
        (["fill", "a.py", "--at", "1:1", "--threads", "100000"], "whole number from 0 to 256"),
        (["serve", "--tcp", "2087"], "'2087' is not HOST:PORT, such as 127.0.0.1:2087"),
        (["serve", "--tcp", "127.0.0.1:99999"], "is not HOST:PORT"),
    ],
)
def test_bad_usage_is_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert complaint in refusal(capsys, *arguments)


@pytest.mark.parametrize("command", [[], ["fill"], ["arena"], ["doctor"], ["serve"]])
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith(" ".join(["usage: lacuna", *command]))


@pytest.mark.parametrize("command", ["fill", "doctor"])
def test_help_tells_every_exit_code(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    _, told = capsys.readouterr().out.split("exit codes: ")
    assert re.findall(r"\d+", told) == ["0", "1", "2", "130", "141"]


def test_the_modes_offered_are_those_of_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fill", "--help"])
    assert f"--mode {{{','.join(Mode)}}}" in capsys.readouterr().out


def test_the_defaults_are_those_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: fill.Command) -> int:
        assert command.options == FillOptions(max_tokens=fill.MAX_TOKENS)
        return 0

    monkeypatch.setattr(fill, "run", run)
    assert main(["fill", "a.py", "--at", "1:1"]) == 0


HELP = """
import sys
from lsp_server.cli import main

heavy = {"engine", "lsp_server.server", "numpy", "pygls", "rich", "tree_sitter"}
try:
    main(["--help"])
finally:
    print(heavy & set(sys.modules))
"""


def test_help_is_there_before_anything_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True)
    assert ran.stdout.startswith("usage: lacuna ")
    assert ran.stdout.splitlines()[-1] == "set()"


def test_the_version_is_that_of_the_package(command: str) -> None:
    ran = subprocess.run([command, "--version"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, f"lacuna {version('lacuna-ls')}\n")
