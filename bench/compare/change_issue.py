"""What to do with the issue about change points: a nightly job keeps one, and only carries this out."""

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bench.compare.bisection import Commit
from bench.compare.change_points import ChangePoint, DatedRun
from bench.compare.change_points_report import WORDS, commit_text, place_text, size_text
from bench.compare.history import Followed
from bench.errors import UsageError
from bench.files import read_json
from bench.report.wording import plural

Action = Literal["open", "update", "close", "nothing"]
Between = Callable[[str, str], Sequence[Commit]]  # commits after one, up to another; raises UsageError
MARK = "<!-- change point {} -->"  # one for each point that an issue is about
MARKED = re.compile(r"<!-- change point ([0-9a-f]+) -->")
DIGITS = 12
HALF = 0.5  # of what grew
MOST_POINTS = 20  # in one issue: GitHub cuts off after 65,536 characters
MOST_COMMITS = 10  # of a point
FOLLOWED_BY_BISECT: dict[Followed, str] = {
    "throughput_rps": "time",
    "service_demand_us": "time",
    "response_bytes": "response_bytes",
    "statements": "statements",
    "instructions": "instructions",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssue:
    """An issue that this made before: what `gh issue list --json number,state,body` prints."""

    number: int
    state: str  # OPEN or CLOSED
    body: str

    @property
    def points(self) -> frozenset[str]:
        return frozenset(MARKED.findall(self.body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What to do, and with which issue."""

    action: Action
    number: int | None = None  # None: of a new one, or of none
    title: str = ""
    body: str = ""


def read_known(file: Path) -> tuple[KnownIssue, ...]:
    """Return the issues in *file*; raises UsageError if it is damaged."""
    return read_json(file, tuple[KnownIssue, ...])


def identity(point: ChangePoint) -> str:
    """Return what names *point* in every later run: a step stays found by the run that found it."""
    facts = [asdict(point.track), point.conditions, point.found.at.isoformat()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:DIGITS]


def fixed_by(point: ChangePoint, points: Iterable[ChangePoint]) -> ChangePoint | None:
    """Return the later step that took back more than half of what became worse; None: it is still there."""

    def takes_back(other: ChangePoint) -> bool:
        same = (other.track, other.conditions) == (point.track, point.conditions)
        share = (other.now - point.before) / (point.now - point.before)
        return same and not other.worse and other.likely.at > point.likely.at and share < HALF

    return next((one for one in points if takes_back(one)), None)


def issue_of(points: Sequence[ChangePoint], known: Sequence[KnownIssue], between: Between) -> Issue:
    """Return what to do now. An issue is about every step that is not fixed yet.

    Steps of an issue that a person closed are accepted: they are in no issue again.
    """
    ours = [one for one in known if one.points]
    open_ = next((one for one in ours if one.state.upper() == "OPEN"), None)
    accepted = {point for one in ours if one.state.upper() != "OPEN" for point in one.points}
    worse = [point for point in points if point.worse]
    left = [one for one in worse if fixed_by(one, points) is None and identity(one) not in accepted]
    if left:
        return Issue(
            action="update" if open_ else "open",
            number=open_.number if open_ else None,
            title=_title(left),
            body=_body(left, between),
        )
    if open_ is None:
        return Issue(action="nothing")
    fixed = [(one, by) for one in worse if identity(one) in open_.points and (by := fixed_by(one, points))]
    return Issue(action="close", number=open_.number, title="", body=_fixed(fixed, open_))


def _title(points: Sequence[ChangePoint]) -> str:
    first = max(points, key=_weight)
    more = f" and {len(points) - 1} more" if len(points) > 1 else ""
    what = f"{first.track.contender}, {first.track.scenario}: {WORDS[first.track.metric]}"
    return f"{what} {size_text(first)}, since {commit_text(first.likely)}{more}"


def _weight(point: ChangePoint) -> float:
    return abs(point.now / point.before - 1) if point.before else float("inf")


def _body(points: Sequence[ChangePoint], between: Between) -> str:
    shown = sorted(points, key=_weight, reverse=True)[:MOST_POINTS]
    parts = [
        f"`bench history` found {plural(len(points), 'change')} for the worse that no later run took back. "
        "This text is written anew every night. Close the issue to accept what is in it.",
        *("\n".join(_section(point, between)) for point in shown),
    ]
    if len(points) > len(shown):
        parts.append(f"{len(points) - len(shown)} smaller ones are not shown.")
    parts.append("\n".join(MARK.format(identity(point)) for point in points))
    return "\n\n".join(parts) + "\n"


def _section(point: ChangePoint, between: Between) -> Iterator[str]:
    track = point.track
    yield f"### {track.contender}, {place_text(track)}: {WORDS[track.metric]}"
    yield ""
    yield f"- **Size**: {size_text(point)}" + (f", relative to {point.reference}" if point.reference else "")
    yield f"- **Where**: {track.machine}, runtime {track.runtime}, plan {track.plan}"
    yield (
        f"- **Between** {_run(point.after)} and {_run(point.by)}, most likely {_run(point.likely)}; "
        f"shown by the run of {point.found.at:%Y-%m-%d}"
    )
    yield from _commits(point, between)
    yield f"- **May be due to**: {'; '.join(point.causes) or 'no other difference is known'}"
    yield f"- **Which commit**: {_command(point)}"


def _run(run: DatedRun) -> str:
    return f"{commit_text(run)} ({run.at:%Y-%m-%d})"


def _commits(point: ChangePoint, between: Between) -> Iterator[str]:
    if not _has_commits(point):
        return
    try:
        found = between(point.after.commit, point.by.commit)
    except UsageError as error:
        yield f"- **Commits**: not known here ({error})"
        return
    yield f"- **Commits**: {len(found):,}"
    yield from (f"  - {one.sha[:8]} {_plain(one.subject)}" for one in found[-MOST_COMMITS:])
    if len(found) > MOST_COMMITS:
        yield f"  - and {len(found) - MOST_COMMITS:,} before these"


def _plain(subject: str) -> str:
    """Return *subject* without what GitHub would make a mention, a reference or a mark of."""
    return f"`{subject.replace('`', chr(39))}`" if subject else ""


def _has_commits(point: ChangePoint) -> bool:
    return bool(point.after.commit and point.by.commit and point.after.commit != point.by.commit)


def _command(point: ChangePoint) -> str:
    track, metric = point.track, FOLLOWED_BY_BISECT.get(point.track.metric)
    if not _has_commits(point):
        return "none lies between: both runs are of one commit, so look at what else differs"
    revisions = f"{point.after.commit[:DIGITS]} {point.by.commit[:DIGITS]}"
    contender = f"--contender {shlex.quote(track.contender)}"
    if metric is None:
        return f"`bench diff {revisions} {contender}` (a bisect does not follow {WORDS[track.metric]})"
    # Statements are counted for an exchange, which is no scenario.
    scenario = "" if track.metric == "statements" else f" --scenario {shlex.quote(track.scenario)}"
    return f"`bench bisect {revisions} {contender}{scenario} --metric {metric}`"


def _fixed(fixed: Sequence[tuple[ChangePoint, ChangePoint]], issue: KnownIssue) -> str:
    lines = [
        f"- {one.track.contender}, {place_text(one.track)}: {WORDS[one.track.metric]}, {size_text(one)}; "
        f"fixed by {commit_text(by.likely)}: {size_text(by)}"
        for one, by in fixed
    ]
    marks = "\n".join(MARK.format(point) for point in sorted(issue.points))
    listed = "\n".join(lines) or "- no step for the worse"
    return f"Nothing of this is left:\n\n{listed}\n\n{marks}\n"
