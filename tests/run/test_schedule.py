import math
from collections import Counter
from dataclasses import replace
from itertools import groupby
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.histogram import Histogram
from bench.loads import LOWEST_RPS, Closed, Open
from bench.model.plan import Block, Plan
from bench.project.heats import Group
from bench.records import Record, Sample, Start, Usage
from bench.run import schedule
from bench.run.pilots import PILOT_SWEEPS

LOAD = Closed(connections=8)
PLAN = Plan(
    name="tiny",
    blocks=(Block(contenders=("a", "b", "c"), scenarios=("x", "y"), loads=(LOAD,)),),
    reference="a",
    rounds=4,
    sweeps=3,
    lead_in_s=0.1,
    window_s=0.5,
    warm_up_s=0.3,
    seed=1,
)


def group(scenario, contenders, load=LOAD, heat=None):
    return Group(scenario=scenario, load=load, contenders=tuple(contenders), heat=heat or tuple(contenders))


A_HEAT = ("a", "b", "c", "a~aa")
GROUPS = (group("x", A_HEAT), group("y", "ab", heat=A_HEAT))
OPEN = Open(connections=256, fraction=0.5, arrivals="poisson")
SLOWEST = replace(OPEN, fraction=0.8, of="slowest")
ANSWER = Histogram.of([1])
SPEEDS = {"a": 100, "b": 1000, "c": 4000}  # answers in a slice


def record_of(step, speeds=SPEEDS):
    answered = speeds.get(step.cell.contender, 0)
    latency = replace(ANSWER, counts=(answered,), total_ns=answered) if answered else Histogram()
    sample = Sample(window_s=step.window_s, latency=latency)
    return Record(slice=step, sample=sample, usage=Usage(elapsed_s=1.0), started_s=0.0)


def carried_out(plan=PLAN, groups=GROUPS, records=(), steps=10**6):
    records = list(records)
    while len(records) < steps and (step := schedule.upcoming(plan, groups, records)):
        records.append(record_of(step))
    return [record.slice for record in records]


def timed(steps):
    return [step for step in steps if step.role != "ceiling"]


def test_every_cell_is_measured_once_per_round_and_sweep_after_its_warm_up():
    steps = timed(carried_out())
    cells = Counter((step.round, step.sweep, step.cell) for step in steps)
    assert set(cells.values()) == {1}
    assert len(steps) == 4 * (3 + 1) * (4 + 2)
    for number, scenario in {(step.round, step.cell.scenario) for step in steps}:
        sweeps = [s.sweep for s in steps if (s.round, s.cell.scenario) == (number, scenario)]
        assert sweeps == sorted(sweeps)
        assert sweeps[0] == schedule.WARM_UP_SWEEP


def test_a_round_ends_before_the_next_begins():
    rounds = [number for number, _ in groupby(step.round for step in carried_out())]
    assert rounds == [1, 2, 3, 4]


def test_warm_ups_and_controls_are_told_apart_from_what_is_measured():
    roles = {(s.sweep == 0, s.cell.contender.endswith("~aa"), s.role) for s in timed(carried_out())}
    assert roles == {
        (True, False, "warm-up"),
        (True, True, "warm-up"),
        (False, False, "measure"),
        (False, True, "control"),
    }


def test_contenders_of_a_sweep_share_a_seed_and_no_two_sweeps_do():
    steps = timed(carried_out())
    by_sweep = {}
    for step in steps:
        by_sweep.setdefault((step.round, step.cell.scenario, step.sweep), set()).add(step.seed)
    assert all(len(seeds) == 1 for seeds in by_sweep.values())
    assert len({seed for seeds in by_sweep.values() for seed in seeds}) == len(by_sweep)


def test_the_order_differs_between_sweeps_and_comes_from_the_plans_seed():
    def orders(plan):
        return [s.cell.contender for s in timed(carried_out(plan))]

    assert orders(PLAN) == orders(PLAN)
    assert orders(PLAN) != orders(replace(PLAN, seed=2))
    sweeps = {tuple(orders(PLAN)[start : start + 2]) for start in range(0, 96, 6)}
    assert len(sweeps) > 1


