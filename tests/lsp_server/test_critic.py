"""What a parser doubts in a fill."""

import pytest

from lsp_server import spans
from lsp_server.critic import critic_of
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
    critic = critic_of(document, span)
    assert critic is not None
    found = [fill[start:end] or END for start, end in critic(fill)]
    assert bool(found) == bool(blamed)
    assert all(any(part in blame for part in blamed) for blame in found), found


def test_there_is_no_critic_where_no_grammar_can_tell() -> None:
    text = "some prose\n"
    document = Document.open("file:///x.txt", "plaintext", 1, text)
    span = spans.choose(document, len(text))
    assert isinstance(span, spans.Span)
    assert critic_of(document, span) is None
