"""The verdict of a diff that compared nothing: why, and which changed files that leaves out."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from bench.compare.verdict_report import JSON, MARKDOWN, SCHEMA
from bench.files import to_json, write_atomically
from bench.project.sources import listed, shown

Word = Literal["EQUIVALENT", "NOT COMPARED"]


def document(
    word: Word, base: str, why: str, left_out: Mapping[str, str], notes: Sequence[str]
) -> dict[str, Any]:
    """Return verdict.json, ready for JSON."""
    return {
        "schema": SCHEMA,
        "verdict": word,
        "exit_code": 0,
        "base": base,
        "notes": [why, *notes],
        "left_out": [{"file": shown(path), "why": reason} for path, reason in left_out.items()],
    }


def text(word: Word, why: str, left_out: Mapping[str, str], notes: Sequence[str]) -> str:
    """Return verdict.md."""
    bullets = list(notes)
    by_reason = sorted(left_out, key=lambda path: (left_out[path], path))
    for reason, paths in groupby(by_reason, key=lambda path: left_out[path]):
        bullets.append(f"changed, and left out ({reason}): {listed(tuple(paths))}")
    return "\n".join([f"**{word}**: {why}", *([""] if bullets else []), *(f"- {one}" for one in bullets)])


def write(folder: Path, written: str, told: Mapping[str, Any]) -> None:
    """Write verdict.md and verdict.json into *folder*, where a workflow looks for them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / JSON, to_json(dict(told)))
    write_atomically(folder / MARKDOWN, f"{written}\n".encode())
