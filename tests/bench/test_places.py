"""A place is a file without the lines that are still to be typed, and with them it is the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.places import Place, of_functions
from export.held_out import HeldOut
from lsp_server.document import Document
from lsp_server.source_file import InputError
from lsp_server.spans import Span, choose
from lsp_server.syntax import suffixes

AREA = (
    "def area(width, height):\n    size = width * height\n    return size\n\n\nprint(area(1, 2))\n"
)
LONG = "    total += 1\n" * 30


def whole(place: Place) -> str:
    return place.before + place.middle + place.after


def functions(folder: Path, language: str, *files: str) -> list[Place]:
    for number, text in enumerate(files):
        (folder / f"{number}{suffixes(language)[0]}").write_text(text, "utf-8")
    return of_functions(folder)


def test_at_a_gap_its_line_is_typed_and_what_follows_at_its_depth() -> None:
    start = AREA.index("width *")
    document = Document.open("", "python", 0, AREA.replace("width * height\n", "\n"))
    span = choose(document, start)
    assert isinstance(span, Span)
    place = Place.of(HeldOut("python", document, span, "width * height"))
    assert place.middle == "size = width * height\n    return size"
    assert whole(place) == AREA


@pytest.mark.parametrize(
    ("language", "text", "middles"),
    [
        (
            "python",
            'class A:\n    def b(self):\n        """Does."""\n\n        return 1\n    x = 2\n',
            ['"""Does."""\n\n        return 1'],
        ),
        ("python", "def a(): return 1\n\ndef b():\n    return 2\n", []),
        (
            "python",
            "def a():\n    def b():\n        c = 1\n        return c\n    return b\n",
            ["def b():\n        c = 1\n        return c\n    return b"],
        ),
        (
            "python",
            f"def a():\n{LONG}    def b():\n        c = 1\n        d = 2\n        return c\n",
            ["c = 1\n        d = 2\n        return c"],
        ),
        (
            "javascript",
            "class A {\n  b(c) {\n    const d = c\n\n    return d\n  }\n}\n",
            ["const d = c\n\n    return d"],
        ),
        (
            "javascript",
            "const a = function () {\n  b()\n  c()\n  d()\n}\nfunction e() { f() }\n",
            ["b()\n  c()\n  d()"],
        ),
        ("python", "def a(b:\n    (", []),
    ],
)
def test_bodies_of_functions_are_typed_those_within_others_with_them(
    tmp_path: Path, language: str, text: str, middles: list[str]
) -> None:
    found = functions(tmp_path, language, text)
    assert [place.middle for place in found] == middles
    assert all(whole(place) == text for place in found)


def test_functions_of_all_files_come_mixed_and_always_in_the_same_order(tmp_path: Path) -> None:
    files = [
        "\n".join(f"def f{n}_{m}():\n    a = {m}\n    b = a\n    return b\n" for m in range(5))
        for n in range(4)
    ]
    found = functions(tmp_path, "python", *files)
    assert len(found) == 20
    assert len({place.after.count("def") for place in found[:8]}) > 1
    assert found == of_functions(tmp_path)
    assert {place.uri for place in found} == {file.as_uri() for file in tmp_path.iterdir()}


def test_what_is_no_code_or_cannot_be_read_has_no_places(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("def a():\n    b\n    c\n    d\n", "utf-8")
    with pytest.raises(InputError, match="no file of code"):
        of_functions(tmp_path)
    (tmp_path / "a.py").write_bytes(b"def a():\n    b\n    c\n    \0d\n")
    assert of_functions(tmp_path) == []
