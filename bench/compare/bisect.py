"""The search through a history: what is kept of it, and the loop that drives it (docs/ci.md)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bench.compare.bisect_reading import CommitReading
from bench.compare.bisect_target import BisectTarget, Followed
from bench.compare.bisection import BisectAnswer, Commit, Outcome, Upcoming, steps_for, upcoming
from bench.compare.significance import FALSE_ALARMS
from bench.errors import UsageError
from bench.files import check_schema, read_json, to_json, write_atomically

SCHEMA = 1
FILE = "bisect.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectStep:
    """A commit that was measured, or could not be."""

    commit: str
    outcome: Outcome
    share: float | None = None  # 0: as GOOD, 1: as BAD
    why: str = ""  # of a skip
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectOptions:
    """What the command line requested."""

    good: str  # commits
    bad: str
    contender: str | None = None
    scenario: str | None = None
    metric: Followed | None = None
    all_parents: bool = False
    budget_s: float
    runtime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a bisect that had nothing to search for."""

    word: str
    why: str
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search in the making: all that has to outlive the process."""

    schema: int = SCHEMA
    wanted: BisectOptions
    commits: tuple[Commit, ...]  # after GOOD up to BAD
    target: BisectTarget | None = None  # None: GOOD and BAD are not compared yet, or it ended there
    ended: Ended | None = None
    others: tuple[str, ...] = ()  # what else regressed
    compared_in: str = ""  # the folder of the run of GOOD and BAD
    steps: tuple[BisectStep, ...] = ()

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {one.commit: one.outcome for one in self.steps}

    @property
    def now(self) -> Upcoming | BisectAnswer:
        return upcoming(self.commits, self.outcomes)

    @property
    def due(self) -> int:
        """Return how many verdicts share the promised rate of errors."""
        return steps_for(len(self.commits))

    @property
    def timed(self) -> int:
        """Return how many commits were judged by time, or could not be told by it."""
        assert self.target
        return sum(one.share is not None for one in self.steps) if self.target.metric == "time" else 0

    @property
    def chance_of_error(self) -> float:
        """Return up to what chance a verdict is wrong (0 to 1)."""
        return FALSE_ALARMS * max(1.0, self.timed / max(1, self.due)) if self.timed else 0.0

    def commit(self, sha: str) -> Commit:
        return next(one for one in self.commits if one.sha == sha)

    def share(self, sha: str) -> float | None:
        """Return where a commit lies from GOOD (0) to BAD (1); None: it is not known."""
        known = {one.commit: one.share for one in self.steps}
        return {self.wanted.good: 0.0, self.wanted.bad: 1.0, **known}.get(sha)


class Measure(Protocol):
    """Measures a commit beside GOOD. Raises what stops the whole search."""

    def __call__(self, commit: Commit) -> tuple[CommitReading, float]:
        """Return the reading, and the seconds that it took."""


def searched(
    search: Search,
    measure: Measure,
    keep: Callable[[Search], None],
    say: Callable[[Search, BisectStep], None] = lambda search, step: None,
) -> tuple[Search, BisectAnswer]:
    """Measure commits until the answer is known. *keep* gets the search after each of them."""
    while isinstance(due := search.now, Upcoming):
        reading, took_s = measure(search.commit(due.sha))
        why = reading.why if reading.outcome else "its rounds do not tell whether it is as GOOD or as BAD"
        step = BisectStep(
            commit=due.sha,
            outcome=reading.outcome or "skip",
            share=reading.share,
            why=why if (reading.outcome or "skip") == "skip" else "",
            took_s=took_s,
        )
        search = replace(search, steps=(*search.steps, step))
        keep(search)
        say(search, step)
    return search, due


def keep(search: Search, folder: Path) -> None:
    write_atomically(folder / FILE, to_json(search))


def taken_up(folder: Path) -> Search:
    """Return the search in *folder*. Raises UsageError if there is none, or it is damaged."""
    if not (folder / FILE).is_file():
        raise UsageError(f"{folder} holds no bisect: it has no {FILE}")
    search = read_json(folder / FILE, Search)
    check_schema(folder / FILE, search.schema, SCHEMA)
    known = {one.sha for one in search.commits}
    if not search.commits or not {one.commit for one in search.steps} <= known:
        raise UsageError(f"{folder / FILE} is damaged: its steps are not among its commits")
    return search


def around(search: Search, answer: BisectAnswer) -> tuple[str, str]:
    """Return the nearest good commit before the answer, and the bad one that it ends with."""
    parents = search.commit(answer.suspects[0]).parents
    good = (one for one in parents if search.outcomes.get(one) == "good")
    return next(good, search.wanted.good), answer.suspects[-1]
