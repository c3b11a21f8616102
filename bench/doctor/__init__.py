"""The doctor: whether this machine is fit to measure, and what the load generator reaches on it."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.doctor import machine, supplies
from bench.doctor.ceilings import NullServers, Peers, ceiling, readings
from bench.doctor.diagnosis import Check, Diagnosis, Readings, check
from bench.doctor.machine import Facts
from bench.doctor.supplies import Supplies
from bench.errors import CannotMeasure
from bench.load import LoadGenerator
from bench.load.null.server import HELLO
from bench.model.scenario import SAFE, Scenario
from bench.observe.cores import Core, spent
from bench.run.lab import Observer
from bench.run.progress import Progress
from bench.runtime.placement import Placement

HELLO_TURNS, WRITING_TURNS = 5, 3  # a second each for every load generator: half a minute in total
AGAINST_WRITING = ("fast",)  # the generators worth comparing where content varies


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Everything slow or external that an examination needs."""

    placement: Placement
    look: Callable[[], Facts]
    take_stock: Callable[[], Supplies]
    cores: Callable[[], dict[str, Core]]  # the counters of each core so far
    trials: Mapping[str, Callable[[], AbstractContextManager[object]]]  # start the service of that name
    load: Callable[[], AbstractContextManager[LoadGenerator]]
    observer: Observer
    null_server: NullServers
    peers: Peers


def examine(instruments: Instruments, scenarios: Iterable[Scenario], progress: Progress) -> Diagnosis:
    """Examine this machine with a greeting, and with the richest of *scenarios* that writes.

    It takes half a minute. A check that cannot be done makes the machine not fit.
    """
    progress.phase("looking at the machine")
    checks = [
        *machine.checks(instruments.look(), instruments.placement),
        *supplies.checks(instruments.take_stock()),
    ]
    for name, start in instruments.trials.items():
        progress.phase(f"starting {name}")
        checks.append(_trial(name, start))
    progress.phase("requesting from a server that does nothing, with each load generator in turn")
    writing = max((one for one in scenarios if one.writes), key=_kinds_of_writes, default=None)
    of_hello: Readings = {}
    of_writing: Readings = {}
    before = instruments.cores()
    try:
        with instruments.load() as load:
            of_hello = _readings(instruments, load, HELLO, HELLO_TURNS, tuple(instruments.peers))
            checks.append(ceiling("ceiling", of_hello))
            if writing:
                of_writing = _readings(instruments, load, writing, WRITING_TURNS, AGAINST_WRITING)
                checks.append(ceiling(f"ceiling of {writing.name}", of_writing))
    except CannotMeasure as error:
        checks.append(check("ceiling", "not fit", str(error), "`make setup` renews the environment"))
    checks += machine.steal(spent(before, instruments.cores()))
    return Diagnosis(
        checks=tuple(checks),
        hello=of_hello,
        writing=of_writing,
        writing_scenario=writing.name if writing else None,
    )


def _kinds_of_writes(scenario: Scenario) -> int:
    return sum(exchange.method not in SAFE for exchange in scenario.exchanges)


def _readings(
    instruments: Instruments, load: LoadGenerator, scenario: Scenario, turns: int, peers: Iterable[str]
) -> Readings:
    return readings(
        scenario,
        turns,
        load=load,
        observer=instruments.observer,
        null_server=instruments.null_server,
        peers={name: start for name, start in instruments.peers.items() if name in peers},
    )


def _trial(name: str, start: Callable[[], AbstractContextManager[object]]) -> Check:
    began_s = time.perf_counter()
    try:
        with start():
            took_s = time.perf_counter() - began_s
    except CannotMeasure as error:
        return check(name, "not fit", str(error), "`make setup` installs it; its log is below .bench/logs")
    return check(name, "ok", f"starts in {took_s:.1f} s")
