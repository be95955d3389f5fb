r"""Folders of source code -> a training corpus: clean files, their licences, nothing held out.

    python -m export corpus --to corpus ~/.pyenv/versions /usr/lib/node_modules

The corpus is a folder: `LANGUAGE.txt` holds the files' texts joined by NUL, `held-LANGUAGE.txt`
those of the packages kept for evaluation, `manifest.json` every package with version, licence and
size, and what was left out and why. A file's package is told by how it is installed or what
describes it: `package.json`, `Cargo.toml`, `PKG-INFO`, or the copyright file of a package of Debian
that was unpacked (`dpkg -x`) into a folder of its own. Held-out packages (`HELD_OUT` and what
follows it) are kept out by name, and by content wherever a copy of them lies. Of one's own code
(`--own`) some one file of twenty is held out instead, chosen by a hash of its path below the folder
that is named, so that it stays held out while the project grows; and copies of it as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lsp_server import syntax
from lsp_server.code_files import SKIPPED

from .licences import VENDORED, Package, package_of

HELD_OUT = frozenset({"requests", "flask", "werkzeug", "click", "jinja2", "textwrap"})
"""Python packages and modules for evaluation only."""
HELD_OUT_JS = frozenset({"semver", "glob", "minimatch", "ini", "chalk", "debug"})
"""npm packages for evaluation only."""

HELD_OUT_OTHERS = {
    "go": frozenset({"cobra", "gin", "logrus", "mux"}),
    "rust": frozenset({"clap", "rand", "rayon", "regex", "semver", "serde_json", "tokio"}),
    "java": frozenset({"ReactAndroid"}),
    "c": frozenset({"greenlet", "markupsafe", "msgpack", "psutil"}),
    "cpp": frozenset({"ReactCommon"}),
}
"""By language, folders for evaluation only, whatever version stands behind their name."""

LANGUAGES = frozenset({"python", "javascript", "typescript", "typescriptreact", *HELD_OUT_OTHERS})
_SKIPPED_FOLDERS = frozenset(
    {"__pycache__", ".git", "generated_clients", "lib2to3", "idnadata", "kubernetes", "test_data"}
    | {"testdata", "cjkencodings", "locales", "locale", "dist", "umd", "min", "esm5", "bundled"}
)
_VERSION = re.compile(r"-v?\d[\w.+-]*$")
"""What follows a name in the name of a folder, such as `clap-4.0.32`."""
_NOT_OWN = SKIPPED | VENDORED
"""Folders of others' code within one's own project; and all whose names begin with a dot."""
_SKIPPED_ENDINGS = (".d.ts", ".d.mts", ".d.cts", ".pyi", ".min.js")
"""Declarations without code, and code without form."""
_GENERATED = re.compile(
    r"(?i)do not edit|@generated|auto-?generated|generated (by|from|automatically)"
    r"|sourceMappingURL|this file (is|was) generated"
)
_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bghp_[0-9A-Za-z]{36}\b"
    r"|\bxox[bp]-[0-9A-Za-z-]{20,}|\bAIza[0-9A-Za-z_-]{35}\b"
)
_HEADER = re.compile(r"\A\s*(?:(?:#(?![a-z\[]|!\[)|//)[^\n]*\s*|/\*.*?\*/\s*)*", re.DOTALL)
"""Comments that a text begins with; `#include` and `#![allow]` are none."""
_SIZES = (300, 200_000)
"""Least and most characters of a file."""
_LONGEST_LINE = 300
_MEAN_LINE = 70
_LINE_FOR_SKETCH = 24
"""Shorter lines say nothing about where a text comes from."""
_SKETCH = 24
"""Line hashes that stand for a file when near-duplicates are looked for."""
_NEAR = 0.6
"""Share of a sketch that another file must have for the two to be near-duplicates."""
_KEPT_BACK = 2**64 // 20
"""Of one's own code files with a smaller hash are held out: one of twenty."""
_BORROWED = 0.15
"""Share of a file's long lines that may also stand in held-out files."""


