"""The README says what the code says: its tree, its settings, its two commands."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from lsp_server import settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def section(title: str) -> str:
    """The text below a heading of the README."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def tree() -> list[str]:
    """The paths of the annotated file tree."""
    paths = []
    folder = ""
    for indent, name in re.findall(r"^ {4}( *)(\S+) {2,}\S", section("Where things are"), re.M):
        paths.append(folder + name if indent else name)
        folder = folder if indent else name
    return paths


def test_every_path_of_the_tree_is_there() -> None:
    assert len(tree()) > 30
    assert [path for path in tree() if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("package", ["engine", "lsp_server"])
def test_every_module_is_in_the_tree(package: str) -> None:
    modules = {f"{package}/{path.name}" for path in (ROOT / package).glob("*.py")}
    assert modules - set(tree()) - {f"{package}/__init__.py"} == set()


def test_the_settings_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section("Settings"), re.M)
    assert {key: json.loads(default) for key, default in rows} == settings.keys()


def test_it_opens_with_two_commands_that_make_knows() -> None:
    commands = re.findall(r"^    make (\w+) ", README.split("\n## ")[0], re.M)
    assert commands == ["demo", "test"]
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(commands) <= targets


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links and [link for link in links if not (ROOT / link).exists()] == []


def test_all_that_speaks_of_python_wants_the_same_versions() -> None:
    """A newer one fails in the midst of an installation: some packages have no wheel for it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"])
    assert wanted
    oldest, too_new = map(int, wanted.groups())
    words = f"3.{oldest} to 3.{too_new - 1}"
    assert words in README
    for path in ("vscode/README.md", "vscode/src/environment.ts", "nvim/doc/lacuna.txt"):
        assert words in (ROOT / "editors" / path).read_text("utf-8"), path
    looked_for = (ROOT / "editors/vscode/src/environment.ts").read_text("utf-8")
    assert f"(3, {oldest}) <= sys.version_info < (3, {too_new})" in looked_for
