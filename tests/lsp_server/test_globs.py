"""Which paths a glob pattern keeps from being read."""

from pathlib import Path

import pytest

from lsp_server.globs import excluded, matches
from lsp_server.settings import DEFAULT_EXCLUDED

TABLE = [
    ("/a/b/c.py", "*.py", True),
    ("/a/b/c.py", "c.py", True),
    ("/a/b/c.py", "b/*.py", True),
    ("/a/b/d/c.py", "b/*.py", False),
    ("/a/b/d/c.py", "b/**/*.py", True),
    ("/a/b/c.py", "b/**/*.py", True),
    ("/a/b/c.py", "/a/**", True),
    ("/a/b/c.py", "/b/**", False),
    ("/a/b/c.pyc", "**/*.py", False),
    ("/a/ab.py", "**/b.py", False),
    ("/a/x1", "x?", True),
    ("/a/x/", "x?", False),
    ("/a/c.TS", "*.{ts,js}", True),
    ("/a/c.rs", "*.{ts,js}", False),
    ("/a/x1", "x[0-9]", True),
    ("/a/xb", "x[!0-9]", True),
    ("/a/x.y", "x[.]y", True),
    ("/a/[", "[", True),
    ("/a/{b", "{b", True),
    ("/a/xq.py", "x[z-a].py", True),
    ("/a/x1", "x[^0-9]", False),
    ("/a/xb", "x[^0-9]", True),
    ("/a/b.py", "{a,{b,c}}.py", True),
    ("/a/d.py", "{a,{b,c}}.py", False),
    ("/p/x/a.py", "{q,p/**}/a.py", True),
    ("/a/b,c.py", "b,c.py", True),
    ("/a/}b", "}b", True),
    ("/p/private/deep/a.py", "private/", True),
    ("/p/private", "private/", False),
    ("/p/src/secret.py", "./src/secret.py", True),
    ("/a/b.c", "b?c", True),
    ("/a/bxc", "b.c", False),
]


@pytest.mark.parametrize(("path", "pattern", "expected"), TABLE)
def test_one_pattern(path: str, pattern: str, expected: bool) -> None:
    assert matches(path, [pattern]) is expected


def test_where_a_link_leads_counts_as_well_as_its_name(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "tokens.py").touch()
    (tmp_path / "link").symlink_to(tmp_path / "private")
    linked = tmp_path / "link" / "tokens.py"
    assert excluded(linked, ["**/private/*"])
    assert excluded(linked, ["**/link/*"])
    assert not excluded(linked, ["**/public/*"])


@pytest.mark.parametrize(
    "path",
    ["/p/.env", "/.env", "/p/.env.local", "/p/tls.PEM", "/p/a.key", "/h/id_rsa", "/p/secrets.yaml"],
)
def test_secrets_are_excluded_by_default(path: str) -> None:
    assert matches(path, DEFAULT_EXCLUDED)


@pytest.mark.parametrize("path", ["/p/env.py", "/p/keys.py", "/p/secrets_test.py", "/p/a.env/b.py"])
def test_other_files_are_not(path: str) -> None:
    assert not matches(path, DEFAULT_EXCLUDED)
