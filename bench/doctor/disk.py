"""A file system as a run uses it: room, and how long it takes to have written something for good."""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SYNCS = 5
CONTENT = b"\0" * 64 * 1024  # as much as a small run file


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """What a folder's file system has left, and the median time that an fsync of a small file takes."""

    free_bytes: int
    sync_s: float


def disk(folder: Path) -> Disk:
    """Write a few small files in *folder* and remove them; raises OSError where that cannot be done."""
    return Disk(
        free_bytes=shutil.disk_usage(folder).free, sync_s=median(_sync_s(folder) for _ in range(SYNCS))
    )


def _sync_s(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(CONTENT)
        file.flush()
        began = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - began
