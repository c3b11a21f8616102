"""The experiment: verify, then rounds of fresh servers side by side, swept over in short slices."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench import schedule
from bench.errors import CannotMeasure
from bench.load import LoadGenerator
from bench.model import Contender, Scenario, Slice
from bench.plan import Group, groups
from bench.progress import Progress
from bench.queries import count
from bench.records import Event, Record, Start, Usage
from bench.runtime import Runtime, Server
from bench.store import Journal
from bench.verification import verify
from bench.voids import void_of


class Observer(Protocol):
    """Watches CPU and memory while a window is open."""

    def watch(
        self,
        server: tuple[int, ...],
        database: tuple[int, ...],
        client: tuple[int, ...],
        opens_ns: int,
        closes_ns: int,
    ) -> Usage:
        """Wait out the two moments (`perf_counter_ns`); return what the processes used between them."""


class Asked(Protocol):
    """What a slice is aimed at: a contender's server, or the null server."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""

    def pids(self) -> tuple[int, ...]:
        """Return every process of it as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Everything slow or outside that an experiment needs."""

    runtime: Runtime
    load: LoadGenerator
    observer: Observer
    # Serves what a scenario expects, in so many bytes a response, and does nothing else.
    null_server: Callable[[Scenario, int], AbstractContextManager[Asked]]
    progress: Progress
    memory: Path  # folder of remembered verifications, and of counts of SQL statements


def carry_out(journal: Journal, lab: Lab) -> None:
    """Carry out the journal's plan, keeping everything measured in it as it goes.

    Raises CannotMeasure where no contender is left, or a service or the load generator dies; what
    was measured until then is in the journal.
    """
    plan = journal.run.plan
    lab.progress.phase("preparing environments and services")
    lab.runtime.prepare(journal.run.contenders)
    journal.learned(lab.runtime.facts())
    equal = _verified(journal, lab)
    swept = groups(plan, equal)
    timed = [equal[name] for name in dict.fromkeys(name for group in swept for name in group.contenders)]
    _count_queries(journal, lab, swept, equal)
    while step := schedule.upcoming(plan, swept, journal.run.records):
        with lab.runtime.serve(timed, hash_seed=schedule.hash_seed(plan, step.round)) as servers:
            _round(journal, lab, swept, servers, step.round)
            lab.load.prepare({}, ())  # lets go of its connections: gunicorn lingers 2 s where some are open


def _verified(journal: Journal, lab: Lab) -> dict[str, Contender]:
    """Hold every contender against the checks; return those that may be timed."""
    equal = {contender.name: contender for contender in journal.run.contenders}
    lab.progress.phase("verifying that every contender answers alike")
    for verification in verify(journal.run.contenders, lab.runtime, lab.memory):
        journal.verified(verification)
        if verification.outcome == "failed":
            del equal[verification.contender]
            lab.progress.note(f"not timed: {verification.contender}: {verification.differences[0]}")
    if not equal:
        raise CannotMeasure("no contender passed its checks: `bench verify` names the differences")
    return equal


def _count_queries(
    journal: Journal, lab: Lab, swept: Sequence[Group], equal: Mapping[str, Contender]
) -> None:
    """Have the database count what each contender asks of it, on servers that are not timed."""
    lab.progress.phase("counting SQL statements per request")
    scenarios = {scenario.name: scenario for scenario in journal.run.scenarios}
    asked = {
        name: (contender, [scenarios[group.scenario] for group in swept if name in group.contenders])
        for name, contender in equal.items()
    }
    for queries in count(list(asked.values()), lab.runtime, lab.load, lab.memory / "queries"):
        journal.counted(queries)


def _round(
    journal: Journal, lab: Lab, swept: Sequence[Group], servers: Mapping[str, Server], number: int
) -> None:
    """Measure what is left of round *number* on its *servers*, one slice after another."""
    for name, server in servers.items():
        journal.started(Start(contender=name, round=number, ready_s=server.ready_s))
    _aim(journal, lab, servers)
    writes = {scenario.name for scenario in journal.run.scenarios if scenario.writes}
    dirty: set[str] = set()
    last: Slice | None = None
    for step in _steps_of(journal, lab, swept, number):
        if last and (last.cell.scenario, last.sweep) != (step.cell.scenario, step.sweep):
            journal.save()
        name = step.cell.contender
        last = step
        if step.role == "ceiling":
            journal.measured(_ceiling(journal, lab, servers, step))
            continue
        if name in dirty:
            servers[name].reset_data()
            dirty.remove(name)
        journal.measured(_slice(journal, lab, servers[name], step))
        _look_after(journal, lab, servers[name])
        if step.cell.scenario in writes:
            dirty.add(name)
    journal.save()


def _steps_of(journal: Journal, lab: Lab, swept: Sequence[Group], number: int) -> Iterator[Slice]:
    """Yield the slices of round *number*, telling progress of each."""
    plan = journal.run.plan
    planned_s = schedule.duration_s(schedule.schedule(plan, swept))
    left_s = schedule.duration_s(schedule.remaining(plan, swept, journal.run.records))
    while (step := schedule.upcoming(plan, swept, journal.run.records)) and step.round == number:
        lab.progress.measuring(step, planned_s=planned_s, left_s=left_s)
        yield step
        left_s -= schedule.duration_s([step])


def _aim(journal: Journal, lab: Lab, asked: Mapping[str, Asked]) -> None:
    lab.load.prepare({name: one.address for name, one in asked.items()}, journal.run.scenarios)


def _slice(journal: Journal, lab: Lab, server: Asked, step: Slice) -> Record:
    """Load one server for a lead-in and a counted window, watching CPU while the window is open."""
    started_s = journal.elapsed_s()
    opens_ns, closes_ns = lab.load.begin(step)
    usage = lab.observer.watch(
        server.pids(), lab.runtime.database_pids(), lab.load.pids(), opens_ns, closes_ns
    )
    sample = lab.load.finish()
    for who in sample.lost_workers:
        journal.happened(Event(at_s=journal.elapsed_s(), what=f"{who}: its slice is void, the others go on"))
    return Record(slice=step, sample=sample, usage=usage, started_s=started_s, void=void_of(sample))


def _ceiling(journal: Journal, lab: Lab, servers: Mapping[str, Server], step: Slice) -> Record:
    """Load the null server as contenders are loaded; they idle beside it, as beside each other."""
    (scenario,) = [known for known in journal.run.scenarios if known.name == step.cell.scenario]
    response_bytes = _response_bytes(journal.run.records, scenario.name)
    with lab.null_server(scenario, response_bytes) as null:
        _aim(journal, lab, {**servers, step.cell.contender: null})
        record = _slice(journal, lab, null, step)
        _aim(journal, lab, servers)
    return record


def _response_bytes(records: Iterable[Record], scenario: str) -> int:
    """Return how long responses have been so far, head and body, whoever gave them."""
    samples = [record.sample for record in records if record.slice.cell.scenario == scenario]
    answered = sum(sample.requests for sample in samples)
    return round(sum(sample.received_bytes for sample in samples) / answered) if answered else 0


def _look_after(journal: Journal, lab: Lab, server: Server) -> None:
    """Note a server that has died (its slices go on to fail until the round ends); check the services."""
    name = server.contender.name
    how = server.ended()
    known = {(event.contender, event.what) for event in journal.run.events}
    if how and (name, how) not in known:
        journal.happened(Event(at_s=journal.elapsed_s(), what=how, contender=name, log=server.log_tail()))
    lab.runtime.check()