@settings(max_examples=30)
@given(st.integers(min_value=0, max_value=100))
def test_a_run_that_stopped_anywhere_goes_on_as_if_it_had_not(stopped_after):
    first = carried_out(steps=stopped_after)
    assert carried_out(records=[record_of(step) for step in first]) == carried_out()


def test_windows_open_at_other_moments_in_every_sweep_and_at_the_same_for_its_contenders():
    counted = [step for step in timed(carried_out()) if step.sweep]
    lead_ins = {}
    for step in counted:
        lead_ins.setdefault((step.round, step.cell.scenario, step.sweep), set()).add(step.lead_in_s)
    assert all(len(drawn) == 1 for drawn in lead_ins.values())
    drawn = [next(iter(one)) for one in lead_ins.values()]
    assert all(0.1 <= lead_in_s <= 0.2 for lead_in_s in drawn)
    assert len(set(drawn)) > len(drawn) / 2


def test_what_starts_have_taken_counts_in_what_is_left():
    steps = list(schedule.schedule(PLAN, GROUPS))
    slow = GROUPS[0].contenders[0]
    starts = [
        Start(contender=slow, round=number, ready_s=seconds) for number, seconds in enumerate((44, 45, 99))
    ]
    more_s = schedule.duration_s(steps, GROUPS, starts) - schedule.duration_s(steps, GROUPS)
    rounds = len({step.round for step in steps})
    assert rounds * (45 - 5 * schedule.PER_SERVER_S) <= more_s < rounds * 45
    assert schedule.ready_s(starts) == {slow: 45}


def test_what_is_left_shrinks_to_nothing():
    planned = schedule.duration_s(schedule.schedule(PLAN, GROUPS))
    shortest = 4 * 6 * (0.3 + 3 * 0.6) + 4 * 0.6
    null_servers = 2  # rounds that have one
    on_top = (4 * 6 * 4 + 4) * schedule.PER_SLICE_S + (4 * 4 + null_servers) * schedule.PER_SERVER_S
    lead_ins = 4 * 6 * 3 * 0.1  # they are up to twice as long
    assert shortest + on_top < planned < shortest + on_top + lead_ins
    done = [record_of(step) for step in carried_out(steps=48)]
    assert 0 < schedule.duration_s(schedule.remaining(PLAN, GROUPS, done)) < planned
    assert schedule.upcoming(PLAN, GROUPS, [record_of(step) for step in carried_out()]) is None


def test_every_round_has_its_own_hash_seed():
    assert len({schedule.hash_seed(PLAN, number) for number in range(1, 30)}) == 29


def test_the_null_server_is_asked_before_the_first_counted_slice_of_a_scenario_and_at_the_end():
    steps = carried_out()
    assert [step.cell.scenario for step in steps[-2:]] == ["x", "y"]
    assert {step.role for step in steps[-2:]} == {"ceiling"}
    for scenario in ("x", "y"):
        asked = [step for step in steps if step.cell.scenario == scenario]
        ceilings = [index for index, step in enumerate(asked) if step.role == "ceiling"]
        first = next(i for i, step in enumerate(asked) if step.role == "measure")
        assert ceilings == [first - 1, len(asked) - 1]
        assert asked[-1].cell.load == LOAD


def test_loads_that_share_a_ceiling_have_it_measured_once():
    groups = [group("x", "a", load) for load in (OPEN, SLOWEST, schedule.PILOT)]
    ceilings = [step for step in carried_out(groups=groups) if step.role == "ceiling"]
    assert [(step.cell.load, step.round) for step in ceilings] == [(schedule.PILOT, 1), (schedule.PILOT, 4)]


TWO_HEATS = (group("x", "ab"), group("y", "ab"), group("x", "cd"), group("z", "cd", OPEN))


