"""Built-in plans have fewer connections where answers take long: schedules with made-up records."""

from dataclasses import replace

import pytest

from bench.analysis.resolution import FEWEST, FEWEST_EACH
from bench.loads import Closed, Open
from bench.model.plan import Block
from bench.project import plans
from bench.project.heats import groups
from bench.run import fewer_connections, schedule, windows
from tests.run.test_windows import LOAD, NAMES, PLAN, World, computing, waiting
from tests.support.synthetic import contender

FEW = Closed(connections=plans.FEWER_CONNECTIONS)
BUILT_IN = replace(PLAN, fewer_connections=plans.FEWER_CONNECTIONS)
SERVED = {name: replace(contender(name), name=name) for name in NAMES}


def in_turn(step, answer_s):
    """Return how many answers come of a server that waits in each of them, one after the other."""
    return computing(step, answer_s)


class Diff(World):
    """Carries out a plan as the experiment does. *at_once* is how many requests a server works on."""

    def __init__(self, plan, answers, *, at_once=1000, serve=waiting):
        super().__init__(plan, {**answers, "null-server": 0.001}, serve=serve)
        self.at_once = at_once

    def record(self, step):
        alone, waits = self.answers, max(1.0, step.cell.load.connections / self.at_once)
        self.answers = {name: answer_s * waits for name, answer_s in alone.items()}
        record = super().record(step)
        self.answers = alone
        return record

    @property
    def groups(self):
        return groups(self.plan, SERVED)

    def probed(self):
        while step := schedule.upcoming(self.plan, self.groups, self.records):
            if step.role == "probe":
                self.records.append(self.record(step))
            elif (plan := fewer_connections.lowered(self.plan, self.groups, self.records)) == self.plan:
                break
            else:
                self.plan = plan
        return windows.course(self.plan, self.groups, self.records)


def sides(base_s, head_s=None):
    return {"shop@base": base_s, "shop@head": head_s or base_s}


def loads(plan):
    return {load for block in plan.blocks for load in block.loads}


def test_with_fewer_connections_the_shortest_window_is_that_of_four_answers_each():
    assert plans.FEWER_CONNECTIONS == FEWEST // FEWEST_EACH


@pytest.mark.parametrize("serve", [in_turn, computing])
def test_a_service_of_one_request_at_a_time_and_200_ms_fits_the_ordinary_budget(serve):
    assert "fewer connections" in Diff(PLAN, sides(0.2), at_once=1, serve=serve).probed().refusal
    diff = Diff(BUILT_IN, sides(0.2), at_once=1, serve=serve)
    course = diff.probed()
    assert course.refusal is None
    assert loads(diff.plan) == {FEW}
    assert course.total_s <= 600
    diff.go(groups=diff.groups)
    assert {one.slice.cell.load for one in diff.counted} == {FEW}
    assert {one.slice.cell.contender for one in diff.counted} == set(NAMES)
    assert diff.took_s <= 660


@pytest.mark.parametrize(
    ("answer_s", "at_once", "lower"),
    [
        (0.002, 1, False),  # 64 ms on 32 connections
        (0.010, 1, False),
        (0.020, 1, True),
        (0.200, 8, True),
        (0.200, 1000, False),
        (0.700, 1000, True),
    ],
)
def test_the_time_of_an_answer_on_all_connections_decides(answer_s, at_once, lower):
    diff = Diff(BUILT_IN, sides(answer_s), at_once=at_once)
    diff.probed()
    assert loads(diff.plan) == {FEW if lower else LOAD}


def test_a_service_that_serves_all_at_once_loses_little_by_fewer_connections():
    few, many = Diff(BUILT_IN, sides(0.7)).probed(), Diff(PLAN, sides(0.7)).probed()
    assert few.round_s <= 1.15 * many.round_s


def test_the_slower_side_decides_for_both():
    for answers in (sides(0.002, 0.05), sides(0.05, 0.002)):
        diff = Diff(BUILT_IN, answers, at_once=1)
        diff.probed()
        assert [block.loads for block in diff.plan.blocks] == [(FEW,), (FEW,)]


def test_a_server_that_is_only_cold_keeps_its_connections():
    diff = Diff(BUILT_IN, sides(0.002))
    cold = {**diff.answers, "shop@head": 1.2}
    warm = diff.answers
    while (step := schedule.upcoming(diff.plan, diff.groups, diff.records)).role == "probe":
        diff.answers = cold if step.sweep == 1 else warm
        diff.records.append(diff.record(step))
    assert not fewer_connections.takes_long(diff.plan, diff.groups[0], diff.records)


def test_only_slow_scenarios_are_measured_with_fewer_and_the_reader_learns_it():
    blocks = tuple(replace(block, scenarios=("report", "quick", "list")) for block in BUILT_IN.blocks)
    diff = Diff(replace(BUILT_IN, blocks=blocks), sides(0.002))
    fast = diff.answers
    while (step := schedule.upcoming(diff.plan, diff.groups, diff.records)).role == "probe":
        diff.answers = dict.fromkeys(fast, 1.0) if step.cell.scenario == "quick" else fast
        diff.records.append(diff.record(step))
    plan = fewer_connections.lowered(diff.plan, diff.groups, diff.records)
    assert [(block.scenarios, block.loads) for block in plan.blocks[:2]] == [
        (("report", "list"), (LOAD,)),
        (("quick",), (FEW,)),
    ]
    assert [*fewer_connections.remarks(diff.plan, diff.groups, diff.records)] == [
        "quick, 32 connections: an answer takes 1 s or longer: measured with 10 connections instead, for all "
        "contenders alike"
    ]
    again = groups(plan, SERVED)
    assert fewer_connections.lowered(plan, again, diff.records) is plan


def test_what_a_plan_says_itself_stays_and_so_do_open_loads():
    diff = Diff(PLAN, sides(1.0))
    diff.probed()
    assert loads(diff.plan) == {LOAD}
    rated = Open(rate=5.0)
    block = Block(contenders=NAMES[:2], scenarios=("report",), loads=(rated, LOAD))
    diff = Diff(replace(BUILT_IN, blocks=(block,)), sides(1.0))
    diff.probed()
    assert loads(diff.plan) == {rated, FEW}


@pytest.mark.parametrize("stopped_after", [1, 2, 3, 4, 5, 8])
def test_a_probe_that_stopped_anywhere_goes_on_as_if_it_had_not(stopped_after):
    whole = Diff(BUILT_IN, sides(0.2), at_once=1)
    whole.probed()
    again = Diff(BUILT_IN, sides(0.2), at_once=1)
    again.records = whole.records[:stopped_after]
    again.probed()
    assert [one.slice for one in again.records] == [one.slice for one in whole.records]
    assert again.plan == whole.plan


def test_servers_that_start_again_for_fewer_connections_are_no_part_of_a_round():
    slow_start = Diff(BUILT_IN, sides(0.2), at_once=1)
    slow_start.probed()
    first_few = next(
        place for place, one in enumerate(slow_start.records) if one.slice.cell.load.connections == 10
    )
    later = [
        replace(one, waited_s=one.waited_s + (50.0 if place == first_few else 0.0))
        for place, one in enumerate(slow_start.records)
    ]
    course = windows.course(slow_start.plan, slow_start.groups, later)
    as_it_was = windows.course(slow_start.plan, slow_start.groups, slow_start.records)
    assert course.round_s == pytest.approx(as_it_was.round_s)
