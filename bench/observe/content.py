"""Hashes of the files that decide a run's numbers: equal hashes, equal content."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parents[1]


def content(project: Path, bench: Path = BENCH) -> dict[str, Any]:
    """Return a hash for each part that can change by itself; None where the project has no such files."""
    apps = project / "apps"
    return {
        "bench": _hash(bench, [bench]),
        "data": _hash(apps, sorted(apps.glob("*.sql"))),
        "scenarios": _hash(apps, [apps / "scenarios.toml"]),
        "checks": _hash(apps, [apps / "checks", *sorted(apps.glob("*.yaml"))]),
        "apps": {
            table.parent.name: _hash(apps, [table.parent]) for table in sorted(apps.glob("*/contenders.toml"))
        },
    }


def _hash(above: Path, places: Iterable[Path]) -> str | None:
    """Return a hash of names (below *above*) and bytes of all files at *places*; None where there is none."""
    files = [file for place in places for file in _files(place)]
    digest = hashlib.sha256()
    for file in files:
        name, held = str(file.relative_to(above)).encode(), file.read_bytes()
        digest.update(b"%d %b %d %b" % (len(name), name, len(held), held))
    return digest.hexdigest()[:16] if files else None


def _files(place: Path) -> list[Path]:
    found = place.rglob("*") if place.is_dir() else [place]
    return sorted(file for file in found if file.is_file() and not _is_made(file.relative_to(place)))


def _is_made(file: Path) -> bool:
    """Whether tools made it: caches and what editors leave behind decide nothing."""
    return any(part == "__pycache__" or part.startswith(".") for part in file.parts)
