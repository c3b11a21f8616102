"""Whether a file is a submission that may be published: its form, its words, its books."""

import gzip
import io
import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from bench.errors import UsageError
from bench.files import shaped
from bench.site import books, privacy, ratio_books
from bench.site.recomputed import Recomputed
from bench.site.submission import FORMAT, KIND, MOST_BYTES, Submission

GZIP = b"\x1f\x8b"
MOST_UNPACKED = 20 * MOST_BYTES
MOST_REASONS = 20
ID = r"[A-Za-z0-9-]{10,100}"
NAMES = ("contenders", "scenarios", "loads")  # whose `name`, `base`, `slug` … stand in tables and addresses
PLAIN = ("name", "base", "app", "framework", "interface", "server", "slug", "folder", "revision", "switches")
LONGEST_TEXT = 4000


class Unfit(UsageError):
    """A file that is no submission, or one whose books do not balance. *reasons* has a line for each."""

    def __init__(self, file: str, reasons: tuple[str, ...]) -> None:
        super().__init__(f"{file}: {reasons[0]}")
        self.reasons = reasons


class OtherFormat(UsageError):
    """A submission of another format, which another version of bench reads."""


def read(file: Path, now: datetime) -> Submission:
    """Return the submission in *file*; raises Unfit with every reason, OtherFormat, UsageError."""
    try:
        packed = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    found = checked(str(file), packed, now)
    if file.name.partition(".")[0] != found.id:
        raise Unfit(str(file), (f"its name is not its id: call it {found.id}.json",))
    return found


def checked(where: str, packed: bytes, now: datetime) -> Submission:
    """Return the submission in *packed*, the bytes of a file; raises Unfit, OtherFormat."""
    content = content_of(where, packed)
    try:
        one = shaped(where, content, Submission)
    except UsageError as error:
        raise Unfit(where, (str(error).removeprefix(f"{where}: "),)) from error
    reasons = tuple(islice(_reasons(one, content, now), MOST_REASONS))
    if reasons:
        raise Unfit(where, reasons)
    return one


def content_of(where: str, packed: bytes) -> Mapping[str, Any]:
    """Return the plain JSON in *packed*, which may be compressed by gzip."""
    if len(packed) > MOST_BYTES:
        raise Unfit(where, (f"{len(packed):,} bytes: a submission has at most {MOST_BYTES:,}",))
    try:
        content = json.loads(
            text_of(packed), parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_once
        )
    except (OSError, EOFError) as error:
        raise Unfit(where, (f"it cannot be unpacked: {error}",)) from error
    except (ValueError, RecursionError) as error:
        raise Unfit(where, (f"it is no JSON: {error}",)) from error
    if not isinstance(content, Mapping) or content.get("kind") != KIND:
        raise Unfit(where, (f'it is no submission: kind is not "{KIND}" (`bench submit` writes one)',))
    if content.get("format") != FORMAT:
        found = content.get("format")
        raise OtherFormat(
            f"{where} has format {found!r:.20}, this bench reads {FORMAT}: use the bench that wrote it"
        )
    return content


def _reasons(one: Submission, content: Mapping[str, Any], now: datetime) -> Iterator[str]:
    yield from _wrong_words(content)
    broken = [*books.wrong_shape(one)]
    yield from broken
    yield from books.wrong_dates(one, now)
    if broken:
        return
    recomputed = Recomputed(submission=one)
    yield from books.wrong_plan(one)
    yield from books.failed_checks(one)
    yield from books.wrong_counts(one)
    yield from books.wrong_latencies(one)
    yield from ratio_books.wrong_estimates(recomputed)
    yield from ratio_books.wrong_ratios(recomputed)
    yield from books.wrong_id(one, content)


def _wrong_words(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield words that reveal something, or that a page must not show."""
    for path, text in dict.fromkeys(privacy.texts(content)):
        yield from _wrong_word(path, text)
    for path, text in _names(content):
        if not privacy.NAME.fullmatch(text) or len(text) > privacy.LONGEST_NAME:
            yield f"{path}: {text[:40]!r} is no plain name"


@lru_cache(maxsize=20_000)  # files of a site have most of their words in common
def _wrong_word(path: str, text: str) -> tuple[str, ...]:
    found = privacy.revealed(path, text)
    odd = privacy.TAG.search(text) or privacy.HIDING.search(text) or len(text) > LONGEST_TEXT
    return (
        *([f"{path}: it holds {found}"] if found else []),
        *([f"{path}: it is no plain text: {text[:40]!r}"] if odd else []),
    )


def _names(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "plan.name", str(content.get("plan", {}).get("name", ""))
    if name := content.get("project", {}).get("name"):
        yield "project.name", str(name)
    for group in NAMES:
        for one in content.get(group, ()):
            for key in PLAIN:
                held = one.get(key, ())
                for text in (held,) if isinstance(held, str) else held:
                    yield f"{group}.{key}", str(text)


def text_of(packed: bytes) -> str:
    """Return the text of a file, which may be compressed by gzip; raises OSError, EOFError, ValueError."""
    if not packed.startswith(GZIP):
        return packed.decode()
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        text = file.read(MOST_UNPACKED + 1)
    if len(text) > MOST_UNPACKED:
        raise ValueError(f"more than {MOST_UNPACKED:,} bytes unpacked")
    return text.decode()


def _finite(text: str) -> float:
    """Return a number. JSON has no infinity, but 1e999 would be read as one."""
    if not math.isfinite(number := float(text)):
        _no_number(text)
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text:.20} is no finite number")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"a key is there twice: {next(key for key in keys if keys.count(key) > 1):.40}")
    return found
