"""The command `lacuna`: arguments in, exit code out.

What a subcommand needs is imported when it runs, so that `lacuna --help` is there at once.

Exit codes: 0 done, 1 nothing to suggest (`fill`) or not healthy (`doctor`), 2 what was asked cannot
be done (bad usage or input, no model, no ONNX Runtime, a failure), 130 interrupted, 141 nobody read
the output to its end; the last two are a shell's for the signals.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

EPILOG = """\
examples:
  lacuna fill src/app.py --at 12:9           fill at line 12, column 9
  lacuna fill src/app.py --lines 12-15       write lines 12 to 15 anew
  lacuna fill src/app.py --at 12:9 --watch   see the canvas resolve step by step
  lacuna arena src/                          two ways of filling side by side, in a browser
  lacuna doctor                              check model, runtime and speed
  lacuna serve                               a language server on standard input and output
"""

FILL_EPILOG = """\
Lines and columns count from 1, columns in characters. FILE is only changed with --write.

examples:
  lacuna fill src/app.py --at 12:9 --diff
  lacuna fill src/app.py --lines 12-15 --write
  lacuna fill src/app.py --at 12:9 --mode left-to-right
  lacuna fill - --language go --at 3:1 < main.go
  lacuna fill src/app.py --at 12:9 --match '[a-z_]+\\(\\w*\\)'
  lacuna fill src/app.py --at 12:9 --one-of user,account,session

exit codes: 0 filled, 1 nothing to suggest, 2 bad usage or input, or no working model,
130 interrupted, 141 nobody reads the output
"""

ARENA_EPILOG = """\
Takes something away from your code, a round at a time, and shows two suggestions for it without
saying whose they are: you say which one you would take. The page is on this machine alone and needs
the address as it is printed. No file is changed, and nothing is written without --votes.

KEY=VALUE is a setting as editors have it, such as mode, model, steps, threshold, relatedFiles or
threads; what is not given is as shipped. With neither --a nor --b diffusion is held against
left-to-right. A suggestion is shown however improbable, unless minProbability is given. Where both
suggest the same nobody is asked. Times are taken once the code around a gap has been read.

examples:
  lacuna arena src/
  lacuna arena src/ --a mode=verified
  lacuna arena src/ lib/app.ts --b model=models/mine --votes votes.jsonl
  lacuna arena --a steps=4 --a relatedFiles=false --b steps=2 --b relatedFiles=false

exit codes: 0 ended by Ctrl-C, 2 bad usage or input, or no working model,
130 interrupted before there is a page, 141 nobody reads the output
"""

DOCTOR_EPILOG = """\
exit codes: 0 healthy (slow is), 1 something is wrong, 2 bad usage, 130 interrupted,
141 nobody reads the output
"""


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
        given = _joined(sys.argv[1:] if argv is None else argv)
        arguments = vars(_parser().parse_args(given))
        return _run(arguments.pop("run"), arguments)
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


class _Parser(argparse.ArgumentParser):
    """Refuses with its own usage what it does not know; argparse's leaves that to its parent."""

    def parse_known_args(self, *given: Any, **named: Any) -> Any:
        arguments, unknown = super().parse_known_args(*given, **named)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return arguments, unknown


def _joined(given: Sequence[str]) -> list[str]:
    """The arguments with a place that begins with `-` joined to its option: argparse would take it
    for an option too, and say that the place is missing."""
    joined: list[str] = []
    for argument in given:
        if joined and joined[-1] in ("--at", "--lines") and re.match(r"-\d", argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lacuna",
        description="Fills gaps in code by diffusion, on this machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print Lacuna's version and exit",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_fill(commands)
    _add_arena(commands)
    _add_doctor(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"lacuna {version('lacuna-ls')}")
        parser.exit()


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="the language server that editors start")
    serve.set_defaults(run=_serve)
    serve.add_argument(
        "--tcp",
        type=_address,
        metavar="HOST:PORT",
        help="listen on this loopback address instead of standard input and output",
    )


