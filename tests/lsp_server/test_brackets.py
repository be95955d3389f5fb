"""Brackets and open literals read by their words, in every language's way of writing them."""

import pytest

from lsp_server.brackets import open_literal, unmatched, without_comments


@pytest.mark.parametrize(
    ("language", "text", "opened", "closed"),
    [
        ("python", "f(a, [1", "([", ""),
        ("python", "a) + b]", "", ")]"),
        ("python", "'(' + \"[\" # {", "", ""),
        ("python", "'''(\n(''' + (", "(", ""),
        ("python", '"""( never closed', "", ""),
        ("python", "'it\\'s (' + [", "[", ""),
        ("python", "f(g[1)", "", ""),
        ("python", "a // (b", "(", ""),
        ("javascript", "`(\n` + f(/* ( */ {// (\n", "({", ""),
        ("rust", "fn f<'a>(x: &'a str) { '(' ", "{", ""),
        ("go", "x := '(' + `(` + \"(\" + (", "(", ""),
        ("java", '"""\n(\n""" + (', "(", ""),
        ("c", "'\\'' + '(' + (", "(", ""),
        ("plaintext", "# (\n-- (\n(", "(", ""),
        ("plaintext", "a#(", "(", ""),
        ("python", "", "", ""),
    ],
)
def test_unmatched(language: str, text: str, opened: str, closed: str) -> None:
    found = unmatched(text, language)
    assert "".join(bracket.symbol for bracket in found.opened) == opened
    assert "".join(bracket.symbol for bracket in found.closed) == closed
    for bracket in (*found.opened, *found.closed):
        assert text[bracket.index] == bracket.symbol


@pytest.mark.parametrize(
    ("language", "line", "literal"),
    [
        ("python", "x = 'ab", "string"),
        ("python", "x = 'ab'", None),
        ("python", "x = 'a\\'b", "string"),
        ("python", "x = \"it's", "string"),
        ("python", "x = 1  # it's", "comment"),
        ("python", "x = '#'", None),
        ("rust", "fn f<'a>(x: &'a", None),
        ("rust", 'x = "ab', "string"),
        ("javascript", "x = `a", "string"),
        ("javascript", "x = 1 // a", "comment"),
        ("javascript", "x /* a */", None),
        ("javascript", "x /* a", "comment"),
        ("c", "char x = '", "string"),
        ("plaintext", "x ;", None),
        ("plaintext", "x -- y", "comment"),
        ("lua", "x = 1 -- y", "comment"),
        ("lua", "-- y", "comment"),
        ("shellscript", "docker run --rm ", None),
        ("shellscript", "git checkout -- ", None),
        ("shellscript", "ls # all", "comment"),
        ("dockerfile", "RUN pip install --no-cache-dir ", None),
        ("css", "  --main-color: ", None),
        ("css", "#main ", None),
        ("csharp", "#region ", None),
        ("csharp", "f(); // y", "comment"),
        ("python", '"""a', "string"),
        ("python", '"""a"""', None),
        ("python", "'''a''", "string"),
        ("python", '"""', "string"),
        ("python", '""', None),
    ],
)
def test_open_literal(language: str, line: str, literal: str | None) -> None:
    assert open_literal(line, language) == literal


@pytest.mark.parametrize(
    ("language", "line", "code"),
    [
        ("python", "if x:  # a # b", "if x:"),
        ("python", "x = '# a'  ", "x = '# a'"),
        ("python", "# a", ""),
        ("javascript", "f({  // https://a.b", "f({"),
        ("javascript", "f(/* a */ b) {  /* c */ // d", "f(/* a */ b) {"),
        ("javascript", "x = '// a';", "x = '// a';"),
        ("lua", "while x do -- a", "while x do"),
        ("ruby", "a.each do # b", "a.each do"),
    ],
)
def test_a_line_without_the_comments_at_its_end(language: str, line: str, code: str) -> None:
    assert without_comments(line, language) == code
