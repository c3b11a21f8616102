"""Hashes of the files that decide a run's numbers: equal hashes, equal content."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.project.ignored import is_left_behind
from bench.project.inventory import inventory

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
        **({"shared": shared} if (shared := inventory(project).shared()) else {}),
    }


def _hash(above: Path, places: Iterable[Path]) -> str | None:
    """Return a hash of names (below *above*) and bytes of all files at *places*; None where there is none."""
    files = [file for place in places for file in _files(place)]
    digest = hashlib.sha256()
    for file in files:
        name, held = os.fsencode(file.relative_to(above)), file.read_bytes()
        digest.update(b"%d %b %d %b" % (len(name), name, len(held), held))
    return digest.hexdigest()[:16] if files else None


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place] if place.is_file() else []
    found = (file for file in _below(place, ()) if file.is_file())
    return sorted(file for file in found if not is_left_behind(file.relative_to(place).parts))


def _below(folder: Path, above: tuple[str, ...]) -> Iterable[Path]:
    """Yield the files below *folder*, through links as well: none of them twice on one way."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in folder.iterdir():
        if not entry.is_dir():
            yield entry
        elif not is_left_behind((entry.name, "in it")):
            yield from _below(entry, (*above, here))
