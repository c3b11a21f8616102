"""Streams at once, on made-up times: what is held, what an event costs, and what a report shows of it."""

from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.analysis.rows import PACED
from bench.histogram import Histogram
from bench.loads import Closed
from bench.model.scenario import Expect, Stream
from bench.records import EventTimes
from bench.report import stream_tables
from bench.report.markdown import report_text
from bench.report.summary import summary
from tests.support.synthetic import synthetic_run, with_records

MS = 1_000_000
STEPS = (1, 16, 17, 64)
LOADS = tuple(Closed(connections=streams) for streams in STEPS)


def times(late_ms: float, events: int = 1_000, slow: int = 0) -> EventTimes:
    late = [round(late_ms * MS)] * (events - slow) + [500 * MS] * slow
    gaps = Histogram.of([20 * MS] * (events - 50))
    return EventTimes(first=Histogram.of([round(late_ms * MS)] * 50), gap=gaps, late=Histogram.of(late))


def run_of(
    *, slow: int = 0, events: int = 1_000, slo_ms: float | None = 20, failed=(), disturbed=(), rounds=3
):
    """Return a run in which flask holds 16 streams, as a server with 16 threads does, and fastapi all."""

    def streaming(record):
        if record.slice.role == "ceiling":
            return record
        cell = record.slice.cell
        waits = cell.contender == "flask" and cell.load.connections > 16
        failures = {"skipped event": 2} if (cell.contender, cell.load.connections) in failed else {}
        late = waits or (record.slice.round in disturbed and cell.load.connections == 1)
        found = times(380 if late else 1, events, slow)
        return replace(record, sample=replace(record.sample, events=found, failures=failures))

    run = synthetic_run(
        {"flask": 400.0, "fastapi": 400.0}, loads=LOADS, slo_ms=slo_ms, noise=0.0, rounds=rounds
    )
    return with_records(run, streaming)


def test_the_most_that_are_held_are_those_before_the_first_that_are_late():
    flask, fastapi = analyse(run_of()).stream_ladders
    assert (flask.contender, fastapi.contender) == ("flask", "fastapi")
    assert [step.streams for step in flask.steps] == [*STEPS]
    assert (flask.most.streams, flask.next.streams) == (16, 17)
    assert (fastapi.most.streams, fastapi.next) == (64, None)


@pytest.mark.parametrize(("slow", "kept"), [(10, True), (11, False)])
def test_one_event_in_a_hundred_may_be_later(slow, kept):
    _, fastapi = analyse(run_of(slow=slow)).stream_ladders
    assert fastapi.steps[0].kept == kept


@pytest.mark.parametrize(("slow", "kept"), [(0, True), (1, True), (2, False)])
def test_of_few_events_one_may_be_late(slow, kept):
    """One stream of plan `streams` has 75 events in a window: one is more than a hundredth."""

    def in_time(record):
        events = times(1, 15) if record.slice.sweep > 1 else record.sample.events
        return replace(record, sample=replace(record.sample, events=events))

    _, fastapi = analyse(with_records(run_of(slow=slow, events=40), in_time)).stream_ladders
    assert fastapi.steps[0].kept == kept


def test_a_percentile_of_few_events_is_not_shown():
    few, many = (stream_tables.section(analyse(run_of(events=events))) for events in (70, 1_000))
    late = [[cell.text for cell in found.tables[1].rows[0]][5:7] for found in (few, many)]
    assert late == [["1.00", "–"], ["1.00", "1.00"]]


@pytest.mark.parametrize(("disturbed", "held"), [((), 16), ((2,), 16), ((1, 3), None)])
def test_one_disturbed_round_of_three_denies_nothing(disturbed, held):
    flask, _ = analyse(run_of(disturbed=disturbed)).stream_ladders
    assert (flask.most and flask.most.streams) == held


def test_a_wrong_stream_keeps_no_objective_and_what_follows_does_not_count():
    flask, fastapi = analyse(run_of(failed={("fastapi", 16)})).stream_ladders
    assert (fastapi.most.streams, fastapi.next.streams, fastapi.next.failed) == (1, 16, 18)
    assert flask.most.streams == 16


