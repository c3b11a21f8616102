"""Windows follow the answers, and a budget is kept: schedules with records of servers that are made up."""

import math
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis import analyse
from bench.analysis.comparisons import verdict_of
from bench.analysis.resolution import FEWEST, FEWEST_EACH, Pace, coarse, pace_of
from bench.analysis.wrong import hopeless
from bench.histogram import Histogram
from bench.loads import Closed
from bench.model.cell import Cell, Slice
from bench.model.plan import Block, Plan
from bench.project.heats import Group
from bench.records import SCHEMA, Record, Run, Sample, Usage
from bench.run import schedule, store, windows
from tests.support.synthetic import contender, scenario

LOAD = Closed(connections=32)
NAMES = ("shop@base", "shop@head", "shop@base~aa")
PLAN = Plan(
    name="diff",
    blocks=(
        Block(contenders=NAMES[:2], scenarios=("report",), loads=(LOAD,)),
        Block(contenders=NAMES[::2], scenarios=("report",), loads=(LOAD,)),
    ),
    reference="shop@base",
    rounds=9,
    sweeps=6,
    lead_in_s=0.03,
    window_s=0.12,
    warm_up_s=0.7,
    seed=1,
    budget_s=600.0,
    longest_window_s=30.0,
    baseline="base",
)
GROUPS = (Group(scenario="report", load=LOAD, contenders=NAMES, heat=NAMES),)
START_S = 1.5  # of the three servers


def waiting(step, answer_s):
    """Return how many answers come in the window of *step*: each connection waits so long for each of them.

    Connections begin one after the other in the lead-in, or at once where there is none.
    """
    count = 0
    connections = step.cell.load.connections
    for number in range(connections):
        began_s = step.lead_in_s * number / connections
        until_s = step.lead_in_s + step.window_s - began_s
        count += math.floor(until_s / answer_s) - math.floor(max(0.0, step.lead_in_s - began_s) / answer_s)
    return count


def computing(step, answer_s):
    """Return the same of a server that computes answers, one after the other."""
    return math.floor(step.window_s * step.cell.load.connections / answer_s)


class World:
    """Carries a plan out on servers whose answers take so many seconds, by contender."""

    def __init__(self, plan, answers, *, serve=waiting, noise=0.0, start_s=START_S, lost=lambda step: False):
        self.plan, self.answers, self.serve, self.noise = plan, answers, serve, noise
        self.start_s, self.lost = start_s, lost
        self.random = Random(1)
        self.records = []
        self.now_s = 20.0  # of set-up

    def record(self, step):
        name = step.cell.contender
        answer_s = 0.001 if step.role == "ceiling" else self.answers[name.removesuffix("~aa")]
        answer_s *= math.exp(self.random.gauss(0, self.noise))
        count = (waiting if step.role == "ceiling" else self.serve)(step, answer_s)
        last = self.records[-1].slice.round if self.records else None
        waited_s = (self.start_s if step.round != last else 0.0) + min(answer_s, 2.0)
        latency = replace(Histogram.of([round(answer_s * 1e9)]), counts=(count,)) if count else Histogram()
        record = Record(
            slice=step,
            sample=Sample(
                window_s=step.window_s,
                latency=replace(latency, total_ns=round(count * answer_s * 1e9)),
                unfinished=step.cell.load.connections,
            ),
            usage=Usage(
                elapsed_s=step.window_s,
                server_cpu_s=step.window_s * (0.99 if self.serve is computing else 0.02),
            ),
            started_s=self.now_s + waited_s,
            waited_s=waited_s,
            void="noise" if self.lost(step) else None,
        )
        self.now_s += waited_s + step.lead_in_s + step.window_s
        return record

    def go(self, steps=10**6, groups=GROUPS):
        while len(self.records) < steps and (step := schedule.upcoming(self.plan, groups, self.records)):
            self.records.append(self.record(step))
        return self

    def probed(self):
        while (step := schedule.upcoming(self.plan, GROUPS, self.records)) and step.role == "probe":
            self.records.append(self.record(step))
        return windows.course(self.plan, GROUPS, self.records)

    @property
    def run(self):
        return Run(
            schema=SCHEMA,
            plan=self.plan,
            runtime="process",
            started_at="2026-11-23T04:43:00+00:00",
            fingerprint={},
            contenders=tuple(replace(contender(name), name=name) for name in NAMES),
            scenarios=(scenario("report"),),
            records=tuple(self.records),
            ended="complete",
        )

    @property
    def counted(self):
        return [one for one in self.records if one.slice.role in ("measure", "control")]

    @property
    def took_s(self):
        return self.now_s - 20.0


