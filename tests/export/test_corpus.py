"""What gets into a corpus, and above all what does not."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys

import pytest

from export.corpus import Sketches, account, build, flaw_of, is_held_out
from export.licences import Package

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


def code(seed: int, lines: int = 30) -> str:
    rng = random.Random(seed)
    return "".join(
        f"{rng.choice(WORDS)}_{rng.choice(WORDS)} = compute_{rng.choice(WORDS)}({rng.random()})\n"
        for _ in range(lines)
    )


def package(site, name: str, licence: str, files: dict[str, str]) -> None:
    """Installs a distribution by hand."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: {licence}\n"
    )
    (info / "RECORD").write_text("".join(f"{name}/{file},,\n" for file in files))
    for file, text in files.items():
        path = site / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def write(path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def site(tmp_path):
    return tmp_path / "lib" / "site-packages"


def test_only_permissive_packages_are_taken_and_all_are_in_the_manifest(site):
    package(site, "free", "MIT", {"a.py": code(1)})
    package(site, "copyleft", "GPL-3.0-only", {"a.py": code(2)})
    package(site, "mute", "LicenseRef-Unknown", {"a.py": code(3)})
    corpus = build([site])
    assert corpus.texts == {"python": [code(1)]}
    assert corpus.left_out == {"licence": 2}
    manifest = json.loads(json.dumps(account(corpus)))
    assert manifest["packages"] == [
        {"name": "free", "version": "1.0", "licence": "MIT", "characters": len(code(1))}
    ]


def test_a_file_without_any_package_is_not_taken_but_ones_own_code_is(tmp_path):
    (tmp_path / "mine.py").write_text(code(1))
    assert build([tmp_path]).texts == {}
    assert build([tmp_path], own=True).texts == {"python": [code(1)]}


def test_a_text_is_taken_without_byte_order_mark_and_with_line_feeds(tmp_path):
    (tmp_path / "mine.cpp").write_bytes(b"\xef\xbb\xbf" + code(1).replace("\n", "\r\n").encode())
    assert build([tmp_path], own=True).texts == {"cpp": [code(1)]}


def test_of_ones_own_code_every_twentieth_file_or_so_is_held_out(tmp_path):
    for number in range(45):
        (tmp_path / f"mine{number:02}.py").write_text(code(number))
    corpus = build([tmp_path], own=True)
    assert [len(corpus.texts["python"]), len(corpus.held_out["python"])] == [42, 3]
    assert not set(corpus.texts["python"]) & set(corpus.held_out["python"])


def test_ones_own_code_may_be_called_like_a_held_out_package(tmp_path):
    (tmp_path / "click").mkdir()
    (tmp_path / "click" / "requests.py").write_text(code(1))
    corpus = build([tmp_path], own=True)
    assert corpus.texts == {"python": [code(1)]}
    assert account(corpus, own=True)["held_out"] == []


def test_what_others_wrote_is_not_ones_own(tmp_path):
    for folder in (".venv/lib/python3.11/site-packages/x", "web/node_modules/y", ".tox", "src"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "code.py").write_text(code(len(folder)))
    assert build([tmp_path], own=True).texts == {"python": [code(len("src"))]}


def test_vendored_code_is_not_taken_under_the_licence_of_its_host(site):
    package(site, "host", "MIT", {"a.py": code(1), "_vendor/other/b.py": code(2)})
    assert build([site]).texts == {"python": [code(1)]}


def test_a_crate_is_taken_with_its_name_version_and_licence_and_what_it_brings_is_not(tmp_path):
    crate = tmp_path / "registry" / "free-1.2.0"
    write(crate / "Cargo.toml", '[package]\nname = "free"\nversion = "1.2.0"\nlicense = "MIT"\n')
    write(crate / "src" / "lib.rs", code(1))
    write(crate / "vendor" / "other.c", code(2))
    corpus = build([tmp_path])
    assert corpus.texts == {"rust": [code(1)]}
    assert list(corpus.packages) == [Package("free", "1.2.0", "MIT")]


def test_descriptions_that_describe_no_package_are_passed_over(tmp_path):
    crate, free = tmp_path / "free-1.2.0", tmp_path / "node_modules" / "free"
    write(crate / "Cargo.toml", '[package]\nname = "free"\nlicense = "MIT"\nversion = {a = 1}\n')
    write(crate / "tests" / "odd" / "Cargo.toml", "package = 3\n")
    write(crate / "tests" / "odd" / "lib.rs", code(1))
    write(free / "package.json", '{"name": "free", "version": "2", "license": "MIT"}')
    write(free / "tests" / "package.json", "[]")
    write(free / "tests" / "odd.js", code(2))
    corpus = build([tmp_path])
    assert corpus.texts == {"rust": [code(1)], "javascript": [code(2)]}
    assert set(corpus.packages) == {Package("free", "", "MIT"), Package("free", "2", "MIT")}


def test_a_crate_with_the_licence_of_its_workspace_is_not_taken(tmp_path):
    write(tmp_path / "Cargo.toml", '[workspace.package]\nlicense = "MIT"\n')
    write(tmp_path / "a" / "Cargo.toml", '[package]\nname = "a"\nlicense.workspace = true\n')
    write(tmp_path / "a" / "lib.rs", code(1))
    assert build([tmp_path]).texts == {}


def test_the_source_of_a_distribution_is_taken_under_its_licence(tmp_path):
    told = "Metadata-Version: 2.4\nName: free\nVersion: 3\nLicense-Expression: {}\n\nAbout it.\n"
    write(tmp_path / "free-3" / "PKG-INFO", told.format("BSD-3-Clause"))
    write(tmp_path / "free-3" / "src" / "fast.c", code(1))
    write(tmp_path / "copyleft-3" / "PKG-INFO", told.format("GPL-3.0-only"))
    write(tmp_path / "copyleft-3" / "src" / "fast.c", code(2))
    mixed = "MIT License; however, what lies in the folder of examples is under the GPL"
    write(tmp_path / "mixed-3" / "PKG-INFO", f"Name: mixed\nVersion: 3\nLicense: {mixed}\n")
    write(tmp_path / "mixed-3" / "src" / "fast.c", code(3))
    corpus = build([tmp_path])
    assert corpus.texts == {"c": [code(1)]}
    assert list(corpus.packages) == [Package("free", "3", "BSD-3-Clause")]


@pytest.mark.parametrize(
    ("second", "taken"),
    [("Apache-2.0", True), ("GPL-2+", False), ("Expat and Artistic", False), ("", False)],
)
def test_a_package_of_debian_needs_all_its_licences_to_be_permissive(tmp_path, second, taken):
    docs = tmp_path / "golang-free-dev" / "usr" / "share" / "doc" / "golang-free-dev"
    write(docs / "copyright", f"Files: *\nLicense: Expat\n\nFiles: debian/*\nlicense: {second}\n")
    (docs / "changelog.Debian.gz").write_bytes(gzip.compress(b"golang-free (1.4-2) unstable\n"))
    write(tmp_path / "golang-free-dev" / "usr" / "share" / "gocode" / "src" / "a.go", code(1))
    corpus = build([tmp_path])
    assert corpus.texts == ({"go": [code(1)]} if taken else {})
    found = [Package("golang-free-dev", "1.4-2", f"Expat AND {second}")]
    assert list(corpus.packages) == (found if taken else [])


def test_code_of_another_language_in_an_npm_package_is_not_taken_from_its_dependencies(tmp_path):
    free = tmp_path / "node_modules" / "free"
    write(free / "package.json", '{"name": "free", "version": "1", "license": "MIT"}')
    write(free / "src" / "binding.cc", code(1))
    write(free / "deps" / "other" / "other.c", code(2))
    assert build([tmp_path]).texts == {"cpp": [code(1)]}


def test_held_out_packages_are_kept_out_by_name_and_kept_for_evaluation(site):
    package(site, "flask", "BSD-3-Clause", {"app.py": code(1)})
    package(site, "free", "MIT", {"a.py": code(2)})
    corpus = build([site])
    assert corpus.texts == {"python": [code(2)]}
    assert corpus.held_out == {"python": [code(1)]}


def test_copies_of_held_out_code_are_kept_out_by_content(site):
    package(site, "flask", "BSD-3-Clause", {"app.py": code(1)})
    partly = code(1, 10) + code(5, 20)
    package(site, "thief", "MIT", {"renamed.py": code(1), "partly.py": partly, "own.py": code(7)})
    corpus = build([site])
    assert corpus.texts == {"python": [code(7)]}
    assert corpus.left_out["copy of held-out code"] == 2


def test_names_on_the_path_hold_out_modules_and_npm_packages(tmp_path):
    assert is_held_out(tmp_path / "python3.12" / "textwrap.py")
    assert is_held_out(tmp_path / "node_modules" / "semver" / "index.js")
    assert not is_held_out(tmp_path / "semver" / "index.py")
    assert is_held_out(tmp_path / "registry" / "clap-4.0.32" / "src" / "lib.rs")
    assert not is_held_out(tmp_path / "registry" / "clap_derive-4.0.32" / "src" / "lib.rs")


def test_near_duplicates_are_taken_once(site):
    changed = code(1).replace(code(1).splitlines()[4], "something_else = entirely(different)")
    package(site, "free", "MIT", {"a.py": code(1), "b.py": changed, "c.py": code(2)})
    corpus = build([site])
    assert sorted(corpus.texts["python"]) == sorted([code(1), code(2)])
    assert corpus.left_out == {"duplicate": 1}


def test_a_sketch_tells_different_texts_apart():
    seen = Sketches()
    assert not any(seen.has_near(code(seed)) for seed in range(20))
    assert all(seen.has_near(code(seed)) for seed in range(20))


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        (code(1), None),
        ("x = 1\n", "size"),
        (code(1) + "x = '" + "a" * 400 + "'\n", "long lines"),
        ("# Generated by the protocol compiler. DO NOT EDIT!\n" + code(1), "generated"),
        (code(1) + 'KEY = "AKIA' + "Q" * 16 + '"\n', "secret"),
        (code(1) + "-----BEGIN RSA PRIVATE KEY-----\n", "secret"),
    ],
)
def test_flaws(text, flaw):
    assert flaw_of(text) == flaw


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND Apache-2.0", True),
        ("PSF-2.0", True),
        ("GNU General Public License v3 (GPLv3)", False),
        ("MIT OR LGPL-2.1", False),
        ("MPL-2.0 AND MIT", False),
        ("(MIT OR Apache-2.0) AND (BSD-2-Clause and ISC)", True),
        ("Historical Permission Notice and Disclaimer (HPND)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Apache-2.0 with Commons Clause", False),
        ("MIT and Artistic-2.0", False),
        ("(MIT And\nArtistic-2.0)", False),
        ("", False),
        ("LicenseRef-Proprietary", False),
        ("unknown", False),
        ("UNLICENSED", False),
    ],
)
def test_licences(licence, allowed):
    assert Package("x", "1", licence).is_allowed is allowed


def test_the_command_writes_texts_and_manifest(site, tmp_path):
    package(site, "free", "MIT", {"a.py": code(1), "b.js": code(2)})
    package(site, "click", "BSD-3-Clause", {"c.py": code(3)})
    to = tmp_path / "corpus"
    command = [sys.executable, "-m", "export", "corpus", str(site), "--to", str(to)]
    write(to / "go.txt", "of an earlier corpus")
    write(to / "held-go.txt", "of an earlier corpus")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    written = {"python.txt", "javascript.txt", "held-python.txt", "manifest.json"}
    assert {path.name for path in to.iterdir()} == written
    assert (to / "python.txt").read_text() == code(1)
    assert (to / "held-python.txt").read_text() == code(3)
    manifest = json.loads((to / "manifest.json").read_text())
    assert manifest["languages"]["javascript"]["files"] == 1
    assert json.loads(done.stdout.splitlines()[-1])["packages"] == 1
