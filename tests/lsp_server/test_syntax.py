"""Grammars by name and suffix, and the count of what a parse finds wrong."""

import pytest
from tree_sitter import Tree

from lsp_server import syntax
from lsp_server.document import Document


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", "python"),
        ("/x/A.PYI", "python"),
        ("a.mjs", "javascript"),
        ("a.jsx", "javascriptreact"),
        ("a.ts", "typescript"),
        ("a.tsx", "typescriptreact"),
        ("a.d.ts", "typescript"),
        ("a.go", "go"),
        ("a.rs", "rust"),
        ("A.java", "java"),
        ("a.c", "c"),
        ("a.h", "cpp"),
        ("a.cc", "cpp"),
        ("a.hpp", "cpp"),
        ("Makefile", "plaintext"),
        (".py", "plaintext"),
        ("", "plaintext"),
    ],
)
def test_language_of(path: str, language: str) -> None:
    assert syntax.language_of(path) == language


SOURCES = {
    "python": "x = 1\n",
    "javascript": "let x = 1;\n",
    "javascriptreact": "let x = <p />;\n",
    "javascript.jsx": "let x = <p />;\n",
    "typescript": "let x: number = <number>1;\n",
    "typescriptreact": "let x: A = <p />;\n",
    "typescript.tsx": "let x: A = <p />;\n",
    "go": "package a\n",
    "rust": "fn f() {}\n",
    "java": "class A {}\n",
    "c": "int x;\n",
    "cpp": "class A {};\n",
    "c++": "class A {};\n",
    "Python": "x = 1\n",
}


@pytest.mark.parametrize(("language", "source"), SOURCES.items())
def test_each_language_parses_its_own(language: str, source: str) -> None:
    tree = syntax.parse(language, source)
    assert tree is not None
    assert tree.root_node.end_byte == len(source)
    assert syntax.errors_in(tree) == 0


def test_a_grammar_is_loaded_once() -> None:
    assert syntax.grammar("python") is syntax.grammar("python")


@pytest.mark.parametrize("language", ["plaintext", "", "lua"])
def test_an_unknown_language_has_no_grammar_and_no_tree(language: str) -> None:
    assert syntax.grammar(language) is None
    assert syntax.parse(language, "x") is None


def parsed(language: str, source: str) -> Tree:
    tree = syntax.parse(language, source)
    assert tree is not None
    return tree


@pytest.mark.parametrize(
    ("language", "source", "errors"),
    [
        ("python", "", 0),
        ("python", "x = 1\n", 0),
        ("python", "x = \n", 1),
        ("python", "x = (1\n", 1),
        ("c", "int x\n", 1),
        ("c", "int f() { return 1 }\nint g() { return 2 }\n", 2),
        ("javascript", "f(;\n\nlet y = 1;\n", 1),
    ],
)
def test_errors_in(language: str, source: str, errors: int) -> None:
    assert syntax.errors_in(parsed(language, source)) == errors


def test_errors_of_a_very_deep_tree_are_counted() -> None:
    assert syntax.errors_in(parsed("python", "x = " + "(" * 5_000)) > 0


def test_the_nodes_around_a_place_are_those_above_its_innermost_one() -> None:
    source = "def f(a):\n    return {'b': a[0]}  # c\n\nclass D: pass\n"
    tree = syntax.parse("python", source)
    assert tree is not None
    for first in range(len(source) - 1):
        node = tree.root_node.descendant_for_byte_range(first, first + 1)
        above = []
        while node is not None:
            above.append(node)
            node = node.parent
        assert syntax.nodes_at(tree, first, first + 1) == above
    assert syntax.nodes_at(tree, len(source), len(source)) == [tree.root_node]