def both(answer_s, slower=1.0):
    return {"shop@base": answer_s, "shop@head": answer_s * slower, "null-server": 0.001}


def pace(answer_s, connections=32, busy=0.0, observed_s=8.0):
    answers = round(observed_s * connections / answer_s)
    return Pace(connections=connections, answers=answers, observed_s=observed_s, busy=busy, accounted=1.0)


@pytest.mark.parametrize(
    ("answer_s", "busy", "window_s", "enough"),
    [
        (0.001, 0.0, 0.12, True),
        (0.022, 0.0, 0.12, True),  # five each, 174 in all
        (0.039, 1.0, 0.12, True),  # three each of a server that computes: one by one
        (0.039, 0.0, 0.12, False),  # and of one that waits: as many as there are connections at once
        (0.102, 0.0, 0.12, False),
        (0.142, 1.0, 0.12, False),  # not one each
    ],
)
def test_a_window_counts_finely_where_it_holds_enough_answers(answer_s, busy, window_s, enough):
    assert pace(answer_s, busy=busy).suffices(window_s, 0.045) is enough


def test_few_connections_need_forty_answers_and_starts_that_are_spread():
    assert not pace(0.02, connections=1).suffices(0.5, 0.05)
    assert pace(0.02, connections=1).suffices(0.85, 0.05)
    assert not pace(0.1).suffices(0.9, 0.02)  # all in step
    assert pace(0.1).suffices(0.9, 0.15)


@settings(max_examples=200, deadline=None)
@given(
    answer_s=st.floats(min_value=0.0005, max_value=4.0),
    slower=st.floats(min_value=1.0, max_value=2.0),
    serve=st.sampled_from([waiting, computing]),
)
def test_whatever_answers_take_the_slowest_has_enough_of_them_in_each_window(answer_s, slower, serve):
    plan = replace(PLAN, budget_s=10_000.0)
    world = World(plan, both(answer_s, slower), serve=serve)
    course = world.probed()
    timing = course.of(GROUPS[0])
    if course.refusal:
        assert "which needs windows of" in course.refusal or "gave no answer" in course.refusal
        return
    step = Slice(
        cell=Cell(contender="shop@head", scenario="report", load=LOAD),
        role="measure",
        round=1,
        sweep=1,
        seed=1,
        lead_in_s=1.5 * timing.lead_in_s,
        window_s=timing.window_s,
    )
    answers = serve(step, answer_s * slower)
    assert answers >= FEWEST - 1
    assert serve is computing or answers / 32 >= FEWEST_EACH - 1
    assert coarse([world.record(step)]) is None


def test_fast_answers_change_nothing_but_for_a_short_probe():
    world = World(PLAN, both(0.022, 1.2), serve=computing).go()
    assert {one.slice.window_s for one in world.counted} == {0.12}
    assert {one.slice.sweep for one in world.counted} == set(range(1, 7))
    assert {one.slice.round for one in world.counted} == set(range(1, 10))
    probes = [one.slice for one in world.records if one.slice.role == "probe"]
    assert sorted(step.cell.contender for step in probes) == ["shop@base", "shop@head"]
    assert {step.round for step in probes} == {windows.PROBE_ROUND}
    assert not [*windows.remarks(PLAN, GROUPS, world.records)]


@pytest.mark.parametrize(
    ("answer_ms", "row"),
    [
        (5, "| 5 ms | 0.12 s | 0.03 s | 6 |"),
        (50, "| 50 ms | 0.4 s | 0.05 s | 2 |"),
        (100, "| 100 ms | 0.8 s | 0.1 s | 1 |"),
        (300, "| 300 ms | 2.4 s | 0.3 s | 1 |"),
        (1000, "| 1,000 ms | 8 s | 1 s | 1 |"),
    ],
)
def test_the_methodology_has_the_windows_that_are_chosen(answer_ms, row):
    step = replace(next(schedule.schedule(PLAN, GROUPS)), window_s=12.0)
    answers = round(32 * step.window_s * 1000 / answer_ms)
    latency = replace(Histogram.of([1]), counts=(answers,), total_ns=round(answers * answer_ms * 1e6))
    sample = Sample(window_s=step.window_s, latency=latency)
    record = Record(slice=step, sample=sample, usage=Usage(elapsed_s=0.5), started_s=0.0)
    timing = windows.course(PLAN, GROUPS, [record]).of(GROUPS[0])
    written = (timing.window_s, timing.lead_in_s, timing.sweeps)
    assert row == "| {:,} ms | {:g} s | {:g} s | {} |".format(answer_ms, *written)
    assert row in (Path(__file__).parents[2] / "docs" / "methodology.md").read_text(encoding="utf-8")


