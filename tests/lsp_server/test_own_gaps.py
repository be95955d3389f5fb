"""The arena's gaps: of the right files, at places a person may well stop at, and whole again."""

import os
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from lsp_server.code_files import code_files
from lsp_server.document import Document
from lsp_server.gaps import BODY_LINES, Gap, gap_of, gaps, is_code
from lsp_server.settings import Settings
from lsp_server.source_file import InputError, SourceFile
from lsp_server.spans import Span, SpanKind, choose

ROOT = Path(__file__).resolve().parents[2]
CODE = '''\
# Copyright of nobody in particular. Anybody may do with this whatever comes to their mind.
# It comes without any warranty, as things do that somebody gives away to whoever wants them.
"""A shop.

total = the sum of what is in a basket
"""

import json
from pathlib import (
    Path,
    PurePath,
)


@dataclass(frozen=True)
class Basket:
    """What somebody means to buy."""

    items: list[Item]

    def total(self) -> float:
        """The sum of all prices."""
        prices = [item.price for item in self.items]
        return sum(prices)

    def load(self, path: Path) -> None:
        # Whatever was in it before is gone.
        with path.open() as file:
            self.items = json.load(file)
'''
OTHERS = (
    *("README.md", "data.json", "secrets.py", "key.pem", ".hidden/a.py", "node_modules/x/a.js"),
    *("build/a.py", "venv/lib/a.py", "src/__pycache__/a.py", "src/vendor/a.go"),
)
"""Files that are no code, not to be read, or not one's own."""
LEFT_ALONE = ("#", '"""', "total =", "import", "from", "Path,", "PurePath,", "@")


def found(*names: Path, seed: int = 0, count: int = 300) -> list[Gap]:
    files = code_files(map(str, names), Settings())
    return list(islice(gaps(files, Random(seed)), count))


def written(folder: Path, name: str, text: str = CODE) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="")
    return path


def test_what_stood_there_makes_the_file_whole_again(tmp_path: Path) -> None:
    path = written(tmp_path, "a.py")
    of_file = found(path)
    assert of_file
    for gap in of_file:
        assert gap.whole == CODE
        line, column = gap.place
        assert CODE.splitlines()[line - 1][column - 1 :] == gap.middle.splitlines()[0]


def test_comments_strings_imports_and_decorators_are_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "a.py")
    lines = {gap.place[0] for seed in range(5) for gap in found(path, seed=seed)}
    written_lines = [(n, text.strip()) for n, text in enumerate(CODE.splitlines(), 1)]
    wanted = {n for n, text in written_lines if text and not text.startswith(LEFT_ALONE)}
    assert lines == wanted - {12}  # the bracket that ends an import


@pytest.mark.parametrize("folder", ["engine", "editors/vscode/src"])
def test_the_editor_would_suggest_something_at_each_place(folder: str) -> None:
    of_folder = found(ROOT / folder, count=150)
    assert len(of_folder) == 150
    for gap in of_folder:
        span = choose(gap.document, gap.start)
        assert isinstance(span, Span)
        assert span.kind not in (SpanKind.COMMENT, SpanKind.STRING, SpanKind.IMPORT)
        assert span.stop_at_newline != gap.is_body
        assert "\n" not in gap.middle or gap.is_body
        assert len(gap.middle.splitlines()) <= BODY_LINES
        assert gap.middle == gap.middle.rstrip()
    bodies = sum(gap.is_body for gap in of_folder)
    assert 15 < bodies < 75


def test_no_line_is_taken_twice_and_a_small_file_comes_to_its_end(tmp_path: Path) -> None:
    places = [(gap.file, gap.place[0]) for gap in found(written(tmp_path, "a.py"), count=1000)]
    assert 5 < len(places) == len(set(places)) < 20


def test_one_seed_gives_the_same_gaps_again() -> None:
    first, again, other = (found(ROOT / "engine", seed=seed, count=20) for seed in (1, 1, 2))
    assert [gap.place for gap in first] == [gap.place for gap in again]
    assert [gap.place for gap in first] != [gap.place for gap in other]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("crlf.py", CODE.replace("\n", "\r\n")),
        ("bom.py", f"\ufeff{CODE}"),
        ("tabs.py", CODE.replace("    ", "\t")),
        ("emoji.py", CODE.replace("price", "prix_été_😋")),
        ("blanks.py", CODE.replace("\n", "  \n")),
        ("broken.py", CODE.replace("def total(self", "def total(:")),
        ("open_end.py", CODE.rstrip()),
        ("braces.js", CODE + "function f(x) {\n  if (x) {\n    return g(x);\n  }\n}\n"),
    ],
)
def test_texts_of_every_kind_give_gaps(tmp_path: Path, name: str, text: str) -> None:
    of_file = found(written(tmp_path, name, text))
    assert of_file
    for gap in of_file:
        assert gap.whole == text.removeprefix("\ufeff")
        assert gap.middle == gap.middle.rstrip()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("empty.py", ""),
        ("blank.py", "\n" * 500),
        ("short.py", "x = 1\n"),
        ("comments.py", "# nothing but words\n" * 50),
        ("minified.js", "f(x);" * 300 + "\ncall(other, thing);" * 30),
        ("latin.py", "x = 1\n" * 100),
        ("binary.py", "x = 1\n\0" * 100),
        ("gone.py", CODE),
    ],
)
def test_texts_that_hold_no_gap_give_none(tmp_path: Path, name: str, text: str) -> None:
    path = written(tmp_path, name, text)
    other = written(tmp_path, "other.py")
    files = code_files([str(path), str(other)], Settings())
    if name == "latin.py":
        path.write_bytes("é = 1\n".encode("latin-1") * 100)
    if name == "gone.py":
        path.unlink()
    places = {gap.file for gap in islice(gaps(files, Random(0)), 1000)}
    assert places == {str(other)}