def _add_fill(commands: Any) -> None:
    fill = commands.add_parser(
        "fill",
        usage="lacuna fill FILE (--at LINE:COLUMN | --lines A-B) [option ...]",
        help="fill a gap of a file, or some of its lines",
        epilog=FILL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fill.set_defaults(run=_fill)
    fill.add_argument("file", metavar="FILE", help='the file to fill in, "-": standard input')
    where = fill.add_mutually_exclusive_group(required=True)
    where.add_argument("--at", type=_position, metavar="LINE:COLUMN", help="fill at this position")
    where.add_argument(
        "--lines", type=_lines, metavar="A-B", help="write these lines anew (A: one line)"
    )
    fill.add_argument(
        "--language", metavar="ID", help="LSP language id (default: by the file's suffix)"
    )

    fill.add_argument(
        "--alone",
        action="store_true",
        help="look at no other file; by default lines like those around the gap help to fill it, "
        "where files in FILE's folder with its suffix have any",
    )

    shown = fill.add_argument_group("output (default: the fill's text)")
    form = shown.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object with all figures")
    form.add_argument("--diff", action="store_true", help="a patch of the file")
    shown.add_argument("--write", action="store_true", help="change the file, all or nothing")
    shown.add_argument("--watch", action="store_true", help="draw each denoising step")

    how = fill.add_argument_group("how to fill")
    how.add_argument(
        "--mode",
        choices=("diffusion", "left-to-right", "verified"),
        default="diffusion",
        help="what writes: diffusion sees both sides of the gap (default), left-to-right the text "
        "before it only, and verified is drafted by diffusion, then checked left to right",
    )
    held = how.add_mutually_exclusive_group()
    held.add_argument(
        "--match",
        metavar="REGEX",
        help="the whole fill must match this expression of Python's re (without anchors, looking "
        "around and references to groups; \\w, \\d and \\s are ASCII)",
    )
    held.add_argument(
        "--one-of",
        metavar="TEXT,TEXT",
        help="the fill must be one of these; @FILE: one of its lines, @-: of standard input",
    )
    how.add_argument(
        "--candidates",
        type=_count(1, 16),
        default=1,
        metavar="N",
        help="most different fills, the best first, which --diff and --write take (default: 1); "
        "without a temperature each begins with another of the tokens that the model proposes",
    )
    how.add_argument(
        "--max-tokens", type=_count(1), metavar="N", help="most tokens (default: as the place asks)"
    )
    how.add_argument(
        "--steps",
        type=_count(1),
        metavar="N",
        help="most denoising steps for a canvas (default: as many as it needs)",
    )
    how.add_argument(
        "--threshold",
        type=_number(0, 1),
        default=0.05,
        metavar="P",
        help="probability down to which a draft is put forward to be checked; it changes the "
        "speed, and the text by rounding alone (default: 0.05)",
    )
    how.add_argument(
        "--temperature",
        type=_number(0, 10),
        default=0.0,
        metavar="T",
        help="0: always the most probable token (default); above 0: sample",
    )
    how.add_argument("--seed", type=_count(0), default=0, metavar="N", help="seed of the sampling")
    _add_model(how)


def _add_arena(commands: Any) -> None:
    arena = commands.add_parser(
        "arena",
        usage="lacuna arena [PATH ...] [--a KEY=VALUE ...] [--b KEY=VALUE ...] [option ...]",
        help="see two ways of filling side by side on your own code, and vote",
        epilog=ARENA_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arena.set_defaults(run=_arena)
    arena.add_argument(
        "paths", nargs="*", default=["."], metavar="PATH", help="files and folders (default: .)"
    )
    for name in "ab":
        arena.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help=f"a setting of contestant {name.upper()}; may be given several times",
        )
    arena.add_argument("--votes", metavar="FILE", help="add each vote to FILE, a line of JSON each")
    arena.add_argument(
        "--seed",
        type=_count(0),
        metavar="N",
        help="the same gaps again (default: others each time)",
    )
    arena.add_argument(
        "--port", type=_count(0, 65535), default=0, metavar="N", help="default: any free one"
    )
    arena.add_argument("--browser", action="store_true", help="open the page in your browser")


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="check model, runtime and speed; say what to do",
        epilog=DOCTOR_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.set_defaults(run=_doctor)
    doctor.add_argument("--json", action="store_true", help="one JSON object")
    _add_model(doctor)


def _add_model(parser: Any) -> None:
    parser.add_argument(
        "--model", type=_folder, metavar="FOLDER", help="model folder (default: the shipped one)"
    )
    parser.add_argument(
        "--provider",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="what ONNX Runtime runs on (default: auto)",
    )
    parser.add_argument(
        "--threads",
        type=_count(0, 256),
        default=0,
        metavar="N",
        help="threads of a forward pass (default 0: one for each physical core)",
    )


def _position(text: str) -> tuple[int, int]:
    """LINE:COLUMN."""
    line, separator, column = text.partition(":")
    if not (separator and _is_number(line) and _is_number(column)):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not LINE:COLUMN, such as 12:9")
    return int(line), int(column)


def _lines(text: str) -> tuple[int, int]:
    """A-B, or A for one line."""
    first, separator, last = text.partition("-")
    last = last if separator else first
    if not (_is_number(first) and _is_number(last)):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not A-B, such as 12-15")
    if int(first) > int(last):
        raise argparse.ArgumentTypeError(f"{_shown(text)} ends above the line where it begins")
    return int(first), int(last)


def _folder(text: str) -> Path | None:
    """A folder, whose path may begin with `~`; none as in the settings, where it is empty."""
    return Path(os.path.expanduser(text)) if text else None  # noqa: PTH111 - pathlib's may fail


def _address(text: str) -> tuple[str, int]:
    """HOST:PORT; the server refuses hosts that others can reach."""
    host, separator, port = text.rpartition(":")
    if not (host and separator and _is_number(port) and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not HOST:PORT, such as 127.0.0.1:2087")
    return host.strip("[]"), int(port)


def _is_number(text: str) -> bool:
    """A whole number of no more digits than anything here can have."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def _shown(text: str) -> str:
    """What was given, cut to a length that fits a message."""
    shown = repr(text)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _count(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number of at least `least` and at most `most`."""

    def parse(text: str) -> int:
        if not _is_number(text) or int(text) < least or (most is not None and int(text) > most):
            bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{_shown(text)} is not a whole number {bounds}")
        return int(text)

    return parse


def _number(least: float, most: float) -> Callable[[str], float]:
    """A number from `least` to `most`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            bounds = f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{_shown(text)} is not a number {bounds}")
        return value

    return parse
