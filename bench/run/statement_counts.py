"""SQL statements per request, counted outside every window, on servers that are not timed.

One connection requests one exchange for a moment. The statements that its server's database ran meanwhile,
transaction statements included, are divided by the requests. Our own databases count by themselves. Elsewhere
the drivers of SQLite and MySQL in the server count. Counts are cached by content, as passed checks are.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import CannotMeasure
from bench.files import read_json, to_json, write_atomically
from bench.load import LoadGenerator
from bench.loads import Closed
from bench.model.cell import Cell, Slice
from bench.model.contender import Contender
from bench.model.scenario import Exchange, Scenario
from bench.project.scenarios import PLACEHOLDER
from bench.project.uploads import texts
from bench.records import Queries, Sample
from bench.run.quiet_counts import quiet_counts
from bench.run.verification import content_keys
from bench.runtime import Runtime, Server
from bench.runtime.services.own import COUNTING

METHOD = 3  # part of the cache key of counts: add one when the way of counting changes
WINDOW_S = 0.06
# Every thread of a server sends a query before counting starts. Otherwise it opens its connection later.
WARM_UP_S, WARM_UP_CONNECTIONS, EVERYTHING = 0.2, 16, "*"
ATTEMPTS = 3
OF_USERS = "users of a locustfile choose their requests themselves, so no request can be counted alone"
RARELY = 10**9  # to one: a request that needs nothing is drawn only when it is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The statements of one window, without what savers usually cost."""

    requests: int  # of the exchange itself
    failed: int
    calls: Mapping[str, float]  # text → calls; below zero if a saver ran it less often than usual

    @property
    def is_whole(self) -> bool:
        return self.requests > 0 and all(_each(calls, self).is_integer() for calls in self.calls.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An exchange to count, with those that save what it needs. Their cost is known by then."""

    exchange: Exchange
    savers: tuple[Exchange, ...] = ()
    cookies: bool = False  # its scenario has them kept

    @property
    def scenario(self) -> Scenario:
        weights = (*(1 for _ in self.savers), RARELY)
        return Scenario(
            name=self.exchange.name,
            exchanges=(*self.savers, self.exchange),
            weights=weights,
            cookies=self.cookies,
        )

    def requested(self, requests: int) -> Counter[str]:
        by_variable = _by_variable(self.savers)
        counts: Counter[str] = Counter()
        held: Counter[str] = Counter()
        while counts.total() < requests:
            due = self.exchange
            while missing := next((name for name in _needs(due, by_variable) if not held[name]), None):
                due = by_variable[missing]
            counts[due.name] += 1
            held.update(due.save.keys())
            if due.consumes:
                held[due.consumes] -= 1
        return counts


def count(
    served: Sequence[tuple[Contender, Sequence[Scenario]]],
    runtime: Runtime,
    load: LoadGenerator,
    memory: Path,
) -> Iterator[Queries]:
    """Yield the statements of each contender's exchanges in *served*, or why they are unknown.

    *memory* is the folder of cached counts. Raises CannotMeasure if a server with our own database does not
    start.
    """
    for contender, scenarios in served:
        yield from _uncounted(contender, probes([one for one in scenarios if one.locustfile]), OF_USERS)
    known = ((one, [each for each in scenarios if not each.locustfile]) for one, scenarios in served)
    served = [(one, scenarios) for one, scenarios in known if scenarios]
    yield from _of_exchanges(served, runtime, load, memory)


def _of_exchanges(
    served: Sequence[tuple[Contender, Sequence[Scenario]]],
    runtime: Runtime,
    load: LoadGenerator,
    memory: Path,
) -> Iterator[Queries]:
    keys = content_keys([one for one, _ in served])
    files = {one.name: memory / f"{_key(keys[one.name], scenarios)}.json" for one, scenarios in served}
    unknown: dict[Path, tuple[Contender, Sequence[Scenario]]] = {}
    for one, scenarios in served:
        if not files[one.name].exists():
            unknown.setdefault(files[one.name], (one, scenarios))
    counted = dict(_fresh(unknown, runtime, load)) if unknown else {}
    for name, file in files.items():
        known = counted[file] if file in counted else read_json(file, tuple[Queries, ...])
        for queries in known:
            yield replace(queries, contender=name, remembered=file not in counted)


def probes(scenarios: Sequence[Scenario]) -> list[Probe]:
    found: dict[str, Probe] = {}
    for scenario in scenarios:
        by_variable = _by_variable(scenario.exchanges)
        for exchange in scenario.exchanges:
            probe = Probe(exchange=exchange, savers=_savers(exchange, by_variable), cookies=scenario.cookies)
            found.setdefault(exchange.name, probe)
    return sorted(found.values(), key=lambda probe: len(probe.savers))


Unknown = Mapping[Path, tuple[Contender, Sequence[Scenario]]]


def _fresh(
    unknown: Unknown, runtime: Runtime, load: LoadGenerator
) -> Iterator[tuple[Path, tuple[Queries, ...]]]:
    with ExitStack() as running:
        contenders = [contender for contender, _ in unknown.values()]
        try:
            servers = running.enter_context(runtime.serve(contenders, hash_seed=0, counting="statements"))
        except CannotMeasure as error:
            if all(COUNTING.intersection(one.services) for one in contenders):
                raise
            yield from _apart(unknown, runtime, load, error)
            return
        for file, (contender, scenarios) in unknown.items():
            counts = tuple(_counts(servers[contender.name], probes(scenarios), load))
            if all(queries.per_request is not None for queries in counts):
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(file, to_json(counts))
            yield file, counts
        load.prepare({}, ())  # closes its connections: gunicorn lingers 2 s while some are open


def _apart(
    unknown: Unknown, runtime: Runtime, load: LoadGenerator, error: CannotMeasure
) -> Iterator[tuple[Path, tuple[Queries, ...]]]:
    """Count in smaller groups if not all start: one of them may not start while its drivers are counted.

    *error* is the message of one of them.
    """
    if len(unknown) == 1:
        ((file, (contender, scenarios)),) = unknown.items()
        why = f"its server does not start while drivers are counted: {error}"
        yield file, tuple(_uncounted(contender, probes(scenarios), why))
        return
    ours = {file: one for file, one in unknown.items() if COUNTING.intersection(one[0].services)}
    if ours:
        yield from _fresh(ours, runtime, load)
    for file in unknown.keys() - ours.keys():
        yield from _fresh({file: unknown[file]}, runtime, load)


def _uncounted(contender: Contender, probes: Sequence[Probe], why: str) -> Iterator[Queries]:
    for probe in probes:
        yield Queries(
            contender=contender.name, exchange=probe.exchange.name, requests=0, counted_by=None, why=why
        )


def _counts(server: Server, probes: Sequence[Probe], load: LoadGenerator) -> Iterator[Queries]:
    source = server.statement_source()
    found = tuple(_probed(server, probes, load)) if source.by else ()
    # A driver may be loaded only when it is needed.
    source = server.statement_source() if source.by else source
    if source.by is None:
        yield from _uncounted(server.contender, probes, source.why)
        return
    for queries in found:
        yield replace(queries, counted_by=source.by, drivers=source.drivers)


def _probed(server: Server, probes: Sequence[Probe], load: LoadGenerator) -> Iterator[Queries]:
    exchanges = tuple(probe.exchange for probe in probes)
    everything = Scenario(
        name=EVERYTHING,
        exchanges=exchanges,
        weights=(1,) * len(exchanges),
        cookies=any(probe.cookies for probe in probes),
    )
    target = {server.contender.name: server.address}
    load.prepare(target, [everything, *(probe.scenario for probe in probes)])
    _ask(server, load, EVERYTHING, seed=0, connections=WARM_UP_CONNECTIONS, window_s=WARM_UP_S)
    costs: dict[str, Queries] = {}
    seed = 0
    before = quiet_counts(server.statements)
    for probe in probes:
        taken: list[Taken] = []
        for attempt in range(ATTEMPTS):
            seed += 1  # never the same request twice: an e-mail address would be taken
            window_s = WINDOW_S * 2**attempt
            sample = _ask(server, load, probe.exchange.name, seed=seed, connections=1, window_s=window_s)
            after = quiet_counts(server.statements)
            taken.append(_taken(probe, sample, Counter(after) - Counter(before), costs))
            before = after
            # A connection that is set up during the window shows as a fraction. The next attempt has none.
            if taken[-1].is_whole:
                break
        queries = _cost(server, probe, taken)
        costs[probe.exchange.name] = queries
        yield queries


def _ask(
    server: Server, load: LoadGenerator, scenario: str, *, seed: int, connections: int, window_s: float
) -> Sample:
    load.forget(server.contender.name)  # what savers save is part of the count
    cell = Cell(
        contender=server.contender.name,
        scenario=scenario,
        load=Closed(connections=connections),
    )
    load.begin(
        Slice(cell=cell, role="warm-up", round=0, sweep=0, seed=seed, lead_in_s=0.0, window_s=window_s)
    )
    return load.finish()


def _taken(probe: Probe, sample: Sample, ran: Counter[str], costs: Mapping[str, Queries]) -> Taken:
    requested = probe.requested(sample.setup_requests + sample.slice_requests + sample.unfinished)
    calls: dict[str, float] = {text: float(number) for text, number in ran.items()}
    for one in probe.savers:
        for text, each in costs[one.name].statements.items():
            calls[text] = calls.get(text, 0.0) - requested[one.name] * each
    return Taken(
        requests=requested[probe.exchange.name],
        failed=sample.failed,
        calls={text: round(number, 6) for text, number in calls.items()},
    )


def _cost(server: Server, probe: Probe, taken: Sequence[Taken]) -> Queries:
    """Return the statements of each request, by the last window, or by what all windows have in common."""
    last = taken[-1]
    each = {text: _per_request(text, taken) for text in last.calls} if last.requests else {}
    return Queries(
        contender=server.contender.name,
        exchange=probe.exchange.name,
        requests=last.requests,
        failed=last.failed,
        statements={text: calls for text, calls in each.items() if calls > 0},
    )


def _per_request(text: str, taken: Sequence[Taken]) -> float:
    """Return the calls of *text* for each request.

    Each window begins without anything saved. The first log-in of a connection may cost more or less than one
    that is repeated, which is its usual cost. Divided by the requests of the window, this would be a fraction
    that depends on how many there were. It is the same in each window, so it is no part of what windows of
    different lengths differ in.
    """
    last = taken[-1]
    each = _each(last.calls[text], last)
    if each.is_integer() or len(taken) < ATTEMPTS or last.requests < 2 * taken[0].requests:
        return each
    points = [(one.requests, one.calls.get(text, 0.0)) for one in taken]
    more = round((points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0]))
    once = {round(calls - more * requests, 6) for requests, calls in points}
    return float(more) if len(once) == 1 else each


def _each(calls: float, taken: Taken) -> float:
    return max(0.0, calls / taken.requests)


def _savers(exchange: Exchange, by_variable: Mapping[str, Exchange]) -> tuple[Exchange, ...]:
    found: dict[str, Exchange] = {}
    for variable in _needs(exchange, by_variable):
        saver = by_variable[variable]
        rest = {name: other for name, other in by_variable.items() if other is not saver}
        found |= {one.name: one for one in (*_savers(saver, rest), saver)}
    return tuple(found.values())


def _by_variable(exchanges: Sequence[Exchange]) -> dict[str, Exchange]:
    return {variable: exchange for exchange in exchanges for variable in exchange.save}


def _needs(exchange: Exchange, by_variable: Mapping[str, Exchange]) -> list[str]:
    """Return the saved variables that *exchange* needs before it can be sent."""
    sent = (exchange.path, exchange.headers, exchange.body, exchange.form, exchange.text)
    text = repr((sent, texts(exchange.multipart), exchange.expect.json, exchange.expect.contains))
    used = {name for name, _ in PLACEHOLDER.findall(text)} | {exchange.consumes, *exchange.needs}
    return sorted(by_variable.keys() & used - exchange.fields.keys())


def _key(content: str, scenarios: Sequence[Scenario]) -> str:
    content_of = repr((METHOD, content, [(probe.exchange, probe.cookies) for probe in probes(scenarios)]))
    return hashlib.sha256(content_of.encode()).hexdigest()[:24]
