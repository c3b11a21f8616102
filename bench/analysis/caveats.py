"""Measured reasons to trust a row less, in words."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.analysis.limits import NEAR_CEILING
from bench.analysis.processes import UNEVEN, Processes, format_cores, other_than_declared, server_cores
from bench.analysis.rows import Row
from bench.analysis.statistics import FEWEST_FOR_INTERVAL
from bench.analysis.steadiness import WARM_REQUESTS, too_little_warm_up
from bench.analysis.written_data import not_put_back
from bench.analysis.wrong import counted, hint, right_at_first
from bench.model.contender import Contender
from bench.records import Event, Run

KEPT_UP = 0.99  # of the requests that were due
ACCOUNTED = 0.8  # of the requests in flight, by what was answered
WRONG = 0.01  # of the answers: beyond it they do not show how long requests wait
# The words with which `bench.runtime` reports that a server ended.
ENDS = re.compile(r"killed|ended|was removed")
GIL = re.compile(r"\bGIL is\b")  # of a free-threaded Python, where nothing shows that it is off
IDLE = 100  # times as much CPU as a worker used: that worker was left out
LONGER_WINDOWS = 'longer windows (window_s = "auto" in the plan) or fewer connections'
SAME_CORE = 0.05  # of its speed that a core loses while its neighbour is busy


def caveats_of(run: Run, row: Row, processes: Processes | None) -> tuple[str, ...]:
    """Return the measured reasons to trust *row* less; those of the row alone come first.

    *processes* are those of its contender.
    """
    contender = next(one for one in run.contenders if one.name == row.cell.contender)
    return (
        *_of_ends(run, contender),
        *client_caveats(row),
        *_of_row(row, lives=not any(_ends(run, contender))),
        *_of_times(run, row),
        *_of_servers(run, row, contender),
        *_of_processes(row, None if run.runtime == "external" else processes),  # it declares none
        *_of_contender(run, contender),
        *_of_builds(run, contender),
        *_of_run(run),
    )


def _of_ends(run: Run, contender: Contender) -> Iterator[str]:
    for event in _ends(run, contender):
        yield f"its server ended ({event.what}), {event.at_s:.0f} s into the run"


def _ends(run: Run, contender: Contender) -> Iterator[Event]:
    return (event for event in run.events if event.contender == contender.name and ENDS.match(event.what))


def client_caveats(row: Row) -> Iterator[str]:
    """Yield what the client is where users of a locustfile send the requests."""
    if not row.client:
        return
    cost = f"{row.client_us.estimate:,.0f} µs of its CPU a request are" if row.client_us else "its cost is"
    yield f"client: Locust's own {row.client}: {cost} in the figures, and wait_time is left out"
    if row.in_flight is not None and row.requests:
        share = min(1.0, row.in_flight / row.cell.load.connections)
        if share < ACCOUNTED and not row.failed:
            yield (
                f"its users waited for answers {share * 100:.0f} % of the time: what their tasks do besides, "
                "such as sleep, caps the throughput"
            )


def _of_row(row: Row, *, lives: bool) -> Iterator[str]:
    if row.failed:
        yield f"{row.failed:,} of {row.answers:,} requests failed ({counted(row.failures)}){_apart(row)}"
    elif row.withheld and row.requests:
        yield f"it has no ratio and no rank: no right answer in round {row.silent}"
    if row.unfinished and not (row.requests or row.failed or row.arrivals):
        yield (
            f"no answer came: {row.unfinished:,} requests were still waiting when their windows closed"
            f"{f': {LONGER_WINDOWS}' if lives else ''}"
        )
    if row.coarse:
        yield f"not compared: {row.coarse}"
    elif lives and _cut_short(row):
        of_all = f"{row.in_flight:,.0f} of {row.cell.load.connections}"
        yield (
            f"its answers account for {of_all} requests in flight: "
            "the others wait for about as long as a window, so it is too short to show them"
        )
    elif _counted_twice(row):
        of_all = f"{row.in_flight:,.0f} requests in flight on {row.cell.load.connections}"
        yield (
            f"its answers account for {of_all} connections, more than there can be: "
            "windows are too short, and count answers to what was sent before them"
        )
    if row.arrivals and row.requests < KEPT_UP * row.arrivals.due:
        share = row.requests / row.arrivals.due
        yield f"did not keep up: {share * 100:.1f} % of the requests that were due got a right answer"
    elif row.arrivals and row.arrivals.backlog > (1 - KEPT_UP) * row.arrivals.due + _chance(row):
        share = row.arrivals.backlog / row.arrivals.due
        yield (
            f"fell behind: {share * 100:.1f} % of the requests that were due had no answer when their window "
            "closed, beyond those that waited when it opened"
        )
    if row.voids:
        void = sum(row.voids.values())
        yield f"{void} of {void + row.slices} slices void ({counted(row.voids)})"
    if row.rounds < FEWEST_FOR_INTERVAL:
        rounds = "1 round" if row.rounds == 1 else f"{row.rounds} rounds"
        yield f"no interval: {rounds}, {FEWEST_FOR_INTERVAL} are needed"
    if row.client_limit:
        yield row.client_limit
    if row.ceiling.missing and not _below_what_was_reached(row):
        yield row.ceiling.missing


def _chance(row: Row) -> float:
    """Return how much the requests in flight at the windows' two edges differ by chance, at most."""
    return 3 * math.sqrt(2 * (row.in_flight or 0.0) * row.slices)


def _of_times(run: Run, row: Row) -> Iterator[str]:
    if row.is_wrong and (until := right_at_first(run, row.cell)):
        yield until


