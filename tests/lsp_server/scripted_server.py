"""The real server process with a scripted model: `python scripted_server.py SCRIPT` (JSON).

Keys: texts, step_seconds, fail_on (see engine.fake), tcp; load_gate, read_gate, step_gate: a path,
and loading, reading context and each step wait until there is such a file; read_fails: reading
context does; crash: requests meet an error nobody has thought of.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import Engine
from engine.errors import EngineFailedError
from engine.fake import scripted_engine
from engine.prompt import Prompt
from lsp_server import server
from lsp_server.settings import Settings


def crash(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError("nobody has thought of this")


def wait_for(gate: str | None) -> None:
    while gate is not None and not Path(gate).exists():
        time.sleep(0.01)


def noted(path: str | None, engine: Engine) -> None:
    """Writes down what each fill of an engine, and each reading ahead, is given."""

    def noting(kind: str, does: Any) -> Any:
        def call(prompt: Prompt, *given: Any, **named: Any) -> Any:
            with Path(str(path)).open("a") as handle:
                print(json.dumps({"kind": kind, **asdict(prompt)}), file=handle)
            return does(prompt, *given, **named)

        return call

    if path is not None:
        engine.fill = noting("fill", engine.fill)  # type: ignore[method-assign]
        engine.read = noting("read", engine.read)  # type: ignore[method-assign]


def main(script: dict[str, Any]) -> int:
    def open_engine(settings: Settings) -> Engine:
        print("a library prints something")
        wait_for(script.get("load_gate"))
        if settings.model == "broken":
            raise RuntimeError("the script says that loading fails")
        engine = scripted_engine(
            script["texts"],
            step_seconds=script.get("step_seconds", 0),
            fail_on=script.get("fail_on", ()),
        )
        denoise, encode = engine.script.denoise, engine.script.encode

        def read(*given: Any) -> Any:
            print("a pass over context")
            wait_for(script.get("read_gate"))
            if script.get("read_fails"):
                raise EngineFailedError("the script says that reading fails")
            return encode(*given)

        def gated(*given: Any) -> Any:
            print("a denoising step")
            wait_for(script.get("step_gate"))
            return denoise(*given)

        engine.script.encode = read  # type: ignore[method-assign]
        engine.script.denoise = gated  # type: ignore[method-assign]
        noted(script.get("prompts"), engine)
        if script.get("crash"):
            engine.script.begin = crash  # type: ignore[method-assign]
        return engine

    tcp = ("127.0.0.1", 0) if script.get("tcp") else None
    return server.run(tcp, open_engine)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
