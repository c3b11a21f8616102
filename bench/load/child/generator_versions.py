"""What must be the same in every process that requests, to be one load generator. Imports no Locust."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = {"bench": "webframework-bench", "Locust": "locust"}
CODE = "bench's code"
_PACKAGE = Path(__file__).parents[2]


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of bench and Locust here, and a hash of all of bench's code.

    Two checkouts of one version can differ.
    """
    digest = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*.py")):
        digest.update(str(file.relative_to(_PACKAGE)).encode() + b"\0" + file.read_bytes() + b"\0")
    return {name: version(package) for name, package in PACKAGES.items()} | {CODE: digest.hexdigest()[:12]}


def unlike(theirs: Mapping[str, str]) -> str | None:
    """Return which version differs there from here, with the remedy. None if all are the same."""
    for name, ours in versions().items():
        if theirs.get(name) != ours:
            there = theirs.get(name, "unknown")
            return f"{name} is {there} there and {ours} at the master: install the same on both"
    return None
