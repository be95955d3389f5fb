"""What is left of an offer while one types, and what is remembered of it."""

import pytest

from engine import Fill, Finish, Step
from lsp_server.change import Edit
from lsp_server.document import Document
from lsp_server.edits import stretched
from lsp_server.infill import Suggestion
from lsp_server.offers import KEPT, Offer, Offers
from lsp_server.spans import Span, SpanKind
from lsp_server.status import Counts


def opened(text: str) -> Document:
    return Document.open("file:///x.py", "python", 1, text)


def offer(document: Document, edit: Edit, cursor: int) -> Offer:
    return Offer("1", edit, stretched(document, edit, cursor))


# Text with the cursor ▮; how much right of it the fill replaces; the fill; what the text becomes by
# typing; what is still offered (typed token and rest), None: nothing.
TYPED = [
    ("nothing typed", "x = ▮\n", 0, "foo(a)", "x = ▮\n", "foo(a)"),
    ("some letters", "x = ▮\n", 0, "foo(a)", "x = fo▮\n", "foo(a)"),
    ("up to a bracket", "x = ▮\n", 0, "foo(a)", "x = foo(▮\n", "a)"),
    ("all of it", "x = ▮\n", 0, "foo(a)", "x = foo(a)▮\n", None),
    ("all but blanks", "x = ▮\n", 0, "foo ", "x = foo▮\n", None),
    ("something else", "x = ▮\n", 0, "foo(a)", "x = fi▮\n", None),
    ("more than it", "x = ▮\n", 0, "fo", "x = foo▮\n", None),
    ("a word begun", "x = f▮\n", 0, "oo(a)", "x = foo▮\n", "foo(a)"),
    ("deleted", "x = f▮\n", 0, "oo(a)", "x = ▮\n", None),
    ("elsewhere too", "x = ▮\n", 0, "foo", "y = f▮\n", None),
    ("cursor elsewhere", "x = ▮\n", 0, "foo", "x =▮ \n", None),
    ("bracket closed by the editor", "x = ▮\n", 0, "foo(a)", "x = foo(▮)\n", "a)"),
    ("two closed by the editor", "x = ▮\n", 0, "f(['a'])", "x = f([▮])\n", "'a'])"),
    ("quote closed by the editor", "x = ▮\n", 0, "f('a')", "x = f('▮')\n", "a')"),
    ("more than closed", "x = ▮\n", 0, "foo(a)", "x = foo(▮b)\n", None),
    ("replacing a closer", "x = f(▮)\n", 1, "a)[0]", "x = f(a▮)\n", "a)[0]"),
    ("over a line break", "def f():▮\n", 0, "\n    return 1", "def f():\n    re▮\n", "return 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "replaced", "fill", "after", "left"),
    [row[1:] for row in TYPED],
    ids=[row[0] for row in TYPED],
)
def test_typing_along(before: str, replaced: int, fill: str, after: str, left: str | None) -> None:
    document, cursor = opened(before.replace("▮", "")), before.index("▮")
    later, offset = opened(after.replace("▮", "")), after.index("▮")
    made = offer(document, Edit(cursor, cursor + replaced, fill), cursor)
    rest = made.rest(document, cursor, later, offset)
    assert (rest and rest.item.text) == left
    if rest is not None:
        item = rest.item
        filled = later.text[: item.start] + item.text + later.text[item.end :]
        whole = document.text[:cursor] + fill + document.text[cursor + replaced :]
        assert filled == whole, "what is left gives what the offer gave"


def test_only_the_last_offers_are_remembered() -> None:
    counts = Counts()
    offers = Offers(counts)
    document = opened("x = \n")
    edit = Edit(4, 4, "1")
    fill = Fill("1", 1, 1, Finish.END, 0.0)
    suggestion = Suggestion(edit, Span(document, 4, 4, SpanKind.LINE_END, True, 9, ""), fill)
    step = Step(0, 0, (), 1.0)
    made = [
        offers.add(suggestion, stretched(document, edit, 4), [step]).id for _ in range(KEPT + 1)
    ]
    assert len(set(made)) == KEPT + 1
    offers.accepted(made[0])
    assert counts.accepted == 0
    assert offers.trace(made[0]) is None
    offers.accepted(made[1])
    assert counts.accepted == 1
    assert offers.trace(None) == (made[-1], (step,))
    last = offers.add(suggestion, stretched(document, edit, 4), ()).id
    assert offers.trace(last) == (last, ())
    assert offers.trace(None) == (made[-1], (step,)), "the last one that was watched"
