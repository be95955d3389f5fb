"""Text <-> token ids. It knows the model folder's tokenizer.json, nothing of canvases or models."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

from .errors import ModelFolderError

REPLACEMENT = "\ufffd"
"""What a decoder writes for bytes that are no whole character."""

LINE_END = re.compile(r"(?<=\S)(?=\n)")
"""Where the pattern by which GPT-2 cuts a text into words never joins two characters: a word may
begin with a space, but none goes on with a line break."""
LINES = 2048
"""Most lines whose tokens are remembered."""


def _bytes() -> dict[str, int]:
    """Letter -> byte as byte-level BPE writes it (GPT-2): what is no visible letter of Latin-1
    comes after it, in its order."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {
        chr(256 + index): byte for index, byte in enumerate(others)
    }


BYTES = _bytes()


class Tokenizer(Protocol):
    """Text <-> token ids of one model."""

    @property
    def pieces(self) -> Sequence[bytes]:
        """[vocabulary] the bytes of each token; none for the special ones."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without any special token."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are no whole character become U+FFFD."""
        ...


class FileTokenizer:
    """A tokenizer.json of the Hugging Face tokenizers library."""

    def __init__(self, path: Path) -> None:
        """Raises ModelFolderError when the file cannot be read."""
        from tokenizers import Tokenizer as Library

        try:
            self._library = Library.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelFolderError(f"{path}: is no tokenizer ({error})") from None
        # A file may well contain the text of a special token; it is text there.
        self._library.encode_special_tokens = True
        self._ids = lru_cache(maxsize=LINES)(self._encoded)

    @cached_property
    def pieces(self) -> Sequence[bytes]:
        """See Tokenizer.pieces."""
        vocabulary = self._library.get_vocab()
        special = {token.content for token in self._library.get_added_tokens_decoder().values()}
        found = [b""] * (max(vocabulary.values()) + 1)
        for token, index in vocabulary.items():
            if token not in special and all(letter in BYTES for letter in token):
                found[index] = bytes(BYTES[letter] for letter in token)
        return found

    def encode(self, text: str) -> list[int]:
        """See Tokenizer.encode. A line that was seen lately is not looked at again."""
        # A lone surrogate, which an editor may send, has no UTF-8.
        clean = text.encode("utf-8", "replace").decode("utf-8")
        parts = LINE_END.split(clean) if self._ends_words_at_lines else [clean]
        return [token for part in parts for token in self._ids(part)]

    def _encoded(self, text: str) -> tuple[int, ...]:
        return tuple(self._library.encode(text, add_special_tokens=False).ids)

    @cached_property
    def _ends_words_at_lines(self) -> bool:
        """Whether it cuts texts into words as GPT-2 does, so that each line is cut by itself."""
        cut = self._library.pre_tokenizer
        parts = json.loads(cut.__getstate__()) if cut and not self._library.normalizer else {}
        return any(part.get("use_regex") for part in parts.get("pretokenizers", [parts]))

    def decode(self, ids: Sequence[int]) -> str:
        """See Tokenizer.decode."""
        text: str = self._library.decode(list(ids), skip_special_tokens=True)
        return text