def test_both_sides_get_the_windows_of_the_slower_one():
    for answers in (both(0.1, 1.4), {**both(0.14), "shop@head": 0.1}):
        world = World(PLAN, answers).go()
        assert {one.slice.window_s for one in world.counted} == {1.13}
        assert min(one.slice.lead_in_s for one in world.counted) >= 0.14
        warm_ups = [one for one in world.records if one.slice.role == "warm-up"]
        assert {one.slice.window_s for one in warm_ups} == {0.7}
        remarks = [*windows.remarks(PLAN, GROUPS, world.records)]
        assert remarks == [
            "report, 32 connections: an answer takes up to 141 ms: windows of 1.13 s after 150 ms and more, "
            "1 sweep a round"
        ]


@pytest.mark.parametrize("answer_ms", [5, 50, 100, 300, 1000])
@pytest.mark.parametrize("serve", [waiting, computing])
def test_forty_percent_slower_is_found_whatever_answers_take(answer_ms, serve):
    world = World(PLAN, both(answer_ms / 1000, 1.4), serve=serve, noise=0.02).go()
    assert world.took_s <= PLAN.budget_s * 1.1
    (ratio,) = [
        one.ratio
        for one in analyse(world.run).comparisons
        if one.metric == "throughput_rps" and one.cell.contender == "shop@head"
    ]
    assert ratio.low <= 1 / 1.4 * 1.015
    assert ratio.high >= 1 / 1.4 * 0.985
    assert verdict_of("throughput_rps", ratio, 0.05) == "slower"


@pytest.mark.parametrize("answer_ms", [47, 100, 250, 800])
def test_a_plan_that_fixes_its_windows_keeps_them_and_nothing_coarse_is_compared(answer_ms):
    plan = replace(PLAN, longest_window_s=None, budget_s=None)
    world = World(plan, both(answer_ms / 1000, 1.1)).go()
    assert "probe" not in {one.slice.role for one in world.records}
    assert {one.slice.window_s for one in world.counted} == {0.12}
    analysis = analyse(world.run)
    assert all(one.ratio is None for one in analysis.comparisons)
    assert all(row.rank is None for row in analysis.rows)
    if answer_ms < 120:
        assert all("window_s = " in row.caveats[0] for row in analysis.rows)
    (remark,) = windows.too_short(plan, GROUPS[0], world.records)
    assert remark.startswith("report, 32 connections, shop@")
    assert ": windows of 120 ms are too short: on 32 connections " in remark
    assert remark.endswith("as it is there is no ratio")


def test_nobody_in_time_is_no_wrong_answer():
    plan = replace(PLAN, longest_window_s=None, budget_s=None)
    world = World(plan, both(0.8)).go(steps=40)
    assert analyse(world.run).invalid.startswith("no answer came within its window, ")
    reason = hopeless(plan, GROUPS, world.records, 1)
    assert reason.startswith("report: no contender gave a right answer in round 1: ")
    assert "still waiting when their windows of 120 ms closed: longer windows (window_s" in reason


def test_a_scenario_that_neither_side_answers_ends_a_diff_and_not_a_run_in_which_others_do():
    world = World(replace(PLAN, longest_window_s=None, budget_s=None), both(0.01)).go(steps=40)
    silent = [replace(one, sample=replace(one.sample, latency=Histogram())) for one in world.records]
    other = Group(scenario="other", load=LOAD, contenders=NAMES, heat=NAMES)
    fine = [replace(one, slice=replace(one.slice, cell=other.cell(NAMES[0]))) for one in world.records]
    assert hopeless(PLAN, GROUPS, world.records, 1) is None
    assert hopeless(PLAN, (*GROUPS, other), [*silent, *fine], 1)
    assert not hopeless(replace(PLAN, baseline=None), (*GROUPS, other), [*silent, *fine], 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(min_value=0, max_value=60))