def _apart(row: Row) -> str:
    if not row.is_wrong:
        return ""
    return f", so it has no ratio and no rank{hint(row)}"


def _below_what_was_reached(row: Row) -> bool:
    """Whether the client reached so much more on the null server that the ceiling need not be known."""
    throughput = row.throughput_rps.estimate if row.throughput_rps else 0.0
    return 0.0 < throughput <= NEAR_CEILING * row.ceiling.reached_rps


def _cut_short(row: Row) -> bool:
    """Whether answers explain too little of what a closed load keeps in flight, by Little's law.

    Only right answers show that: a refused or reset connection does not wait.
    """
    if not row.cell.load.keeps_busy or not row.requests or row.in_flight is None or row.client:
        return False
    if row.failed > WRONG * row.answers:
        return False
    wrong = row.in_flight * row.failed / row.requests  # they took time too
    return row.in_flight + wrong < ACCOUNTED * row.cell.load.connections


def _counted_twice(row: Row) -> bool:
    if not row.cell.load.keeps_busy or row.in_flight is None:
        return False
    return row.in_flight * ACCOUNTED > row.cell.load.connections


def cut_off(rows: Iterable[Row]) -> str | None:
    """Return why no right answer came though none was wrong: the answers came after their windows."""
    there = list(rows)
    waiting = sum(row.unfinished for row in there)
    if not waiting or any(row.requests or row.failed for row in there):
        return None
    return (
        f"no answer came within its window, {waiting:,} requests were still waiting: none was wrong: "
        f"{LONGER_WINDOWS}"
    )


def _of_servers(run: Run, row: Row, contender: Contender) -> Iterator[str]:
    warmed = too_little_warm_up(run, row.cell, contender.workers)
    if warmed is not None and row.requests and not row.paced:  # a stream is work of many moments
        yield f"warmed up by {warmed:,} requests per worker: {WARM_REQUESTS} are due"
    if row.imbalance and row.imbalance > UNEVEN:
        yield f"its workers shared unevenly: {_uneven(row.imbalance)}"
    yield from (f"its data are not put back after writing: {why}" for why in not_put_back(run, row.cell))
    steady = row.steadiness
    if steady and steady.change and steady.state in ("warming", "slowing"):
        low, high = ((end or 1.0) * 100 - 100 for end in (steady.change.low, steady.change.high))
        yield (
            f"{steady.state}: a server's speed changed by {steady.change.estimate * 100 - 100:+.1f} % "
            f"({low:+.1f} to {high:+.1f}) from its first slice to its last, {steady.span_s:.0f} s later"
        )
    if steady and steady.state == "unsteady":
        yield f"unsteady: half of a server's slices lie over {steady.deviation * 100:.0f} % from its middle"


def _of_processes(row: Row, processes: Processes | None) -> Iterator[str]:
    if processes is None:
        return
    if odd := other_than_declared(processes):
        yield odd
    if row.utilisation.server is None and row.requests:
        yield (
            "no CPU: a process of its server ignores SIGCHLD, so what its children used is in no clock; "
            "let it wait for them"
        )


def _uneven(imbalance: float) -> str:
    if imbalance > IDLE:
        return "one of them did next to nothing"
    return f"the busiest used {imbalance:.1f} × the CPU of the least busy one (median over rounds)"


def _of_contender(run: Run, contender: Contender) -> Iterator[str]:
    outcomes = {verification.contender: verification.outcome for verification in run.verifications}
    cores = server_cores(run)
    if cores and contender.workers > cores:
        yield f"{contender.workers} workers on {format_cores(cores)} of the servers: they take turns"
    if not contender.keep_alive:
        yield "its server keeps no connection: every request opens one, and that is in its numbers"
    match outcomes.get(contender.name):
        case "failed":
            yield "it failed its checks: it does not do the same work"
        case "no checks" | None:
            yield "no checks: nothing shows that it does the same work"
    unlocked = run.fingerprint.get("unlocked")
    if isinstance(unlocked, Mapping) and contender.name in unlocked:
        yield unlocked[contender.name]
    for event in run.events:
        if event.contender == contender.name and not ENDS.match(event.what):
            yield f"its server, {event.at_s:.0f} s into the run: {event.what}"


def _of_builds(run: Run, contender: Contender) -> Iterator[str]:
    """Yield that its Python was made otherwise than that of its reference."""
    reference = run.plan.reference_of(contender.name)
    own, other = (run.environment(one).get("built") for one in (contender.name, reference))
    if own and other and own != other:
        yield (
            f"its Python was built otherwise than that of {reference}, so a ratio is of builds too: "
            f"{own}; {other}"
        )


def _of_run(run: Run) -> Iterator[str]:
    if run.ended != "complete":
        yield f"partial run: {run.ended or 'still going, or killed'}"
    placement = run.fingerprint.get("placement")
    if isinstance(placement, Mapping):
        yield from placement.get("caveats", ())
    limits = run.fingerprint.get("limits")
    if isinstance(limits, Mapping):
        yield from limits.get("caveats", ())
    hyperthreads = run.fingerprint.get("hyperthreads")
    if isinstance(hyperthreads, Mapping) and hyperthreads["slowdown"] > SAME_CORE:
        yield same_core(hyperthreads["cores"], hyperthreads["slowdown"])


def same_core(cores: Sequence[int], slowdown: float) -> str:
    core, neighbour = cores
    return (
        f"core {core} is {slowdown * 100:.0f} % slower while core {neighbour} is busy: "
        "they are not two whole cores (hyperthreads)"
    )
