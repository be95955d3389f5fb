"""`lacuna fill` with a scripted model: what it prints and writes for a given fill."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, FillOptions, Mode
from engine.fake import scripted_engine
from lsp_server.cli import main
from lsp_server.fill import Command
from lsp_server.nothing import Nothing
from lsp_server.usage import parser

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the model say `texts`, one for each request."""

    def say(*texts: str, **how: Any) -> None:
        engine = scripted_engine(texts, **how)
        monkeypatch.setattr(Engine, "open", lambda *_, **__: engine)

    return say


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text("import json\n\n\ndef load(f):\n    data = \n    return data\n")
    return path


def test_it_prints_the_fill_and_nothing_else(script: Any, source: Path, capsys: Captured) -> None:
    script("json.load(f)")
    before = source.read_bytes()
    assert main(["fill", str(source), "--at", "5:12"]) == 0
    assert capsys.readouterr() == ("json.load(f)\n", "")
    assert source.read_bytes() == before


def test_json_tells_everything(script: Any, source: Path, capsys: Captured) -> None:
    script("json.load(f)")
    assert main(["fill", str(source), "--at", "5:12", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    milliseconds = told.pop("ms")
    assert set(milliseconds) == {"load", "fill", "tokenize", "context", "denoise", "base"}
    assert milliseconds["fill"] >= milliseconds["context"] + milliseconds["denoise"] > 0
    assert told.pop("mean_log_prob") < 0
    assert 0 < told.pop("probability") < 1
    assert told.pop("steps") >= 2  # the script is sure of eight tokens a step
    assert told == {
        "text": "json.load(f)",
        "range": {"start": {"line": 5, "column": 12}, "end": {"line": 5, "column": 12}},
        "kind": "line-end",
        "tokens": len("json.load(f)") + 1,
        "checks": 0,
        "finish": "end",
        "base_log_prob": None,
        "reason": None,
        "mode": "diffusion",
        "model": "scripted",
        "provider": "cpu",
        "others": [],
    }


@pytest.mark.parametrize(
    ("mode", "passes"),
    [
        ("left-to-right", len("json.load(f)") + 2),  # one heals the blank, one finds the end
        ("verified", 4),  # of which each puts forward what the next one checks
    ],
)
def test_the_mode_is_chosen_and_its_cost_told(
    script: Any, source: Path, capsys: Captured, mode: str, passes: int
) -> None:
    script("json.load(f)")
    assert main(["fill", str(source), "--at", "5:12", "--mode", mode, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["text"], told["mode"], told["steps"]) == ("json.load(f)", mode, passes)
    assert told["checks"] == (mode == "verified")
    assert told["base_log_prob"] == told["mean_log_prob"]
    assert told["ms"]["base"] > 0


def test_a_diff_can_be_applied(script: Any, source: Path, capsys: Captured) -> None:
    script("json.load(f)")
    source.write_bytes(source.read_bytes().rstrip(b"\n"))  # the last line has no line end
    assert main(["fill", str(source), "--at", "5:12", "--diff"]) == 0
    patch = capsys.readouterr().out
    assert "\\ No newline at end of file" in patch
    path = ["--directory=/", "-p1", "--unsafe-paths"]
    subprocess.run(["git", "apply", *path], input=patch.encode(), check=True, cwd=source.parent)
    assert source.read_text().endswith("data = json.load(f)\n    return data")


def test_what_is_asked_for_is_what_the_engine_is_given() -> None:
    asked = "--mode verified --max-tokens 9 --steps 3 --threshold 0.4 --temperature 0.5"
    asked += " --seed 7 --candidates 2"
    arguments = vars(parser().parse_args(["fill", "a.py", "--at", "1:1", *asked.split()]))
    del arguments["command"]
    assert Command(**arguments).options == FillOptions(
        mode=Mode.VERIFIED,
        max_tokens=9,
        steps=3,
        threshold=0.4,
        temperature=0.5,
        seed=7,
        candidates=2,
    )


def test_a_diff_of_a_file_with_a_byte_order_mark_can_be_applied(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script("b")
    path = tmp_path / "a.py"
    path.write_bytes("\ufeffa = \r\nb = 1\r\n".encode())
    monkeypatch.chdir(tmp_path)
    assert main(["fill", "a.py", "--at", "1:5", "--diff"]) == 0
    patch = capsys.readouterr().out.encode()
    subprocess.run(["git", "apply", "--whitespace=nowarn"], input=patch, check=True)
    assert path.read_bytes() == "\ufeffa = b\r\nb = 1\r\n".encode()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("my file.py", b"my file.py\t"),
        ("./a.py", b"a.py"),
        ("../here/b/../a.py", b"a.py"),
        ("n\udcff.py", b"n\xff.py"),
    ],
)
def test_a_patch_names_the_file_so_that_it_applies_here(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, told: bytes
) -> None:
    script("b")
    here = tmp_path / "here"
    (here / "b").mkdir(parents=True)
    monkeypatch.chdir(here)
    Path(given).write_text("a = \nb = 1\n")
    printed = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", printed)
    assert main(["fill", given, "--at", "1:5", "--diff"]) == 0
    patch = printed.buffer.getvalue()
    assert patch.splitlines()[:2] == [b"--- a/" + told, b"+++ b/" + told]
    subprocess.run(["git", "apply"], input=patch, check=True)
    assert Path(given).read_text() == "a = b\nb = 1\n"


def test_a_patch_of_a_file_elsewhere_names_it_from_the_root(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script("b", "b")
    path = tmp_path / "a.py"
    path.write_text("a = \n")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for given in ("../a.py", str(path)):
        assert main(["fill", given, "--at", "1:5", "--diff"]) == 0
        assert capsys.readouterr().out.startswith(f"--- a{path}\n+++ b{path}\n")


class Screen(io.TextIOWrapper):
    """What says of itself that it is a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def seen(self) -> bytes:
        """What was written there, less its colours."""
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return re.sub(rb"\x1b\[[\d;]*m", b"", self.buffer.getvalue())


def test_a_diff_on_a_terminal_has_colours_and_is_whole(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script("json.load(f)")
    path = tmp_path / "wide.py"
    path.write_text(f"import json\n# {'long ' * 40}\ndata = \n\n\n")
    screen = Screen(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "20")
    assert main(["fill", str(path), "--at", "3:8", "--diff"]) == 0
    _, _, *lines = screen.seen.decode().splitlines(keepends=True)
    before = path.read_text().splitlines(keepends=True)
    assert lines[1:3] == [f" {line}" for line in before[:2]]
    assert lines[3:] == ["-data = \n", "+data = json.load(f)\n", " \n", " \n"]
    assert b"\x1b[" in screen.buffer.getvalue()


def test_a_diff_that_the_terminal_cannot_show_in_colours_is_printed_as_it_stands(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script("b")
    path = tmp_path / "emoji.py"
    path.write_text('a = "😋", \n', "utf-8")
    screen = Screen(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["fill", str(path), "--at", "1:10", "--diff"]) == 0
    assert screen.buffer.getvalue().decode().endswith('-a = "😋", \n+a = "😋", b\n')


def test_write_changes_the_file_and_says_where(script: Any, source: Path, capsys: Captured) -> None:
    script("json.load(f)")
    assert main(["fill", str(source), "--at", "5:12", "--write"]) == 0
    assert source.read_text().splitlines()[4] == "    data = json.load(f)"
    assert capsys.readouterr() == ("", f"lacuna: filled {source}:5:12\n")


@pytest.mark.parametrize("how", ["--write", "--diff"])
def test_a_bracket_that_nothing_closes_is_printed_but_not_written(
    script: Any, tmp_path: Path, capsys: Captured, how: str
) -> None:
    path = tmp_path / "sum.ts"
    path.write_text("function sum(xs: number[]) {\n  let all = 0;\n  \n  return all;\n}\n")
    before, place = path.read_bytes(), ["fill", str(path), "--at", "3:3"]
    script("for (const x of xs) {")
    assert main(place) == 0
    assert capsys.readouterr().out == "for (const x of xs) {\n"
    script("for (const x of xs) {")
    assert main([*place, how]) == 1
    assert capsys.readouterr().err.endswith(
        "Without --write and --diff it is printed. (leaves-open)\n"
    )
    assert path.read_bytes() == before
    script("for (const x of xs) all += x;")
    assert main([*place, how]) == 0


def test_lines_are_written_anew_and_printed_whole(
    script: Any, source: Path, capsys: Captured
) -> None:
    script("    data = json.load(f)\n    return data.items()")
    assert main(["fill", str(source), "--lines", "5-6"]) == 0
    assert capsys.readouterr().out == "    data = json.load(f)\n    return data.items()\n"


def test_a_window_on_an_editors_file_stays_as_it_was(script: Any, tmp_path: Path) -> None:
    """Byte-order mark, CR LF, tabs and an emoji before the cursor; columns count characters."""
    script("b\n\tc = 2")
    path = tmp_path / "a.py"
    path.write_bytes('\ufeffdef f():\r\n\ta = "😋", \r\n\treturn a\r\n'.encode())
    assert main(["fill", str(path), "--at", "2:11", "--write"]) == 0
    assert path.read_bytes() == '\ufeffdef f():\r\n\ta = "😋", b\r\n\treturn a\r\n'.encode()
    script("\tb = 1\n\treturn b")
    assert main(["fill", str(path), "--lines", "2-3", "--write"]) == 0
    assert path.read_bytes() == "\ufeffdef f():\r\n\tb = 1\r\n\treturn b\r\n".encode()


def test_standard_input_is_filled_in_the_language_named(
    script: Any, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script("x y z w v u t s")  # breaks the parse, if the language is known
    for language, code in (("go", 1), ("klingon", 0)):
        text = io.TextIOWrapper(io.BytesIO(b"package main\n\nvar a = \n"))
        monkeypatch.setattr(sys, "stdin", text)
        assert main(["fill", "-", "--language", language, "--at", "3:9"]) == code
        err = capsys.readouterr().err
        assert ("breaks-syntax" in err) == (language == "go")
        assert ("no grammar for 'klingon'" in err) == (language == "klingon")


def test_nothing_to_suggest_is_exit_code_1_with_the_reason(
    script: Any, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script("return data")
    nothing = Nothing("repeats-suffix", "The fill only repeats what follows.")
    monkeypatch.setattr("lsp_server.fill.infill", lambda *_, **__: nothing)
    before = source.read_bytes()
    assert main(["fill", str(source), "--at", "5:12", "--json", "--write"]) == 1
    out, err = capsys.readouterr()
    assert err == f"lacuna: nothing to suggest: {nothing.detail} (repeats-suffix)\n"
    told = json.loads(out)
    assert (told["text"], told["reason"], told["model"]) == (None, "repeats-suffix", "scripted")
    assert source.read_bytes() == before


def test_a_place_where_nothing_is_to_be_filled_costs_no_model(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.delattr(Engine, "open")
    assert main(["fill", str(source), "--at", "1:3", "--json"]) == 1
    out, err = capsys.readouterr()
    assert "The cursor is in the middle of a word. (inside-word)" in err
    assert json.loads(out)["reason"] == "inside-word"


def test_fewer_candidates_than_asked_for_are_told(
    script: Any, source: Path, capsys: Captured
) -> None:
    script("json.load(f)")
    arguments = ["fill", str(source), "--at", "5:12", "--one-of", "json.load(f)"]
    assert main([*arguments, "--candidates", "3"]) == 0
    out, err = capsys.readouterr()
    assert out == "--- 1\njson.load(f)\n"
    assert err == "lacuna: 1 of 3 candidates: no more were found that differ and fit their place\n"


def test_candidates_are_numbered(script: Any, source: Path, capsys: Captured) -> None:
    script("f.read()")
    assert main(["fill", str(source), "--at", "5:12", "--candidates", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    numbers = [line for line in lines if line.startswith("--- ")]
    assert numbers == [f"--- {number}" for number in range(1, len(numbers) + 1)]
    assert len(set(lines)) == len(lines) == 2 * len(numbers) > 2


def test_an_engine_that_fails_is_exit_code_2(script: Any, source: Path, capsys: Captured) -> None:
    script("x", fail_on={0})
    before = source.read_bytes()
    assert main(["fill", str(source), "--at", "5:12", "--write"]) == 2
    assert capsys.readouterr() == ("", "lacuna: the script says that this request fails\n")
    assert source.read_bytes() == before


def test_a_fault_of_our_own_is_not_taken_for_nothing_to_suggest(
    monkeypatch: pytest.MonkeyPatch, source: Path, capsys: Captured
) -> None:
    monkeypatch.setattr(Engine, "open", lambda *_, **__: 1 / 0)
    assert main(["fill", str(source), "--at", "5:12"]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_interrupt_leaves_quietly_with_nothing_written(
    monkeypatch: pytest.MonkeyPatch, source: Path, capsys: Captured
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    before = source.read_bytes()
    monkeypatch.setattr(Engine, "open", interrupt)
    assert main(["fill", str(source), "--at", "5:12", "--write"]) == 130
    assert capsys.readouterr() == ("", "")
    assert source.read_bytes() == before


def test_a_file_changed_while_the_gap_is_filled_is_not_overwritten(
    script: Any, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script("json.load(f)")
    opened = Engine.open

    def meanwhile(*_: Any, **__: Any) -> Engine:
        source.write_text("saved by an editor\n")
        return opened()

    monkeypatch.setattr(Engine, "open", meanwhile)
    assert main(["fill", str(source), "--at", "5:12", "--write"]) == 2
    assert "was changed in the meantime; nothing was written" in capsys.readouterr().err
    assert source.read_text() == "saved by an editor\n"


def test_watch_without_a_terminal_prints_a_line_for_each_step(
    script: Any, source: Path, capsys: Captured
) -> None:
    script("json.load(f)")
    assert main(["fill", str(source), "--at", "5:12", "--watch"]) == 0
    out, err = capsys.readouterr()
    assert out == "json.load(f)\n"
    *steps, last, summary = err.splitlines()
    assert re.search(r" in \d+ steps, probability \d+%, \d+ ms \(", summary)
    assert re.match(r"step  1: 14 of 16 masked, +\d+ ms +data = j░", steps[0])
    assert len(steps) >= 2
    assert last.strip() == "data = json.load(f)"
    assert "loaded in" in summary


def test_a_fill_is_held_to_an_expression(script: Any, source: Path, capsys: Captured) -> None:
    script("json.load(f)")
    held = [r"json\.\w{5}\(f\)", r"(f|json)\.read\(\) *"]
    assert main(["fill", str(source), "--at", "5:12", "--match", held[0]]) == 0
    assert re.fullmatch(held[0] + "\n", capsys.readouterr().out)
    assert main(["fill", str(source), "--at", "5:12", "--match", held[1]]) == 0
    assert re.fullmatch(held[1] + "\n", capsys.readouterr().out)


def test_a_fill_is_one_of_some_texts(
    script: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script("json.load(f)")
    assert main(["fill", str(source), "--at", "5:12", "--one-of", "f.read(),json.load"]) == 0
    assert capsys.readouterr().out == "json.load\n"
    texts = tmp_path / "texts"
    texts.write_text("json.load(f, cls=None)\n\nfoo\n")
    assert main(["fill", str(source), "--at", "5:12", "--one-of", f"@{texts}"]) == 0
    assert capsys.readouterr().out == "json.load(f, cls=None)\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"bar\n")))
    assert main(["fill", str(source), "--at", "5:12", "--one-of", "@-"]) == 0
    assert capsys.readouterr().out == "bar\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--match", "a(b"], "missing ), unterminated subpattern (character 2)\n  a(b\n   ^\n"),
        (
            ["--match", "a{40}"],
            "no fill matches a{40}: the shortest takes 41 of the model's tokens",
        ),
        (["--match", "x", "--mode", "verified"], "mode verified cannot hold a fill to a format"),
        (["--one-of", "@/nowhere"], "/nowhere: no such file"),
        (["--one-of", "@"], "--one-of @ needs the name of a file of texts, such as @names.txt"),
    ],
)
def test_a_format_that_cannot_be_kept_is_refused(
    script: Any, source: Path, capsys: Captured, arguments: list[str], told: str
) -> None:
    script("json.load(f)")
    assert main(["fill", str(source), "--at", "5:12", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


def test_a_mode_that_cannot_keep_a_format_is_refused_before_the_model_is_loaded(
    source: Path, capsys: Captured
) -> None:
    given = ["--match", "x", "--mode", "verified", "--model", "/nowhere"]
    assert main(["fill", str(source), "--at", "5:12", *given]) == 2
    assert "mode verified cannot hold a fill to a format" in capsys.readouterr().err


def test_standard_input_cannot_be_file_and_texts(script: Any, capsys: Captured) -> None:
    script("x")
    assert main(["fill", "-", "--at", "1:1", "--one-of", "@-"]) == 2
    assert "both FILE and the texts" in capsys.readouterr().err
