"""The model factory's command line: `python -m export COMMAND`."""

from __future__ import annotations

import argparse
import importlib

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
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    modules = {}
    for name, summary in COMMANDS.items():
        modules[name] = importlib.import_module(f"export.{name}")
        modules[name].add_arguments(commands.add_parser(name, help=summary))
    arguments = parser.parse_args()
    try:
        modules[arguments.command].run(arguments)
    except (OSError, LacunaError) as error:
        parser.exit(2, f"{parser.prog} {arguments.command}: {error}\n")


if __name__ == "__main__":
    main()
