"""What `lacuna` can be told in a shell: its commands and options, with the help to each."""

from __future__ import annotations

import argparse
from typing import Any

from lsp_server import arguments

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


def parser() -> argparse.ArgumentParser:
    """Of a whole command line; `command` is the subcommand's name."""
    lacuna = arguments.Parser(
        prog="lacuna",
        description="Fills gaps in code by diffusion, on this machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lacuna.add_argument(
        "--version",
        action=arguments.Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print Lacuna's version and exit",
    )
    commands = lacuna.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_fill(commands)
    _add_arena(commands)
    _add_doctor(commands)
    return lacuna


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="the language server that editors start")
    serve.set_defaults(command="serve")
    serve.add_argument(
        "--tcp",
        type=arguments.address,
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
    fill.set_defaults(command="fill")
    fill.add_argument("file", metavar="FILE", help='the file to fill in, "-": standard input')
    where = fill.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--at", type=arguments.position, metavar="LINE:COLUMN", help="fill at this position"
    )
    where.add_argument(
        "--lines", type=arguments.lines, metavar="A-B", help="write these lines anew (A: one line)"
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
        type=arguments.count(1, 16),
        default=1,
        metavar="N",
        help="most different fills, the best first, which --diff and --write take (default: 1); "
        "without a temperature each begins with another of the tokens that the model proposes",
    )
    how.add_argument(
        "--max-tokens",
        type=arguments.count(1),
        metavar="N",
        help="most tokens (default: as the place asks)",
    )
    how.add_argument(
        "--steps",
        type=arguments.count(1),
        metavar="N",
        help="most denoising steps for a canvas (default: as many as it needs)",
    )
    how.add_argument(
        "--threshold",
        type=arguments.number(0, 1),
        default=0.05,
        metavar="P",
        help="probability down to which a draft is put forward to be checked; it changes the "
        "speed, and the text by rounding alone (default: 0.05)",
    )
    how.add_argument(
        "--temperature",
        type=arguments.number(0, 10),
        default=0.0,
        metavar="T",
        help="0: always the most probable token (default); above 0: sample",
    )
    how.add_argument(
        "--seed", type=arguments.count(0), default=0, metavar="N", help="seed of the sampling"
    )
    _add_model(how)


def _add_arena(commands: Any) -> None:
    arena = commands.add_parser(
        "arena",
        usage="lacuna arena [PATH ...] [--a KEY=VALUE ...] [--b KEY=VALUE ...] [option ...]",
        help="see two ways of filling side by side on your own code, and vote",
        epilog=ARENA_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arena.set_defaults(command="arena")
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
        type=arguments.count(0),
        metavar="N",
        help="the same gaps again (default: others each time)",
    )
    arena.add_argument(
        "--port",
        type=arguments.count(0, 65535),
        default=0,
        metavar="N",
        help="default: any free one",
    )
    arena.add_argument("--browser", action="store_true", help="open the page in your browser")


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="check model, runtime and speed; say what to do",
        epilog=DOCTOR_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.set_defaults(command="doctor")
    doctor.add_argument("--json", action="store_true", help="one JSON object")
    _add_model(doctor)


def _add_model(parser: Any) -> None:
    parser.add_argument(
        "--model",
        type=arguments.folder,
        metavar="FOLDER",
        help="model folder (default: the shipped one)",
    )
    parser.add_argument(
        "--provider",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="what ONNX Runtime runs on (default: auto)",
    )
    parser.add_argument(
        "--threads",
        type=arguments.count(0, 256),
        default=0,
        metavar="N",
        help="threads of a forward pass (default 0: one for each physical core)",
    )
