"""What load generators reach on a server that does nothing: ours, and others for comparison.

They take turns of a second, so that all meet the same states of the machine. Medians over turns are shown.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from statistics import median

from bench.doctor.diagnosis import LOAD_GENERATORS, Check, GeneratorReading, Readings, check
from bench.load import LoadGenerator
from bench.load.peers import CONNECTIONS, Ask, Turn
from bench.loads import Closed
from bench.model.cell import Cell, Slice
from bench.model.scenario import Scenario
from bench.observe.usage import cpu_readings, cpu_seconds
from bench.run.lab import Observer, SliceTarget

OURS = "engine"
LEAD_IN_S, WINDOW_S = 0.2, 0.8
BUSY = 0.95  # of a core: a process this busy is the limit
NULL = "null-server"

NullServers = Callable[[Scenario, int], AbstractContextManager[SliceTarget]]
Peers = Mapping[str, Callable[[tuple[str, int], Scenario], AbstractContextManager[Ask]]]
_Watched = tuple[Turn, float | None]  # and how busy the null server was


def readings(
    scenario: Scenario,
    turns: int,
    *,
    load: LoadGenerator,
    observer: Observer,
    null_server: NullServers,
    peers: Peers,
) -> Readings:
    """Have *load* and *peers* send *scenario* for so many *turns* each. Raises CannotMeasure."""
    with ExitStack() as stack:
        null = stack.enter_context(null_server(scenario, 0))
        load.prepare({NULL: null.address}, [scenario])
        takes: dict[str, Callable[[], _Watched]] = {OURS: partial(_ours, load, observer, null, scenario)}
        for name, start in peers.items():
            takes[name] = partial(_peer, stack.enter_context(start(null.address, scenario)), null)
        taken: dict[str, list[_Watched]] = {name: [] for name in takes}
        for number in range(turns):
            names = list(takes)
            first = number % len(names)  # each generator comes once after every other
            for name in names[first:] + names[:first]:
                taken[name].append(takes[name]())
    return {name: _reading(watched) for name, watched in taken.items()}


def ceiling(name: str, found: Readings) -> Check:
    """Return whether our rate is the ceiling: we were busy and the null server was not."""
    ours = found[OURS]
    others = [
        f"{ours.rps / reading.rps:.1f} × {LOAD_GENERATORS[other]}"
        + (f" ({reading.failures:,} of its requests failed)" if reading.failures else "")
        for other, reading in found.items()
        if other != OURS and reading.rps
    ]
    detail = ", ".join([f"{ours.rps:,.0f} requests/s", *others])
    if ours.failures:
        return check(
            name, "not fit", f"{ours.failures:,} wrong answers", "a fault of bench: please report it"
        )
    if ours.server_busy is not None and ours.server_busy >= BUSY:
        detail += f"; at least: the null server was {ours.server_busy:.0%} busy"
        return check(name, "caution", detail, "take it for a lower bound: the client can do more")
    if ours.client_busy < BUSY:
        detail += f"; at least: the client got only {ours.client_busy:.0%} of its core"
        return check(name, "caution", detail, "end what else runs on the client's core, then repeat")
    return check(name, "ok", detail)


def _ours(load: LoadGenerator, observer: Observer, null: SliceTarget, scenario: Scenario) -> _Watched:
    step = Slice(
        cell=Cell(contender=NULL, scenario=scenario.name, load=Closed(connections=CONNECTIONS)),
        role="ceiling",
        round=1,
        sweep=1,
        seed=1,
        lead_in_s=LEAD_IN_S,
        window_s=WINDOW_S,
    )
    opens_ns, closes_ns = load.begin(step)
    usage = observer.watch(null.pids(), (), load.pids(), opens_ns, closes_ns)
    sample = load.finish()
    turn = Turn(
        requests=sample.requests,
        failures=sample.failed,
        elapsed_s=sample.window_s,
        cpu_s=sample.client_cpu_s,
    )
    return turn, None if usage.server_cpu_s is None else usage.server_cpu_s / usage.elapsed_s


def _peer(ask: Ask, null: SliceTarget) -> _Watched:
    before, began_s = cpu_readings(null.pids()), time.perf_counter()
    turn = ask(WINDOW_S)
    used_s = cpu_seconds(before, cpu_readings(null.pids()))
    return turn, None if used_s is None else used_s / (time.perf_counter() - began_s)


def _reading(watched: list[_Watched]) -> GeneratorReading:
    turns = [turn for turn, _ in watched]
    prices = [turn.cpu_s / turn.requests * 1e6 for turn in turns if turn.requests]
    busy = [share for _, share in watched if share is not None]
    return GeneratorReading(
        rps=median(turn.requests / turn.elapsed_s for turn in turns),
        us_per_request=median(prices) if prices else None,
        client_busy=median(turn.cpu_s / turn.elapsed_s for turn in turns),
        server_busy=median(busy) if busy else None,
        failures=sum(turn.failures for turn in turns),
    )
