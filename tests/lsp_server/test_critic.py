"""What a parser doubts in a fill."""

import pytest

from lsp_server import spans
from lsp_server.critic import critic_of, errors
from lsp_server.document import Document

END = "the end"
CASES = [
    ("fine", "python", "def f(x):\n    return |\n", "x + 1", []),
    ("fine though the file is broken elsewhere", "python", "def (:\n\nx = |\n", "1", []),
    ("two names with nothing between", "python", "def f(x):\n    return |\n", "(a b)", ["b"]),
    ("a bracket left open", "python", "y = 1\nx = |\nz = 2\n", "f(1", [END]),
    ("a bracket before it left open", "javascript", "if (a) {\n  foo(|\n}\n", "b", [END]),
    ("one that is closed further down", "javascript", "foo(|\n  b,\n);\nx = ;\n", "a,", []),
    ("what stands where something is missing", "javascript", "const x = |;\n", "[1 2]", ["2"]),
    ("a bracket too many", "javascript", "const x = |;\nconst y = 1;\n", "f(1))", [")"]),
    ("one that lines below may close", "c", "void f() {\n  g();\n  |\n}\n", "do {", []),
    ("but not behind an error", "python", "y = 1\n|\n", "if = (", ["="]),
    ("a line that stands above another", "python", "y = 1\n|\n", "@property", []),
    ("what stands there already", "python", "f(|)\n", ")", []),
    ("and behind a blank", "python", "x = f(g(| ))\n", ")", []),
    ("only the first line counts", "python", "x = |\n", "1\n)))", []),
    ("a later line", "python", "def f():\n    |\n", "a = 1\n    b = = 2\n    c = 3", ["="]),
    (
        "one where lines end in CRLF",
        "python",
        "def f():\r\n    |\r\n",
        "a = 1\n    b = = 2\n    c = 3",
        ["="],
    ),
]


@pytest.mark.parametrize(
    ("language", "marked", "fill", "blamed"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_doubts(language: str, marked: str, fill: str, blamed: list[str]) -> None:
    offset = marked.index("|")
    document = Document.open("file:///x", language, 1, marked.replace("|", ""))
    span = spans.choose(document, offset)
    assert isinstance(span, spans.Span)
    critic = critic_of(span)
    assert critic is not None
    found = [fill[start:end] or END for start, end in critic(fill)]
    assert found == blamed


DEEP = {
    "typescript": (
        "type A =\n  | { a: |> }\n" + "".join(f'  | "m{n}"\n' for n in range(1_100)),
        "(1 2",
        "1 2",
    ),
    "c": (
        "int f(int a) {\n  "
        + "".join(f"if (a == {n}) {{\n    return {n};\n  }} else " for n in range(520))
        + "{\n    return |>;\n  }\n}\n",
        "[1 2]",
        "2",
    ),
    "python": ("x = f(|>)" + "".join(f" + a{n}" for n in range(1_500)) + "\n", "a b", "b"),
}
"""Trees of a level for each member, branch or term, with a gap marked in the innermost."""


@pytest.mark.parametrize("language", DEEP)
def test_a_doubt_deep_in_a_tree(language: str) -> None:
    marked, fill, blamed = DEEP[language]
    before, after = marked.split("|>")
    document = Document.open("file:///x", language, 1, before + after)
    span = spans.choose(document, len(before))
    assert isinstance(span, spans.Span)
    critic = critic_of(span)
    assert critic is not None
    found = [fill[start:end] for start, end in critic(fill)]
    assert found
    assert all(part in blamed for part in found), found


def test_errors_elsewhere_are_left_alone() -> None:
    text = "é = = 1\n" * 3
    tree = Document.open("file:///x", "python", 1, text).tree
    assert tree is not None
    line = len("é = = 1\n".encode())
    everywhere = list(errors(tree, 0, 3 * line))
    assert everywhere == [(n * line + 5, n * line + 6) for n in range(3)]
    assert list(errors(tree, line + 2, 2 * line - 1)) == everywhere[1:2]
    assert list(errors(tree, line, line)) == []


def test_there_is_no_critic_where_no_grammar_can_tell() -> None:
    text = "some prose\n"
    document = Document.open("file:///x.txt", "plaintext", 1, text)
    span = spans.choose(document, len(text))
    assert isinstance(span, spans.Span)
    assert critic_of(span) is None