@dataclass
class Corpus:
    """Texts by language, and the account of what was taken."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    held_out: dict[str, list[str]] = field(default_factory=dict)
    packages: Counter[Package] = field(default_factory=Counter)
    """Characters taken from each package."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Files left out, by reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("roots", nargs="+", type=Path, help="folders with source code")
    parser.add_argument("--to", type=Path, required=True, help="folder to write")
    parser.add_argument("--own", action="store_true", help="your own code: no licence is asked for")


def run(arguments: argparse.Namespace) -> None:
    corpus = build(arguments.roots, own=arguments.own)
    if not corpus.texts and not corpus.held_out:
        roots = ", ".join(map(str, arguments.roots))
        counts = ", ".join(f"{reason} {n}" for reason, n in corpus.left_out.most_common())
        raise FileNotFoundError(f"{roots}: no file was taken; left out: {counts or 'none'}")
    arguments.to.mkdir(parents=True, exist_ok=True)
    for prefix, found in (("", corpus.texts), ("held-", corpus.held_out)):
        for language in LANGUAGES:
            path = arguments.to / f"{prefix}{language}.txt"
            path.unlink(missing_ok=True)  # of an earlier corpus the manifest would not tell
            if language in found:
                path.write_text("\0".join(found[language]), "utf-8")
    manifest = account(corpus, own=arguments.own)
    (arguments.to / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    summary = {key: value for key, value in manifest.items() if key != "packages"}
    print(json.dumps(summary | {"packages": len(corpus.packages)}))


def build(roots: Iterable[Path], *, own: bool = False) -> Corpus:
    """Reads every source file under `roots` that passes the checks, each text once.

    Raises NotADirectoryError for a root that is no folder.
    """
    folders = [folder_of(root) for root in roots]
    found = {path: folder for folder in folders for path in source_files(folder, own=own)}
    paths = sorted(found, key=_newest_first)
    held_back = kept_back(found) if own else set(filter(is_held_out, paths))
    held_lines = {line for path in held_back for line in line_hashes(read(path) or "")}
    corpus, seen, held_seen = Corpus(), Sketches(), Sketches()
    for path in paths:
        package = Package(path.parent.name, "", "own") if own else package_of(path)
        text = read(path)
        reason = refusal(text, package, own=own, held_lines=held_lines)
        if path in held_back:
            reason = "held out"
        if reason is None and text is not None and seen.has_near(text):
            reason = "duplicate"
        language = syntax.canonical(syntax.language_of(path))
        if reason == "held out" and text is not None and keeps_for_evaluation(text, held_seen):
            corpus.held_out.setdefault(language, []).append(text)
        if reason is not None or text is None or package is None:
            corpus.left_out[reason or "unreadable"] += 1
            continue
        corpus.texts.setdefault(language, []).append(text)
        corpus.packages[package] += len(text)
    return corpus


def folder_of(root: Path) -> Path:
    """A root as it really is called: `.` has no name. Raises NotADirectoryError."""
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: no such folder")
    return root.resolve()


def source_files(root: Path, *, own: bool = False) -> Iterator[Path]:
    """Files of the languages trained on, without folders of tests' data and build output; of one's
    own project without what others wrote and tools keep in it. The root's own path has no say."""
    for path in root.rglob("*"):
        known = syntax.canonical(syntax.language_of(path)) in LANGUAGES
        below = path.relative_to(root)
        if (
            known
            and not path.name.endswith(_SKIPPED_ENDINGS)
            and not path.is_symlink()
            and not _SKIPPED_FOLDERS.intersection(below.parts)
            and not (own and is_foreign(below))
        ):
            yield path


def kept_back(found: dict[Path, Path]) -> set[Path]:
    """Of one's own files, each with its root, those to hold out: one of twenty, and at least one of
    each language that has several. Only files that are fit for training are chosen from."""
    hashes: dict[str, dict[Path, int]] = {}
    for path, root in sorted(found.items()):
        if flaw_of(read(path) or "") is None:
            language = syntax.canonical(syntax.language_of(path))
            hashes.setdefault(language, {})[path] = _hash(path.relative_to(root).as_posix())
    held_back: set[Path] = set()
    for numbers in hashes.values():
        if len(numbers) > 1:
            held_back.add(min(numbers, key=numbers.__getitem__))
            held_back.update(path for path, number in numbers.items() if number < _KEPT_BACK)
    return held_back


def is_foreign(path: Path) -> bool:
    """Whether a file of a project lies where tools put others' code."""
    return any(part in _NOT_OWN or part.startswith(".") for part in path.parts)


def _newest_first(path: Path) -> tuple[list[int], str]:
    """Of two versions of a package the newer one is kept: later version numbers sort first."""
    return [-int(number) for number in re.findall(r"\d+", str(path))], str(path)


def read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def is_held_out(path: Path) -> bool:
    """Whether the file belongs to a package kept for evaluation, by the names on its path."""
    names = {part.removesuffix(".py") for part in path.parts}
    js = "node_modules" in path.parts and HELD_OUT_JS.intersection(path.parts)
    others = HELD_OUT_OTHERS.get(syntax.canonical(syntax.language_of(path)), frozenset())
    return bool(HELD_OUT & names or js or others & {_VERSION.sub("", name) for name in names})


def refusal(
    text: str | None, package: Package | None, *, own: bool, held_lines: set[int]
) -> str | None:
    """Why a file is not trained on, or None."""
    if text is None:
        return "unreadable"
    if not own and (package is None or not package.is_allowed):
        return "licence"
    if flaw := flaw_of(text):
        return flaw
    lines = line_hashes(text)
    if len(lines & held_lines) > _BORROWED * len(lines):
        return "copy of held-out code"
    return None


def keeps_for_evaluation(text: str, seen: Sketches) -> bool:
    """Whether a held-out file is sound and the first of its kind."""
    return flaw_of(text) is None and not seen.has_near(text)


def flaw_of(text: str) -> str | None:
    """What makes a text unfit: its size, long lines, signs of a generator, a secret."""
    if not _SIZES[0] <= len(text) <= _SIZES[1] or "\0" in text:
        return "size"
    lines = text.split("\n")
    if max(map(len, lines)) > _LONGEST_LINE or len(text) / len(lines) > _MEAN_LINE:
        return "long lines"
    if _GENERATED.search(text[:1500]):
        return "generated"
    if _SECRET.search(text):
        return "secret"
    return None


def line_hashes(text: str) -> set[int]:
    """Hashes of the long lines of a text, blanks aside. The comments that it begins with are left
    out: many files have the same licence there and nothing else in common."""
    code = _HEADER.sub("", text)
    lines = {re.sub(r"\s+", "", line) for line in code.split("\n")}
    return {_hash(line) for line in lines if len(line) >= _LINE_FOR_SKETCH}


def _hash(text: str) -> int:
    """A number below 2**64 that is always the same for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


class Sketches:
    """What was read so far, each text as its smallest line hashes (a bottom-k MinHash sketch)."""

    def __init__(self) -> None:
        self._files: dict[int, list[int]] = {}
        self._count = 0

    def has_near(self, text: str) -> bool:
        """Whether a text like this one was here before; if not, it is now."""
        sketch = sorted(line_hashes(text))[:_SKETCH] or [hash(text)]
        shared = Counter(number for line in sketch for number in self._files.get(line, ()))
        if shared and max(shared.values()) >= _NEAR * len(sketch):
            return True
        for line in sketch:
            self._files.setdefault(line, []).append(self._count)
        self._count += 1
        return False


def account(corpus: Corpus, *, own: bool = False) -> dict[str, object]:
    """The manifest: what was taken from where under which licence, and what was left out."""
    return {
        "languages": {
            language: {"files": len(texts), "characters": sum(map(len, texts))}
            for language, texts in sorted(corpus.texts.items())
        },
        "held_out_files": {
            language: len(texts) for language, texts in sorted(corpus.held_out.items())
        },
        "left_out": dict(corpus.left_out.most_common()),
        "held_out": [] if own else sorted(HELD_OUT.union(HELD_OUT_JS, *HELD_OUT_OTHERS.values())),
        "packages": [
            {"name": p.name, "version": p.version, "licence": p.licence, "characters": size}
            for p, size in sorted(corpus.packages.items(), key=lambda item: -item[1])
        ],
    }