def test_a_run_that_stopped_anywhere_goes_on_as_if_it_had_not(stopped_after):
    plan = replace(PLAN, budget_s=200.0)
    whole = World(plan, both(0.3, 1.4)).go()
    again = World(plan, both(0.3, 1.4))
    again.records, again.now_s = whole.records[:stopped_after], 20.0
    if again.records:
        last = again.records[-1]
        again.now_s = last.started_s + last.slice.lead_in_s + last.slice.window_s
    again.go()
    assert [one.slice for one in again.records] == [one.slice for one in whole.records]


@pytest.mark.parametrize("budget_s", [60, 90, 150, 300, 600])
@pytest.mark.parametrize("answer_s", [0.002, 0.1, 0.4, 1.0])
@pytest.mark.parametrize("start_s", [1.0, 12.0])
def test_a_budget_is_kept_or_refused_before_the_first_round(budget_s, answer_s, start_s):
    plan = replace(PLAN, budget_s=float(budget_s))
    world = World(plan, both(answer_s, 1.4), noise=0.05, start_s=start_s)
    course = world.probed()
    if course.refusal:
        assert course.total_s > budget_s
        assert f"the budget of {budget_s} s is too short for 6 rounds" in course.refusal
        assert "--budget " in course.refusal
        return
    world.go()
    assert {one.slice.round for one in world.counted} >= set(range(1, 7))
    assert world.took_s <= max(1.2 * budget_s, budget_s + 30)


def test_sweeps_go_before_rounds_and_that_is_noted():
    def shape(budget_s):
        world = World(replace(PLAN, budget_s=budget_s), both(0.002))
        course = world.probed()
        return (
            course.of(GROUPS[0]).sweeps,
            course.rounds,
            [*windows.remarks(world.plan, GROUPS, world.records)],
        )

    assert shape(600.0) == (6, 9, [])
    sweeps, rounds, (remark,) = shape(55.0)
    assert (1 <= sweeps < 6, rounds) == (True, 9)
    assert remark.startswith(f"shortened to fit the budget of 55 s: 9 rounds of {sweeps} sweep")
    assert shape(30.0)[:2] == (1, 6)


def test_spare_sweeps_take_no_time_that_the_rounds_need():
    plan = replace(PLAN, budget_s=120.0)
    noisy = World(plan, both(0.3), lost=lambda step: step.role == "measure").go()
    assert noisy.took_s <= 1.2 * 120
    assert {one.slice.round for one in noisy.counted} >= set(range(1, 7))


def test_rounds_that_take_longer_than_the_probe_showed_end_in_time():
    plan = replace(PLAN, budget_s=200.0)
    world = World(plan, both(0.002))
    planned = world.probed()
    world.start_s = 25.0
    world.go()
    rounds = [number for number, _ in groupby(one.slice.round for one in world.counted)]
    assert planned.rounds == 9
    assert 6 <= len(rounds) < 9
    assert world.took_s < 200 + 40


def test_what_takes_longer_than_any_window_is_refused_with_the_remedy():
    course = World(replace(PLAN, budget_s=36_000.0), both(9.7)).probed()
    assert "shop@base takes" in course.refusal or "gave no answer within 8 s" in course.refusal
    assert "fewer connections" in course.refusal


def test_a_queue_is_known_by_its_rate_before_each_connection_had_an_answer():
    cell = Cell(contender="shop@head", scenario="report", load=LOAD)
    step = Slice(cell=cell, role="probe", round=0, sweep=4, seed=1, lead_in_s=1.6, window_s=8.0)
    latency = Histogram.of([round(0.8e9 * place) for place in range(1, 11)])
    record = Record(
        slice=step,
        sample=Sample(window_s=8.0, latency=latency),
        usage=Usage(elapsed_s=8.0),
        started_s=0.0,
    )
    found = pace_of([record])
    assert not found.is_known
    assert found.answer_s == pytest.approx(25.6)


def test_nothing_of_the_reference_run_is_too_coarse():
    run = store.load(Path(__file__).parents[2] / "results" / "reference")
    assert {row.coarse for row in analyse(run).rows} == {None}


def test_what_a_scenario_sets_up_is_a_part_of_each_round():
    def a_round_s(waited_s):
        world = World(PLAN, both(0.002))
        world.probed()
        first, second, *rest = world.records
        slow = [first, replace(second, waited_s=waited_s), *rest]
        return windows.course(PLAN, GROUPS, slow).round_s

    assert a_round_s(5.0) - a_round_s(0.01) == pytest.approx(5.0, abs=0.1)


