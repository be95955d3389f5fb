"""Where a text ends of itself."""

import pytest

from engine import FillOptions, Finish
from engine.extent import end_of

LINE = FillOptions(stop_at_newline=True)
BLOCK = FillOptions(least_indent=4)


@pytest.mark.parametrize(
    ("text", "options", "kept", "finish"),
    [
        ("a = 1\nb", LINE, "a = 1", Finish.NEWLINE),
        ("return x\n\n\ndef", BLOCK, "return x\n\n", Finish.DEDENT),
        ("if x:\n        y\n  z", BLOCK, "if x:\n        y", Finish.DEDENT),
        ("x();\n}\n", BLOCK, "x();\n}", Finish.DEDENT),
        ("x();\n});\nnext", BLOCK, "x();\n});", Finish.DEDENT),
        ("x\n\ty\nz", BLOCK, "x\n\ty", Finish.DEDENT),
        ("x\n\xa0\nz", BLOCK, "x\n\xa0", Finish.DEDENT),
        ("x\n\xa0z\n    y", BLOCK, "x", Finish.DEDENT),
        ("a\nb\n  c\nd", FillOptions(stop_line="  c"), "a\nb", Finish.SUFFIX),
        ("  c\nd", FillOptions(stop_line="  c"), "", Finish.SUFFIX),
        ("a\nc\nb", FillOptions(stop_line="c", least_indent=1), "a", Finish.DEDENT),
    ],
)
def test_a_text_is_cut_where_it_ends(
    text: str, options: FillOptions, kept: str, finish: Finish
) -> None:
    end = end_of(text, options)
    assert end is not None
    assert (text[: end[0]], end[1]) == (kept, finish)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a = 1", LINE),
        ("a\nb", FillOptions()),
        ("x\n    y\n\n    z", BLOCK),
        ("x\n  ", BLOCK),  # the line may still become deep enough
        ("x\n\f\n    y", BLOCK),
        ("x();\n}", BLOCK),  # and this one may go on: `});`
        ("a\n  c", FillOptions(stop_line="  c")),
        ("a\n    c\n", FillOptions(stop_line="  c")),
    ],
)
def test_a_text_that_may_go_on_has_no_end(text: str, options: FillOptions) -> None:
    assert end_of(text, options) is None
