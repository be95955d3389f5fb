"""From fills to edits: what is mended, what is refused, and the range an editor gets.

In the tables ▮ is the cursor; ⟦...⟧ is what the edit puts in, without what it replaces.
"""

# ruff: noqa: E501 - a row of a table is one line

import random

import pytest
from tree_sitter import Tree

from lsp_server import syntax
from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.edits import stretched, to_edit
from lsp_server.nothing import Nothing
from lsp_server.spans import Span, SpanKind, choose, choose_lines

CURSOR = "▮"


def marked(language: str, source: str) -> tuple[Document, Span, int]:
    before, after = source.split(CURSOR)
    document = Document.open("file:///x", language, 1, before + after)
    span = choose(document, len(before))
    assert isinstance(span, Span), span
    return document, span, len(before)


def shown(document: Document, edit: Edit | Nothing) -> str:
    if isinstance(edit, Nothing):
        assert edit.detail.endswith(".")
        return edit.reason
    return f"{document.text[: edit.start]}⟦{edit.text}⟧{document.text[edit.end :]}"


def result(language: str, source: str, fill: str) -> str:
    document, span, _ = marked(language, source)
    return shown(document, to_edit(span, fill))


MENDED = [
    ("as it is", "python", "x = ▮\n", "foo(1)", "x = ⟦foo(1)⟧\n"),
    ("one line of several", "python", "x = ▮\n", "1\ny = 2\n", "x = ⟦1⟧\n"),
    ("trailing blanks", "python", "x = ▮\n", "1  \t", "x = ⟦1⟧\n"),
    ("trailing blanks before a blank", "python", "x = ▮ + 3\n", "a ", "x = ⟦a⟧ + 3\n"),
    ("trailing blank that is needed", "javascript", "x = ▮+ 3;\n", "a ", "x = ⟦a ⟧+ 3;\n"),
    ("leading blank kept", "python", "x =▮\n", " 1", "x =⟦ 1⟧\n"),
    ("closer already there", "python", "f(▮)\n", "a)", "f(⟦a⟧)\n"),
    ("two closers already there", "python", "f(g(▮))\n", "a))", "f(g(⟦a⟧))\n"),
    ("own closer", "python", "f(▮)\n", "g(a)", "f(⟦g(a)⟧)\n"),
    ("own closer and one more", "python", "f(▮)\n", "g(a))", "f(⟦g(a)⟧)\n"),
    ("closer with more after it", "python", "f(▮)\n", "a).b(c)", "f(⟦a).b(c⟧)\n"),
    ("closer and subscript after it", "python", "f(▮)\n", "a)[0]", "f(⟦a)[0]⟧\n"),
    ("closer and semicolon", "javascript", "f(▮);\n", "a);", "f(⟦a⟧);\n"),
    ("closer and colon", "python", "if f(▮):\n    pass\n", "a):", "if f(⟦a⟧):\n    pass\n"),
    ("closer after a blank", "python", "f( ▮ )\n", "a )", "f( ⟦a⟧ )\n"),
    ("quote already there", "python", "x = 'a▮'\n", "b'", "x = 'a⟦b⟧'\n"),
    ("quote and closer", "python", "f('▮')\n", "a')", "f('⟦a⟧')\n"),
    ("bracket in a string is text", "python", "x = '▮)'\n", "(a)", "x = '⟦(a⟧)'\n"),
    ("a checker is not silenced", "python", "x = ▮\n", "None  # type: ignore[override]", "x = ⟦None⟧\n"),
    ("nor by other words", "javascript", "f(▮\n", "a);  // eslint-disable-line no-eval", "f(⟦a);⟧\n"),
    ("unless the file does", "python", "y = 1  # noqa: E1\nx = ▮\n", "2  # noqa", "y = 1  # noqa: E1\nx = ⟦2  # noqa⟧\n"),
    ("or somebody began to", "python", "x = 2  # ▮\n", "noqa", "x = 2  # ⟦noqa⟧\n"),
    ("a string may say it", "python", "x = '▮'\n", "# noqa", "x = '⟦# noqa⟧'\n"),
    ("other comments stay", "python", "x = ▮\n", "2  # two, no qualms", "x = ⟦2  # two, no qualms⟧\n"),
    ("the rest of the line repeated", "python", "x = ▮ + 3\n", "y + 3", "x = ⟦y⟧ + 3\n"),
    ("the next line repeated", "python", "def f():\n    ▮\n\ny = 2\n", "    x = 1\ny = 2", "def f():\n    ⟦x = 1⟧\n\ny = 2\n"),
    ("brace on the next line repeated", "c", "int f(void) {\n    ▮\n}\n", "return 1;\n}", "int f(void) {\n    ⟦return 1;⟧\n}\n"),
    ("brace of its own", "c", "int f(void) {\n    ▮\n}\n", "if (x) {\n        y();\n    }", "int f(void) {\n    ⟦if (x) {\n        y();\n    }⟧\n}\n"),
    ("brace right of the cursor", "javascript", "function f() {▮}\n", "\n  return 1;\n}", "function f() {⟦\n  return 1;\n⟧}\n"),
    ("line end before the brace right of the cursor", "javascript", "function f() {▮}\n", "\n  return 1;\n", "function f() {⟦\n  return 1;\n⟧}\n"),
    ("brace right of the cursor, deeper", "javascript", "if (a) {\n  if (b) {▮}\n}\n", "\n    c();\n  }", "if (a) {\n  if (b) {⟦\n    c();\n  ⟧}\n}\n"),
    ("no line end before the brace right of the cursor", "javascript", "if (a) {\n  if (b) {▮}\n}\n", "\n    c();", "if (a) {\n  if (b) {⟦\n    c();\n  ⟧}\n}\n"),
    ("one line before the brace right of the cursor", "javascript", "f(() => {▮});\n", " return 1; ", "f(() => {⟦ return 1;⟧});\n"),
    ("block never closed", "javascript", "function f() {▮\n", "\n  return 1;\n}\n", "function f() {⟦\n  return 1;\n}⟧\n"),
    ("lines after the block", "python", "def f():\n    ▮\n", "return 1\n\ndef g():\n    pass", "def f():\n    ⟦return 1⟧\n"),
    ("body less indented than the file", "cpp", "void f() {\n    a();\n}\nstruct T {▮\n};\n", "\n  int x;\n  int y;\n};\nint z;", "void f() {\n    a();\n}\nstruct T {⟦\n  int x;\n  int y;⟧\n};\n"),
    ("object's body", "javascript", "const x = {▮\n};\n", "\n  a: 1,\n  b: 2,\n};\n", "const x = {⟦\n  a: 1,\n  b: 2,⟧\n};\n"),
    ("list goes on below", "python", "x = {\n    ▮\n        1,\n    ],\n}\n", "'a': [", "x = {\n    ⟦'a': [⟧\n        1,\n    ],\n}\n"),
    ("last line broken off", "python", "def f():\n    ▮\n", "x = 1\n    y = foo(", "def f():\n    ⟦x = 1⟧\n"),
    ("last statement broken off", "python", "def f():\n    ▮\n", "a()\n    return [\n        1,\n        (2", "def f():\n    ⟦a()⟧\n"),
    ("last line broken off before a brace", "c", "int f(void) {▮}\n", "\n    a();\n    b(", "int f(void) {⟦\n    a();\n⟧}\n"),
    ("indentation kept where none is to be seen", "c", "int f(void) {\n▮\n}\n", "\treturn 1;", "int f(void) {\n⟦\treturn 1;⟧\n}\n"),
    ("indentation twice", "python", "def f():\n    x = 1\n    ▮\n", "    return x", "def f():\n    x = 1\n    ⟦return x⟧\n"),
    ("body after the colon", "python", "def f():▮\n", "\n    return 1\n", "def f():⟦\n    return 1⟧\n"),
    ("body from column 0", "python", "def f():\n▮\n", "    return 1", "def f():\n⟦    return 1⟧\n"),
    ("tabs for spaces", "go", "package a\n\nfunc f() {\n\t▮\n}\n", "if x {\n        y()\n    }", "package a\n\nfunc f() {\n\t⟦if x {\n\t\ty()\n\t}⟧\n}\n"),
    ("spaces for tabs", "python", "if a:\n  b()\nif c:\n  ▮\n", "if d:\n\t\te()", "if a:\n  b()\nif c:\n  ⟦if d:\n    e()⟧\n"),
    ("Windows line ends", "python", "x = 1\r\ndef f():\r\n    ▮\r\n", "a()\n    b()", "x = 1\r\ndef f():\r\n    ⟦a()\r\n    b()⟧\r\n"),
    ("old Macintosh line ends", "c", "int f(void) {\r    ▮\r}\r", "a();\n    b();", "int f(void) {\r    ⟦a();\r    b();⟧\r}\r"),
    ("Windows line ends in the fill", "python", "def f():\n    ▮\n", "a()\r\n    b()\r\n", "def f():\n    ⟦a()\n    b()⟧\n"),
    ("head of a block", "javascript", "if ▮\n", "(x) {", "if ⟦(x) {⟧\n"),
    ("list begun", "python", "x = ▮\n", "foo([", "x = ⟦foo([⟧\n"),
    ("emoji", "python", "x = '😋' + ▮\n", "'é😋'", "x = '😋' + ⟦'é😋'⟧\n"),
    ("a repeated word by chance", "python", "x = ▮\nb = 3\n", "b", "x = ⟦b⟧\nb = 3\n"),
    ("brackets may stand on two lines", "javascript", "f({\n  a: () => {\n    b();\n  }\n▮\n", "}", "f({\n  a: () => {\n    b();\n  }\n⟦}⟧\n"),
    ("comment with an open bracket", "python", "# see ▮\nx = 1\n", "(the book", "# see ⟦(the book⟧\nx = 1\n"),
    ("no syntax is known", "plaintext", "x = ▮\n", "((", "x = ⟦((⟧\n"),
    ("broken elsewhere", "python", "y = (\nx = ▮\n", "foo(1)", "y = (\nx = ⟦foo(1)⟧\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "source", "fill", "expected"),
    [pytest.param(*row, id=what) for what, *row in MENDED],
)
def test_mended(language: str, source: str, fill: str, expected: str) -> None:
    assert result(language, source, fill) == expected


REFUSED = [
    ("nothing", "python", "x = ▮\n", "", "empty"),
    ("blanks", "python", "x = ▮\n", " \t ", "empty"),
    ("a line end where one line is wanted", "python", "x = ▮\n", "\ny = 1", "empty"),
    ("what is no part of the block", "python", "def f():▮\n", "\nx = 1\n", "empty"),
    ("only line ends", "python", "def f():\n    ▮\n", "\n\n", "empty"),
    ("the line above", "python", "x = 1\n▮\n", "x = 1", "repeats-line-above"),
    ("the line above, completed", "python", "self.x = 1\nself.▮\n", "x = 1", "repeats-line-above"),
    ("the line above, past a blank one", "python", "x = 1\n\n▮\n", "x = 1", "repeats-line-above"),
    ("the line above, indented", "c", "void f() {\n    a();\n    ▮\n}\n", "a();", "repeats-line-above"),
    ("the line below", "python", "▮\nx = 1\n", "x = 1", "repeats-suffix"),
    ("the line below, completed", "python", "x = ▮\nx = 1\n", "1", "repeats-suffix"),
    ("the lines below", "c", "void f() {\n    ▮\n    a();\n}\n", "a();", "repeats-suffix"),
    ("the closer right of the cursor", "python", "f(▮)\n", ")", "repeats-suffix"),
    ("that closer behind a blank", "python", "x = f(g(▮ ))\n", ")", "unchanged"),
    ("a brace behind a blank", "javascript", "f(() => {▮ } );\n", "}", "unchanged"),
    ("the rest of the line", "python", "x = a▮ + 3\n", " + 3", "repeats-suffix"),
    ("the quote right of the cursor", "python", "x = 'a▮'\n", "'", "repeats-suffix"),
    ("bracket too many", "python", "x = ▮\n", "1)", "breaks-syntax"),
    ("bracket never closed", "python", "x = ▮\n", "foo(1, 2", "breaks-syntax"),
    ("string never closed", "python", "x = ▮\n", "'a", "breaks-syntax"),
    ("call in a call never closed", "python", "f(▮)\n", "g(a", "breaks-syntax"),
    ("all of a block broken", "python", "def f():\n    ▮\n", "foo(\n        1", "breaks-syntax"),
    ("no expression", "python", "x = ▮\n", "= = 1", "breaks-syntax"),
    ("nonsense in C", "c", "int f(void) {\n    a();\n    ▮\n}\n", "} else ]", "breaks-syntax"),
    ("nonsense in Go", "go", "package a\n\nvar x = ▮\n", ":= )", "breaks-syntax"),
    ("nonsense in Rust", "rust", "fn f() {\n    let x = ▮;\n}\n", "let let", "breaks-syntax"),
    ("nonsense in Java", "java", "class A {\n    int x = ▮;\n}\n", "class {", "breaks-syntax"),
    ("nonsense in TypeScript", "typescript", "let x: ▮ = 1;\n", "= (", "breaks-syntax"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "source", "fill", "reason"),
    [pytest.param(*row, id=what) for what, *row in REFUSED],
)
def test_refused(language: str, source: str, fill: str, reason: str) -> None:
    assert result(language, source, fill) == reason


BEGUN = [
    ("import", "python", "x = 1\n▮\n", "from a import ("),
    ("condition", "python", "x = 1\n▮\n", "if ("),
    ("parameters", "python", "class A:\n    x = 1\n    ▮\n", "def f("),
    ("with lines below", "python", "def f(x):\n    ▮\n    return x\n", "for y in ["),
    ("list in a call", "python", "x = ▮\n", "foo(["),
    ("in a call never closed", "python", "x = foo(a, ▮\ny = 1\n", "b["),
    ("call", "javascript", "f();\n▮\n", "g("),
    ("value", "typescript", "function f() {\n  g();\n  ▮\n}\n", "return ("),
    ("function in a call", "typescript", "const x = a▮\n", ".map((item) => ("),
    ("names", "typescript", "f();\n▮\n", "import {"),
    ("import of a type", "typescript", "f();\n▮\n", "import type {"),
    ("property of an object", "javascript", "f({\n  a: 1,\n  ▮\n});\n", "b: ["),
    ("function in a call never closed", "javascript", "foo(▮\n", "() => {"),
    ("in one of two never closed", "javascript", "foo(a(b, ▮);\n", "() => {"),
    ("in one that is closed further down", "c", "void f() {\n  g(a,\n    b, ▮\n  );\n}\n", "h("),
    ("try", "javascript", "f();\n▮\n", "try {"),
    ("try with no blank", "java", "class A {\n  void f() {\n    g();\n    ▮\n  }\n}\n", "try{"),
    ("try in C++", "cpp", "void f() {\n  g();\n  ▮\n}\n", "try {"),
    ("do", "c", "void f() {\n  g();\n  ▮\n}\n", "do {"),
    ("struct", "c", "int x;\n▮\n", "struct point {"),
    ("array", "c", "int x;\n▮\n", "static PyMethodDef m[] = {"),
    ("class", "cpp", "int x;\n▮\n", "class A {"),
    ("head of a loop", "cpp", "void f() {\n  g();\n  ▮\n}\n", "while ("),
    ("let", "rust", "fn f() {\n    g();\n    ▮\n}\n", "let y = foo("),
    ("parameters with types", "java", "class A {\n  int x;\n  ▮\n}\n", "void f("),
    ("imports in parentheses", "go", "package a\n\n▮\n", "import ("),
    ("struct in Go", "go", "package a\n\n▮\n", "type T struct {"),
    ("decorator", "python", "x = 1\n▮\n", "@app.route('/c')"),
    ("decorator of a method", "python", "class A:\n    x = 1\n    ▮\n", "@property"),
    ("decorator that opens a bracket", "python", "x = 1\n▮\n", "@app.route("),
    ("annotation", "java", "class A {\n  int x;\n  ▮\n}\n", "@Override"),
    ("annotation of a type", "java", "import a.B;\n▮\n", "@B(c = 1)"),
    ("decorator of a class", "typescript", "f();\n▮\n", "@Component({ a: 1 })"),
    ("decorator of a member", "typescript", "class A {\n  x;\n  ▮\n}\n", "@Input()"),
    ("template", "cpp", "int x;\n▮\n", "template <typename T>"),
    ("attribute", "cpp", "int x;\n▮\n", "[[nodiscard]]"),
    ("attribute of a type", "rust", "fn f() {}\n▮\n", "#[derive(Debug)]"),
    ("attribute of a field", "rust", "struct A {\n    x: u8,\n    ▮\n}\n", "#[serde(default)]"),
    ("attribute of a variant", "rust", "enum A {\n    X,\n    ▮\n}\n", '#[error("no")]'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "source", "fill"), [pytest.param(*row, id=what) for what, *row in BEGUN]
)
def test_a_line_may_begin_what_others_go_on_with(language: str, source: str, fill: str) -> None:
    assert result(language, source, fill) == source.replace(CURSOR, f"⟦{fill}⟧")


@pytest.mark.parametrize(
    ("language", "source", "fill"),
    [
        ("python", "x = 1\n▮\n", "from import ("),
        ("python", "x = 1\n▮\n", "if = ("),
        ("python", "def f():\n    g()\n    ▮\n", "return return ["),
        ("python", "x = ▮\n", "a b("),
        ("javascript", "f();\n▮\n", "import from {"),
        ("typescript", "f();\n▮\n", "const x = = ("),
        ("java", "class A {\n  int x;\n  ▮\n}\n", "void = f("),
        ("c", "void f() {\n  g();\n  ▮\n}\n", "if ) a( {"),
        ("cpp", "void f() {\n  g();\n  ▮\n}\n", "while while ("),
        ("go", "package a\n\nfunc f() {\n\tg()\n\t▮\n}\n", "x := := g("),
        ("rust", "fn f() {\n    g();\n    ▮\n}\n", "let let y = foo("),
        ("python", "x = 1\n▮\n", "@app.route('/c'"),
        ("python", "x = 1\n▮\n", "@app.route('/c'] )"),
        ("python", "x = ▮\n", "@property"),
        ("java", "class A {\n  int x = ▮;\n}\n", "@Override"),
        ("python", "class A:\n    ▮\n", "@property"),  # a block has room for what it stands above
        ("javascript", "f();\n▮\n", "[[a b]]"),
        ("go", "package a\n\n▮\n", "@Override"),
    ],
)
def test_nothing_else_excuses_an_error(language: str, source: str, fill: str) -> None:
    assert result(language, source, fill) == "breaks-syntax"


@pytest.mark.parametrize(
    ("language", "source", "fill", "most"),
    [
        ("python", "x = 1\n▮\n", "y = 2", 1),
        ("python", "x = 1\n▮\n", "y = = 2", 1),
        ("python", "x = 1\n▮\n", "y = f(", 1),
        ("python", "x = 1\n▮\n", "y = = f(", 3),
        ("python", "x = ▮\n", "f(", 1),
        ("cpp", "int x;\n▮\n", "class A {", 1),
        ("cpp", "int x;\n▮\n", "class = A {", 4),
        ("java", "class A {\n  ▮\n  int x;\n}\n", "@Override", 1),
        ("java", "class A {\n  int x;\n  ▮\n}\n", "void = f(", 7),
    ],
)
def test_few_texts_are_parsed(
    language: str, source: str, fill: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes as long as a parse of the file, be it of a piece or of all of a fill."""
    _, span, _ = marked(language, source)
    assert span.document.tree is not None
    tried, parse = [], syntax.parse

    def counted(language: str, text: str, old: Tree, *, is_cell: bool) -> Tree | None:
        tried.append(text)
        return parse(language, text, old, is_cell=is_cell)

    monkeypatch.setattr(syntax, "parse", counted)
    to_edit(span, fill)
    assert len(tried) == most, tried


PIECES = [
    "x", " ", "\n", "    ", "\t", "(", ")", "[", "]", "{", "}", "'", '"', ":", ";", ",", " + 1", "foo(a)",
    "return x", "😋", "# c", "// c", "if (x) {", "\r\n", "é", "",
]  # fmt: skip

SOURCES = [
    ("python", "def f(a):\r\n    x = g(▮)\r\n    return '😋'\r\n"),
    ("python", "def f(a):\n    ▮\n\ndef g(a):\n    return (1\n"),
    ("javascript", "foo(() => {▮});\n"),
    ("typescriptreact", "const x = <p id={▮}>é</p>;\n"),
    ("go", "package a\n\nfunc f() {\n\t▮\n}\n"),
    ("rust", "fn f<'a>(x: &'a str) {\n    let y = x.▮;\n}\n"),
    ("java", "class A {\n    int x = g(1, ▮\n}\n"),
    ("cpp", "struct T {▮};\n"),
    ("plaintext", "a\n  b▮\n"),
]


@pytest.mark.parametrize(("language", "source"), SOURCES)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_model_writes(language: str, source: str, seed: int) -> None:
    """Any fill gives an edit at the cursor that brings no errors but open brackets, or a reason."""
    chance = random.Random(f"{source} {seed}")
    document, span, offset = marked(language, source)
    for _ in range(60):
        fill = "".join(chance.choices(PIECES, k=chance.randint(0, 8)))
        edit = to_edit(span, fill)
        if isinstance(edit, Nothing):
            continue
        item = stretched(document, edit, offset)
        text = document.text[: item.start] + item.text + document.text[item.end :]
        assert text == edit.applied(document.text)
        assert text != document.text
        if span.kind is SpanKind.BLOCK:
            assert Document.open("", language, 0, text).errors <= document.errors


def test_the_document_is_as_it_was_after_a_refusal() -> None:
    document, span, _ = marked("python", "x = ▮\ny = 2\n")
    before = str(document.tree.root_node) if document.tree else ""
    to_edit(span, "((")
    assert document.tree is not None
    assert str(document.tree.root_node) == before


def lines_result(text: str, first: int, last: int, fill: str) -> str:
    document = Document.open("file:///x.py", "python", 1, text)
    span = choose_lines(document, first, last)
    assert isinstance(span, Span)
    return shown(document, to_edit(span, fill))


@pytest.mark.parametrize(
    ("text", "first", "last", "fill", "expected"),
    [
        ("a = 1\nb = 2\nc = 3\n", 1, 1, "b = 20", "a = 1\nb = 2⟦0⟧\nc = 3\n"),
        ("a = 1\nb = 2\nc = 3\n", 0, 1, "a = 1\nx = 2\n", "a = 1\n⟦x⟧ = 2\nc = 3\n"),
        ("a = 1\r\nb = 2\r\n", 0, 1, "a = 1\nb = 3", "a = 1\r\nb = ⟦3⟧\r\n"),
        ("def f():\n    return 1\n", 1, 1, "    return 2", "def f():\n    return ⟦2⟧\n"),
        ("a = 1\nb = 2\n", 1, 1, "b = 2", "unchanged"),
        ("try:\n    a()\nexcept E:\n    b()\n", 2, 3, "c()", "breaks-syntax"),
        ("if a:\n    b()\n    c()\n", 1, 1, "        d()", "breaks-syntax"),
        (
            "print 1\ntry:\n    a()\nfinally:\n    b()\n",
            3,
            4,
            "c()",
            "print 1\ntry:\n    a()\n⟦c⟧()\n",
        ),
        ("a = 1\nb = 2\n", 1, 1, "", "empty"),
        ("a = 1\nb = 2\n", 1, 1, "b = (", "breaks-syntax"),
        ("a = 1\nb = 2\nc = 3\n", 1, 1, "x = 2\nc = 3", "a = 1\n⟦x⟧ = 2\nc = 3\n"),
    ],
)
def test_whole_lines(text: str, first: int, last: int, fill: str, expected: str) -> None:
    assert lines_result(text, first, last, fill) == expected


@pytest.mark.parametrize(
    ("source", "fill", "expected"),
    [
        ("x = 1\nx = os.pa▮\n", "th.join(a)", Edit(13, 15, "path.join(a)")),
        ("x = ▮\n", "1", Edit(4, 4, "1")),
        ("f(▮)\n", "a)[0]", Edit(2, 3, "a)[0]")),
        ("f(ab▮)\n", "c)[0]", Edit(2, 5, "abc)[0]")),
        ("y = 1\nx = '😋' + ab▮\n", "c", Edit(16, 18, "abc")),
        ("def f():▮\n", "\n    a()", Edit(8, 8, "\n    a()")),
    ],
)
def test_inline_item_starts_at_the_typed_token(source: str, fill: str, expected: Edit) -> None:
    document, span, offset = marked("python", source)
    edit = to_edit(span, fill)
    assert isinstance(edit, Edit)
    item = stretched(document, edit, offset)
    assert item == expected
    applied = document.text[: edit.start] + edit.text + document.text[edit.end :]
    assert document.text[: item.start] + item.text + document.text[item.end :] == applied


def test_the_typed_token_may_be_very_long() -> None:
    """Looked for from each of its characters it would take hours."""
    typed = "0123456789abcdef" * 60_000
    document = Document.open("file:///x.py", "python", 1, f"y = 1\nx = '{typed}'\n")
    end = len(document.text) - 2
    item = stretched(document, Edit(end, end, "0"), end)
    assert (item.start, item.end) == (end - len(typed), end)
    assert item.text == f"{typed}0"


def test_inline_item_keeps_what_stands_between_the_cursor_and_the_edit() -> None:
    document = Document.open("file:///x.py", "python", 1, "f(ab)\n")
    item = stretched(document, Edit(5, 5, " + 1"), 4)
    assert (item.start, item.end, item.text) == (2, 5, "ab) + 1")


def test_an_edit_on_another_line_is_no_inline_item() -> None:
    document = Document.open("file:///x.py", "python", 1, "a\nb\n")
    with pytest.raises(ValueError, match="not on line 0"):
        stretched(document, Edit(2, 3, "c"), 0)


@pytest.mark.parametrize("blanks", [3, 4, 5])
def test_whole_lines_stand_where_the_old_ones_stood(blanks: int) -> None:
    text = "def f(values):\n    return None\n\n\ndef g():\n    pass\n"
    document = Document.open("file:///x", "python", 1, text)
    span = choose_lines(document, 1, 1)
    assert isinstance(span, Span)
    fill = f"{' ' * blanks}if values:\n{' ' * (blanks + 4)}return sorted(values)"
    edit = to_edit(span, fill)
    assert isinstance(edit, Edit)
    after = text[: edit.start] + edit.text + text[edit.end :]
    assert "\n    if values:\n        return sorted(values)\n" in after


def test_whole_lines_moved_to_where_the_old_ones_stood_keep_their_tabs() -> None:
    text = "func f() {\n\tx()\n\tif x {\n\t\ty()\n\t}\n}\n"
    document = Document.open("file:///x", "go", 1, text)
    span = choose_lines(document, 2, 4)
    assert isinstance(span, Span)
    edit = to_edit(span, "  \tif x {\n  \t\tz()\n  \t}")
    assert shown(document, edit) == text.replace("y()", "⟦z⟧()")


def test_whole_lines_may_be_a_level_deeper() -> None:
    text = "f(\n    a,\n    b,\n)\n"
    assert lines_result(text, 2, 2, "        c,") == "f(\n    a,\n    ⟦    c⟧,\n)\n"
