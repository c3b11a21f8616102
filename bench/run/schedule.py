"""The one scheduler: from a plan and the records so far to the next slice. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, count
from random import Random
from statistics import median

from bench.loads import PILOT
from bench.model.cell import Cell, Role, Slice
from bench.model.contender import name_of
from bench.model.plan import Plan
from bench.project.heats import Group, by_heat
from bench.records import Record, Start
from bench.run import pilots, windows
from bench.run.pilots import Capacities
from bench.run.windows import PER_SERVER_S, PER_SLICE_S, PROBE_ROUND, PROBE_WINDOWS_S, Timing

WARM_UP_SWEEP = 0
# Sweep of the ceiling slice before the first counted one; the one at the end has the last sweep's number.
BEFORE_SWEEP = 0
NULL_SERVER = "null-server"  # the contender of ceiling slices


def upcoming(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Slice | None:
    return next(remaining(plan, groups, records), None)


def remaining(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Iterator[Slice]:
    """Yield the slices that remain, in order. Rounds before the last one begun count as complete."""
    kept = list(records)
    begun = max((record.slice.round for record in kept), default=_first_round(plan))
    done = {_identity(record.slice) for record in kept if record.slice.round == begun}
    steps = schedule(plan, groups, kept, first_round=begun)
    return (step for step in steps if step.round > begun or _identity(step) not in done)


def schedule(
    plan: Plan, groups: Sequence[Group], records: Iterable[Record] = (), *, first_round: int | None = None
) -> Iterator[Slice]:
    """Yield every slice of *plan* from *first_round* on: each heat's groups are warmed up, then swept.

    If windows or a budget depend on it, round 0 is the probe, on separate servers (`bench.run.windows`).

    Groups run in the same order on every server, because earlier work changes later results: a server that
    has read users has a larger heap. A sweep visits a group's contenders in random order, all with the same
    seed. A heat's first round begins with the pilots of open loads that are fractions of a capacity. The null
    server is requested before a scenario's first counted slice, and again at the very end. *records* settle
    what the plan leaves open (`bench.run.pilots`). All randomness comes from the plan's seed, so a run can
    be resumed where it stopped.
    """
    kept = list(records)
    capacities = pilots.capacities(kept)
    first = {_ceiling_cell(group): group for group in reversed(groups)}
    if first_round is None:
        first_round = _first_round(plan)
    if first_round == PROBE_ROUND:
        yield from _probes(plan, groups, kept)
    for number in count(max(1, first_round)):
        course = windows.course(plan, groups, kept, number)
        for heat in by_heat(groups, number):
            if number == 1:
                yield from _pilots(plan, heat)
            for group in heat:
                timing = course.of(group)
                if plan.warm_up_s:
                    yield from _sweep(plan, group, number, WARM_UP_SWEEP, capacities, timing)
                cell = _ceiling_cell(group)
                if number == 1 and first[cell] is group:
                    yield _ceiling(plan, cell, number, BEFORE_SWEEP)
                spares = _spares(plan, group, number, kept)
                if spares and not windows.has_time_for_spares(plan, course, kept, number):
                    spares = 0
                for sweep in range(1, timing.sweeps + spares + 1):
                    yield from _sweep(plan, group, number, sweep, capacities, timing)
        wanted = pilots.rounds(plan, groups, kept, course)
        if windows.is_last_round(plan, course, kept, number, wanted):
            for cell in dict.fromkeys(map(_ceiling_cell, groups)):
                yield _ceiling(plan, cell, number, plan.sweeps)
            return


def warm_up_again(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Iterator[Slice]:
    """Yield warm-ups again that have records already: when a round is resumed, servers are fresh."""
    kept = list(records)
    done = {_identity(record.slice) for record in kept}
    rest = (step for step in remaining(plan, groups, kept) if step.role in ("warm-up", "measure", "control"))
    if step := next(rest, None):
        (group,) = [known for known in groups if step.cell in map(known.cell, known.contenders)]
        timing = windows.course(plan, groups, kept, step.round).of(group)
        again = _sweep(plan, group, step.round, WARM_UP_SWEEP, pilots.capacities(kept), timing)
        yield from (step for step in again if _identity(step) in done)


def heat_of(step: Slice, groups: Sequence[Group]) -> tuple[str, ...]:
    """Return the contenders whose servers run during *step* of the schedule."""
    if step.role != "ceiling":
        return next(group.heat for group in groups if step.cell.contender in group.heat)
    begins = (group.heat for group in groups if _ceiling_cell(group) == step.cell)
    return next(begins) if step.sweep == BEFORE_SWEEP else by_heat(groups, step.round)[-1][0].heat


def duration_s(steps: Iterable[Slice], groups: Sequence[Group] = (), starts: Iterable[Start] = ()) -> float:
    """Return about how long *steps* take in seconds, with all time besides the load.

    Servers of a heat start together. The start time of each is the median of its *starts*. Without any, it is
    that of a fast server.
    """
    taken = list(steps)
    heats = {name: group.heat for group in groups for name in group.contenders}
    together: dict[tuple[int, tuple[str, ...]], set[str]] = {}
    for step in taken:
        name = step.cell.contender
        together.setdefault((step.round, heats.get(name, ())), set()).add(name)
    known = ready_s(starts)
    started_s = (
        max(len(who) * PER_SERVER_S, *(known.get(name, 0.0) for name in who)) for who in together.values()
    )
    return sum(step.lead_in_s + step.window_s + PER_SLICE_S for step in taken) + sum(started_s)


def ready_s(starts: Iterable[Start]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for start in starts:
        found.setdefault(start.contender, []).append(start.ready_s)
    return {name: median(times) for name, times in found.items()}


def hash_seed(plan: Plan, number: int) -> int:
    """Return PYTHONHASHSEED of round *number*: the same for every server of the round (32 bits)."""
    return Random(f"{plan.seed}/{number}/hash").getrandbits(32)


def start_order(plan: Plan, contenders: Sequence[str], number: int) -> tuple[str, ...]:
    """Return the order in which the servers of round *number* start: random, then reversed in the next round.

    A server that starts later stays a little faster (docs/adr/0009). So of any two contenders each starts
    first equally often.
    """
    pair, is_second = divmod(number - 1, 2)
    order = _shuffled(tuple(contenders), plan.seed, pair, "start")
    return order[::-1] if is_second else order


def _first_round(plan: Plan) -> int:
    return PROBE_ROUND if windows.is_probed(plan) else 1


def _spares(plan: Plan, group: Group, number: int, records: Iterable[Record]) -> int:
    """Return how many spare sweeps *group* has in round *number*: the most slices lost by one contender.

    All contenders take part, so that each slice has a partner. A slice lost in a spare sweep counts, too.
    """
    members = {group.cell(contender) for contender in group.contenders}
    lost = Counter(
        record.slice.cell
        for record in records
        if record.void is not None
        and not record.sample.broken  # it would fail again
        and record.slice.round == number
        and record.slice.role in ("measure", "control")
        and record.slice.cell in members
    )
    return min(plan.spare_sweeps, max(lost.values(), default=0))


def _probes(plan: Plan, groups: Sequence[Group], records: Sequence[Record]) -> Iterator[Slice]:
    for heat in by_heat(groups, 1):
        for group in heat:
            for number, names in windows.probes_due(plan, group, records):
                key = (plan.seed, "probe", group.scenario, group.load.slug, number)
                window_s = PROBE_WINDOWS_S[number - 1]
                for contender in _shuffled(names, *key):
                    yield Slice(
                        cell=group.cell(contender),
                        role="probe",
                        round=PROBE_ROUND,
                        sweep=number,
                        seed=_seed(*key),
                        lead_in_s=window_s / 5,
                        window_s=window_s,
                    )


def _pilots(plan: Plan, groups: Sequence[Group]) -> Iterator[Slice]:
    piloted: dict[str, dict[str, None]] = {}
    for group in groups:
        raters = (group.load.rate_depends_on(name, group.contenders) for name in group.contenders)
        members = dict.fromkeys(pilots.piloted(group, name) for name in chain.from_iterable(raters))
        piloted.setdefault(group.scenario, {}).update(members)
    for scenario, members in piloted.items():
        for sweep in range(1, pilots.PILOT_SWEEPS + 1):
            key = (plan.seed, "pilot", scenario, sweep)
            for contender in _shuffled(tuple(members), *key):
                cell = Cell(contender=contender, scenario=scenario, load=PILOT)
                # The lead-in includes a warm-up, because warm-up slices are counted per cell and round.
                lead_in_s = plan.lead_in_s + plan.warm_up_s
                yield _slice(plan, cell, "capacity", 1, sweep, _seed(*key), lead_in_s=lead_in_s)


def _sweep(
    plan: Plan, group: Group, number: int, sweep: int, capacities: Capacities, timing: Timing
) -> Iterator[Slice]:
    warming = sweep == WARM_UP_SWEEP
    key = (plan.seed, number, group.scenario, group.load.slug, sweep)
    lead_in_s = 0.0 if warming else _lead_in_s(timing.lead_in_s, *key)
    for contender in _shuffled(group.contenders, *key):
        yield _slice(
            plan,
            group.cell(contender),
            "warm-up" if warming else "control" if name_of(contender).is_twin else "measure",
            number,
            sweep,
            _seed(*key),
            lead_in_s=lead_in_s,
            window_s=timing.warm_up_s if warming else timing.window_s,
            rate_rps=pilots.rate_rps(group, contender, capacities),
        )


def _ceiling_cell(group: Group) -> Cell:
    return Cell(contender=NULL_SERVER, scenario=group.scenario, load=group.load.ceiling_load)


def _ceiling(plan: Plan, cell: Cell, number: int, sweep: int) -> Slice:
    return _slice(plan, cell, "ceiling", number, sweep, _seed(plan.seed, "ceiling", cell.scenario))


def _slice(
    plan: Plan,
    cell: Cell,
    role: Role,
    number: int,
    sweep: int,
    seed: int,
    *,
    lead_in_s: float | None = None,
    window_s: float | None = None,
    rate_rps: float | None = None,
) -> Slice:
    return Slice(
        cell=cell,
        role=role,
        round=number,
        sweep=sweep,
        seed=seed,
        lead_in_s=plan.lead_in_s if lead_in_s is None else lead_in_s,
        window_s=plan.window_s if window_s is None else window_s,
        rate_rps=rate_rps,
    )


@cache
def _lead_in_s(shortest_s: float, *key: object) -> float:
    """Return the lead-in of a sweep, in whole milliseconds: one to two times the plan's.

    Every connection sends a new request when a slice begins. A server that answers in bursts keeps step with
    that: windows that always open at the same moment count one burst more or less, always with the same sign.
    """
    return round(shortest_s * Random("/".join(map(str, ("lead-in", *key)))).uniform(1, 2), 3)


@cache
def _seed(*key: object) -> int:
    return Random("/".join(map(str, key))).getrandbits(32)


@cache
def _shuffled(items: tuple[str, ...], *key: object) -> tuple[str, ...]:
    order = list(items)
    Random("/".join(map(str, ("order", *key)))).shuffle(order)
    return tuple(order)


def _identity(step: Slice) -> tuple[Role, Cell, int, int]:
    return step.role, step.cell, step.round, step.sweep
