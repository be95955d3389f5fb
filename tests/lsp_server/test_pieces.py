"""What nobody asked for is shown as far as it is sure and can stand alone."""

from __future__ import annotations

import pytest

from engine import Fill, FillOptions, Finish
from engine.certainty import Beginning
from engine.fake import scripted_engine
from lsp_server import pieces
from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.edits import BREAKS_SYNTAX
from lsp_server.infill import infill
from lsp_server.nothing import Nothing
from lsp_server.pieces import shown_edit
from lsp_server.spans import Span, choose


def place(source: str, language: str = "python") -> Span:
    document = Document.open("", language, 0, source.replace("▮", ""))
    span = choose(document, source.index("▮"))
    assert isinstance(span, Span)
    return span


def fill(text: str, finish: Finish = Finish.END) -> Fill:
    """Sure up to the bar, each character a token; its end is not."""
    certain, text = text.index("|"), text.replace("|", "")
    known = [Beginning(n, 0.9 if n <= certain else 0.1) for n in range(1, len(text) + 1)]
    ended = Beginning(len(text), 0.9 if certain > len(text) else 0.1)
    return Fill(text, 3, 1, finish, -0.1, beginnings=(*known, ended))


def shown(source: str, text: str, finish: Finish = Finish.END, language: str = "python") -> str:
    """What is shown; in angles the reason where it is nothing."""
    edit = shown_edit(place(source, language), fill(text, finish), 0.5)
    return edit.text if isinstance(edit, Edit) else f"<{edit.reason}>"


@pytest.mark.parametrize(
    ("source", "text", "piece"),
    [
        ("x = ▮\n", "first(second|, third)", "first"),  # who types the bracket gets both
        ("x = ▮\n", "first + |second", "first"),  # `first +` is half an expression
        ("x = (▮)\n", "first, second, th|ird", "first, second,"),
        ("x = f(▮)\n", "first)| + 1", "first"),  # the bracket is there
        ("# ▮\n", "first, second (o|r third)", "first, second"),
        ("x = a▮\n", "b + c|d", "<unsure>"),  # `b` is not worth a key
        ("x = ▮\n", "first|", "first"),  # all of it but for its end
        ("x = 1\n▮\n", "@app.route|('/c')", "@app.route"),
        ("def f(x):▮\n", "\n    value = com|pute(x)", "\n    value"),
        ("def f(x):▮\n", "\n    value = g(x)|\n    return value", "\n    value = g(x)"),
        ("def f(x):▮\n", "\n    value = g(x)\n    return val|ue", "\n    value = g(x)"),
    ],
)
def test_a_piece_ends_where_it_can_be_read(source: str, text: str, piece: str) -> None:
    """What stands before the bar is sure."""
    assert shown(source, text) == piece


@pytest.mark.parametrize(
    "text", ["load(a) | # note", "load(a)  #| note", "load(a)  # type|: ignore", "load(a)|  # ty"]
)
def test_a_piece_never_ends_in_a_comment_behind_code(text: str) -> None:
    """Else what silences a checker would come piece by piece."""
    assert shown("x = ▮\n", text) == "load(a)"
    assert shown("x = load(a)  ▮\n", "# type|: ignore") == "<unsure>"


@pytest.mark.parametrize(
    ("source", "text", "language"),
    [
        ("f(▮)\n", "'one # tw|o'", "python"),
        ("let url = ▮;\n", "'http://exa|mple.org'", "javascript"),
    ],
)
def test_a_string_is_no_comment(source: str, text: str, language: str) -> None:
    """It is no piece before it is closed."""
    assert shown(source, text, language=language) == "<unsure>"
    assert shown(source, text.replace("|", "") + "|", language=language) == text.replace("|", "")


def test_a_comment_of_its_own_is_written_by_words() -> None:
    assert shown("def f(x):\n    ▮\n", "# The value| of x.") == "# The value"


@pytest.mark.parametrize("finish", [Finish.END, Finish.UNSURE])
def test_what_was_given_up_may_go_on_with_the_word_it_ends_with(finish: Finish) -> None:
    """As where the token that made it unsure cut a character in two."""
    piece = shown("x = ▮\n", "first + second|", finish)
    assert piece == ("first + second" if finish is Finish.END else "first")


def test_what_was_given_up_is_never_all_of_it() -> None:
    nothing = Fill("", 0, 1, Finish.UNSURE, -0.1, beginnings=(Beginning(0, 0.9),))
    found = shown_edit(place("x = ▮\n"), nothing, 0.5)
    assert isinstance(found, Nothing)
    assert found.reason == "unsure", "not that there is nothing to add"


@pytest.mark.parametrize("least", [0.0, 0.5])
def test_what_is_sure_and_does_not_parse_is_cut_back_where_nobody_asked(least: float) -> None:
    sure = fill("first(second, third||", Finish.LENGTH)
    sure = Fill("first(second, third", 3, 1, Finish.LENGTH, -0.1, beginnings=sure.beginnings[:-1])
    found = shown_edit(place("x = ▮\n"), sure, least)
    assert found == (Edit(4, 4, "first") if least else BREAKS_SYNTAX)


def test_what_is_sure_to_its_end_may_open_a_bracket() -> None:
    text = "from a import ("
    sure = Fill(text, 3, 1, Finish.END, -0.1, beginnings=(Beginning(len(text), 0.9),))
    assert shown_edit(place("x = 1\n▮\n"), sure, 0.5) == Edit(6, 6, text)


def test_cut_back_it_needs_no_second_try() -> None:
    engine = scripted_engine(["first(second, third"])
    found = infill(place("x = ▮\n"), engine, FillOptions(least_probability=0.5, repair=0))
    assert not isinstance(found, Nothing)
    assert (found[0].edit.text, engine.requests) == ("first", 1)


def test_few_pieces_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes as long as a parse of the file."""
    tried = []

    def to_edit(span: Span, text: str) -> Nothing:
        tried.append(text)
        return BREAKS_SYNTAX

    monkeypatch.setattr(pieces, "to_edit", to_edit)
    many = ", ".join(f"key_{n}=value_{n}" for n in range(50))
    assert shown("x = ▮\n", f"dict({many}|") == "<unsure>"
    assert tried == ["dict"]
    tried.clear()
    assert shown("x = ▮\n", f"{many}|, last") == "<unsure>"
    assert len(tried) == pieces.TRIES
