"""Which package a source file belongs to, and whether its licence lets us train on it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

_ALLOWED = re.compile(
    r"(?i)\bMIT\b|\bBSD|\bApache|\bISC\b|\bPSF|Python Software Foundation|\bUnlicense\b|\bZlib"
    r"|\bHPND\b|\bCC0|Public Domain|\bBlueOak|Expat|\bPython-2\.0"
)
_DENIED = re.compile(r"(?i)GPL|General Public|Proprietary|Commercial|CC-BY-NC|CC-BY-SA|SSPL|NVIDIA")


@dataclass(frozen=True, slots=True)
class Package:
    """A package as the manifest names it."""

    name: str
    version: str
    licence: str

    @property
    def is_allowed(self) -> bool:
        """Whether the licence is permissive, by an allow-list; unknown is not."""
        return bool(_ALLOWED.search(self.licence)) and not _DENIED.search(self.licence)


def package_of(path: Path) -> Package | None:
    """The package of a file: an installed distribution, an npm package, or Python's library."""
    parts = path.parts
    if "node_modules" in parts:
        return _npm_package(path)
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            at = len(parts) - parts[::-1].index(folder)
            # A package vendored inside another has a licence of its own that is not recorded.
            if "_vendor" in parts[at:] or "vendor" in parts[at:] or at >= len(parts):
                return None
            return _installed(Path(*parts[:at])).get(parts[at].removesuffix(".py"))
    if match := re.search(r"/lib/python(\d\.\d+)/", str(path)):
        return Package("python", match[1], "PSF-2.0")
    return None


@cache
def _installed(site: Path) -> dict[str, Package]:
    """Top-level module -> package of every distribution in a folder of packages."""
    found = {}
    for distribution in distributions(path=[str(site)]):
        package = Package(
            distribution.metadata["Name"] or "?", distribution.version, _licence(distribution)
        )
        for module in _modules(distribution):
            found[module] = package
    return found


def _modules(distribution: Distribution) -> set[str]:
    """Names of the modules and packages a distribution puts into its folder."""
    listed = (distribution.read_text("top_level.txt") or "").split()
    files = {file.parts[0] for file in distribution.files or () if file.suffix == ".py"}
    return {name.removesuffix(".py") for name in (*listed, *files)} - {"..", "tests", "test"}


def _licence(distribution: Distribution) -> str:
    """The licence expression, else the classifiers, else the first line of the licence field."""
    metadata = distribution.metadata
    if expression := metadata["License-Expression"]:
        return str(expression)
    classifiers = [
        value.rsplit("::", 1)[1].strip()
        for value in metadata.get_all("Classifier") or ()
        if value.startswith("License ::") and not value.endswith("OSI Approved")
    ]
    lines = (metadata["License"] or "unknown").strip().splitlines()
    return " AND ".join(classifiers) or (lines[0][:60] if lines else "unknown")


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
    licence = facts.get("license", "unknown")
    licence = licence.get("type", "unknown") if isinstance(licence, dict) else licence
    if not facts.get("name"):
        return None
    return Package(str(facts["name"]), str(facts.get("version", "")), str(licence))
