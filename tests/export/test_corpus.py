"""What gets into a corpus, and above all what does not."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys

import pytest

from export.corpus import Sketches, account, build, flaw_of, is_held_out, line_hashes
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


def test_of_ones_own_code_one_file_of_twenty_is_held_out_and_stays_so(tmp_path):
    for number in range(120):
        write(tmp_path / "app" / f"mine{number}.py", code(number))
    first = build([tmp_path], own=True)
    for number in range(120, 240):
        write(tmp_path / "app" / f"mine{number}.py", code(number))
    second = build([tmp_path], own=True)
    assert 3 <= len(first.held_out["python"]) <= 9
    assert set(first.held_out["python"]) < set(second.held_out["python"])
    assert len(second.texts["python"]) + len(second.held_out["python"]) == 240
    assert not set(second.texts["python"]) & set(second.held_out["python"])


def test_one_of_several_own_files_is_held_out_and_a_single_one_is_not(tmp_path):
    for number in range(3):
        (tmp_path / f"mine{number}.py").write_text(code(number))
        write(tmp_path / f"short{number}" / "__init__.py", "")
    (tmp_path / "mine.go").write_text(code(4))
    corpus = build([tmp_path], own=True)
    assert {language: len(texts) for language, texts in corpus.texts.items()} == {
        "python": 2,
        "go": 1,
    }
    assert {language: len(texts) for language, texts in corpus.held_out.items()} == {"python": 1}


def test_own_files_that_copy_from_a_held_out_one_are_not_trained_on(tmp_path):
    for number in range(3):
        (tmp_path / f"mine{number}.py").write_text(code(99, 10) + code(number, 20))
    corpus = build([tmp_path], own=True)
    assert corpus.texts == {}
    assert corpus.left_out == {"held out": 1, "copy of held-out code": 2}


def test_ones_own_code_may_be_called_like_a_held_out_package(tmp_path):
    (tmp_path / "click").mkdir()
    (tmp_path / "click" / "requests.py").write_text(code(1))
    corpus = build([tmp_path], own=True)
    assert corpus.texts == {"python": [code(1)]}
    assert account(corpus, own=True)["held_out"] == []


def test_what_others_wrote_is_not_ones_own(tmp_path):
    others = (".venv/lib/python3.11/site-packages/x", "web/node_modules/y", ".tox", "venv/z")
    tools = ("vendor/github.com", "third_party/zlib", "target/debug", "build/lib", "app/_vendor")
    for folder in (*others, *tools, "src"):
        write(tmp_path / folder / "code.py", code(len(folder)))
    assert build([tmp_path], own=True).texts == {"python": [code(len("src"))]}


@pytest.mark.parametrize(("mit", "gpl"), [("a", "z"), ("z", "a")])
def test_of_packages_in_one_folder_each_file_has_the_licence_of_its_own(site, mit, gpl):
    for name, licence, seed in ((mit, "MIT", 1), (gpl, "GPL-3.0-only", 2)):
        package(site, name, licence, {})
        write(site / "ns" / name / "code.py", code(seed))
        (site / f"{name}-1.0.dist-info" / "RECORD").write_text(f"ns/{name}/code.py,,\n")
    write(site / "ns" / "unlisted.py", code(3))
    corpus = build([site])
    assert corpus.texts == {"python": [code(1)]}
    assert corpus.left_out == {"licence": 2}
    assert list(corpus.packages) == [Package(mit, "1.0", "MIT")]


@pytest.mark.parametrize(("first", "second"), [("MIT", "GPL-3"), ("GPL-3", "MIT"), ("MIT", "BSD")])
def test_where_it_is_not_told_whose_a_file_is_all_owners_must_be_permissive(site, first, second):
    for name, licence in (("a", first), ("b", second)):
        package(site, name, licence, {})
        (site / f"{name}-1.0.dist-info" / "RECORD").unlink()
        (site / f"{name}-1.0.dist-info" / "top_level.txt").write_text("ns\n")
    write(site / "ns" / "code.py", code(1))
    assert build([site]).texts == ({"python": [code(1)]} if second == "BSD" else {})


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


@pytest.mark.parametrize(
    ("first", "each", "last"), [("", "# ", "#\n"), ("", "// ", ""), ("/*\n", " * ", " */\n")]
)
def test_a_licence_at_the_head_of_files_makes_them_neither_duplicates_nor_copies(
    tmp_path, first, each, last
):
    licence = [f"{each}licensed under the terms of paragraph {n} of it\n" for n in range(20)]
    for number in range(20):
        text = first + "".join(licence) + last + "\n" + code(number, 12)
        (tmp_path / f"mine{number}.go").write_text(text)
    corpus = build([tmp_path], own=True)
    assert len(corpus.texts["go"]) + len(corpus.held_out["go"]) == 20


def test_lines_that_only_look_like_a_comment_tell_where_a_text_comes_from():
    for line in ("#include <some/header/of/a/library.h>", "#![allow(clippy::module_inception)]"):
        assert line_hashes(f"// A program.\n{line}\n") == line_hashes(line) != set()


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


@pytest.fixture
def corpus_command(tmp_path):
    """Runs `corpus` with some roots, in a folder where an earlier corpus is."""
    write(tmp_path / "corpus" / "python.txt", "of an earlier corpus")

    def run(*roots: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "export", "corpus", "--to", str(tmp_path / "corpus")]
        return subprocess.run([*command, *roots], capture_output=True, text=True, cwd=tmp_path)

    return run


def test_files_that_lie_in_the_root_itself_are_taken(tmp_path, corpus_command):
    for number in range(3):
        (tmp_path / f"mine{number}.py").write_text(code(number))
    done = corpus_command("--own", ".", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["languages"]["python"]["files"] == 2
    assert (told["held_out_files"], told["left_out"]) == ({"python": 1}, {"held out": 1})


def test_a_root_that_gives_nothing_is_an_error_and_leaves_the_earlier_corpus(
    tmp_path, corpus_command
):
    write(tmp_path / "foreign" / "code.py", code(1))
    write(tmp_path / "good" / "code.py", code(2))
    for root, said in {
        "missing": "missing: no such folder",
        "good/code.py": "good/code.py: no such folder",
        "foreign": "foreign: no file was taken; left out: licence 1",
    }.items():
        done = corpus_command(root)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert (tmp_path / "corpus" / "python.txt").read_text() == "of an earlier corpus"


def test_the_path_to_a_root_may_have_a_name_that_is_skipped_below_it(tmp_path):
    write(tmp_path / "dist" / "kubernetes" / "mine.py", code(1))
    write(tmp_path / "dist" / "kubernetes" / "dist" / "built.py", code(2))
    assert build([tmp_path / "dist" / "kubernetes"], own=True).texts == {"python": [code(1)]}
    assert build([tmp_path], own=True).texts == {}
