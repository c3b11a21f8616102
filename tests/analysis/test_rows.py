from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.analysis.voids import BENT_ARRIVALS
from bench.histogram import Histogram
from bench.records import Usage
from tests.support.synthetic import failing, rate, synthetic_run, with_records


def row_of(run, contender, scenario=None):
    return next(
        row
        for row in analyse(run).rows
        if row.cell.contender == contender and scenario in (None, row.cell.scenario)
    )


def ratio_of(run, contender, metric="throughput_rps"):
    return next(
        comparison
        for comparison in analyse(run).comparisons
        if (comparison.cell.contender, comparison.metric) == (contender, metric)
    ).ratio


def test_rows_come_in_the_plans_order_whatever_the_order_of_measuring():
    run = synthetic_run({"flask": 400, "django": 200, "fastapi": 900}, scenarios=("users-read", "hello"))
    cells = [(row.cell.scenario, row.cell.contender) for row in analyse(run).rows]
    assert cells == [(s, c) for s in ("users-read", "hello") for c in ("flask", "django", "fastapi")]


def test_throughput_and_ratios_are_those_that_were_built_in():
    run = synthetic_run({"flask": 4000, "fastapi": 10_000}, noise=0.01)
    throughput = row_of(run, "fastapi").throughput_rps
    assert throughput.low < throughput.estimate < throughput.high
    assert throughput.estimate == pytest.approx(10_000, rel=0.01)
    assert throughput.level == pytest.approx(0.961, abs=5e-4)
    assert ratio_of(run, "fastapi").estimate == pytest.approx(2.5, rel=0.02)
    assert ratio_of(run, "fastapi", "service_demand_us").estimate == pytest.approx(0.4, rel=0.02)


def test_warm_ups_never_count():
    run = synthetic_run({"flask": 400}, rounds=1)
    wild = with_records(run, lambda record: failing(record) if record.slice.role == "warm-up" else record)
    assert analyse(wild).rows == analyse(run).rows


def test_void_slices_count_as_voids_and_in_nothing_else():
    run = synthetic_run({"flask": 400}, rounds=2)

    def spoilt(record):
        return replace(failing(record), void="foreign CPU") if record.slice.sweep == 1 else record

    marked = with_records(run, spoilt)
    without = with_records(run, lambda record: None if record.slice.sweep == 1 else record)
    row = row_of(marked, "flask")
    assert row.voids == {"foreign CPU": 2}
    assert replace(row, voids={}, caveats=()) == replace(row_of(without, "flask"), caveats=())


def test_a_cell_with_nothing_but_voids_is_a_row_without_numbers():
    run = with_records(synthetic_run({"flask": 400}), lambda record: replace(record, void="harness error"))
    row = row_of(run, "flask")
    assert (row.rounds, row.requests, row.throughput_rps, row.latency.p99_ms) == (0, 0, None, None)


def broken(record):
    reason = "no port left: widen the range"
    sample = replace(record.sample, latency=Histogram(), broken=reason)
    return replace(record, sample=sample, void=reason)


def test_a_cell_that_this_machine_could_not_carry_out_leaves_the_others_valid_and_says_why():
    run = synthetic_run({"flask": 400, "django": 200, "fastapi": 900})
    run = with_records(run, lambda one: broken(one) if one.slice.cell.contender == "django" else one)
    assert analyse(run).valid
    row = row_of(run, "django")
    assert (row.requests, row.rank) == (0, None)
    assert any("slices void (no port left: widen the range × " in caveat for caveat in row.caveats)


def test_where_no_slice_could_be_carried_out_that_is_the_reason():
    run = with_records(synthetic_run({"flask": 400}), broken)
    assert analyse(run).invalid == "no slice could be carried out: no port left: widen the range"


def test_latency_is_of_all_counted_windows_together():
    run = synthetic_run({"flask": 400}, rounds=1, sweeps=2)
    held = {1: Histogram.of([1_000_000] * 99_900), 2: Histogram.of([3_000_000] * 100)}

    def change(record):
        latency = held.get(record.slice.sweep, record.sample.latency)
        return replace(record, sample=replace(record.sample, latency=latency))

    latency = row_of(with_records(run, change), "flask").latency
    assert (latency.p50_ms, latency.p99_ms) == pytest.approx((1.0, 1.0), rel=1e-3)
    assert (latency.p99_9_ms, latency.max_ms) == pytest.approx((1.0, 3.0), rel=1e-3)
    assert latency.mean_ms == pytest.approx(1.002)


def test_cpu_is_per_verified_response_even_where_it_was_watched_for_longer_than_the_window():
    run = synthetic_run({"flask": 1000}, rounds=1, sweeps=1, noise=0)
    usage = Usage(elapsed_s=1.3, server_cpu_s=0.65, database_cpu_s=0.13, memory_bytes=1)
    row = row_of(with_records(run, lambda record: replace(record, usage=usage)), "flask")
    assert row.service_demand_us.estimate == pytest.approx(500)
    assert row.database_us.estimate == pytest.approx(100)
    assert row.client_us.estimate == pytest.approx(7)
    assert row.utilisation.server == pytest.approx(0.5)
    assert row.utilisation.client == pytest.approx(0.007)


