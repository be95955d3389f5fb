"""What is not to be looked at reaches no prompt, by way of related lines either."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from lsp_editor import Scripted

from engine import Engine
from engine.fake import scripted_engine
from lsp_server.cli import main

ACCOUNT = (
    "class AccountView(View):\n    def get(self, account_id):\n"
    "        account = self.database.find_account(account_id)\n"
    "        self.audit.note_access('account', account_id)\n        return account.render()\n"
)
USER = re.sub("audit.*", "▮", ACCOUNT.replace("Account", "User").replace("account", "user"))


@pytest.mark.parametrize(
    ("settings", "reaches"),
    [
        ({}, True),
        ({"excludedGlobs": ["**/account.py"]}, False),
        ({"relatedFiles": False}, False),
        ({"maxFileBytes": len(ACCOUNT) - 1}, False),
    ],
)
@pytest.mark.parametrize("opened", [False, True])
async def test_a_file_that_is_left_alone_is_shown_to_the_model_nowhere(
    scripted: Scripted, tmp_path: Path, opened: bool, settings: dict[str, Any], reaches: bool
) -> None:
    prompts, path = tmp_path / "prompts", tmp_path / "account.py"
    editor = await scripted("f()", prompts=str(prompts), options=settings)
    if opened:
        editor.open(ACCOUNT, path.as_uri())
    else:
        path.write_text(ACCOUNT)
    uri = (tmp_path / "user.py").as_uri()
    assert await editor.ask(editor.open(USER, uri), uri, invoked=True)
    [prompt] = map(json.loads, prompts.read_text().splitlines())
    assert ("note_access" in prompt["related"]) == reaches


@pytest.mark.parametrize(("name", "reaches"), [("account.py", True), ("secrets.py", False)])
def test_the_command_line_leaves_secrets_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reaches: bool
) -> None:
    engine, related = scripted_engine(["f()"]), []
    fill = engine.fill

    def noting(prompt: Any, *given: Any, **named: Any) -> Any:
        related.append(prompt.related)
        return fill(prompt, *given, **named)

    monkeypatch.setattr(engine, "fill", noting)
    monkeypatch.setattr(Engine, "open", lambda *_, **__: engine)
    (tmp_path / name).write_text(ACCOUNT)
    before, after = USER.split("▮")
    (tmp_path / "user.py").write_text(before + after)
    column = len(before.rpartition("\n")[2]) + 1
    assert main(["fill", str(tmp_path / "user.py"), "--at", f"4:{column}"]) == 0
    assert ["note_access" in text for text in related] == [reaches]
