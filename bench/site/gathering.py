"""The runs of a site: read from folders and submissions, the newest first, and why others are left out."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from bench.errors import BenchError, UsageError
from bench.run import store
from bench.site.check import checked, text_of
from bench.site.origin import origin_of
from bench.site.outbox import PACKED, packed
from bench.site.submission import SUFFIX, Submission

MANY = 40  # files; with fewer, other processes take longer to start than they save


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A run, and its submission as it was written."""

    submission: Submission
    text: str

    @property
    def is_ranked(self) -> bool:
        """Whether its figures may stand beside others: it is complete and valid."""
        return self.submission.ended == "complete" and not self.submission.invalid

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.submission.started_at)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is no run of a site, and why."""

    file: Path
    why: str

    def __str__(self) -> str:
        return self.why

    @property
    def published(self) -> str:
        """The same without its folder, which is nobody's business."""
        return self.why.replace(f"{self.file.parent}/", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Runs, the newest first."""

    runs: tuple[Gathered, ...]
    left_out: tuple[LeftOut, ...] = ()


def gather(places: Iterable[Path], project: Path, now: datetime) -> Gathering:
    """Return the runs at *places*: folders of runs, submissions, or folders of these.

    *project* may be the checkout that runs were made in. Raises UsageError if there is no run.
    """
    named = tuple(places)
    files = [*dict.fromkeys(file for place in named for file in _files(place))]
    found: dict[str, Gathered] = {}
    whose: dict[tuple[str, ...], Path] = {}
    left_out = []
    for file, read in zip(files, _all(files, project, now), strict=True):
        if isinstance(read, str):
            left_out.append(LeftOut(file, read))
            continue
        one = read.submission
        same = (one.started_at, one.plan.hash, str(one.facts.get("machine")), one.runtime)
        if same in whose:
            left_out.append(LeftOut(file, f"{file}: it is the run of {whose[same].name} once more"))
        else:
            whose[same] = file
            found[one.id] = read
    if not found:
        whys = "".join(f"; {why}" for why in left_out[:3])
        raise UsageError(
            f"no run in {', '.join(map(str, named))}: name folders of runs, or submissions{whys}"
        )
    ordered = sorted(
        found.values(), key=lambda one: (one.submission.started_at, one.submission.id), reverse=True
    )
    return Gathering(runs=tuple(ordered), left_out=tuple(left_out))


def _files(place: Path) -> Iterator[Path]:
    if (place / store.FILE).is_file():
        yield place
    elif place.is_dir():
        yield from sorted(one.parent for one in place.glob(f"*/{store.FILE}"))
        yield from sorted(one for one in place.iterdir() if one.name.endswith((SUFFIX, PACKED)))
    else:
        yield place


def _all(files: Sequence[Path], project: Path, now: datetime) -> Iterator[Gathered | str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(files) < MANY or cores == 1:
        yield from (_read(file, project, now) for file in files)
        return
    # Not forked: threads of libraries would be.
    with ProcessPoolExecutor(max_workers=min(cores, 8), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_read, files, [project] * len(files), [now] * len(files), chunksize=10)


def _read(file: Path, project: Path, now: datetime) -> Gathered | str:
    """Return the run of *file*, or why it is left out."""
    try:
        if file.is_dir() or file.name == store.FILE:
            run = store.load(file)
            one, written = packed(run, origin_of(run, project), now)
        else:
            written = file.read_bytes()
            one = checked(str(file), written, now)
        return Gathered(submission=one, text=text_of(written).strip())
    except OSError as error:
        return f"{file}: {error.strerror}"
    except BenchError as error:
        return str(error) if str(file) in str(error) else f"{file}: {error}"
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return f"{file} is damaged: {type(error).__name__}: {error}"
