"""Lines of other files that are like those around a gap: which are chosen, what is never read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine.engine import never
from engine.errors import CancelledError
from engine.fake import scripted_engine
from engine.prompt import Cancelled
from lsp_server import jobs
from lsp_server.completer import Completer
from lsp_server.document import Document
from lsp_server.host import Host
from lsp_server.related import (
    FILE_BYTES,
    FOLDER_ASKED,
    FOLDER_BYTES,
    FOLDER_FILES,
    KEPT_CHARACTERS,
    LINES,
    NEAR,
    OPENED_CHARACTERS,
    Related,
)
from lsp_server.request import Request

GAP = """\
class UserView(View):
    template = "user.html"

    def get(self, request, user_id):
        user = self.database.find(user_id)
        ▮
        return self.render(user=user)
"""
LIKE = GAP.replace("User", "Account").replace("user", "account")
OTHER = "".join(
    f"{word} = {word}s[{number}]\n" for number, word in enumerate(["apple", "pear"] * 9)
)


def lines(
    path: Path,
    *opened: Document,
    related: Related | None = None,
    cancelled: Cancelled = never,
) -> str:
    """What is chosen for the gap in a file that stands at `path`."""
    start = GAP.index("▮")
    document = Document.open(path.as_uri(), "python", 1, GAP.replace("▮", ""))
    return (related or Related()).lines(document, start, start, cancelled, opened)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The file with the gap, in a folder with one that is like it and some that are not."""
    (tmp_path / "account.py").write_text(LIKE.replace("▮", "account.touch()"))
    for name in ("fruit.py", "plant.py", "tree.py"):
        (tmp_path / name).write_text(OTHER)
    path = tmp_path / "user.py"
    path.write_text(GAP)
    return path


def test_the_lines_of_the_folder_that_are_most_alike(place: Path) -> None:
    assert "account.touch()" in lines(place)
    assert "apple" not in lines(place)


def test_the_most_alike_stands_last_and_one_of_a_file(place: Path) -> None:
    like = (place.parent / "account.py").read_text()
    (place.parent / "account.py").write_text("# the same twice\n" * 20 + like + 20 * "\n" + like)
    (place.parent / "group.py").write_text(
        like.replace("database", "cache").replace("find", "take")
    )
    (place.parent / "worse.py").write_text(like[:110])
    less, most = lines(place).split("\n\nclass Acc")
    assert "cache.take" in less and "cache" not in most and "database.find" in most


def test_of_a_file_and_its_copy_the_same_lines_are_given_once(place: Path) -> None:
    like = place.parent / "account.py"
    (place.parent / "account copy.py").write_text(like.read_text())
    assert lines(place).count("class AccountView") == 1


def test_nothing_where_nothing_is_alike(place: Path) -> None:
    (place.parent / "account.py").unlink()
    assert lines(place) == ""


def test_the_file_itself_is_not_looked_at(place: Path) -> None:
    (place.parent / "account.py").unlink()
    place.write_text(LIKE)
    assert lines(place) == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("account.txt", LIKE.encode()),
        ("secrets.py", LIKE.encode()),
        ("account.py", LIKE.encode() + b"\0"),
        ("account.py", LIKE.encode() + b"\xff"),
        ("account.py", LIKE.encode() + b"# " * FILE_BYTES),
    ],
)
def test_what_is_never_looked_at(place: Path, name: str, content: bytes) -> None:
    (place.parent / "account.py").unlink()
    (place.parent / name).write_bytes(content)
    assert lines(place, related=Related(excluded_globs=["**/secrets.*"])) == ""


def test_what_is_excluded_where_a_linked_folder_leads_is_not_looked_at(place: Path) -> None:
    link = place.parent.with_name("link")
    link.symlink_to(place.parent)
    linked = link / place.name
    assert "account.touch()" in lines(linked)
    excluded = [f"**/{place.parent.name}/account.py"]
    assert lines(linked, related=Related(excluded_globs=excluded)) == ""


def test_a_link_is_not_followed(place: Path) -> None:
    like = place.parent / "account.py"
    (place.parent / "elsewhere").mkdir()
    like.rename(place.parent / "elsewhere" / "account.py")
    like.symlink_to(place.parent / "elsewhere" / "account.py")
    assert lines(place) == ""


