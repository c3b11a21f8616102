"""One slice at a time: load on a server, or on the null server, while its CPU is watched."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from bench.analysis.limits import cores_of
from bench.analysis.resolution import duration
from bench.analysis.voids import void_of
from bench.errors import CannotMeasure
from bench.histogram import Histogram
from bench.model.cell import Slice
from bench.records import Event, Record, Sample, Usage
from bench.run.lab import Lab, SliceTarget
from bench.run.store import Journal
from bench.runtime import Server


def aim(journal: Journal, lab: Lab, targets: Mapping[str, SliceTarget]) -> None:
    lab.load.prepare({name: one.address for name, one in targets.items()}, journal.run.scenarios)


def take(journal: Journal, lab: Lab, server: SliceTarget, step: Slice) -> Record:
    started_s = journal.elapsed_s()
    sample, usage = ask(lab, server, step)
    for who in sample.lost_workers:
        journal.happened(Event(at_s=journal.elapsed_s(), what=f"{who}: its slice is void, the others go on"))
    void = void_of(sample, usage, cores_of(journal.run))
    return Record(slice=step, sample=sample, usage=usage, started_s=started_s, void=void)


def ask(lab: Lab, server: SliceTarget, step: Slice) -> tuple[Sample, Usage]:
    # List processes before the slice begins: a thousand take a tenth of a second of the client's core.
    watched = server.pids(), lab.runtime.database_pids(), lab.load.pids()
    opens_ns, closes_ns = lab.load.begin(step)
    usage = lab.observer.watch(*watched, opens_ns, closes_ns)
    return lab.load.finish(), usage


def take_ceiling(journal: Journal, lab: Lab, servers: Mapping[str, Server], step: Slice) -> Record:
    """Load the null server as contenders are loaded. They idle meanwhile, as they do beside each other."""
    (scenario,) = [known for known in journal.run.scenarios if known.name == step.cell.scenario]
    if scenario.locustfile:
        return _unknown_ceiling(journal, step, "the null server cannot know what a locustfile requests")
    if scenario.streams:
        return _unknown_ceiling(journal, step, "the null server sends no streams")
    response_bytes = _response_bytes(journal.run.records, scenario.name)
    with ExitStack() as stack:
        try:
            null = stack.enter_context(lab.null_server(scenario, response_bytes))
        except CannotMeasure as error:  # for example, no free port: then only the ceiling is unknown
            return _without_a_ceiling(journal, step, str(error))
        aim(journal, lab, {**servers, step.cell.contender: null})
        record = take(journal, lab, null, step)
        aim(journal, lab, servers)
    return record


def _without_a_ceiling(journal: Journal, step: Slice, why: str) -> Record:
    _note_once(journal, f"{step.cell.scenario}, {step.cell.load.title}: no ceiling: {why}")
    return _unknown_ceiling(journal, step, why)


def _unknown_ceiling(journal: Journal, step: Slice, why: str) -> Record:
    sample = Sample(window_s=step.window_s, latency=Histogram(), broken=why)
    usage = Usage(elapsed_s=step.window_s)
    return Record(slice=step, sample=sample, usage=usage, started_s=journal.elapsed_s(), void=why)


def _response_bytes(records: Iterable[Record], scenario: str) -> int:
    """Return the mean length of contenders' responses so far in bytes, head and body."""
    samples = [
        record.sample
        for record in records
        if record.slice.cell.scenario == scenario and record.slice.role != "ceiling"
    ]
    answered = sum(sample.requests for sample in samples)
    return round(sum(sample.received_bytes for sample in samples) / answered) if answered else 0


def look_after(journal: Journal, lab: Lab, server: Server, record: Record) -> None:
    """Record once that a server died, or answered nothing in *record*. Check the services.

    Later slices of such a server fail, and that is a result. Raises CannotMeasure if a service has died.
    """
    name, how, example = server.contender.name, server.ended(), ""
    if how is None and record.sample.broken:
        _note_once(journal, f"{_named(record.slice)}: {record.sample.broken}")
    elif how is None and record.sample.requests == 0:
        how = _nothing_right(record)
        example = "".join(f": {example}" for example in record.sample.examples[:1])
    known = [event.what for event in journal.run.events if event.contender == name]
    if how and not any(what.startswith(how) for what in known):
        at_s, log = journal.elapsed_s(), server.log_tail()
        journal.happened(Event(at_s=at_s, what=how + example, contender=name, log=log))
    lab.runtime.check()


def _note_once(journal: Journal, what: str) -> None:
    if what not in {event.what for event in journal.run.events}:
        journal.happened(Event(at_s=journal.elapsed_s(), what=what))


def _named(step: Slice) -> str:
    return f"{step.cell.contender}, {step.cell.scenario}, {step.cell.load.title}"


def _nothing_right(record: Record) -> str | None:
    if record.sample.due == 0:
        return None  # at a low rate a window may have no request
    if record.sample.failed or not record.sample.unfinished:
        return "no right answer in a whole slice"
    if record.slice.role == "probe":
        return None
    return f"no answer within a window of {duration(record.slice.window_s)}"