def test_without_an_objective_nothing_is_held_and_the_times_stay():
    found = analyse(run_of(slo_ms=None))
    assert {step.kept for one in found.stream_ladders for step in one.steps} == {None}
    text = report_text(found, {})
    assert "When events come" in text
    assert "How many it holds" not in text


def test_an_event_has_its_rate_and_its_cpu():
    step = analyse(run_of()).stream_ladders[1].steps[0]
    assert step.events_per_s.estimate == pytest.approx(1_000 / 0.65)
    assert step.server_us.estimate == pytest.approx(step.server_cores * 1e6 / step.events_per_s.estimate)
    assert step.times.gap.percentile_ms(50) == pytest.approx(20, rel=1e-3)


def test_percentiles_have_intervals_over_six_rounds():
    step = analyse(run_of(rounds=6)).stream_ladders[1].steps[0]
    assert (step.late_ms(50).low, step.late_ms(50).high) == pytest.approx((1, 1), rel=1e-3)
    few = analyse(run_of()).stream_ladders[1].steps[0].late_ms(50)
    assert (few.estimate, few.low) == (pytest.approx(1, rel=1e-3), None)


def test_events_that_hurry_are_never_late_and_that_is_named():
    def paced(run, every_ms):
        exchange = replace(
            run.scenarios[0].exchanges[0], expect=Expect(stream=Stream(events=20, every_ms=every_ms))
        )
        return replace(run, scenarios=(replace(run.scenarios[0], exchanges=(exchange,)),))

    hurried = report_text(analyse(paced(run_of(), 100)), {})
    assert "flask: events come every 20.0 ms, and are due every 100 ms." in hurried
    assert "So hardly any can be late" not in report_text(analyse(paced(run_of(), 20)), {})


def test_events_that_never_came_are_late_and_do_not_count_as_sent():
    def hanging(record):
        came = record.sample.events
        if came is None or record.slice.cell.contender == "flask":
            return record
        late = Histogram.merged([came.late, Histogram.of([600 * MS] * 20)])
        return replace(record, sample=replace(record.sample, events=replace(came, late=late)))

    _, fastapi = analyse(with_records(run_of(), hanging)).stream_ladders
    assert fastapi.most is None
    assert fastapi.steps[0].events_per_s.estimate == pytest.approx(1_000 / 0.65)


def test_how_many_streams_end_is_no_result():
    found = analyse(run_of())
    assert {row.unfit for row in found.rows} == {PACED}
    assert {row.rank for row in found.rows} == {None}
    assert all(one.ratio is None for one in found.comparisons)


def test_the_report_has_both_tables():
    text = report_text(analyse(run_of()), {})
    assert "99 % of events are no later than 20 ms" in text
    assert "17: late by 380 ms (p99)" in text
    assert "≥ 64" in text


def test_where_the_client_was_the_limit_more_may_be_held():
    def busy(record):
        is_late = record.slice.cell.load.connections > 16 and record.slice.role != "ceiling"
        client_s = record.sample.window_s if is_late else 0.0
        return replace(record, sample=replace(record.sample, client_cpu_s=client_s))

    text = report_text(analyse(with_records(run_of(), busy)), {})
    assert "| flask | hello | ≥ 16 |" in text
    assert "flask: the client was the limit at 17, 64 streams at once." in text


def test_a_run_without_streams_has_no_such_section():
    run = synthetic_run({"flask": 400.0, "fastapi": 400.0})
    assert analyse(run).stream_ladders == ()
    assert "When events come" not in report_text(analyse(run), {})


def test_machines_read_the_same_in_the_summary():
    flask, fastapi = summary(run_of())["streams"]
    assert (flask["held"], flask["at_least"]) == (16, False)
    assert (fastapi["held"], fastapi["at_least"]) == (64, True)
    assert [step["kept"] for step in flask["steps"]] == [True, True, False, False]
    assert flask["steps"][2]["late_ms"]["p99"] == pytest.approx(380, rel=1e-3)
    assert "streams" not in summary(synthetic_run({"flask": 400.0}))
