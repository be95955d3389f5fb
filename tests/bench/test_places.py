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
        ("python", "def a(b): return [\n    1,\n    2,\n    b,\n]\n", []),
        (
            "python",
            "async def a():  # soon\n    # first\n    b()\n    await c()\n    d()\n",
            ["b()\n    await c()\n    d()"],
        ),
        (
            "javascript",
            "a.map(b =>\n  b\n    .c()\n    .d());\na.map((b) => c(\n  b,\n  1,\n  2,\n));\n",
            ["b\n    .c()\n    .d());"],
        ),
        ("javascript", "function f() {\n\n\n\n\n}\n", []),
        ("javascript", "function f() {\n\n  a()\n  b()\n  c()\n}\n", ["a()\n  b()\n  c()"]),
        (
            "go",
            "func Add(b int) int {\n\tc := b\n\tc++\n\treturn c\n}\n",
            ["c := b\n\tc++\n\treturn c"],
        ),
        (
            "rust",
            "fn a() -> u8 {\n    let b = 1;\n    c();\n    b\n}\n",
            ["let b = 1;\n    c();\n    b"],
        ),
        (
            "java",
            "class A {\n  int b() {\n    c();\n    d();\n    return 1;\n  }\n}\n",
            ["c();\n    d();\n    return 1;"],
        ),
        ("c", "int a(void) {\n  b();\n  c();\n  return 1;\n}\n", ["b();\n  c();\n  return 1;"]),
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
    assert len({place.uri for place in found[:5]}) > 1
    assert found == of_functions(tmp_path)
    assert {place.uri for place in found} == {file.as_uri() for file in tmp_path.iterdir()}


def test_lines_end_in_line_feeds_whatever_the_file_has(tmp_path: Path) -> None:
    text = "def a():\r\n    b = 1\r\n    c = 2\r\n    return b + c\r\n"
    (tmp_path / "a.py").write_bytes(text.encode())
    [place] = of_functions(tmp_path)
    assert whole(place) == text.replace("\r\n", "\n")


def test_a_deep_tree_is_gone_through(tmp_path: Path) -> None:
    text = (
        "a = " + " + ".join(["1"] * 3000) + "\n" + AREA.replace("    return", "    a\n    return")
    )
    [place] = functions(tmp_path, "python", text)
    assert place.middle == "size = width * height\n    a\n    return size"


def test_what_is_no_code_or_cannot_be_read_has_no_places(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("def a():\n    b\n    c\n    d\n", "utf-8")
    with pytest.raises(InputError, match="no file of code"):
        of_functions(tmp_path)
    (tmp_path / "a.py").write_bytes(b"def a():\n    b\n    c\n    \0d\n")
    assert of_functions(tmp_path) == []
