"""The real server process with a scripted model: `python scripted_server.py SCRIPT` (JSON).

Keys: texts, step_seconds, fail_on (see engine.fake), load_seconds, tcp; crash: the first request
meets an error that nobody has thought of.
"""

import json
import sys
import time
from typing import Any

from engine import Engine
from engine.fake import scripted_engine
from lsp_server import server
from lsp_server.settings import Settings


def crash(*_: Any) -> None:
    raise ZeroDivisionError("nobody has thought of this")


def main(script: dict[str, Any]) -> int:
    def open_engine(settings: Settings) -> Engine:
        print("a library prints something")
        time.sleep(script.get("load_seconds", 0))
        if settings.model == "broken":
            raise RuntimeError("the script says that loading fails")
        engine = scripted_engine(
            script["texts"],
            step_seconds=script.get("step_seconds", 0),
            fail_on=script.get("fail_on", ()),
        )
        if script.get("crash"):
            engine.script.begin = crash  # type: ignore[method-assign]
        return engine

    tcp = ("127.0.0.1", 0) if script.get("tcp") else None
    return server.run(tcp, open_engine)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