def test_what_is_compared_apart_has_windows_of_its_own():
    stall = ("stall@base", "stall@head")
    two = (*GROUPS, Group(scenario="report", load=LOAD, contenders=stall, heat=stall))
    for fast, slow in (("shop", "stall"), ("stall", "shop")):
        answers = {f"{fast}@{side}": 0.002 for side in ("base", "head")}
        answers |= {f"{slow}@{side}": 0.1 for side in ("base", "head")}
        world = World(PLAN, answers).go(groups=two)
        counted = [one.slice for one in world.counted]
        windows_s = {(step.cell.contender.partition("@")[0], round(step.window_s, 1)) for step in counted}
        assert windows_s == {(fast, 0.1), (slow, 0.8)}


class Busier(World):
    """A machine that has more to do once the probe is over: answers then take *later*."""

    def __init__(self, plan, before, later, **options):
        super().__init__(plan, before, **options)
        self.before, self.later = before, later

    def record(self, step):
        self.answers = self.before if step.role == "probe" else self.later
        return super().record(step)


@pytest.mark.parametrize("serve", [waiting, computing])
@pytest.mark.parametrize("later_s", [0.194, 0.7])
@pytest.mark.parametrize("budget_s", [None, 600.0])
def test_windows_that_round_1_shows_to_be_too_short_are_longer_afterwards(serve, later_s, budget_s):
    plan = replace(PLAN, budget_s=budget_s)
    world = Busier(plan, both(0.02), both(later_s, 1.4), serve=serve, noise=0.02).go()
    assert {one.slice.window_s for one in world.counted if one.slice.round == 1} == {0.12}
    (window_s,) = {one.slice.window_s for one in world.counted if one.slice.round > 1}
    assert window_s > 2 * later_s
    rounds = len({one.slice.round for one in world.counted})
    assert rounds == 10 if budget_s is None else rounds >= 10
    analysis = analyse(world.run)
    assert {row.coarse for row in analysis.rows} == {None}
    assert {row.rounds for row in analysis.rows} == {rounds - 1}
    (ratio,) = [
        one.ratio
        for one in analysis.comparisons
        if one.metric == "throughput_rps" and one.cell.contender == "shop@head"
    ]
    assert verdict_of("throughput_rps", ratio, 0.05) == "slower"
    (remark,) = windows.second_look(plan, GROUPS, world.records)
    assert remark.startswith("report, 32 connections: in round 1 an answer took up to ")
    assert " instead of 120 ms from round 2 on, and round 1 does not count" in remark


def test_windows_that_hold_enough_in_round_1_stay_whatever_comes_later():
    world = World(PLAN, both(0.02), serve=computing)
    while schedule.upcoming(PLAN, GROUPS, world.records).round < 2:
        world.go(steps=len(world.records) + 1)
    world.answers = both(0.194)
    world.go()
    assert {one.slice.window_s for one in world.counted} == {0.12}
    assert not [*windows.second_look(PLAN, GROUPS, world.records)]


def test_round_1_counts_where_longer_windows_do_not_fit_the_budget():
    plan = replace(PLAN, budget_s=60.0)
    world = Busier(plan, both(0.02), both(3.0), serve=computing).go()
    assert {one.slice.window_s for one in world.counted} == {0.12}
    assert not [*windows.second_look(plan, GROUPS, world.records)]
    assert not any(one.ratio for one in analyse(world.run).comparisons)


@settings(max_examples=30, deadline=None)
@given(st.integers(min_value=0, max_value=90))
def test_a_run_with_longer_windows_later_goes_on_as_if_it_had_not_stopped(stopped_after):
    whole = Busier(PLAN, both(0.02), both(0.194)).go()
    again = Busier(PLAN, both(0.02), both(0.194))
    again.records, again.now_s = whole.records[:stopped_after], 20.0
    if again.records:
        last = again.records[-1]
        again.now_s = last.started_s + last.slice.lead_in_s + last.slice.window_s
    again.go()
    assert [one.slice for one in again.records] == [one.slice for one in whole.records]


def test_a_window_is_kept_only_with_a_quarter_more_than_the_fewest_answers():
    world = World(PLAN, both(0.085), serve=computing)  # forty-five in a window, fifty are required
    assert world.probed().of(GROUPS[0]).window_s > 0.12
    assert World(PLAN, both(0.07), serve=computing).probed().of(GROUPS[0]).window_s == 0.12
