"""Change points as a table, and for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from bench.compare.change_points import ChangePoint, Changes, DatedRun, Drift
from bench.compare.entries import Entries
from bench.compare.history import CellTrack, Followed, Trend
from bench.compare.steps import AFTER, FALSE_ALARMS, FEWEST_BEFORE
from bench.report.terminal import table_of
from bench.report.wording import NOTHING, change, figure, percent_more, plain_estimate, plural, rounded

SCHEMA = 1
WORDS: Mapping[Followed, str] = {
    "throughput_rps": "throughput",
    "service_demand_us": "CPU per request",
    "memory_bytes": "memory",
    "response_bytes": "response bytes",
    "statements": "SQL statements",
    "instructions": "instructions",
}


def print_changes(changes: Changes, trends: Sequence[Trend], console: Console) -> None:
    console.print()
    if changes.points:
        console.print(_table(changes.points))
    else:
        console.print(_nothing(trends))
    for drift in changes.drifts:
        console.print(
            f"{_who(drift.track)}: {WORDS[drift.track.metric]} drifts ({percent_more(drift.change)}), "
            f"{'worse' if drift.worse else 'better'}, in no step: no single commit is to blame."
        )


def _nothing(trends: Sequence[Trend]) -> str:
    longest = max((len(trend.points) for trend in trends), default=0)
    fewest = FEWEST_BEFORE + AFTER[0]
    if longest < 2 * fewest:
        return (
            f"No change point. {plural(longest, 'run')} may be too few: "
            "a step of 3 % takes about twenty runs before it, and five to ten after it."
        )
    return "No change point."


def _table(points: Sequence[ChangePoint]) -> Any:
    table = table_of(Text("Change points", style="bold"))
    for heading in ("contender", "what", "change", "after commit", "by commit", "found", "may be due to"):
        table.add_column(heading, overflow="fold")
    for point in points:
        size = Text(size_text(point), style="red" if point.worse else "green")
        table.add_row(
            f"{point.track.contender}, {place_text(point.track)}",
            WORDS[point.track.metric],
            size,
            commit_text(point.after),
            commit_text(point.by),
            f"{point.found.at:%Y-%m-%d}",
            "; ".join(point.causes) or NOTHING,
        )
    return table


def size_text(point: ChangePoint) -> str:
    """Return the size in words: "worse: −3.1 % (−3.6 to −2.5)"; of statements, their numbers."""
    way = "worse" if point.worse else "better"
    if point.size is None or point.track.metric == "statements":
        return f"{way}: {figure(point.before)} → {figure(point.now)}"
    return f"{way}: {change(point.size)}"


def commit_text(run: DatedRun) -> str:
    return f"{run.commit[:8] or f'{run.at:%Y-%m-%d}'}{' and changes' if run.dirty else ''}"


def place_text(track: CellTrack) -> str:
    return f"{track.scenario}, {track.load}" if track.load else track.scenario


def _who(track: CellTrack) -> str:
    return f"{track.contender}, {place_text(track)}"


def changes_document(entries: Entries, trends: Sequence[Trend], changes: Changes) -> dict[str, Any]:
    """Return the content of `bench history --json`, ready for JSON."""
    return {
        "schema": SCHEMA,
        "runs": len(entries.runs),
        "left_out": list(entries.left_out),
        "false_alarms_per_run": FALSE_ALARMS,
        "points": [_point(point) for point in changes.points],
        "drifts": [_drift(drift) for drift in changes.drifts],
        "trends": [
            {
                **asdict(trend.track),
                "anchor": trend.anchor,
                "runs": len(trend.points),
                "usual": rounded(trend.usual),
                "latest": rounded(trend.latest),
            }
            for trend in trends
        ],
    }


def _point(point: ChangePoint) -> dict[str, Any]:
    return {
        **asdict(point.track),
        "reference": point.reference,
        "worse": point.worse,
        "ratio": plain_estimate(point.size),
        "before": rounded(point.before),
        "now": rounded(point.now),
        **{name: _dated(getattr(point, name)) for name in ("after", "likely", "by", "found")},
        "causes": list(point.causes),
    }


def _drift(drift: Drift) -> dict[str, Any]:
    return {
        **asdict(drift.track),
        "reference": drift.reference,
        "worse": drift.worse,
        "ratio": rounded(drift.change),
        "latest": _dated(drift.latest),
    }


def _dated(run: DatedRun) -> dict[str, Any]:
    return {"at": run.at.isoformat(), "commit": run.commit or None, "dirty": run.dirty}
