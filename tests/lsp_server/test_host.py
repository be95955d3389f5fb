"""The engine's home."""

from __future__ import annotations

import weakref

from engine import Engine
from engine.fake import ScriptedEngine, scripted_engine
from lsp_server.host import Host
from lsp_server.settings import Settings


async def test_an_engine_that_was_dropped_is_gone_before_the_next_is_opened() -> None:
    """Its parts know each other, so it does not go by itself."""
    opened: list[weakref.ref[Engine]] = []
    there: list[int] = []

    def opener(settings: Settings) -> ScriptedEngine:
        there.append(sum(one() is not None for one in opened))
        engine = scripted_engine(["x"])
        engine.__dict__["itself"] = engine
        opened.append(weakref.ref(engine))
        return engine

    host = Host(opener)
    for _ in range(3):
        await host.open(Settings())
        host.drop()
    host.close()
    assert there == [0, 0, 0]
