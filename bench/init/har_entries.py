"""The entries of a HAR recording, one after the other: a file may be larger than the memory.

http://www.softwareishard.com/blog/har-12-spec/
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError

BLOCK = 1 << 20  # characters
LONGEST_ENTRY = 256 << 20  # characters
_ENTRIES = re.compile(r'"entries"\s*:\s*\[')


def entries(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of a recording, with the memory of one. Raises UsageError."""
    try:
        with path.open("rb") as file:
            yield from _entries(path, iter(lambda: file.read(BLOCK), b""))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _entries(path: Path, blocks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    decoder, text = codecs.getincrementaldecoder("utf-8-sig")(errors="replace"), ""
    parser = json.JSONDecoder()
    more = (decoder.decode(block) for block in blocks)
    while (begin := _ENTRIES.search(text)) is None:
        block = next(more, None)
        if block is None:
            raise UsageError(f"{path}: it has no log.entries: save a HAR from the network panel of a browser")
        text = text[-BLOCK:] + block
    text, at, enough = text[begin.end() :], 0, 0
    while True:
        at = _skipped(text, at)
        if at < len(text) and text[at] == "]":
            return
        try:
            if len(text) - at < enough:
                raise ValueError
            entry, at = parser.raw_decode(text, at)
            enough = 0
        except (ValueError, RecursionError) as error:
            block = next(more, None)
            if block is None and enough:
                enough = 0
                continue
            if block is None or isinstance(error, RecursionError):
                what = "its end is missing, or an entry is damaged: save it again"
                raise UsageError(f"{path}: {what}") from error
            text, at = text[at:] + block, 0
            # A long entry is not tried again before it has doubled.
            enough = 2 * len(text) if len(text) > 2 * BLOCK else 0
            if len(text) > LONGEST_ENTRY:
                raise UsageError(
                    f"{path}: an entry has more than {LONGEST_ENTRY >> 20} MB: save it without contents"
                ) from error
            continue
        yield entry if isinstance(entry, dict) else {}


def _skipped(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at
