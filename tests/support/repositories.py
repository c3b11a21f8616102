"""Git repositories that tests make, alter and throw away."""

import subprocess
from pathlib import Path

from tests.support.projects import make_project

WHO = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false")


def git(root: Path, *arguments: str) -> str:
    """Return what git says in *root*."""
    command = ["git", "-C", str(root), *WHO, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit(root: Path, what: str = "a change") -> str:
    """Commit everything that is in *root*; return the commit."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", what)
    return git(root, "rev-parse", "HEAD")


def make_repository(root: Path, **files: str) -> Path:
    """Make a repository of a small project in *root*, with one commit on the branch main."""
    make_project(root, **files)
    git(root, "init", "--quiet", "--initial-branch", "main")
    (root / ".gitignore").write_text(".bench/\n")
    commit(root, "the beginning")
    return root
