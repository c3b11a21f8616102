"""Whether the books of a submission balance: what it states is computed again from what it contains.

Each function yields reasons to refuse it, in words. None of them depends on who is faster.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from bench.analysis import MOST_VOID
from bench.analysis.rows import MOST_WRONG
from bench.errors import UsageError
from bench.files import shaped
from bench.loads import KINDS, Load
from bench.model.cell import Cell
from bench.model.plan import Plan
from bench.project import content_hash
from bench.site.packing import id_of
from bench.site.recomputed import windows_of
from bench.site.submission import (
    StatedCell,
    StatedContender,
    StatedLoad,
    Submission,
    Thinned,
)

ROUNDED = 2e-5  # of figures with six digits
CLOCKS = timedelta(hours=1)  # two clocks may be so far apart
EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)  # before the first run of anybody
LONGEST_S = 14 * 86_400.0
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99_9": 99.9}
TICKS = 1.1  # how much more CPU than there is the clocks of a system may show


def wrong_shape(one: Submission) -> Iterator[str]:
    """Yield what makes the rest uncheckable: columns of other lengths, indices of nothing, two of a kind."""
    count = len(one.sweeps.round)
    sweeps = [*zip(one.sweeps.round, one.sweeps.sweep, strict=False)]
    if len(one.sweeps.sweep) != count or sweeps != sorted(set(sweeps)):
        yield "sweeps: they must be in order, each once"
    for number, cell in enumerate(one.cells):
        columns = {
            "right": cell.right,
            "cpu_us": cell.cpu_us,
            "wrong": cell.wrong,
            "in_window": cell.in_window,
            "window_s": cell.window_s,
        }
        for name, column in columns.items():
            optional = name in ("wrong", "in_window") and not column
            if isinstance(column, tuple) and not optional and len(column) != count:
                yield f"cells.{number}.{name}: {len(column)} values for {count} sweeps"
        for name, index, there in (
            ("contender", cell.contender, one.contenders),
            ("scenario", cell.scenario, one.scenarios),
            ("load", cell.load, one.loads),
            *(("caveats", index, one.caveats) for index in cell.caveats),
        ):
            if not 0 <= index < len(there):
                yield f"cells.{number}.{name}: there is no number {index}"
    for stated in (*one.ratios, *one.noise_floors):
        if not (0 <= stated.cell < len(one.cells) and 0 <= stated.reference < len(one.contenders)):
            yield f"ratios: cell {stated.cell} or contender {stated.reference} is not there"
    yield from _twice(one)


def _twice(one: Submission) -> Iterator[str]:
    for what, names in (
        ("contenders", [known.name for known in one.contenders]),
        ("scenarios", [known.name for known in one.scenarios]),
        ("loads", [known.slug for known in one.loads]),
        ("cells", [(cell.contender, cell.scenario, cell.load) for cell in one.cells]),
        ("ratios", [(stated.cell, stated.metric) for stated in one.ratios]),
    ):
        if len(set(names)) < len(names):
            [(again, _)] = Counter[object](names).most_common(1)
            yield f"{what}: {again} is there twice"


def wrong_dates(one: Submission, now: datetime) -> Iterator[str]:
    began, committed = _at(one.started_at), _at(one.project.committed_at)
    if began is None:
        yield f"started_at: {one.started_at!r} is no time with a zone"
        return
    if began > now + CLOCKS:
        yield f"started_at: {one.started_at} is in the future"
    if began < EARLIEST:
        yield f"started_at: {one.started_at} is before there was such a file"
    if one.project.committed_at and committed is None:
        yield f"project.committed_at: {one.project.committed_at!r} is no time with a zone"
    if committed and began < committed - CLOCKS:
        yield f"started_at: {one.started_at} is before its commit, {one.project.committed_at}"
    if not 0 < one.lasted_s < LONGEST_S:
        yield f"lasted_s: {one.lasted_s:g} s are no duration of a run"


def wrong_id(one: Submission, content: Mapping[str, Any]) -> Iterator[str]:
    if (right := id_of(content)) != one.id:
        yield f"id: the content makes it {right}, not {one.id}: something was changed afterwards"


def wrong_plan(one: Submission) -> Iterator[str]:
    """Yield where plan, hashes and cells do not belong together."""
    stated = one.plan
    if content_hash.hash_of(stated.content) != stated.hash:
        yield "plan.hash: it is not the hash of the plan's content"
    if content_hash.hash_of(list(stated.claims)) != stated.claims_hash:
        yield "plan.claims_hash: it is not the hash of the claims"
    if stated.claims_hash_at_start and stated.claims_hash_at_start != stated.claims_hash:
        yield "plan.claims: they are not those recorded before the first slice"
    plan = plan_of(one)
    if isinstance(plan, str):
        yield plan
        return
    # Only the probe of such a plan changes it.
    if stated.hash_at_start not in (None, stated.hash) and plan.fewer_connections is None:
        yield "plan: it is not the one recorded before the first slice"
    if plan.name != stated.name:
        yield f"plan.name: {stated.name!r}, and its content says {plan.name!r}"
    if len(one.findings) != len(stated.claims):
        yield f"findings: {len(one.findings)} for {len(stated.claims)} claims"
    planned = {
        (name, scenario, load)
        for block in plan.blocks
        for name in block.contenders
        for scenario in block.scenarios
        for load in block.loads
    }
    for cell in one.cells:
        place = place_of(one, cell)
        if (place.contender, place.scenario, place.load) not in planned:
            yield f"cells: {named(one, cell)} is not in the plan"


def wrong_counts(one: Submission) -> Iterator[str]:
    """Yield counts that do not add up."""
    for cell in one.cells:
        yield from (f"{named(one, cell)}: {why}" for why in _wrong_counts(one, cell))
    voids = sum(sum(cell.voids.values()) for cell in one.cells)
    slices = voids + sum(cell.slices for cell in one.cells)
    if (one.void_slices, one.slices) != (voids, slices):
        yield f"void_slices, slices: {one.void_slices}, {one.slices}; the cells have {voids}, {slices}"
    if voids > MOST_VOID * slices and not one.invalid:
        yield f"invalid: {voids} of {slices} slices are void, and it claims to be valid"
    watched_s = sum(window_s or 0.0 for cell in one.cells for window_s in _used_windows(cell))
    if watched_s > one.lasted_s * (1 + ROUNDED):
        yield f"lasted_s: {one.lasted_s:g} s, and the windows alone take {watched_s:.0f} s"


def _wrong_counts(one: Submission, cell: StatedCell) -> Iterator[str]:
    right = [count for count in cell.right if count is not None]
    wrong = sum(count or 0 for count in cell.wrong)
    columns = (cell.right, cell.wrong, cell.in_window, cell.cpu_us)
    if any(value is not None and value < 0 for column in columns for value in column):
        yield "a count or a time is below zero"
    if cell.in_window:
        yield from _wrong_windows(one, cell)
    if any(window_s is None or not window_s > 0 for window_s in _used_windows(cell)):
        yield "a window has no length"
    if sum(right) != cell.requests:
        yield f"requests: {cell.requests}, and its sweeps have {sum(right)}"
    if sum(cell.latencies.counts) != cell.requests or any(count < 0 for count in cell.latencies.counts):
        yield f"latencies: {sum(cell.latencies.counts)} of {cell.requests} requests"
    if len(right) != cell.slices:
        yield f"slices: {cell.slices}, and {len(right)} sweeps have values"
    rounds = [number for number, count in zip(one.sweeps.round, cell.right, strict=True) if count is not None]
    if len(set(rounds)) != cell.rounds:
        yield f"rounds: {cell.rounds}, and its sweeps are of {len(set(rounds))}"
    failed = sum(cell.failures.values())
    if right and (cell.answers != cell.requests + failed or failed != wrong):
        yield f"answers: {cell.answers}, and {cell.requests} right and {wrong} wrong ones are there"
    if min((*cell.failures.values(), *cell.voids.values(), cell.unfinished)) < 0:
        yield "a count is below zero"
    if failed > MOST_WRONG * cell.answers and not cell.withheld:
        yield f"withheld: {failed} of {cell.answers} answers were wrong, and it has a ratio"
    yield from _impossible(one, cell)


def _wrong_windows(one: Submission, cell: StatedCell) -> Iterator[str]:
    """Yield where the answers in windows do not fit the rest: CPU per answer is of these."""
    if one.loads[cell.load].kind != "open":
        yield "in_window: only an open load has other answers in its window"
    for in_window, right, cpu_us in zip(cell.in_window, cell.right, cell.cpu_us, strict=True):
        if (in_window is None) != (right is None) or (cpu_us is not None and not in_window):
            yield "in_window: it has not the sweeps that have values"
            return


def _impossible(one: Submission, cell: StatedCell) -> Iterator[str]:
    """Yield what no machine can do: more CPU than it has, more requests in flight than connections."""
    window_s = sum(one or 0.0 for one in _used_windows(cell))
    if not window_s or not cell.requests:
        return
    cores = one.facts.get("machine", {}).get("cores")
    answers = cell.in_window or cell.right
    cpu_s = sum((us or 0.0) * (count or 0) for us, count in zip(cell.cpu_us, answers, strict=True)) / 1e6
    if isinstance(cores, int) and cpu_s > TICKS * cores * window_s:
        yield f"cpu_us: {cpu_s / window_s:.1f} cores were busy, and the machine has {cores}"
    mean_ms = cell.latency_ms.mean
    if (
        mean_ms
        and cell.in_flight
        and not near(cell.in_flight, mean_ms / 1e3 * cell.requests / window_s, ROUNDED)
    ):
        yield "in_flight: it is not throughput × mean latency"


def wrong_latencies(one: Submission) -> Iterator[str]:
    for cell in one.cells:
        found = asdict(cell.latency_ms)
        known = [found[name] for name in (*PERCENTILES, "max") if found[name] is not None]
        if any(before > after * (1 + ROUNDED) for before, after in pairwise(known)):
            yield f"{named(one, cell)}: latency_ms: a higher percentile is lower"
        beyond = cell.unfinished if one.loads[cell.load].kind == "open" else 0
        for name, percent in PERCENTILES.items():
            if found[name] is not None and not _holds(cell.latencies, percent, found[name], beyond):
                yield f"{named(one, cell)}: latency_ms.{name}: {found[name]:g} is not what latencies show"


def failed_checks(one: Submission) -> Iterator[str]:
    for number in sorted({cell.contender for cell in one.cells}):
        contender = one.contenders[number]
        if contender.checks in ("failed", "skipped") or not _are_counted(contender):
            yield f"{contender.name}: it has figures, and its checks are: {contender.checks}"


def _are_counted(contender: StatedContender) -> bool:
    return (contender.checks == "passed") == (contender.checks_passed > 0)


def plan_of(one: Submission) -> Plan | str:
    """Return the plan, or why its content is none."""
    return _plan(json.dumps({**one.plan.content, "claims": list(one.plan.claims)}))


@lru_cache(maxsize=100)  # runs of a site have few plans
def _plan(text: str) -> Plan | str:
    try:
        return shaped("plan", json.loads(text), Plan)
    except UsageError as error:
        return str(error)


def place_of(one: Submission, cell: StatedCell) -> Cell:
    return Cell(
        contender=one.contenders[cell.contender].name,
        scenario=one.scenarios[cell.scenario].name,
        load=load_of(one.loads[cell.load]),
    )


def load_of(stated: StatedLoad) -> Load:
    if stated.kind == "closed":
        return KINDS["closed"](connections=stated.connections)
    levels: Any = {
        "rate": stated.rate,
        "fraction": stated.fraction,
        "of": stated.of,
        "arrivals": stated.arrivals or "poisson",
    }
    return KINDS["open"](connections=stated.connections, **levels)


def named(one: Submission, cell: StatedCell) -> str:
    return f"{one.contenders[cell.contender].name} in {one.scenarios[cell.scenario].name}"


def _holds(found: Thinned, percent: float, value_ms: float, beyond: int) -> bool:
    """Whether a percentile lies in the bucket of *found* that its rank is in."""
    reached = [*accumulate(found.counts)]
    rank = max(1, -(-((reached[-1] if reached else 0) + beyond) * percent // 100))
    for bucket, count in zip(accumulate(found.buckets), reached, strict=True):
        if count >= rank:
            low, high = low_ns(bucket, found.bits), low_ns(bucket + 1, found.bits)
            return low * (1 - 2e-3) <= value_ms * 1e6 <= high * (1 + 2e-3)
    return False


def low_ns(bucket: int, bits: int) -> int:
    """Return the shortest duration in a thinned *bucket*: see `submission.Thinned`."""
    wide = bucket << bits
    if wide < 1024:
        return wide
    shift = (wide >> 9) - 1
    return (wide - (shift << 9)) << shift


def _used_windows(cell: StatedCell) -> Sequence[float | None]:
    return [
        window_s for window_s, count in zip(windows_of(cell), cell.right, strict=True) if count is not None
    ]


def near(one: float, other: float, within: float) -> bool:
    return math.isclose(one, other, rel_tol=within, abs_tol=1e-12)


def _at(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else None
