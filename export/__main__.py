"""The model factory's command line: `python -m export COMMAND`."""

from __future__ import annotations

import argparse
import importlib
import sys

from engine.errors import LacunaError

COMMANDS = {
    "corpus": "gather source code with its licences into a training corpus",
    "examples": "cut the corpus into gaps, in tokens",
    "train": "train the adapter and its drafter on examples",
    "evaluate": "measure fills on the held-out set",
    "parity": "hold the ONNX model against torch",
    "folder": "build a model folder from a GGUF base and a trained adapter",
}


def main() -> None:
    command = "".join(sys.argv[1:2])
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name, help=told) for name, told in COMMANDS.items()}
    if command not in parsers:
        parser.parse_args(sys.argv[1:2])  # tells which there are, and ends
    try:
        # No other: each has packages of its own, which this machine may not need.
        module = importlib.import_module(f"export.{command}")
        module.add_arguments(parsers[command])
        module.run(parser.parse_args())
    except ModuleNotFoundError as error:
        problem = f"{error.name} is not installed; `pip install -e '.[cpu,export]'` brings it"
    except (OSError, LacunaError) as error:
        problem = str(error)
    else:
        return
    parser.exit(2, f"{parser.prog} {command}: {problem}\n")


if __name__ == "__main__":
    main()