def test_a_system_that_does_not_tell_cpu_or_memory_leaves_them_out():
    run = synthetic_run({"flask": 800, "django": 400})
    silent = with_records(run, lambda record: replace(record, usage=Usage(elapsed_s=0.65)))
    row = row_of(silent, "flask")
    assert (row.service_demand_us, row.database_us, row.memory_peak_bytes) == (None, None, None)
    assert row.utilisation.server is None
    assert ratio_of(silent, "django", "service_demand_us") is None
    assert ratio_of(silent, "django") is not None


def test_an_open_row_knows_whether_it_was_sent_as_drawn_and_how_late_answers_were_read():
    def bent(record):
        if record.slice.sweep != 1 or record.slice.role != "measure":
            return record
        return replace(record, sample=replace(record.sample, bend=2.5), void=BENT_ARRIVALS)

    run = synthetic_run({"flask": 4000, "django": 2000}, loads=(rate(0.5, of="slowest"),), noise=0)
    found = row_of(with_records(run, bent), "flask")
    assert (found.arrivals.bent, found.arrivals.tested) == (9, 27)
    assert found.read_late.p50_ms == pytest.approx(0.015, rel=0.2)

    def untested(record):
        return replace(record, sample=replace(record.sample, bend=None, wake=None))

    found = row_of(with_records(run, untested), "flask")
    assert (found.arrivals.bent, found.arrivals.tested, found.read_late.p50_ms) == (0, 0, None)


def test_an_open_row_knows_its_rate_and_what_became_of_its_requests():
    def queueing(record):
        return replace(record, sample=replace(record.sample, queued=2))

    run = synthetic_run({"flask": 4000, "django": 2000}, loads=(rate(0.5, of="slowest"),), noise=0)
    row = row_of(with_records(run, queueing), "flask")
    assert row.arrivals.rate_rps == 1000
    assert row.throughput_rps.estimate == pytest.approx(1000)
    assert (row.arrivals.due, row.arrivals.queued) == (27 * 650, 54)
    assert row.arrivals.service.p50_ms == pytest.approx(2, rel=0.2)
    assert row.arrivals.lag.p99_ms < 0.1
    assert row.latency.p50_ms > row.arrivals.service.p50_ms
    assert row.in_flight == pytest.approx(1000 * row.latency.mean_ms / 1e3, rel=0.02)


def test_at_a_given_rate_only_cpu_per_request_is_compared():
    run = synthetic_run({"flask": 4000, "django": 2000, "flask~aa": 4000}, loads=(rate(0.5),), noise=0)
    analysis = analyse(run)
    assert {comparison.metric for comparison in analysis.comparisons} == {"service_demand_us"}
    assert ratio_of(run, "django", "service_demand_us").estimate == pytest.approx(2, rel=0.01)
    (floor,) = analysis.noise_floors
    assert (floor.metric, floor.ratio.estimate) == ("service_demand_us", pytest.approx(1, rel=0.01))


def test_requests_in_flight_obey_littles_law():
    row = row_of(synthetic_run({"flask": 4000}, connections=16), "flask")
    assert row.in_flight == pytest.approx(row.throughput_rps.estimate * row.latency.mean_ms / 1e3, rel=0.02)


def test_a_contender_that_only_fails_has_throughput_zero_and_no_ratio():
    run = synthetic_run({"flask": 400, "django": 200})
    broken = with_records(
        run, lambda record: failing(record) if record.slice.cell.contender == "django" else record
    )
    row = row_of(broken, "django")
    assert row.throughput_rps.estimate == 0
    assert row.failures == {"status 500": row.failed}
    assert row.service_demand_us is None
    assert ratio_of(broken, "django") is None


def test_without_the_reference_there_is_no_comparison():
    assert analyse(synthetic_run({"django": 200, "fastapi": 900}, reference="flask")).comparisons == ()


def test_a_round_that_was_cut_short_counts_with_the_sweeps_it_has():
    run = synthetic_run({"flask": 400, "django": 200}, rounds=2, sweeps=3)
    cut = with_records(
        run, lambda record: None if record.slice.round == 2 and record.slice.sweep > 1 else record
    )
    comparison = analyse(cut).comparisons[0]
    assert (comparison.pairs, comparison.dropped) == (4, 0)
    assert row_of(cut, "django").rounds == 2


def test_noise_floor_is_a_contender_against_itself():
    floors = analyse(synthetic_run({"flask": 400, "django": 200, "django~aa": 200})).noise_floors
    assert [floor.metric for floor in floors] == ["throughput_rps", "service_demand_us"]
    for floor in floors:
        assert (floor.reference, floor.cell.contender) == ("django", "django~aa")
        assert floor.ratio.estimate == pytest.approx(1, abs=0.05)


def test_a_run_without_a_verified_response_or_that_failed_is_not_valid():
    run = synthetic_run({"flask": 400}, rounds=1)
    assert analyse(run).valid
    assert not analyse(with_records(run, failing)).valid
    assert not analyse(replace(run, ended="failed")).valid
    assert not analyse(replace(run, records=())).valid
