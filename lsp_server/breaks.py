"""Whether a file parses worse with a fill in it, where the fill may wait for what must follow.

Pure: it knows text, tree and span. Where it breaks is the critic's (`critic.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lsp_server.brackets import PAIRS, unmatched
from lsp_server.indent import indentation
from lsp_server.spans import Span, SpanKind
from lsp_server.syntax import canonical, compiles

_NAME = "x"
"""What a gap is held to contain where nothing at all would be an error."""

_INSIDE = {"{": "", "(": _NAME, "[": _NAME}
"""What may stand within a bracket that a line ends with."""
_NAMELESS = ("go", "java")
"""Languages with parentheses that may be empty but not hold a name alone: `import (`, parameters
that have a type first."""
_BEHIND = {"python": ("", ": pass")}
"""What may follow a line whose brackets are closed, by language, the likeliest first."""
_BEHIND_OTHERS = (";", "", " {}")
_CLAUSES = {
    "do": (" while (x);",),
    "import": (" from 'x';",),
    "try": (" finally {}", " catch (x) {}"),
}
"""What must follow in those others after braces, by the word the line begins with."""
_DECORATOR = re.compile(r"@[\w.]+(?:\(.*\))?|#\[.*\]|\[\[.*\]\]|template *<.*>")
"""A line that stands above a definition."""
_CLASS_OR_MEMBER = ("class x {}", "x;")
_DEFINITIONS = {
    **dict.fromkeys(("c", "cpp", "java"), ("int x;",)),
    **dict.fromkeys(("javascript", "typescript", "typescriptreact"), _CLASS_OR_MEMBER),
    "python": ("def x(): pass",),
    "rust": ("x: x", "x"),
}
"""The least that may stand below it, one of them at any place."""


def breaks_syntax(span: Span, end: int, text: str) -> bool:
    """Whether there are more errors once span.start..end is `text` than there are now.

    A line that cannot be the last of what it begins (`if (x) {`, `return (`, `@property`) is held
    to that once it is made whole. A gap that needs something is an error while it is empty
    (`x = `), so where the document has errors the fill is also held to what a plain name in its
    place would leave.
    """
    document = span.document
    if document.tree is None or span.kind is SpanKind.COMMENT:
        return False
    for whole in _made_whole(span, text):
        left = document.replaced(span.start, end, whole).errors
        if left == 0:
            return span.kind is SpanKind.LINES and _no_longer_compiles(span, end, text)
        if left <= document.errors and left <= _errors_with_a_name(span):
            return False
    return True


def _errors_with_a_name(span: Span) -> int:
    """How many errors there are with a plain name in the span."""
    return span.document.replaced(span.start, span.end, _NAME).errors


def _no_longer_compiles(span: Span, end: int, text: str) -> bool:
    """Whether Python took the file and does not once span.start..end is `text`: lines written anew
    may take the head from a block, or a clause from a `try`, which the grammar does not mind."""
    before, language = span.document.text, span.document.language
    after = before[: span.start] + text + before[end:]
    return not compiles(language, after) and compiles(language, before)


def _made_whole(span: Span, text: str) -> Iterator[str]:
    """A fill as it is and, where it is a line that others must follow, with the least that may.

    Such a line ends by opening a bracket or stands above a definition. Each text is parsed in the
    place of the fill, so they are few, the likeliest first.
    """
    language = canonical(span.document.language)
    opens = span.stop_at_newline and text.rstrip()[-1:] in PAIRS
    if opens:
        for closed in _closed(text, language):
            yield from (closed + more for more in _behind(span.left + closed, language))
    yield text
    if span.stop_at_newline and not opens:
        yield from (text + more for more in _below(span.left + text, language))


def _closed(text: str, language: str) -> Iterator[str]:
    """A text that ends by opening a bracket, with what it may hold and all that it opens closed."""
    last = text.rstrip()[-1]
    opened = unmatched(text, language).opened
    closers = "".join(PAIRS[bracket.symbol] for bracket in reversed(opened))
    yield text + _INSIDE[last] + closers
    if last == "(" and language in _NAMELESS:
        yield text + closers


def _behind(line: str, language: str) -> tuple[str, ...]:
    """What may follow a line whose brackets are closed."""
    if below := _below(line, language):
        return below
    if language in _BEHIND:
        return _BEHIND[language]
    words = line.partition("{")[0].split() if line.endswith("}") else []
    return _CLAUSES.get(words[0], _BEHIND_OTHERS) if words else _BEHIND_OTHERS


def _below(line: str, language: str) -> tuple[str, ...]:
    """What may stand below a line, if that must be a definition."""
    if not _DECORATOR.fullmatch(line.strip()):
        return ()
    known = _DEFINITIONS.get(language, ())
    return tuple(f"\n{indentation(line)}{definition}" for definition in known)
