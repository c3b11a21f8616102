"""Wrong answers: rows whose numbers are no speed, because too many were wrong or none came."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from bench.analysis.resolution import duration
from bench.analysis.rows import Row
from bench.model.cell import Cell
from bench.model.plan import Plan
from bench.project.heats import Group
from bench.records import Record, Run

LIMITING = ("status 429", "status 503")  # how servers refuse requests when there are too many
HINT = "429 and 503 are often a limit of the app itself (a rate limit, a queue of its workers)"


def counted(kinds: Mapping[str, int]) -> str:
    ordered = sorted(kinds.items(), key=lambda kind: -kind[1])
    return ", ".join(f"{kind} × {count:,}" for kind, count in ordered)


def wrong_answers(row: Row) -> str:
    return f"{counted(row.failures)} of {row.answers:,} ({row.failed / row.answers:.0%}){hint(row)}"


def hint(row: Row) -> str:
    refused = [kind for kind in row.failures if kind.startswith(LIMITING)]
    shown = [one for one in row.examples if ", got 429" in one or ", got 503" in one]
    return f"; {HINT}" if refused or shown else ""


def right_at_first(run: Run, cell: Cell) -> str:
    """Return until when a server answered *cell* rightly, if it never did again in that round; or ""."""
    rounds: dict[int, list[Record]] = {}
    for record in run.records:
        if record.slice.cell == cell:
            rounds.setdefault(record.slice.round, []).append(record)
    for number, records in rounds.items():
        begun_s = min(record.started_s for record in run.records if record.slice.round == number)
        if found := _last_right(sorted(records, key=lambda record: record.started_s)):
            last, right = found
            until_s = last.started_s + last.slice.lead_in_s + last.slice.window_s - begun_s
            return f"right at first: {right:,} answers until {until_s:.1f} s into round {number}, none after"
    return ""


def _last_right(records: Sequence[Record]) -> tuple[Record, int] | None:
    """Return the last of *records* with a right answer, and how many came; all after it are wrong."""
    samples = [record.sample for record in records]
    wrong = [*takewhile(lambda sample: sample.failed and not sample.requests, reversed(samples))]
    before = records[: len(records) - len(wrong)]
    right = sum(record.sample.requests for record in before)
    return (before[-1], right) if wrong and right else None


def hopeless(plan: Plan, groups: Sequence[Group], records: Iterable[Record], number: int) -> str | None:
    """Return why measuring more after round *number* is useless; None if it is not.

    It is useless if no contender gave a right answer in the round. For two revisions, it is enough that
    neither side gave one in some scenario.
    """
    taken = [
        record
        for record in records
        if record.slice.round == number and record.slice.role in ("measure", "control")
    ]
    if not taken:
        return None
    for group in groups:
        members = {group.cell(name) for name in group.contenders}
        own = [record for record in taken if record.slice.cell in members]
        silent = bool(own) and not any(record.sample.requests for record in own)
        if silent and (plan.baseline or not any(record.sample.requests for record in taken)):
            return f"{group.scenario}: no contender gave a right answer in round {number}: {_instead(own)}"
    return None


def _instead(records: Sequence[Record]) -> str:
    if example := next((one for record in records for one in record.sample.examples), None):
        return example
    kinds = Counter(kind for record in records for kind in record.sample.failures)
    if kinds:
        return ", ".join(kinds)
    waiting = sum(record.sample.unfinished for record in records)
    if not waiting:
        return "nothing came"
    window_s = records[0].slice.window_s
    return (
        f"{waiting:,} requests were still waiting when their windows of {duration(window_s)} closed: "
        'longer windows (window_s, or window_s = "auto"), or fewer connections'
    )
