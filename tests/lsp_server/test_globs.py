"""Which paths a glob pattern keeps from being read."""

import pytest

from lsp_server.globs import matches
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
    ("/a/x.py", "x[z-a].py", False),
    ("/a/b.c", "b?c", True),
    ("/a/bxc", "b.c", False),
]


@pytest.mark.parametrize(("path", "pattern", "expected"), TABLE)
def test_one_pattern(path: str, pattern: str, expected: bool) -> None:
    assert matches(path, [pattern]) is expected


@pytest.mark.parametrize(
    "path",
    ["/p/.env", "/.env", "/p/.env.local", "/p/tls.PEM", "/p/a.key", "/h/id_rsa", "/p/secrets.yaml"],
)
def test_secrets_are_excluded_by_default(path: str) -> None:
    assert matches(path, DEFAULT_EXCLUDED)


@pytest.mark.parametrize("path", ["/p/env.py", "/p/keys.py", "/p/secrets_test.py", "/p/a.env/b.py"])
def test_other_files_are_not(path: str) -> None:
    assert not matches(path, DEFAULT_EXCLUDED)