@pytest.mark.parametrize(
    ("before", "after", "replacement", "more"),
    [
        ("x = ", "\n", "1", -1),
        ("x = ", "\n", "(1", 0),
        ("x = 1", "\n", " + 2", 0),
        ("x = 1", "\n", ")", 1),
        ("é = '😋'", "\ny = (2)\n", " + (3)", 0),
        ("é = '😋'", "\ny = (2)\n", " + (", 2),
    ],
)
def test_a_replacement_changes_the_errors(
    before: str, after: str, replacement: str, more: int
) -> None:
    document = Document.open("file:///x.py", "python", 1, before + after)
    tree = str(document.tree.root_node) if document.tree else ""
    after_it = document.replaced(len(before), len(before), replacement)
    assert after_it.errors - document.errors == more
    assert document.tree is not None
    assert str(document.tree.root_node) == tree


def test_a_text_that_takes_the_place_of_another_counts_too() -> None:
    document = Document.open("file:///x.py", "python", 1, "x = (((\ny = 1\n")
    assert document.replaced(4, 7, "2").errors == 0


def test_an_unknown_language_has_no_errors() -> None:
    document = Document.open("file:///x", "plaintext", 1, "((")
    assert document.replaced(0, 0, "((").errors == 0


IPYTHON = """\
%%time
%matplotlib inline
!pip install -q 'x>=1' "y
?print
files = !ls *.csv
a, b = %sx ls
print??
for name in files:
    !wget -q $name
    %timeit -n 3 {name}
!{executable} -m pip list
frame['a'].head?
"""
PYTHON = """\
x = (
    a
    % b
    %(c)
    != d
)
y = "%time=!ls" % x == 5
\"\"\"
!important, is it not?
%s and %time
\"\"\"
z = x if y else "?"  # why?
"""


def test_lines_of_ipython_are_no_errors_in_a_cell() -> None:
    for source in (IPYTHON, IPYTHON.replace("\n", "\r\n")):
        for line in source.splitlines(keepends=True):
            tree = syntax.parse("python", line, is_cell=True)
            assert tree is not None
            if not line.startswith("for"):
                assert syntax.errors_in(tree) == 0, line
        tree = syntax.parse("python", source, is_cell=True)
        assert tree is not None
        assert syntax.errors_in(tree) == 0
        assert tree.root_node.end_byte == len(source)


def test_a_cell_of_another_program_has_no_tree() -> None:
    for first in ("%%bash", "%%writefile a.py", "\n  %%html --isolated", "%%!", "%%timeit2"):
        assert syntax.parse("python", f"{first}\nls -l\n", is_cell=True) is None, first
        assert syntax.parse("python", f"{first}\nls -l\n") is not None
    for first in ("%%time", "%%timeit -n 3", "%%capture out", "%time x()", "x = 1\n%%bash"):
        tree = syntax.parse("python", f"{first}\ny = 1\n", is_cell=True)
        assert tree is not None, first
        assert syntax.errors_in(tree) == 0, first


def test_outside_a_cell_and_in_other_languages_they_are() -> None:
    for language, is_cell in (("python", False), ("javascript", True)):
        tree = syntax.parse(language, "!pip install x\n", is_cell=is_cell)
        assert tree is not None
        assert syntax.errors_in(tree) > 0


def test_python_is_read_in_a_cell_as_elsewhere() -> None:
    trees = [syntax.parse("python", PYTHON, is_cell=is_cell) for is_cell in (False, True)]
    first, second = (str(tree.root_node) for tree in trees if tree is not None)
    assert first == second
    assert "ERROR" not in first


def test_a_cell_that_changes_is_read_as_it_would_be_anew() -> None:
    text = "x = !ls\ny = 1\n"
    document = Document.open("cell:1", "python", 1, text, "file:///x.ipynb")
    assert document.tree is not None
    for start, end, new in ((2, 4, ""), (0, 0, "# "), (0, 2, "z = ")):
        document = document.replaced(start, end, new)
        anew = syntax.parse("python", document.text, is_cell=True)
        assert document.tree is not None
        assert anew is not None
        assert str(document.tree.root_node) == str(anew.root_node)
