"""Extensions of PostgreSQL that the source of a service makes."""

import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from bench.init.checkout import Checkout

_MADE = re.compile(
    r"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?[\\\"\']*([A-Za-z][\w-]*)"
    r"|\bCreateExtension\(\s*[\"\']([\w-]+)"
    r"|\b(CryptoExtension)\(|[\"\']django\.contrib\.gis\.db\.backends\.(postgis)[\"\']",
    re.IGNORECASE,
)
_NAMES = {"cryptoextension": "pgcrypto"}


def extensions(files: Checkout, folder: str) -> dict[str, str]:
    """Return the names of extensions, each with the first file that makes it."""
    found: dict[str, str] = {}
    for path in (*files.below(folder), *_migrations(files, folder)):
        if path.endswith((".py", ".sql")):
            for made in _MADE.finditer(files.text(path)):
                name = next(filter(None, made.groups())).lower()
                found.setdefault(_NAMES.get(name, name), path)
    return found


def _migrations(files: Checkout, folder: str) -> Iterator[str]:
    """Yield the paths of migrations, which a checkout leaves out otherwise."""
    homes = {PurePosixPath(folder or "."), *(PurePosixPath(path).parent for path in files.below(folder))}
    for home in sorted(homes):
        for file in sorted((files.root / home / "migrations").rglob("*")):
            yield os.path.relpath(file, files.root)