def test_a_file_that_goes_while_the_folder_is_listed_costs_no_other(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    @contextmanager
    def scandir(folder: Path) -> Iterator[list[os.DirEntry[str]]]:
        with listed(folder) as found:
            entries = list(found)
        (place.parent / "fruit.py").unlink()
        yield entries

    monkeypatch.setattr(os, "scandir", scandir)
    assert "account.touch()" in lines(place)


def test_a_folder_that_is_not_there_or_cannot_be_listed(place: Path) -> None:
    assert lines(place.parent / "none" / "user.py") == ""
    assert lines(place / "user.py") == ""


def test_what_is_no_file_is_not_waited_for(place: Path) -> None:
    os.mkfifo(place.parent / "pipe.py")
    (place.parent / "folder.py").mkdir()
    assert "account.touch()" in lines(place)


def test_a_file_larger_than_the_setting_is_not_looked_at(place: Path) -> None:
    assert lines(place, related=Related(max_file_bytes=len(LIKE) // 2)) == ""


def test_of_a_large_folder_what_was_changed_last_is_looked_at(place: Path) -> None:
    for number in range(FOLDER_BYTES // FILE_BYTES + 1):
        (place.parent / f"large{number}.py").write_text(OTHER + "#" * (FILE_BYTES - len(OTHER)))
    like = place.parent / "account.py"
    os.utime(like, (1, 1))
    assert lines(place) == ""
    like.touch()
    assert "account.touch()" in lines(place)


def test_of_very_many_files_the_last_changed_ones_are_looked_at(place: Path) -> None:
    for number in range(FOLDER_FILES):
        (place.parent / f"small{number}.py").write_text("x = 1\n")
    like = place.parent / "account.py"
    os.utime(like, (1, 1))
    assert lines(place) == ""
    like.touch()
    assert "account.touch()" in lines(place)


@pytest.mark.parametrize(("before", "found"), [(FOLDER_ASKED - 1, True), (FOLDER_ASKED, False)])
def test_of_a_folder_like_a_table_only_the_first_files_are_considered(
    place: Path, monkeypatch: pytest.MonkeyPatch, before: int, found: bool
) -> None:
    """To ask each of them when it changed takes longer than the rest of a request."""
    entries = {entry.name: entry for entry in os.scandir(place.parent)}
    os.utime(place.parent / "fruit.py", (1, 1))

    @contextmanager
    def scandir(folder: Path) -> Iterator[list[os.DirEntry[str]]]:
        yield [entries["fruit.py"]] * before + [entries["account.py"]]

    monkeypatch.setattr(os, "scandir", scandir)
    assert ("account.touch()" in lines(place)) is found


def test_what_is_cancelled_reads_no_further_file_and_keeps_what_it_read(place: Path) -> None:
    related = Related()
    with pytest.raises(CancelledError):
        lines(place, related=related, cancelled=lambda: len(related._read) == 2)
    assert len(related._read) == 2
    assert "account.touch()" in lines(place, related=related)


def test_a_folder_is_listed_no_further_once_it_is_cancelled(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    scan = os.scandir

    @contextmanager
    def scandir(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with scan(folder) as entries:
            yield (entry for entry in entries if not listed.append(entry.name))

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(CancelledError):
        lines(place, cancelled=lambda: len(listed) == 2)
    assert len(listed) == 2


def test_a_job_that_is_cancelled_looks_at_no_file(place: Path) -> None:
    completer, start = Completer(Host(), lambda status: None), GAP.index("▮")
    document = Document.open(place.as_uri(), "python", 1, GAP.replace("▮", ""))
    request, given = Request(document, start), (scripted_engine(["x"]), lambda: True)
    look_up, settings = completer._look_up, completer.settings
    for job in (
        lambda: jobs.search(request, settings, look_up, [], *given),
        lambda: jobs.fill_lines(document, (5, 5), settings, look_up, *given),
        lambda: jobs.read_around(request, look_up, *given),
    ):
        with pytest.raises(CancelledError):
            job()
        assert not completer._related._read


def test_of_very_many_open_documents_the_last_changed_ones_are_looked_at(place: Path) -> None:
    large = "#" * (OPENED_CHARACTERS // 10)
    others = [Document.open(f"untitled:{n}", "python", 1, large) for n in range(10)]
    huge = Document.open("untitled:huge", "python", 1, "#" * OPENED_CHARACTERS)
    like = Document.open("untitled:like", "python", 1, LIKE)
    (place.parent / "account.py").unlink()
    assert lines(place, like, *others) == ""
    assert "account" in lines(place, *others, like, huge)


def test_a_document_that_changes_counts_as_the_last_one() -> None:
    completer = Completer(Host(), lambda status: None)
    for uri in ("untitled:1", "untitled:2", "untitled:1"):
        completer.put(Document.open(uri, "python", 1, ""))
    assert list(completer.documents) == ["untitled:2", "untitled:1"]


def test_what_is_closed_is_forgotten_and_little_is_remembered(place: Path) -> None:
    related = Related()
    opened = Document.open("untitled:1", "python", 1, LIKE)
    assert "account" in lines(place, opened, related=related)
    untitled = Document.open("untitled:2", "python", 1, GAP)
    related.lines(untitled, 0, 0)
    assert not {opened.uri, place.as_uri()} & (related._read.keys() | related._chosen.keys())
    for number in range(2 * KEPT_CHARACTERS // FOLDER_BYTES):
        folder = place.parent / str(number)
        folder.mkdir()
        for name in ("a.py", "b.py"):
            (folder / name).write_text("#" * (FOLDER_BYTES // 4) + "\n" + GAP)
        lines(folder / "c.py", related=related)
    assert sum(read.size for read in related._read.values()) <= KEPT_CHARACTERS


def test_an_open_document_as_it_is_there(place: Path) -> None:
    path = place.parent / "account.py"
    edited = path.read_text().replace("touch", "update")
    opened = Document.open(path.as_uri(), "python", 1, edited)
    assert "account.update()" in lines(place, opened)
    elsewhere = replace(opened, uri="untitled:1")
    path.unlink()
    assert "account.update()" in lines(place, elsewhere)
    assert lines(place, replace(elsewhere, language="go")) == ""


def test_of_an_open_document_that_may_not_be_read_the_file_is_not_read(place: Path) -> None:
    like = place.parent / "account.py"
    opened = Document.open(like.as_uri(), "python", 1, "x = 1\n")
    assert lines(place, opened, related=Related(may_read=lambda document: False)) == ""
    other_language = replace(opened, language="snakemake")
    assert lines(place, other_language) == ""


def test_which_documents_may_be_read_is_asked_where_lines_are_chosen_alone(place: Path) -> None:
    asked: list[str] = []
    opened = Document.open("untitled:1", "python", 1, LIKE)
    related = Related(may_read=lambda document: not asked.append(document.uri))
    assert lines(place, opened, related=related) == lines(place, opened, related=related)
    assert asked == [opened.uri]


def test_the_file_itself_is_not_looked_at_under_another_name(place: Path) -> None:
    (place.parent / "account.py").unlink()
    link, elsewhere = place.parent / "link.py", place.parent.with_name("elsewhere")
    link.symlink_to(place)
    elsewhere.symlink_to(place.parent)
    assert lines(link) == ""
    assert lines(elsewhere / "link.py") == ""
    assert lines(place.parent / ".." / place.parent.name / "user.py") == ""
    for uri in (link.as_uri(), place.as_uri().replace("user", "%75ser")):
        assert lines(place, Document.open(uri, "python", 1, GAP)) == ""


def test_a_file_that_is_open_under_two_names_is_looked_at_once(place: Path) -> None:
    like = place.parent / "account.py"
    uris = like.as_uri(), like.as_uri().replace("account", "%61ccount")
    twice = [Document.open(uri, "python", 1, like.read_text()) for uri in uris]
    assert lines(place, *twice).count("class") == 1


def test_a_text_in_no_file_is_given_open_documents(place: Path) -> None:
    opened = Document.open("untitled:2", "python", 1, LIKE)
    related, start = Related(), GAP.index("▮")
    for uri in ("untitled:1", "file://[", ""):
        document = Document.open(uri, "python", 1, GAP.replace("▮", ""))
        assert "account" in related.lines(document, start, start, opened=[opened])
        assert related.lines(replace(document, uri=uri + "x"), start, start) == ""


def test_a_cursor_that_stays_near_keeps_what_was_chosen(place: Path) -> None:
    related, path = Related(), place.parent / "account.py"
    chosen = lines(place, related=related)
    path.write_text(path.read_text().replace("touch", "update"))
    assert lines(place, related=related) == chosen
    text = GAP.replace("▮", "") + "\n" * (NEAR + LINES) + GAP.replace("▮", "")
    document, start = (
        Document.open(place.as_uri(), "python", 2, text),
        text.rindex("        return"),
    )
    assert "account.update()" in related.lines(document, start, start)


def test_a_new_file_is_given_lines_as_soon_as_it_is_like_another(place: Path) -> None:
    related, given = Related(), []
    written = GAP[: GAP.index("▮")].splitlines(keepends=True)
    for count in range(len(written) + 1):
        text = "".join(written[:count])
        document = Document.open(place.as_uri(), "python", count, text)
        given.append(related.lines(document, len(text), len(text)))
    assert given[0] == "" and "account.touch()" in given[-1]


def test_what_is_typed_in_the_line_of_the_gap_has_no_say(place: Path) -> None:
    start = GAP.index("▮")
    typed = GAP.replace("▮", "apple = apples[0] + pears[1]")
    document = Document.open(place.as_uri(), "python", 1, typed)
    assert "account.touch()" in Related().lines(document, start, start + 28)


# Cells of notebooks


def cell(place: Path, name: str, text: str) -> Document:
    """A cell of the notebook at `place`."""
    return Document.open(f"vscode-notebook-cell:{name}", "python", 1, text, place.as_uri())


def test_a_cell_is_given_files_of_its_language_beside_the_notebook_and_no_notebook(
    place: Path,
) -> None:
    like = (place.parent / "account.py").read_text()
    (place.parent / "account.ipynb").write_text(like.replace("touch", "update"))
    place.unlink()
    start, here = GAP.index("▮"), cell(place.with_suffix(".ipynb"), "a", GAP.replace("▮", ""))
    assert "account.touch()" in (found := Related().lines(here, start, start))
    assert "update" not in found
    (place.parent / "account.py").rename(place.parent / "account.js")
    assert Related().lines(here, start, start) == ""


def test_other_cells_of_the_notebook_are_not_given_and_those_of_another_are(place: Path) -> None:
    (place.parent / "account.py").unlink()
    study, other = place.with_name("study.ipynb"), place.with_name("other.ipynb")
    start, here = GAP.index("▮"), cell(study, "a", GAP.replace("▮", ""))
    like = LIKE.replace("▮", "account.touch()")
    for sibling, found in ((cell(study, "b", like), False), (cell(other, "b", like), True)):
        opened = [sibling, cell(other, "c", OTHER), here]
        assert ("touch" in Related().lines(here, start, start, opened=opened)) is found
    untitled = [replace(one, notebook="untitled:1") for one in (cell(study, "b", like), here)]
    assert Related().lines(untitled[1], start, start, opened=untitled) == ""


def test_the_words_around_a_gap_are_those_of_the_notebook(place: Path) -> None:
    start = GAP.index("▮")
    here = cell(place.with_suffix(".ipynb"), "a", "\n").between(GAP[:start], GAP[start + 1 :])
    assert "account.touch()" in Related().lines(here, 0, 0)


def test_the_next_cell_keeps_what_was_chosen(place: Path) -> None:
    """Else all of the notebook would be read anew."""
    study, related, path = place.with_suffix(".ipynb"), Related(), place.parent / "account.py"
    start = GAP.index("▮")
    here, following = cell(study, "a", GAP.replace("▮", "")), cell(study, "b", "\n")
    opened = [here, following]
    chosen = related.lines(here, start, start, opened=opened)
    path.write_text(path.read_text().replace("touch", "update"))
    near = following.between(f"{here.text}\n", "")
    assert related.lines(near, 0, 0, opened=opened) == chosen
    far = following.between("x = 1\n" * (NEAR + LINES) + here.text, "")
    assert "update" in related.lines(far, 0, 0, opened=opened)


def test_line_ends_and_a_mark_of_byte_order_are_no_matter(place: Path) -> None:
    path = place.parent / "account.py"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert lines(place).startswith("class AccountView")
    assert "\r" not in lines(place)


def test_the_representation_shows_no_code(place: Path) -> None:
    related, opened = Related(), Document.open("untitled:1", "python", 1, LIKE)
    assert "database" in lines(place, opened, related=related)
    assert "database" not in repr(related)
