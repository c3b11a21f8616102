"""An access log → the GETs that were answered, in a mix by their frequency.

nginx and Apache (common, combined), gunicorn, uvicorn and many others have the same middle in each line:
"GET /path HTTP/1.1" 200.
"""

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from bench.errors import UsageError
from bench.init.draft import Proposal
from bench.init.frequent_requests import is_static, proposed
from bench.init.paths import Shapes, written

FORMATS = 'nginx or Apache (common, combined), gunicorn, uvicorn: each line has "GET /path HTTP/1.1" 200'
LONGEST_LINE = 65_536  # bytes; what is longer is no line of a log
NAMED = 10  # of what is left out

_LINE = re.compile(
    r'"(?P<method>[A-Z]{3,10}) (?P<target>[^\s"]+)(?: HTTP/\d(?:\.\d)?)?" (?P<status>[1-5]\d\d)(?!\d)',
    re.ASCII,
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")
_ABSOLUTE = re.compile(r"https?://[^/]+", re.IGNORECASE)


def proposal(path: Path) -> Proposal:
    """Return the mix in the log at *path*, which may be compressed with gzip. Raises UsageError."""
    kept, others = Shapes(), Shapes()
    left_out: Counter[str] = Counter()
    lines = requests = 0
    for line in _lines(path):
        lines += 1
        found = request_in(line)
        if found is None:
            left_out["lines that are no request"] += bool(line.strip())
            continue
        requests += 1
        _count(*found, kept, others, left_out)
    if not requests:
        raise UsageError(f"{path}: none of its {lines:,} lines is of an access log: known are {FORMATS}")
    no_request = left_out.pop("lines that are no request", 0)
    ranked = others.by_frequency()
    for shape in ranked[:NAMED]:
        left_out[f"{shape.place.method} {written(shape).target}, which may write"] = shape.requests
    if rest := sum(shape.requests for shape in ranked[NAMED:]) + others.beyond:
        left_out["other requests that may write"] = rest
    notes = [f"lines that are no request: {no_request:,} of {lines:,}"] if no_request else []
    source = f"{path.name}, an access log of {requests:,} requests"
    return proposed(source, kept, left_out, name=str(path), notes=notes)


def request_in(line: str) -> tuple[str, str, int] | None:
    """Return method, target and status of a line, None if it has no request."""
    found = _LINE.search(_COLOUR.sub("", line))
    if found is None:
        return None
    target = _ABSOLUTE.sub("", _ESCAPED.sub(r"%\1", found["target"]), count=1) or "/"
    return found["method"], target, int(found["status"])


def _count(
    method: str, target: str, status: int, kept: Shapes, others: Shapes, left_out: Counter[str]
) -> None:
    if not 200 <= status < 400:
        left_out[f"answered with a status of {status // 100}xx"] += 1
    elif not target.startswith("/"):
        left_out["no path of this server"] += 1
    elif method in ("HEAD", "OPTIONS"):
        left_out[method] += 1
    elif method != "GET":
        others.add(method, target, status)
    elif is_static(target):
        left_out["static files"] += 1
    else:
        kept.add(method, target, 200 if status == 304 else status)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            compressed = file.peek(2)[:2] == b"\x1f\x8b"
            content = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if compressed else file
            while line := content.readline(LONGEST_LINE):
                yield line.decode(errors="replace")
    except (OSError, EOFError) as error:
        what = getattr(error, "strerror", None) or f"it cannot be unpacked: {error}"
        raise UsageError(f"{path}: {what}: give a whole file that can be read") from error
