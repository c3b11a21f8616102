"""How long windows are, and how many sweeps and rounds fit a budget: the probe before round 1 decides. Pure.

Each cell whose load keeps its connections busy is loaded for a moment on servers that are not timed. The
slowest contender of a group decides the window, lead-in and warm-up of all its contenders alike. Which one
is faster has no influence.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from bench.analysis.resolution import AMPLE, Pace, duration, hundredths, pace_of, shortfall
from bench.analysis.statistics import FEWEST_FOR_INTERVAL
from bench.model.cell import Cell
from bench.model.contender import name_of
from bench.model.plan import Plan
from bench.project.heats import Group
from bench.records import Record
from bench.run import fewer_connections

PROBE_ROUND = 0
# The next one is used if the one before does not show how long a cell's answers take.
PROBE_WINDOWS_S = (0.5, 1.0, 3.0, 8.0)
BARELY = 1.25  # times the fewest answers, in windows that are kept, or shortened to fit a budget
MEAN_LEAD_IN = 1.5  # times the shortest: lead-ins are drawn between once and twice as long
LATE = 1.1  # of a budget: nothing begins that would end later
# Time besides the load, measured on plan quick (2 cores): the Locust users, readings and resets of a slice;
# and each of the six fresh servers of a round.
PER_SLICE_S, PER_SERVER_S = 0.03, 0.5
BUDGETS_S = (30, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2700, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How the contenders of one group are loaded in every round."""

    window_s: float
    lead_in_s: float  # the shortest
    warm_up_s: float
    sweeps: int
    answer_s: float = 0.0  # of the slowest contender: a slice may wait for it after its window has closed

    def round_s(self, contenders: int) -> float:
        slice_s = MEAN_LEAD_IN * self.lead_in_s + self.window_s + max(PER_SLICE_S, self.answer_s)
        warm_up_s = self.warm_up_s and self.warm_up_s + max(PER_SLICE_S, self.answer_s)
        return contenders * (warm_up_s + self.sweeps * slice_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A plan as it is carried out: as written, and as the probe settled it."""

    timings: Mapping[Group, Timing]
    rounds: int  # with a budget: the fewest
    round_s: float
    probe_s: float  # taken by the probe, and by rounds that do not count
    refusal: str | None = None  # why the plan is not measured
    uncounted: int = 0  # rounds at the beginning whose windows turned out to be too short

    def of(self, group: Group) -> Timing:
        return self.timings[group]

    @property
    def total_s(self) -> float:
        return self.probe_s + (self.rounds - self.uncounted) * self.round_s


def is_probed(plan: Plan) -> bool:
    return plan.longest_window_s is not None or plan.budget_s is not None


def probes_due(plan: Plan, group: Group, records: Iterable[Record]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number of each probe (1, 2, …) that *group* needs by *records*, with its contenders."""
    if not group.load.keeps_busy:
        return
    kept = list(records)
    taken = _probes(kept)
    due = tuple(name for name in group.contenders if not _is_twin(name, group))
    for number in range(1, len(PROBE_WINDOWS_S) + 1):
        if not due or fewer_connections.takes_long(plan, group, kept):
            return  # what takes long is probed on fewer connections
        yield number, due
        found = {name: taken.get((group.cell(name), number)) for name in due}
        due = tuple(
            name for name, record in found.items() if record and _needs_more(plan, pace_of([record]), number)
        )


def course(plan: Plan, groups: Sequence[Group], records: Iterable[Record], number: int = 1) -> Course:
    """Return how *plan* is carried out from round *number* on, by the probes among *records*.

    It is as written if there are none. A probe is one moment, and the machine may have more to do later. So
    where round 1 shows that a window holds too few answers, it was a probe as well: later rounds follow it.
    """
    kept = list(records)
    probes = [record for record in kept if record.slice.role == "probe"]
    paces = _paces(probes)
    first = _fitted(plan, groups, paces, probes, elapsed_s(probes))
    shown = _shown_to_be_short(plan, groups, first, kept) if number > 1 and probes else {}
    if not shown:
        return first
    begun = [record for record in kept if record.slice.round <= 1]
    again = _fitted(plan, groups, {**paces, **shown}, probes, elapsed_s(begun))
    are_longer = any(again.of(group).window_s > first.of(group).window_s for group in groups)
    if again.refusal or not are_longer:
        return first
    return replace(again, rounds=again.rounds + 1, uncounted=1)


def _shown_to_be_short(
    plan: Plan, groups: Sequence[Group], first: Course, records: Sequence[Record]
) -> Mapping[Cell, Pace]:
    """Return the paces in round 1 of the groups in which some contender's windows were too short."""
    counted: dict[Cell, list[Record]] = {}
    for record in records:
        if record.slice.round == 1 and record.slice.role in ("measure", "control") and record.void is None:
            counted.setdefault(record.slice.cell, []).append(record)
    found: dict[Cell, Pace] = {}
    for group in groups if plan.longest_window_s is not None else ():
        timing = first.of(group)
        cells = map(group.cell, group.contenders)
        paces = {cell: pace for cell in cells if (pace := pace_of(counted.get(cell, ())))}
        if not all(_suffices(pace, timing.window_s, timing.lead_in_s) for pace in paces.values()):
            found |= paces
    return found


def _fitted(
    plan: Plan,
    groups: Sequence[Group],
    paces: Mapping[Cell, Pace],
    probes: Sequence[Record],
    passed_s: float,
) -> Course:
    """Return the course that fits the budget of *plan*, of which *passed_s* are over.

    With a budget: first as many sweeps as fit with all rounds of the pilot. Then fewer rounds, down to six of
    one sweep. Then windows that barely hold enough answers.
    """
    fewest = min(plan.rounds, FEWEST_FOR_INTERVAL)
    options = [(AMPLE, sweeps, plan.rounds) for sweeps in range(plan.sweeps, 0, -1)]
    if probes and plan.budget_s is not None:
        options += [(AMPLE, 1, rounds) for rounds in range(plan.rounds - 1, fewest - 1, -1)]
        options += [(BARELY, 1, rounds) for rounds in range(plan.rounds, fewest - 1, -1)]
    found = _course(plan, groups, paces, probes, passed_s, options[0])
    if not probes or plan.budget_s is None:
        return _refused(plan, groups, paces, found)
    for option in options:
        found = _course(plan, groups, paces, probes, passed_s, option)
        if found.total_s <= plan.budget_s:
            break
    return _refused(plan, groups, paces, found)


def remarks(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Iterator[str]:
    kept = [record for record in records if record.slice.role == "probe"]
    paces, settled = _paces(kept), course(plan, groups, kept)
    for group in groups:
        timing = settled.of(group)
        if (timing.window_s, timing.lead_in_s) != (plan.window_s, plan.lead_in_s):
            yield (
                f"{_title(group)}: an answer takes up to {duration(timing.answer_s)}: "
                f"windows of {duration(timing.window_s)} after {duration(timing.lead_in_s)} and more, "
                f"{_plural(timing.sweeps, 'sweep')} a round"
            )
        yield from _too_short(group, timing, paces)
    hurried = any(settled.of(group) != _timing(plan, group, paces, AMPLE, plan.sweeps) for group in groups)
    if plan.budget_s is not None and (hurried or settled.rounds < plan.rounds):
        sweeps = max(settled.of(group).sweeps for group in groups)
        yield (
            f"shortened to fit the budget of {plan.budget_s:.0f} s: {_plural(settled.rounds, 'round')} of "
            f"{_plural(sweeps, 'sweep')}, about {settled.total_s:.0f} s with {settled.probe_s:.0f} s of probe"
        )


def second_look(plan: Plan, groups: Sequence[Group], records: Sequence[Record]) -> Iterator[str]:
    """Yield what round 1 changed: windows that are longer from round 2 on, each with its reason."""
    first, again = course(plan, groups, records), course(plan, groups, records, 2)
    for group in groups if again.uncounted else ():
        before, now = first.of(group), again.of(group)
        if before.window_s < now.window_s:
            yield (
                f"{_title(group)}: in round 1 an answer took up to {duration(now.answer_s)}, longer than in "
                f"the probe: windows of {duration(now.window_s)} instead of {duration(before.window_s)} from "
                "round 2 on, and round 1 does not count"
            )


def too_short(plan: Plan, group: Group, records: Iterable[Record]) -> Iterator[str]:
    kept = list(records)
    warm_ups = [one for one in kept if one.slice.role == "warm-up" and one.slice.round == 1]
    yield from _too_short(group, course(plan, [group], kept).of(group), _paces(warm_ups))


def is_last_round(plan: Plan, settled: Course, records: Sequence[Record], number: int, wanted: int) -> bool:
    """Return whether round *number* is the last. *wanted* rounds are needed in a plan with a budget.

    It depends only on recorded times and on rounds up to *number*, so a resumed run gives the same result.
    """
    if plan.budget_s is None:
        return number >= plan.rounds + settled.uncounted
    until = [record for record in records if record.slice.round <= number]
    if number >= min(settled.rounds, FEWEST_FOR_INTERVAL + settled.uncounted):
        begun = len({one.slice.round for one in until if one.slice.round > PROBE_ROUND + settled.uncounted})
        passed_s = elapsed_s(until)
        a_round_s = (passed_s - settled.probe_s) / begun if begun else settled.round_s
        if passed_s + a_round_s > LATE * plan.budget_s:
            return True
    return number >= max(settled.rounds, wanted)


def has_time_for_spares(plan: Plan, settled: Course, records: Sequence[Record], number: int) -> bool:
    if plan.budget_s is None:
        return True
    return elapsed_s(records) + (settled.rounds - number) * settled.round_s <= plan.budget_s


def elapsed_s(records: Sequence[Record]) -> float:
    """Return the seconds from the start of the first server to the end of the last of *records*."""
    if not records:
        return 0.0
    first = records[0]
    return max(map(_end_s, records)) - (first.started_s - first.waited_s)


def _course(
    plan: Plan,
    groups: Sequence[Group],
    paces: Mapping[Cell, Pace],
    probes: Sequence[Record],
    probe_s: float,
    option: tuple[float, int, int],
) -> Course:
    ample, sweeps, rounds = option
    timings = {group: _timing(plan, group, paces, ample, sweeps) for group in groups}
    round_s = sum(timing.round_s(len(group.contenders)) for group, timing in timings.items())
    answer_s = max((timing.answer_s for timing in timings.values()), default=0.0)
    beside_s = _starts_s(plan, groups, probes, answer_s)
    return Course(timings=timings, rounds=rounds, round_s=round_s + beside_s, probe_s=probe_s)


def _timing(plan: Plan, group: Group, paces: Mapping[Cell, Pace], ample: float, sweeps: int) -> Timing:
    """Return the timing of *group*: the plan's, or what the slowest of its contenders needs.

    If windows are longer, there are fewer sweeps, so that the counted time stays as planned. A contender
    for which no window is long enough does not count: the others need not wait for what is not compared.
    """
    found = [paces[cell] for name in group.contenders if (cell := group.cell(name)) in paces]
    window_s, lead_in_s, warm_up_s = plan.window_s, plan.lead_in_s, plan.warm_up_s
    longest_s = plan.longest_window_s
    if longest_s is not None:
        found = [pace for pace in found if pace.window_s(ample=1.0) <= longest_s] or found
    answer_s = max((pace.answer_s for pace in found), default=0.0)
    if longest_s is not None and not all(_suffices(pace, window_s / BARELY, lead_in_s) for pace in found):
        chosen_s = max(pace.window_s(ample) for pace in found)
        window_s = max(window_s, min(longest_s, chosen_s))
        lead_in_s = max(lead_in_s, hundredths(answer_s))
        warm_up_s = warm_up_s and max(warm_up_s, 2 * lead_in_s)
        sweeps = min(sweeps, max(1, round(plan.sweeps * plan.window_s / window_s)))
    return Timing(
        window_s=window_s, lead_in_s=lead_in_s, warm_up_s=warm_up_s, sweeps=sweeps, answer_s=answer_s
    )


def _suffices(pace: Pace, window_s: float, lead_in_s: float) -> bool:
    return pace.suffices(window_s, MEAN_LEAD_IN * lead_in_s)


def _refused(plan: Plan, groups: Sequence[Group], paces: Mapping[Cell, Pace], found: Course) -> Course:
    return replace(found, refusal=next(_reasons(plan, groups, paces, found), None))


def _reasons(plan: Plan, groups: Sequence[Group], paces: Mapping[Cell, Pace], found: Course) -> Iterator[str]:
    for group in groups if plan.baseline and plan.longest_window_s is not None else ():
        timing = found.of(group)
        for name in group.contenders:
            pace = paces.get(group.cell(name))
            if pace and not pace.answers and pace.observed_s >= PROBE_WINDOWS_S[-1]:
                yield (
                    f"{_title(group)}: {name} gave no answer within {duration(pace.observed_s)}: nothing can "
                    f"be measured of it: {_fewer_connections(plan)}, or a faster request"
                )
            elif pace and pace.answers and not _suffices(pace, timing.window_s, timing.lead_in_s):
                yield (
                    f"{_title(group)}: an answer of {name} takes {duration(pace.answer_s)}, which needs "
                    f"windows of {duration(pace.window_s(BARELY))}, not {duration(timing.window_s)}: "
                    f"{_fewer_connections(plan)}"
                )
    if plan.budget_s is not None and paces and found.total_s > LATE * plan.budget_s:
        slowest = max(groups, key=lambda group: found.of(group).answer_s)
        timing = found.of(slowest)
        scenarios = len({group.scenario for group in groups})
        yield (
            f"the budget of {plan.budget_s:.0f} s is too short for {found.rounds} rounds, the fewest for an "
            f"interval: an answer in {_title(slowest)} takes up to {duration(timing.answer_s)}, windows "
            f"{duration(timing.window_s)}: it needs about {found.total_s:.0f} s: "
            f"{_larger_budget(plan, found.total_s)}"
            f"{', or fewer scenarios (--scenario)' if scenarios > 1 else ''}, or {_fewer_connections(plan)}"
        )


def _larger_budget(plan: Plan, needed_s: float) -> str:
    enough_s = next((one for one in BUDGETS_S if one >= needed_s), ceil(needed_s / 3600) * 3600)
    if not plan.baseline:
        return f"budget_s = {enough_s}"
    return f"--budget {enough_s // 60}m" if enough_s % 60 == 0 else f"--budget {enough_s}s"


def _fewer_connections(plan: Plan) -> str:
    return "fewer connections (loads in plans/ci.toml)" if plan.baseline else "fewer connections"


def _too_short(group: Group, timing: Timing, paces: Mapping[Cell, Pace]) -> Iterator[str]:
    found = {name: paces[cell] for name in group.contenders if (cell := group.cell(name)) in paces}
    poor = {
        name: pace
        for name, pace in found.items()
        if not _suffices(pace, timing.window_s, timing.lead_in_s) or not pace.answers
    }
    if poor:
        name = max(poor, key=lambda one: poor[one].answer_s)
        yield f"{_title(group)}, {name}: {shortfall(poor[name], timing.window_s)}; as it is there is no ratio"


def _needs_more(plan: Plan, pace: Pace | None, number: int) -> bool:
    if pace is None:
        return False
    doubtful = plan.longest_window_s is not None and number == 1
    return not pace.is_known or (doubtful and not _suffices(pace, plan.window_s / BARELY, plan.lead_in_s))


def _is_twin(name: str, group: Group) -> bool:
    """Return whether *name* is a twin in *group*. The probe of its original covers it."""
    return name_of(name).is_twin and name_of(name).original in group.contenders


def _probes(records: Iterable[Record]) -> dict[tuple[Cell, int], Record]:
    return {
        (record.slice.cell, record.slice.sweep): record for record in records if record.slice.role == "probe"
    }


def _paces(records: Iterable[Record]) -> dict[Cell, Pace]:
    last = {record.slice.cell: record for record in records}
    return {cell: pace for cell, record in last.items() if (pace := pace_of([record]))}


def _starts_s(plan: Plan, groups: Sequence[Group], probes: Sequence[Record], answer_s: float) -> float:
    """Return the seconds of a round besides its slices: the probe's waits, or an estimate without a probe.

    These are the starts of servers and the set-up of scenarios. Waiting for the answers that the slice before
    left, *answer_s* at most, is a part of that slice. Servers start again where the probe goes on with fewer
    connections.
    """
    heats = dict.fromkeys(group.heat for group in groups)
    swept = {group.cell(name) for group in groups for name in group.contenders}
    first: dict[tuple[tuple[str, ...], bool], Record] = {}
    set_up_s = 0.0
    for record in probes:
        cell = record.slice.cell
        heat = next((known for known in heats if cell.contender in known), None)
        began = (heat or (), cell.load.connections == plan.fewer_connections)
        if heat and first.setdefault(began, record) is not record and record.slice.sweep == 1:
            set_up_s += max(0.0, record.waited_s - PER_SLICE_S - answer_s) if cell in swept else 0.0
    starts = {heat: record.waited_s for (heat, _), record in reversed(first.items())}
    return set_up_s + sum(starts.get(heat, len(heat) * PER_SERVER_S) for heat in heats)


def _end_s(record: Record) -> float:
    return record.started_s + record.slice.lead_in_s + record.slice.window_s


def _title(group: Group) -> str:
    return f"{group.scenario}, {group.load.title}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