@pytest.mark.parametrize(
    ("name", "text", "most"),
    [
        ("app.min.js", "f(x);" * 380_000, 1),
        ("latin.py", "é = 1\n" * 100_000, 1),
        ("comments.py", "# nothing but words\n" * 20_000, 10),
    ],
)
def test_a_large_file_without_gaps_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, most: int
) -> None:
    path, other = tmp_path / name, written(tmp_path, "other.py")
    path.write_bytes(text.encode("latin-1"))
    reads: Counter[str] = Counter()
    read = SourceFile.read

    def counted(name: str) -> SourceFile:
        reads[name] += 1
        return read(name)

    monkeypatch.setattr(SourceFile, "read", counted)
    files = [gap.file for gap in found(path, other)]
    assert len(files) > 5
    assert set(files) == {str(other)}
    assert reads[str(path)] == most


def test_a_body_is_taken_without_what_says_in_words_what_it_does(tmp_path: Path) -> None:
    path = written(tmp_path, "a.py")
    bodies = {gap.middle for seed in range(5) for gap in found(path, seed=seed) if gap.is_body}
    assert "prices = [item.price for item in self.items]\n        return sum(prices)" in bodies


def test_an_unfinished_statement_is_no_gap() -> None:
    text = "int main() {\n  return 0;\n}\n"
    document = Document.open("", "c", 0, text)
    assert gap_of("a.c", document, text.index("return"), text.index(";") + 1)
    assert gap_of("a.c", document, text.index("\n}"), text.index("\n}")) is None
    assert is_code(document, 1) and not is_code(document, 2)


def test_a_folder_gives_what_is_ones_own(tmp_path: Path) -> None:
    own = {written(tmp_path, name) for name in ("a.py", "src/b.ts", "src/deep/c.go")}
    for name in OTHERS:
        written(tmp_path, name)
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    (tmp_path / "linked").symlink_to(tmp_path / "src")
    files = code_files([str(tmp_path), str(tmp_path / "src")], Settings())
    assert sorted(file.path for file in files) == sorted(own)


def test_what_any_of_the_settings_keeps_from_being_read_is_not(tmp_path: Path) -> None:
    written(tmp_path, "a.py"), written(tmp_path, "b.js"), written(tmp_path, "c.go")
    written(tmp_path, "d.jsx")
    written(tmp_path, "large.py", CODE * 10)
    settings = (
        Settings(excluded_globs=("**/c.*",)),
        Settings(disabled_languages=("javascriptreact",), max_file_bytes=2000),
    )
    files = code_files([str(tmp_path)], *settings)
    assert {file.path.name for file in files} == {"a.py", "b.js"}


def test_an_excluded_file_is_not_read_through_a_link(tmp_path: Path) -> None:
    written(tmp_path, "a.py"), written(tmp_path, "hidden.py")
    (tmp_path / "b.py").symlink_to(tmp_path / "hidden.py")
    names = [str(tmp_path / name) for name in ("a.py", "b.py")]
    [file] = code_files(names, Settings(excluded_globs=("**/hidden.py",)))
    assert file.path == tmp_path / "a.py"


def test_files_are_named_as_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "src/a.py")
    monkeypatch.chdir(tmp_path)
    [file] = code_files(["src"], Settings())
    assert (file.name, file.path) == (os.path.join("src", "a.py"), tmp_path / "src/a.py")  # noqa: PTH118


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("gone", "gone: no such file or folder"),
        ("", "'': no such file or folder"),
        ("notes.txt", "notes.txt: no file of code that may be read"),
        ("empty", "empty: no file of code that may be read"),
    ],
)
def test_names_that_are_of_no_use_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, complaint: str
) -> None:
    written(tmp_path, "notes.txt")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=complaint):
        code_files([name], Settings())
