"""Builds runs without measuring: what each contender would do is given, noise comes from a seed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from bench.histogram import Histogram
from bench.loads import Closed, Load, Open
from bench.model.cell import Cell, Slice
from bench.model.contender import Contender
from bench.model.plan import Block, Plan
from bench.model.scenario import Exchange, Scenario
from bench.records import SCHEMA, Record, Run, Sample, Usage, Verification

SPEEDS = {"stdlib": 12_000.0, "django": 2_100.0, "flask": 4_300.0, "fastapi": 10_400.0, "flask~aa": 4_300.0}
WARM_UP_S = 2.5  # 500 requests of the slowest that tests have
STACKS = {
    "stdlib": "http.server of the standard library",
    "django": "Django on gunicorn gthread",
    "django-drf": "Django REST framework on gunicorn gthread",
    "flask": "Flask on gunicorn gthread",
    "fastapi": "FastAPI on uvicorn",
}
FINGERPRINT = {
    "machine": {"cpu": "Synthetic CPU", "cores": 2, "memory_bytes": 8 * 2**30},
    "project": {"commit": "0123456789abcdef", "dirty": False},
    "placement": {
        "server": [0],
        "client": [1],
        "database": [1],
        "caveats": ["client and database share a core"],
    },
    "environments": {"fastapi_app-py313": {"packages": {"fastapi": "0.165.0", "uvicorn": "0.40.0"}}},
}


def synthetic_run(
    speeds: Mapping[str, float] = SPEEDS,
    *,
    scenarios: Iterable[str] = ("hello",),
    reference: str = "flask",
    rounds: int = 9,
    sweeps: int = 3,
    connections: int = 32,
    loads: Iterable[Load] = (),
    slo_ms: float | None = None,
    noise: float = 0.02,
    seed: int = 1,
) -> Run:
    """Return a complete run in which each contender answers about so many requests per second.

    *loads* stand in for the one of so many *connections*. The null server answers 150,000 a second.
    """
    random = Random(seed)
    names = tuple(scenarios)
    loads_or_one = tuple(loads) or (Closed(connections=connections),)
    plan = Plan(
        name="synthetic",
        blocks=(Block(contenders=tuple(speeds), scenarios=names, loads=loads_or_one),),
        reference=reference,
        rounds=rounds,
        sweeps=sweeps,
        lead_in_s=0.1,
        window_s=0.65,
        warm_up_s=WARM_UP_S,
        seed=seed,
        slo_ms=slo_ms,
    )
    records = tuple(
        _record(Cell(contender=name, scenario=scenario, load=load), number, sweep, speeds, noise, random)
        for number in range(1, rounds + 1)
        for scenario in names
        for load in loads_or_one
        for sweep in range(sweeps + 1)
        for name in random.sample(sorted(speeds), len(speeds))
    )
    ceilings = tuple(
        _ceiling(Cell(contender="null-server", scenario=scenario, load=load), number, sweep)
        for scenario in names
        for load in dict.fromkeys(one.ceiling_load for one in loads_or_one)
        for number, sweep in ((1, 0), (rounds, sweeps))
    )
    return Run(
        schema=SCHEMA,
        plan=plan,
        runtime="process",
        started_at="2026-11-23T04:43:00+00:00",
        fingerprint=FINGERPRINT,
        contenders=tuple(contender(name) for name in speeds),
        scenarios=tuple(scenario(name) for name in names),
        verifications=tuple(Verification(contender=name, outcome="passed", checks=61) for name in speeds),
        records=(*records, *ceilings),
        ended="complete",
    )


def with_records(run: Run, change: Callable[[Record], Record | None]) -> Run:
    """Return *run* with every record changed; None takes one out."""
    return replace(run, records=tuple(kept for record in run.records if (kept := change(record)) is not None))


def failing(record: Record) -> Record:
    """Return *record* as if every response had been a 500."""
    lost = record.sample.requests
    sample = replace(
        record.sample,
        latency=Histogram(),
        failures={"status 500": lost},
        examples=("GET /: expected 200, got 500 <h1>Oops | it broke</h1>",),
    )
    return replace(record, sample=sample)


def failing_some(record: Record, count: int, kind: str = "status 500") -> Record:
    """Return *record* with so many wrong answers beside the right ones."""
    example = f"GET /: expected status 200, got {kind.removeprefix('status ')} oops"
    return replace(record, sample=replace(record.sample, failures={kind: count}, examples=(example,)))


def contender(name: str) -> Contender:
    """Return a contender that nobody could start."""
    base = name.partition(":")[0].partition("~")[0]
    return Contender(
        name=name,
        base=base,
        app=f"{base}_app",
        root="/nowhere",
        stack=STACKS.get(base, f"{base} on a server"),
        interface="wsgi",
        server="gunicorn",
        command="gunicorn app:app",
    )


def scenario(name: str) -> Scenario:
    """Return a scenario of one GET."""
    return Scenario(name=name, exchanges=(Exchange(name=name, method="GET", path=f"/{name}"),), weights=(1,))


def rate(fraction: float, **changes: Any) -> Load:
    """Return an open load."""
    return Open(connections=256, fraction=fraction, arrivals="poisson", **changes)


def _record(
    cell: Cell, number: int, sweep: int, speeds: Mapping[str, float], noise: float, random: Random
) -> Record:
    window_s = 0.65 if sweep else WARM_UP_S
    speed = speeds[cell.contender]
    due_rps = _due_rps(cell, speeds)
    count = round((due_rps or speed) * window_s * (1 + random.gauss(0, noise)))
    role = "warm-up" if not sweep else "control" if cell.contender.endswith("~aa") else "measure"
    return Record(
        slice=Slice(
            cell=cell,
            role=role,
            round=number,
            sweep=sweep,
            seed=sweep,
            lead_in_s=0.1 if sweep else 0.0,
            window_s=window_s,
            rate_rps=due_rps,
        ),
        sample=_closed(cell, count, speed, window_s, random)
        if due_rps is None
        else _open(count, due_rps / speed, window_s, random),
        usage=Usage(
            elapsed_s=window_s,
            server_cpu_s=window_s * (0.99 if due_rps is None else min(due_rps / speed, 0.99)),
            database_cpu_s=0.0,
            client_wait_s=0.01 * window_s,
            busy_s={"0": window_s * 0.99, "1": count * 7e-6 + window_s * 0.01},
            softirq_s={"0": 0.0, "1": 0.0},
            steal_s={"0": 0.0, "1": 0.0},
            memory_bytes=(40 + random.randrange(4)) * 2**20,
        ),
        started_s=number * 100.0 + (60 if cell.scenario != "hello" else 0) + sweep * 5,
    )


def _due_rps(cell: Cell, speeds: Mapping[str, float]) -> float | None:
    if not cell.load.has_due_times:
        return None
    capacity = min(speeds.values()) if cell.load.of else speeds[cell.contender]
    return cell.load.rate or (cell.load.fraction or 0.0) * capacity


def _closed(cell: Cell, count: int, speed: float, window_s: float, random: Random) -> Sample:
    typical_ns = cell.load.connections / speed * 1e9 if speed else 0.0
    return Sample(
        window_s=window_s,
        latency=_spread(count, typical_ns, random),
        wake=_spread(count // 16, 12_000, Random(count)),
        unfinished=cell.load.connections if speed else 0,
        connects=cell.load.connections,
        received_bytes=count * 150,
        client_cpu_s=count * 7e-6,
    )


def _open(count: int, load: float, window_s: float, random: Random) -> Sample:
    """Requests wait the longer, the nearer *load* (1: capacity) comes to all that there is."""
    service_ns = 2e6
    return Sample(
        window_s=window_s,
        latency=_spread(count, service_ns / max(1 - load, 0.01), random),
        service=_spread(count, service_ns, random),
        lag=_spread(count, 20_000, random),
        wake=_spread(count // 16, 15_000, Random(count)),
        bend=0.8,
        due=count,
        received_bytes=count * 150,
        client_cpu_s=count * 9e-6,
    )


def _spread(count: int, typical_ns: float, random: Random) -> Histogram:
    drawn = Histogram.of(round(typical_ns * (0.8 + random.expovariate(5))) for _ in range(min(count, 200)))
    scale = max(1, count // 200)
    counts = [held * scale for held in drawn.counts]
    if counts:
        counts[0] += count - sum(counts)
    return replace(drawn, counts=tuple(counts), total_ns=round(drawn.total_ns * count / max(drawn.count, 1)))


def _ceiling(cell: Cell, number: int, sweep: int) -> Record:
    window_s, count = 0.65, round(150_000 * 0.65)
    once = Histogram.of([200_000])
    return Record(
        slice=Slice(
            cell=cell,
            role="ceiling",
            round=number,
            sweep=sweep,
            seed=1,
            lead_in_s=0.1,
            window_s=window_s,
        ),
        sample=Sample(
            window_s=window_s,
            latency=replace(once, counts=(count,), total_ns=200_000 * count),
            received_bytes=count * 150,
            client_cpu_s=window_s * 0.99,
        ),
        usage=Usage(elapsed_s=window_s, server_cpu_s=window_s * 0.6, database_cpu_s=0.0),
        started_s=number * 10.0 + sweep,
    )
