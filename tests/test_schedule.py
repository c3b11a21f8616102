from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import schedule
from bench.histogram import Histogram
from bench.model import Block, Load, Plan
from bench.plan import Group
from bench.records import Record, Sample, Usage

LOAD = Load(kind="closed", connections=8)
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
GROUPS = (
    Group(scenario="x", load=LOAD, contenders=("a", "b", "c", "a~aa")),
    Group(scenario="y", load=LOAD, contenders=("a", "b")),
)


def record_of(step):
    sample = Sample(window_s=step.window_s, latency=Histogram())
    return Record(slice=step, sample=sample, usage=Usage(elapsed_s=1.0), started_s=0.0)


def carried_out(plan=PLAN, groups=GROUPS, records=(), steps=10**6):
    records = list(records)
    while len(records) < steps and (step := schedule.upcoming(plan, groups, records)):
        records.append(record_of(step))
    return [record.slice for record in records]


def test_every_cell_is_measured_once_per_round_and_sweep_after_its_warm_up():
    steps = carried_out()
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
    roles = {(s.sweep == 0, s.cell.contender.endswith("~aa"), s.role) for s in carried_out()}
    assert roles == {
        (True, False, "warm-up"),
        (True, True, "warm-up"),
        (False, False, "measure"),
        (False, True, "control"),
    }


def test_contenders_of_a_sweep_share_a_seed_and_no_two_sweeps_do():
    steps = carried_out()
    by_sweep = {}
    for step in steps:
        by_sweep.setdefault((step.round, step.cell.scenario, step.sweep), set()).add(step.seed)
    assert all(len(seeds) == 1 for seeds in by_sweep.values())
    assert len({seed for seeds in by_sweep.values() for seed in seeds}) == len(by_sweep)


def test_the_order_differs_between_sweeps_and_comes_from_the_plans_seed():
    def orders(plan):
        return [s.cell.contender for s in carried_out(plan)]

    assert orders(PLAN) == orders(PLAN)
    assert orders(PLAN) != orders(replace(PLAN, seed=2))
    sweeps = {tuple(orders(PLAN)[start : start + 2]) for start in range(0, 96, 6)}
    assert len(sweeps) > 1


@given(st.integers(min_value=0, max_value=96))
def test_a_run_that_stopped_anywhere_goes_on_as_if_it_had_not(stopped_after):
    first = carried_out(steps=stopped_after)
    assert carried_out(records=[record_of(step) for step in first]) == carried_out()


def test_what_is_left_shrinks_to_nothing():
    planned = schedule.duration_s(schedule.schedule(PLAN, GROUPS))
    assert planned == pytest.approx(4 * 6 * (0.3 + 3 * 0.6))
    done = [record_of(step) for step in carried_out(steps=48)]
    assert 0 < schedule.duration_s(schedule.remaining(PLAN, GROUPS, done)) < planned
    assert schedule.upcoming(PLAN, GROUPS, [record_of(step) for step in carried_out()]) is None


def test_every_round_has_its_own_hash_seed():
    assert len({schedule.hash_seed(PLAN, number) for number in range(1, 30)}) == 29
