"""The command `lacuna`: arguments in, exit code out.

What a subcommand needs is imported when it runs, so that `lacuna --help` is there at once.

Exit codes: 0 done, 1 nothing to suggest (`fill`) or not healthy (`doctor`), 2 what was asked cannot
be done (bad usage or input, no model, no ONNX Runtime, a failure), 130 interrupted, 141 nobody read
the output to its end; the last two are a shell's for the signals.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from lsp_server.arguments import joined
from lsp_server.usage import parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `lacuna` with `argv` (default: those of the process) and returns its exit code."""
    if sys.stderr is None:  # closed: nobody wants to know
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the program runs
    if sys.stdout is None:
        print("lacuna: standard output is closed; it may go to /dev/null", file=sys.stderr)
        return 2
    if os.name == "nt":
        _speak_utf8()
    try:
        return _done(argv)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        _give_up(sys.stdout)
        if _is_unread(error):
            _give_up(sys.stderr)
            return 141
        try:
            print(f"lacuna: the output cannot be written ({error.strerror})", file=sys.stderr)
        except OSError:  # it is standard error that cannot be
            _give_up(sys.stderr)
        return 2


def _done(argv: Sequence[str] | None) -> int:
    """Runs `lacuna` until all is written. Raises OSError when that cannot be."""
    try:
        given = joined(sys.argv[1:] if argv is None else argv)
        arguments = vars(parser().parse_args(given))
        return _run(COMMANDS[arguments.pop("command")], arguments)
    except SystemExit as end:
        # So rich ends a program whose output nobody reads, with 1 as its exit code.
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise
    finally:
        sys.stdout.flush()


def _run(run: Callable[..., int], arguments: dict[str, Any]) -> int:
    from engine.errors import LacunaError
    from lsp_server.source_file import InputError

    try:
        return run(**arguments)
    except (InputError, LacunaError) as error:
        print(f"lacuna: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"lacuna: {error.name} is missing; install Lacuna anew", file=sys.stderr)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None:
            raise  # it is the output's
        # Python's own exit code for these is 1, which here means that there is nothing to suggest.
        sys.excepthook(*sys.exc_info())
    return 2


def _speak_utf8() -> None:
    """Into pipes and files too, where Windows has a code page without most of the characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")


def _is_unread(error: OSError) -> bool:
    """Whether nobody reads the output, which Windows calls an invalid argument."""
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def _give_up(stream: TextIO) -> None:
    """Else Python tries to write what is left there as it ends, and tells that it cannot."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fill(**arguments: Any) -> int:
    from lsp_server import fill

    return fill.run(fill.Command(**arguments))


def _arena(**arguments: Any) -> int:
    from lsp_server import arena

    return arena.run(**arguments)


def _doctor(**arguments: Any) -> int:
    from lsp_server import doctor

    return doctor.run(**arguments)


def _serve(**arguments: Any) -> int:
    from lsp_server import server

    return server.run(**arguments)


COMMANDS: dict[str, Callable[..., int]] = {
    "arena": _arena,
    "doctor": _doctor,
    "fill": _fill,
    "serve": _serve,
}