def test_heats_of_a_round_follow_each_other_and_each_is_swept_over_by_itself():
    steps = carried_out(groups=TWO_HEATS)
    told = [(step.round, schedule.heat_of(step, TWO_HEATS)) for step in steps]
    ab, cd = tuple("ab"), tuple("cd")
    turned_round = [(1, ab), (1, cd), (2, cd), (2, ab), (3, ab), (3, cd), (4, cd), (4, ab)]
    assert [key for key, _ in groupby(told)] == turned_round
    assert {step.cell.contender for step in steps} <= {*"abcd", schedule.NULL_SERVER}
    pilots = [place for place, step in enumerate(steps) if step.role == "capacity"]
    assert pilots[0] == next(place for place, step in enumerate(steps) if step.cell.contender in "cd")


def test_a_ceiling_is_measured_beside_the_heat_that_asks_for_it_first_and_all_again_beside_the_last():
    told = [step for step in carried_out(groups=TWO_HEATS) if step.role == "ceiling"]
    heats = [(step.cell.scenario, "".join(schedule.heat_of(step, TWO_HEATS))) for step in told]
    assert heats == [("x", "ab"), ("y", "ab"), ("z", "cd"), ("x", "ab"), ("y", "ab"), ("z", "ab")]


@settings(max_examples=30)
@given(st.integers(min_value=0, max_value=120))
def test_a_run_of_two_heats_that_stopped_anywhere_goes_on_as_if_it_had_not(stopped_after):
    first = [record_of(step) for step in carried_out(groups=TWO_HEATS, steps=stopped_after)]
    assert carried_out(groups=TWO_HEATS, records=first) == carried_out(groups=TWO_HEATS)
    again = [*schedule.warm_up_again(PLAN, TWO_HEATS, first)]
    step = schedule.upcoming(PLAN, TWO_HEATS, first)
    assert {schedule.heat_of(warm_up, TWO_HEATS) for warm_up in again} <= {schedule.heat_of(step, TWO_HEATS)}


def rates(groups, speeds=SPEEDS, role="measure"):
    records = []
    while step := schedule.upcoming(PLAN, groups, records):
        records.append(record_of(step, speeds))
    return {step.cell.contender: step.rate_rps for record in records if (step := record.slice).role == role}


def test_fractions_are_of_the_capacity_that_pilots_showed_frozen_for_all_rounds():
    groups = [group("x", A_HEAT, OPEN)]
    pilots = [step for step in carried_out(groups=groups) if step.role == "capacity"]
    assert carried_out(groups=groups)[: len(pilots)] == pilots
    assert Counter(step.cell.contender for step in pilots) == dict.fromkeys("abc", PILOT_SWEEPS)
    assert rates(groups) == {"a": 100, "b": 1000, "c": 4000}  # half of what a window of half a second showed
    assert rates(groups, role="control") == {"a~aa": 100}
    warmed_up = {step.rate_rps for step in carried_out(groups=groups) if step.role == "warm-up"}
    assert warmed_up == {100, 1000, 4000}


def test_a_fraction_of_the_slowest_is_one_rate_for_all_and_one_that_answers_nothing_does_not_set_it():
    groups = [group("x", "abc", SLOWEST)]
    assert set(rates(groups).values()) == {160}
    assert set(rates(groups, {"b": 1000, "c": 4000}).values()) == {1600}
    assert set(rates(groups, {}).values()) == {LOWEST_RPS}


def test_a_twin_alone_has_a_pilot_of_its_own():
    groups = [group("x", ("a~aa",), OPEN)]
    pilots = {step.cell.contender for step in carried_out(groups=groups) if step.role == "capacity"}
    assert pilots == {"a~aa"}


def test_a_rate_is_the_same_for_all_without_a_pilot():
    groups = [group("x", "ab", replace(OPEN, fraction=None, rate=2000.0))]
    assert not [step for step in carried_out(groups=groups) if step.role == "capacity"]
    assert set(rates(groups).values()) == {2000.0}


def carried_out_with_voids(plan, lost):
    """Carry *plan* out; *lost* tells of a slice and the records before it whether it is void."""
    records = []
    while step := schedule.upcoming(plan, GROUPS, records):
        record = record_of(step)
        records.append(replace(record, void="noise") if lost(step, records) else record)
    return records


def sweeps_of(records, number, scenario):
    steps = [r.slice for r in records if r.slice.role in ("measure", "control")]
    return sorted({s.sweep for s in steps if (s.round, s.cell.scenario) == (number, scenario)})


