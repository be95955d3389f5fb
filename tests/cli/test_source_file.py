"""Files on disk: what is refused, where positions lie, and that nothing of the user's is lost."""

import os
from pathlib import Path

import pytest

from lsp_server import source_file
from lsp_server.source_file import InputError, SourceFile


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a\n", ""]),
        ("a\r\nb\rc\n", ["a\r\n", "b\r", "c\n", ""]),
        ("a\u2028b\x0bc\n", ["a\u2028b\x0bc\n", ""]),
    ],
)
def test_lines_end_where_editors_end_them(text: str, lines: list[str]) -> None:
    assert SourceFile("x", text).lines() == lines


@pytest.mark.parametrize(
    ("line", "column", "offset"), [(1, 1, 0), (1, 3, 2), (2, 1, 4), (2, 4, 7), (3, 1, 8)]
)
def test_positions_count_characters_from_one(line: int, column: int, offset: int) -> None:
    file = SourceFile("x", "ab\r\n😋cd\n")
    assert file.offset(line, column) == offset
    assert file.position(offset) == (line, column)


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        (0, 1, "line 0 is outside"),
        (4, 1, "line 4 is outside the file, which has 3"),
        (1, 4, "column 4 is outside line 1"),
        (1, 0, "column 0 is outside"),
    ],
)
def test_a_position_outside_the_file_is_named(line: int, column: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SourceFile("x", "ab\r\n😋cd\n").offset(line, column)


def test_bad_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    binary, latin = tmp_path / "a.png", tmp_path / "b.py"
    binary.write_bytes(b"ab\0c")
    latin.write_bytes("é".encode("latin-1"))
    cases = [
        (tmp_path / "gone.py", "no such file"),
        (tmp_path, "is a folder"),
        (binary, "is a binary file \\(byte 0 at 2\\)"),
        (latin, "line 1 is not UTF-8"),
    ]
    for path, message in cases:
        with pytest.raises(InputError, match=message):
            SourceFile.read(str(path))


def test_a_file_without_an_end_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "MOST_BYTES", 10_000)
    (path := tmp_path / "a.py").write_text("x" * 10_000)
    assert len(SourceFile.read(str(path)).text) == 10_000
    path.write_text("x" * 10_001)
    with pytest.raises(InputError, match="is larger than 10,000 bytes"):
        SourceFile.read(str(path))
    with pytest.raises(InputError, match="is a binary file"):
        SourceFile.read("/dev/zero")


def test_writing_keeps_the_byte_order_mark_the_mode_and_the_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_bytes(b"\xef\xbb\xbfa\r\n")
    real.chmod(0o750)
    link.symlink_to(real)
    file = SourceFile.read(str(link))
    assert file.text == "a\r\n"
    file.write("b\r\n")
    assert real.read_bytes() == b"\xef\xbb\xbfb\r\n"
    assert real.stat().st_mode & 0o777 == 0o750
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.py", "real.py"]


def test_a_read_only_file_is_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("a\n")
    path.chmod(0o444)
    with pytest.raises(InputError, match="read-only; nothing was written"):
        SourceFile.read(str(path)).write("b\n")
    assert path.read_text() == "a\n"


def test_a_read_only_folder_is_named_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("a\n")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(InputError, match=f"^{tmp_path}: is a read-only folder"):
            SourceFile.read(str(path)).check_writable()
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files away")
def test_a_file_of_others_stays_theirs(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("a\n")
    os.chown(path, 1001, 2000)
    path.chmod(0o660)
    SourceFile.read(str(path)).write("b\n")
    facts = path.stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o777) == (1001, 2000, 0o660)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files away")
def test_a_file_that_would_change_hands_is_left_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is for whoever is not the superuser."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "a.py"
    path.write_text("a\n")
    os.chown(path, 1001, 2000)
    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(InputError, match=r"cannot be written.*cannot give a file to its user"):
        SourceFile.read(str(path)).write("b\n")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.py", "a\n")]


def test_ones_own_file_needs_no_giving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "chown", raising=False)
    path = tmp_path / "a.py"
    path.write_text("a\n")
    SourceFile.read(str(path)).write("b\n")
    assert path.read_text() == "b\n"


def test_a_file_of_several_names_is_left_untouched(tmp_path: Path) -> None:
    path, other = tmp_path / "a.py", tmp_path / "b.py"
    path.write_text("a\n")
    other.hardlink_to(path)
    with pytest.raises(InputError, match="hard links"):
        SourceFile.read(str(path)).write("b\n")
    assert path.samefile(other)
    assert path.read_text() == "a\n"


def test_a_file_with_the_longest_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 252 + ".py")
    path.write_text("a\n")
    SourceFile.read(str(path)).write("b\n")
    assert path.read_text() == "b\n"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "a.py"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="is no regular file; nothing was written"):
        SourceFile(str(pipe), "a\n", pipe).check_writable()


def test_a_write_that_fails_half_way_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.py"
    path.write_text("a\n")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(InputError, match="No space left on device"):
        SourceFile.read(str(path)).write("b\n")
    assert path.read_text() == "a\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.py"]
