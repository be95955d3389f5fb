"""Which package a source file belongs to, and whether its licence lets us train on it."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from functools import cache
from importlib.metadata import Distribution, PackageMetadata, PackagePath, distributions
from pathlib import Path

_ALLOWED = re.compile(
    r"(?i)\bMIT\b|\bBSD|\bApache|\bISC\b|\bPSF|Python Software Foundation|\bUnlicense\b|\bZlib"
    r"|\bHPND\b|Historical Permission Notice|\bCC0|Public Domain|\bBlueOak|Expat|\bPython-2\.0"
)
VENDORED = frozenset({"_vendor", "vendor", "third_party", "deps"})
"""Folders of packages within a package."""
_DENIED = re.compile(
    r"(?i)GPL|General Public|Proprietary|Commercial|Commons.Clause|CC-BY-NC|CC-BY-SA|SSPL|NVIDIA"
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package as the manifest names it."""

    name: str
    version: str
    licence: str

    @property
    def is_allowed(self) -> bool:
        """Whether all of the licence is permissive, by an allow-list; unknown is not."""
        parts = re.split(r"(?i)\s+and\s+", self.licence)
        return all(map(_ALLOWED.search, parts)) and not _DENIED.search(self.licence)


def package_of(path: Path) -> Package | None:
    """The package of a file: an installed distribution, an npm package, Python's library, a crate,
    the source of a distribution, or what lies in a folder with an unpacked package of Debian."""
    parts = path.parts
    if "node_modules" in parts:
        return None if _is_vendored(parts, "node_modules") else _npm_package(path)
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            at = len(parts) - parts[::-1].index(folder)
            if _is_vendored(parts, folder) or at >= len(parts):
                return None
            return _installed_at(Path(*parts[:at]), parts[at:])
    if match := re.search(r"/lib/python(\d\.\d+)/", str(path)):
        return Package("python", match[1], "PSF-2.0")
    return _described_above(path)


def _is_vendored(parts: tuple[str, ...], folder: str) -> bool:
    """Whether a file below the last such folder is of a package within a package, which has a
    licence of its own that is not recorded."""
    return bool(VENDORED.intersection(parts[len(parts) - parts[::-1].index(folder) :]))


def _described_above(path: Path) -> Package | None:
    """The package of the nearest description above a file, unless another lies between the two."""
    for folder in path.parents:
        if package := _crate(folder) or _source(folder) or _debian(folder):
            return package
        if folder.name in VENDORED:
            return None
    return None


@cache
def _crate(folder: Path) -> Package | None:
    try:
        facts = tomllib.loads((folder / "Cargo.toml").read_text("utf-8")).get("package")
    except (OSError, ValueError):
        return None
    if not isinstance(facts, dict):
        return None
    # What is not said here, but for a whole workspace, is unknown.
    told = {key: value for key, value in facts.items() if isinstance(value, str)}
    return Package(told.get("name", "?"), told.get("version", ""), told.get("license", "unknown"))


@cache
def _source(folder: Path) -> Package | None:
    """A distribution as it is published, not installed."""
    try:
        metadata = HeaderParser().parsestr((folder / "PKG-INFO").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return Package(metadata["Name"] or "?", metadata["Version"] or "", _licence(metadata))


@cache
def _debian(folder: Path) -> Package | None:
    """A package of Debian that was unpacked into a folder of its own; all licences that its
    copyright file names, as that does not tell which are of the code."""
    files = list(folder.glob("usr/share/doc/*/copyright"))
    if len(files) != 1:
        return None
    text = files[0].read_text("utf-8", "replace")
    named = dict.fromkeys(re.findall(r"(?mi)^License:[ \t]*(.*)$", text))
    return Package(files[0].parent.name, _debian_version(files[0].parent), " AND ".join(named))


def _debian_version(folder: Path) -> str:
    """What stands in brackets in the first line of a Debian package's list of changes."""
    for file in folder.glob("changelog.Debian*.gz"):
        with gzip.open(file, "rt", encoding="utf-8", errors="replace") as lines:
            if match := re.search(r"\(([^)\s]+)\)", lines.readline()):
                return match[1]
    return ""


def _installed_at(site: Path, parts: tuple[str, ...]) -> Package | None:
    """Whose a file in a folder of packages is, as their lists of files tell, else by its top-level
    module. Of several owners one whose licence is not allowed has the say."""
    owned = _installed(site)
    owners = owned.get("/".join(parts)) or owned.get(parts[0].removesuffix(".py"), [])
    return min(owners, key=lambda owner: (owner.is_allowed, owner.name), default=None)


@cache
def _installed(site: Path) -> dict[str, list[Package]]:
    """Files and top-level modules -> owners, of all distributions in a folder of packages."""
    found: dict[str, list[Package]] = {}
    for distribution in distributions(path=[str(site)]):
        package = Package(
            distribution.metadata["Name"] or "?",
            distribution.version,
            _licence(distribution.metadata),
        )
        files = distribution.files or []
        for name in {file.as_posix() for file in files} | _modules(distribution, files):
            found.setdefault(name, []).append(package)
    return found


def _modules(distribution: Distribution, files: list[PackagePath]) -> set[str]:
    """Names of the modules and packages a distribution puts into its folder."""
    listed = (distribution.read_text("top_level.txt") or "").split()
    found = {file.parts[0] for file in files if file.suffix == ".py"}
    return {name.removesuffix(".py") for name in (*listed, *found)} - {"..", "tests", "test"}


def _licence(metadata: PackageMetadata | Message) -> str:
    """The licence expression, else the classifiers, else the first line of the licence field."""
    if expression := metadata["License-Expression"]:
        return str(expression)
    classifiers = [
        value.rsplit("::", 1)[1].strip()
        for value in metadata.get_all("Classifier") or ()
        if value.startswith("License ::") and not value.endswith("OSI Approved")
    ]
    lines = (metadata["License"] or "unknown").strip().splitlines()
    return " AND ".join(classifiers) or (lines[0] if lines else "unknown")


def _npm_package(path: Path) -> Package | None:
    """The nearest package.json with a name above a file."""
    for folder in path.parents:
        if folder.name == "node_modules":
            return None
        if package := _package_json(folder):
            return package
    return None


@cache
def _package_json(folder: Path) -> Package | None:
    try:
        facts = json.loads((folder / "package.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(facts, dict) or not facts.get("name"):
        return None
    licence = facts.get("license", "unknown")
    licence = licence.get("type", "unknown") if isinstance(licence, dict) else licence
    return Package(str(facts["name"]), str(facts.get("version", "")), str(licence))