def test_a_spare_sweep_of_all_contenders_makes_up_for_a_void_slice():
    def lost(step, records):
        return (step.round, step.cell.scenario, step.cell.contender, step.sweep) == (2, "x", "b", 1)

    records = carried_out_with_voids(PLAN, lost)
    assert [sweeps_of(records, number, "x") for number in (1, 2, 3)] == [[1, 2, 3], [1, 2, 3, 4], [1, 2, 3]]
    assert sweeps_of(records, 2, "y") == [1, 2, 3]
    assert {r.slice.cell.contender for r in records if r.slice.sweep == 4} == set(GROUPS[0].contenders)
    assert len(records) == len(carried_out()) + 4


def test_spare_sweeps_come_to_an_end_and_their_own_voids_count():
    records = carried_out_with_voids(PLAN, lambda step, records: step.cell.contender == "b" and step.sweep)
    assert sweeps_of(records, 1, "x") == [1, 2, 3, 4, 5]
    one_each = carried_out_with_voids(PLAN, lambda step, records: (step.round, step.sweep) == (1, 4))
    assert sweeps_of(one_each, 1, "x") == [1, 2, 3]
    unlucky = carried_out_with_voids(
        PLAN,
        lambda step, records: step.cell.contender == "b" and (step.round, step.sweep) in {(1, 3), (1, 4)},
    )
    assert sweeps_of(unlucky, 1, "x") == [1, 2, 3, 4, 5]


def test_a_plan_without_spares_has_none():
    records = carried_out_with_voids(replace(PLAN, spare_sweeps=0), lambda step, records: True)
    assert sweeps_of(records, 1, "x") == [1, 2, 3]


AUTO = replace(PLAN, rounds=9, budget_s=10_000.0)


def rounds_with(plan, spread, *, effect=1.0, round_s=20.0):
    """Return how many rounds *plan* has where log-ratios to its reference spread so much."""
    random = Random(1)
    records = []
    while step := schedule.upcoming(plan, GROUPS, records):
        noise = random.gauss(0, spread) if step.cell.contender == "b" else 0.0
        answered = round(100_000 * (effect if step.cell.contender == "b" else 1) * math.exp(noise))
        once = Histogram.of([1])
        sample = Sample(window_s=1.0, latency=replace(once, counts=(answered,)))
        started_s = step.round * round_s + step.sweep
        records.append(Record(slice=step, sample=sample, usage=Usage(elapsed_s=1.0), started_s=started_s))
    ceilings = {record.slice.round for record in records if record.slice.role == "ceiling"}
    assert ceilings == {1, records[-1].slice.round}
    return records[-1].slice.round


def test_a_steady_pilot_is_all_that_is_measured():
    assert rounds_with(AUTO, 0.001) == 9


def test_the_spread_of_the_pilot_settles_how_many_rounds_there_are():
    assert 9 < rounds_with(AUTO, 0.08) < rounds_with(AUTO, 0.16)


def test_what_the_pilot_says_of_a_contender_does_not_matter():
    assert rounds_with(AUTO, 0.08) == rounds_with(AUTO, 0.08, effect=3.0)


def test_the_budget_is_an_end_to_all_rounds():
    assert rounds_with(replace(AUTO, budget_s=300.0), 0.3) == 14  # of 20 s, after a probe
    assert rounds_with(replace(AUTO, budget_s=120.0), 0.3) == 6  # the fewest for an interval


def test_without_a_budget_nothing_is_settled_by_records():
    assert rounds_with(PLAN, 0.3) == 4


def test_servers_start_in_an_order_that_is_drawn_and_turned_round_in_the_next_round():
    names = ("flask", "fastapi", "flask~aa", "django")
    orders = [schedule.start_order(PLAN, names, number) for number in range(1, 25)]
    assert orders == [schedule.start_order(PLAN, names, number) for number in range(1, 25)]
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(names))}
    assert orders[1::2] == [order[::-1] for order in orders[::2]]
    assert len(set(orders[::2])) > 6
