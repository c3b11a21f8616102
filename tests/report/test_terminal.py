import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from bench.analysis import analyse
from bench.records import Verification
from bench.report.details import method
from bench.report.dots import Axis
from bench.report.panels import panels
from bench.report.terminal import print_run
from bench.report.wording import figure, interval
from tests.support.synthetic import failing, rate, synthetic_run, with_records


def printed(run, width=80):
    console = Console(file=StringIO(), width=width)
    print_run(run, console)
    return console.file.getvalue()


def one_broken(run):
    return with_records(
        run, lambda record: failing(record) if record.slice.cell.contender == "django" else record
    )


OPEN = {"loads": (rate(0.5),), "rounds": 6}


@pytest.mark.parametrize(
    "run",
    [synthetic_run(), one_broken(synthetic_run()), synthetic_run(**OPEN), one_broken(synthetic_run(**OPEN))],
    ids=["clean", "failures", "open", "open with failures"],
)
@pytest.mark.parametrize("width", [60, 80, 100])
def test_tables_fit_and_keep_every_number_whole(width, run):
    text = printed(run, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for row in analyse(run).rows:
        told = figure(row.latency.p99_ms) if row.arrivals else interval(row.throughput_rps)
        assert told in text


def test_a_narrow_terminal_goes_without_cpu_and_memory():
    assert "µs per" in printed(synthetic_run(), 80)
    assert "µs per" not in printed(synthetic_run(), 60)


def headings(text, table):
    """Each column's heading in one line, of a table that is wide enough for its words."""
    lines = text[text.index(table) :].splitlines()
    rule = next(place for place, line in enumerate(lines) if set(line.strip()) == {"─"})
    rows = [line for line in lines[1:rule] if line.strip()]
    return " ".join(word for line in rows for word in line.split())


def test_headings_need_no_help():
    said = headings(printed(synthetic_run(), 80), "hello · 32")
    assert all(word in said for word in ("requests", "per second", "half", "99 %", "in ms", "memory"))
    assert not any(word in said for word in ("p50", "p99", "µs/req", "req/s", "bound by"))


def strips(text):
    """The end of each contender's line, with its marks."""
    return {
        name: line
        for line in text.splitlines()
        for name in ("stdlib", "fastapi", "flask", "django", "litestar")
        if name in line.split()[:2] and any(mark in line for mark in "│●○") and " on a " not in line
    }


@pytest.mark.parametrize("width", [110, 140, 200])
def test_a_wide_terminal_shows_each_ratio_on_one_axis(width):
    speeds = {"stdlib": 12_000, "fastapi": 10_400, "flask": 4_300, "litestar": 4_310, "django": 2_100}
    text = printed(synthetic_run(speeds, scenarios=("hello", "users-read")), width)
    assert max(map(len, text.splitlines())) <= width
    lines = strips(text[: text.index("users-read ·")])
    one = lines["flask"].index("│")
    assert lines["django"].index("●") < one < lines["fastapi"].index("●") < lines["stdlib"].index("●")
    assert "○" in lines["litestar"]
    assert "●" not in lines["litestar"] + lines["flask"]
    assert text.count("● a proven difference") == 1
    again = strips(text[text.index("users-read ·") :])
    assert again["flask"].index("│") == one


def test_without_room_or_ratios_there_is_no_axis():
    assert "●" not in printed(synthetic_run(), 109)
    assert "│" not in printed(synthetic_run({"flask": 400}), 140)


def test_the_axis_has_1_and_ticks_that_keep_their_distance():
    axis = Axis(low=0.2, high=12.0, width=40)
    assert len(axis.ticks) == 40
    assert axis.ticks.index("1") == axis.place(1)
    assert len(axis.ticks.split()) >= 5
    assert (axis.place(0.1), axis.place(100)) == (0, 39)


def test_off_a_terminal_the_text_is_plain():
    assert "\x1b" not in printed(synthetic_run())


def test_the_rounds_that_were_measured_are_told_not_those_of_the_pilot():
    run = synthetic_run(rounds=9)
    auto = replace(run, plan=replace(run.plan, rounds=6, budget_s=600.0))
    assert "9 rounds ×" in " ".join(printed(auto).split())
    assert next(method(auto, panels(analyse(auto)))).startswith("6 rounds planned, 9 after their spread")


def test_fastest_comes_first_and_the_control_last():
    text = printed(synthetic_run())
    names = ("1 stdlib", "2 fastapi", "3 flask", "4 django", "flask~aa")
    places = [text.index(f"\n {name} ") for name in names]
    assert places == sorted(places)


def busy_client(run, contender):
    def busy(record):
        busy_s = {"0": 0.0, "1": record.usage.elapsed_s}
        return replace(record, usage=replace(record.usage, busy_s=busy_s))

    return with_records(
        run, lambda record: busy(record) if record.slice.cell.contender == contender else record
    )


def test_a_client_limited_row_is_a_bound_without_rank_or_ratio():
    text = printed(busy_client(synthetic_run(noise=0), "stdlib"))
    names = ("1 fastapi", "2 flask", "3 django", "stdlib", "flask~aa")
    places = [text.index(f"\n {name} ") for name in names]
    assert places == sorted(places)
    assert "≥ 12,000" in text
    assert "No ratio for stdlib: stdlib client-limited." in text
    assert "! stdlib: client-limited: the core that client and database share was 100 % busy" in text


def test_with_a_client_limited_reference_there_are_no_ratios():
    text = printed(busy_client(synthetic_run(noise=0), "flask"))
    assert "No ratios: the reference, flask, is client-limited." in text
    assert "1.000" not in text


def test_what_bounds_each_row_is_said():
    text = printed(synthetic_run(noise=0))
    assert "Bound by server: stdlib, fastapi, flask, django." in text
    assert "Ceiling: 150,000 req/s, which the client reaches on a null server." in text


def test_what_the_client_reached_without_a_ceiling_is_said():
    def lazy(record):
        ceiling = record.slice.role == "ceiling"
        return replace(record, sample=replace(record.sample, client_cpu_s=0.5)) if ceiling else record

    text = printed(with_records(synthetic_run(noise=0), lazy))
    assert "No ceiling was shown, but the client reached 150,000 req/s on a null server." in text
    assert "no ceiling:" not in text


def test_an_open_table_shows_rates_percentiles_and_lag_best_p99_first():
    def queueing(record):
        return replace(record, sample=replace(record.sample, queued=3, unfinished=2))

    speeds = {"flask": 4_000, "fastapi": 10_000}
    run = synthetic_run(speeds, loads=(rate(0.5, of="slowest"),), noise=0)
    text = printed(
        with_records(
            run, lambda record: queueing(record) if record.slice.cell.contender == "flask" else record
        )
    )
    words = " ".join(text.split())
    assert "hello · 50 % of the slowest one's capacity" in text
    assert text.index("\n fastapi ") < text.index("\n flask ")
    assert "2,000" in text
    assert "Open loop: requests were due at random times (Poisson)" in words
    assert (
        "All were taken up as they were drawn. Those that waited for a connection were sent later." in words
    )
    assert re.search(
        r"read answers late, which is in latency, by µs .*: fastapi [\d.]+ and [\d.]+, flask", words
    )
    assert "Waited until one of 256 connections was free: flask 81 of 35,100." in words
    assert "Without an answer, so beyond every percentile: flask 54." in words
    assert "1 comparison of CPU per request with flask" in words


def test_slices_that_were_not_sent_as_drawn_are_counted():
    def bent(record):
        void = record.slice.sweep == 1 and record.slice.cell.contender == "flask"
        return replace(record, sample=replace(record.sample, bend=3.0)) if void else record

    run = synthetic_run({"flask": 4_000, "fastapi": 10_000}, loads=(rate(0.5, of="slowest"),), noise=0)
    words = " ".join(printed(with_records(run, bent)).split())
    assert "Not all were sent as drawn. flask bent: 9 of 27 slices void." in words


def test_below_a_table_stands_what_its_intervals_mean():
    text = " ".join(printed(synthetic_run(noise=0)).split())
    assert "3 comparisons with flask, one interval each (96.1 %, not adjusted for their number)." in text
    assert "Noise floor: flask against itself 1.000 (1.000–1.000)." in text
    assert "Latency at saturation, 32 in flight" in text


def test_a_noise_floor_from_another_scenario_says_where_it_is_from():
    run = synthetic_run(scenarios=("hello", "users-read"))

    def keep(record):
        cell = record.slice.cell
        return None if (cell.scenario, cell.contender) == ("users-read", "flask~aa") else record

    text = printed(with_records(run, keep))
    assert "Noise floor: flask" in text
    assert "Noise floor, in hello, 32 connections: flask" in text


def test_failures_have_a_column_only_where_there_are_any():
    run = synthetic_run({"flask": 400, "django": 200}, rounds=2, noise=0)
    assert "failed" not in printed(run)
    text = printed(one_broken(run))
    assert " failed " in text
    assert "No ratio for django" in text
    assert "! django: 780 of 780 requests failed" in text


def test_what_concerns_every_row_is_said_once():
    text = printed(synthetic_run({"flask": 400}, scenarios=("hello", "users-read"), rounds=2))
    assert text.count("no interval: 2 rounds, 6 are needed") == 1


def test_sweeps_without_a_partner_are_told():
    run = synthetic_run({"flask": 400, "django": 200})

    def void_one(record):
        first = (record.slice.cell.contender, record.slice.round, record.slice.sweep) == ("django", 1, 1)
        return replace(record, void="foreign CPU") if first else record

    assert "response: django 1 of 27." in " ".join(printed(with_records(run, void_one)).split())


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_contender_that_was_not_timed_is_named_with_the_first_reason(outcome):
    run = synthetic_run({"flask": 400})
    failed = Verification(contender="django", outcome=outcome, differences=("GET /: [500]", "more"))
    text = printed(replace(run, verifications=(*run.verifications, failed)))
    assert "! django was not timed: GET /: [500]\n" in text


def test_a_run_without_records_says_so():
    assert "Nothing was measured." in printed(replace(synthetic_run(rounds=1), records=()))


def test_printing_needs_neither_matplotlib_nor_pandas():
    slow = "{'matplotlib', 'pandas'}"
    code = f"import sys, bench.report.report_files, bench.report.terminal; print(*{slow} & {{*sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
