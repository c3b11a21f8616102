"""A run written as a submission: as small as it must be, and only if it would be taken."""

import gzip
from datetime import datetime
from pathlib import Path

from bench.errors import UsageError
from bench.files import write_atomically
from bench.records import Run
from bench.site.check import Unfit, checked
from bench.site.origin import Origin
from bench.site.packing import plain, smaller, submission_of, to_text
from bench.site.submission import MOST_BYTES, SUFFIX, Submission

SMALLER = 2  # times, before it is compressed
PACKED = f"{SUFFIX}.gz"


def packed(run: Run, origin: Origin, now: datetime, most_bytes: int = MOST_BYTES) -> tuple[Submission, bytes]:
    """Return *run* as a submission and as the bytes of its file.

    Histograms get wider buckets, then it is compressed, if it is too large otherwise. Raises UsageError if it
    is too large even so, or if `bench site --check` would refuse it.
    """
    found = submission_of(run, origin)
    content = to_text(plain(found)).encode()
    for _ in range(SMALLER):
        if len(content) > most_bytes:
            found = smaller(found)
            content = to_text(plain(found)).encode()
    if len(content) > most_bytes:
        content = gzip.compress(content, mtime=0)
    try:
        checked("the submission", content, now)
    except Unfit as error:
        raise UsageError(f"this run cannot be submitted: {error.reasons[0]}") from error
    return found, content


def write(run: Run, origin: Origin, out: Path, now: datetime) -> Path:
    """Write *run* as a submission to *out*, a file or a folder, and return its file."""
    found, content = packed(run, origin, now)
    file = out / f"{found.id}{SUFFIX if content[:1] == b'{' else PACKED}" if out.is_dir() else out
    try:
        write_atomically(file, content)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}: name another file with --out") from error
    return file
