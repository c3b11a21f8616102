"""Which differences this machine resolves in how many minutes, from a contender against itself."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis import analyse
from bench.analysis.comparisons import Comparison, log_ratios
from bench.analysis.statistics import Estimate, rounds_for, spread_of
from bench.errors import CannotMeasure, UsageError
from bench.loads import PILOT
from bench.model.contender import Contender, name_of
from bench.model.plan import Block, Plan
from bench.model.scenario import Scenario
from bench.project import contenders, plans, scenarios
from bench.records import Run
from bench.run import pilots

LIKE = "quick"  # the plan whose reference and scenarios are used, if the project has it
SCENARIOS = 2  # at most
ROUNDS, SWEEPS = 12, 6  # two minutes
LEAD_IN_S, WINDOW_S, WARM_UP_S = 0.03, 0.12, 0.7
HALF_WIDTHS = (0.05, 0.03, 0.02, 0.01)  # of a ratio's interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A contender against itself in one scenario."""

    scenario: str
    ratio: Estimate
    spread: float  # standard deviation of its logarithm over rounds
    rounds: int  # that have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The minutes until an interval is this narrow in every scenario of the experiment."""

    half_width: float  # 0.05: the interval is the ratio ± 5 %
    rounds: int
    minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The result of the experiment for the machine."""

    contender: str
    rounds: int
    floors: tuple[Floor, ...]
    resolves: tuple[Resolution, ...]


def planned(root: Path) -> Plan:
    """Return the experiment: a contender of the project at *root* beside its twin, in read-only scenarios.

    Raises UsageError if the project has none to offer.
    """
    tables, known = contenders.declared(root), scenarios.declared(root)
    like = plans.read(root, LIKE) if LIKE in plans.names(root) else None
    name = like.reference if like else next(iter(tables), None)
    if name is None:
        raise UsageError(f"{root} declares no contender: there is none to measure against itself")
    contender = contenders.resolve(name, tables)
    block = Block(
        contenders=(name, name_of(name).twin),
        scenarios=_chosen(contender, plans.scenarios(like, known) if like else known),
        loads=(PILOT,),
    )
    return Plan(
        name="noise",
        about="What does this machine resolve? A contender against itself.",
        blocks=(block,),
        reference=name,
        rounds=ROUNDS,
        sweeps=SWEEPS,
        lead_in_s=LEAD_IN_S,
        window_s=WINDOW_S,
        warm_up_s=WARM_UP_S,
        seed=1,
    )


def noise_of(run: Run) -> Noise:
    """Return the result of the finished experiment; raises CannotMeasure if an interval is missing."""
    found = analyse(run)
    if found.invalid:
        raise CannotMeasure(found.invalid)
    floors = tuple(_floors(run, found.noise_floors))
    if missing := {row.cell.scenario for row in found.rows} - {floor.scenario for floor in floors}:
        rows = [row for row in found.rows if row.cell.scenario in missing]
        limits = (row.client_limit for row in rows if row.client_limit)
        left = f"{min(row.rounds for row in rows)} of {run.plan.rounds} rounds are of use"
        why = next(limits, f"{left}, too few for an interval")
        raise CannotMeasure(f"no interval for {', '.join(sorted(missing))}: {why}")
    round_s = pilots.round_s(run.records) or 0.0  # there are intervals, so there are rounds
    return Noise(
        contender=run.plan.reference,
        rounds=run.plan.rounds,
        floors=floors,
        resolves=tuple(_resolution(half_width, floors, round_s) for half_width in HALF_WIDTHS),
    )


def _chosen(contender: Contender, known: Mapping[str, Scenario]) -> tuple[str, ...]:
    """Return the first of *known* that it serves and that only read; a writing one if there are none."""
    served = [name for name in known if contender.scenarios is None or name in contender.scenarios]
    if not served:
        raise UsageError(f"{contender.name} serves none of {', '.join(known)}: name one in its table")
    reading = [name for name in served if not known[name].writes]
    return tuple(reading[:SCENARIOS] or served[:1])


def _floors(run: Run, found: Iterable[Comparison]) -> Iterator[Floor]:
    for one in found:
        if one.metric == "throughput_rps" and one.ratio and one.ratio.low is not None:
            original = replace(one.cell, contender=one.reference)
            by_round = [*log_ratios(run.records, one.cell, original, one.metric).values()]
            if (spread := spread_of(by_round)) is not None:
                yield Floor(scenario=one.cell.scenario, ratio=one.ratio, spread=spread, rounds=len(by_round))


def _resolution(half_width: float, floors: Iterable[Floor], round_s: float) -> Resolution:
    rounds = max(rounds_for(floor.spread, math.log1p(half_width), floor.rounds) for floor in floors)
    return Resolution(half_width=half_width, rounds=rounds, minutes=rounds * round_s / 60)
