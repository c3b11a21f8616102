"""Which commit to measure next, and which one is to blame. Pure: it knows commits and verdicts, no run.

The same search as `git bisect`: suspects are ancestors of what is bad, and of nothing that is good. The next
commit is the one that halves them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["good", "bad", "skip"]
GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples, modulo 1, lie far from one another


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit after GOOD, up to BAD."""

    sha: str
    parents: tuple[str, ...]  # those that the search follows
    subject: str = ""
    is_merge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """The commit to measure next."""

    sha: str
    suspects: int  # how many are left, this one included

    @property
    def steps(self) -> int:
        """About how many commits are still to be measured."""
        return steps_for(self.suspects)


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectAnswer:
    """The commits of which one is to blame, oldest first. One: the culprit. More: the others were skipped."""

    suspects: tuple[str, ...]

    @property
    def culprit(self) -> str | None:
        return self.suspects[0] if len(self.suspects) == 1 else None


def steps_for(commits: int) -> int:
    """Return how many commits are measured to find one of so many."""
    return math.ceil(math.log2(commits)) if commits > 1 else 0


def upcoming(commits: Sequence[Commit], outcomes: Mapping[str, Outcome]) -> Upcoming | BisectAnswer:
    """Return what follows from *outcomes*. *commits*: parents before children, BAD last, all but GOOD."""
    ancestors = _ancestors(commits)
    numbers = {one.sha: number for number, one in enumerate(commits)}
    suspects = ancestors[-1]
    for sha, outcome in outcomes.items():
        if outcome == "bad":
            suspects &= ancestors[numbers[sha]]
        elif outcome == "good":
            suspects &= ~ancestors[numbers[sha]]
    left = [number for number in range(len(commits)) if suspects >> number & 1]
    known = outcomes.keys() | {commits[-1].sha}
    usable = [number for number in left if commits[number].sha not in known]
    if not usable:
        return BisectAnswer(suspects=tuple(commits[number].sha for number in left))
    skipped = sum(outcomes.get(commits[number].sha) == "skip" for number in left)
    ranked = sorted(usable, key=lambda number: -_halves(ancestors[number] & suspects, len(left)))
    return Upcoming(sha=commits[ranked[_place(len(ranked), skipped)]].sha, suspects=len(left))


def _ancestors(commits: Sequence[Commit]) -> list[int]:
    """Return for each commit its ancestors and itself: bit n is commit n."""
    found: dict[str, int] = {}
    for number, one in enumerate(commits):
        found[one.sha] = 1 << number | _union(found[parent] for parent in one.parents if parent in found)
    return list(found.values())


def _union(masks: Iterable[int]) -> int:
    every = 0
    for mask in masks:
        every |= mask
    return every


def _halves(ancestors: int, suspects: int) -> int:
    """Return how many suspects a verdict clears at least."""
    reached = ancestors.bit_count()
    return min(reached, suspects - reached)


def _place(usable: int, skipped: int) -> int:
    """Return which of the *usable* is next, best first. Commits that do not build lie beside one another.

    After a skip it goes away from there, mostly not far from the middle. git does the same (bisect.c,
    `skip_away`: a random number to the power of 1.5), here without chance: a resumed search is the same one.
    """
    return int(usable * (skipped * GOLDEN % 1.0) ** 1.5)
