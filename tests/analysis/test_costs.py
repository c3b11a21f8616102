"""What a rate costs: arithmetic on made-up rows, and a server that polls."""

import subprocess
import sys
import time
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from bench.analysis import analyse
from bench.analysis.costs import POLLS
from bench.histogram import Histogram
from bench.loads import Open
from bench.observe.observer import ProcessObserver
from bench.report import cost_tables
from bench.report.answer import answer
from bench.report.charts.cost_lines import cost_lines, numbers
from bench.report.charts.draw import kinds_of
from bench.report.charts.style import looks_of
from bench.report.markdown import report_text
from bench.report.panels import panels
from bench.report.sentences import gist
from bench.report.summary import summary
from bench.report.terminal import print_run
from tests.support.synthetic import failing, rate, synthetic_run, with_records

SPEEDS = {"django": 2_000.0, "flask": 4_000.0}
LOADS = (Open(rate=0.5), rate(0.1, of="slowest"), rate(0.5, of="slowest"), rate(0.8))


def run_of(loads=LOADS, slo_ms=1_000.0):
    return synthetic_run(SPEEDS, loads=loads, slo_ms=slo_ms, noise=0.0, rounds=6)


def printed(run, width=120):
    console = Console(file=StringIO(), width=width)
    print_run(run, console)
    return console.file.getvalue()


def polling(record):
    if record.slice.cell.contender != "django":
        return record
    more = record.usage.server_cpu_s + 0.02 * record.usage.elapsed_s
    return replace(record, usage=replace(record.usage, server_cpu_s=more))


def test_a_rate_takes_so_many_servers_as_keep_the_objective_together():
    (django, flask) = analyse(run_of()).costs
    assert (django.contender, flask.contender) == ("django", "flask")
    assert django.capacity.rate_rps.estimate == pytest.approx(1_600)
    few, more, many = django.needed
    assert [one.machines for one in (few, more, many)] == [1, 1, 4]
    # A core answers 2,000 requests per second: 500 µs each, no database.
    assert [one.cores.estimate for one in django.needed] == pytest.approx([0.025, 0.25, 2.5], rel=0.01)
    assert (few.cores.low, few.cores.high) == pytest.approx((0.025, 0.025), rel=0.01)
    assert many.memory_bytes == 4 * few.memory_bytes
    assert (few.priced_at_rps, many.priced_at_rps) == pytest.approx((200, 1_000))
    assert [one.machines for one in flask.needed] == [1, 1, 2]


def test_the_answer_of_a_run_is_what_a_rate_takes_of_each():
    found = analyse(run_of())
    (sentence,) = answer(found)
    assert sentence == (
        "500 requests/s of hello take 0.12 cores (0.12–0.12) with Flask on gunicorn gthread, and 0.25 "
        "cores (0.25–0.25) with Django on gunicorn gthread, database included."
    )


def test_near_idle_there_is_no_curve_of_latency_and_no_order():
    idle, *others = panels(analyse(run_of()))
    assert [kind.what for kind in kinds_of(idle)] == ["CPU per request"]
    assert gist(idle).startswith("too few answers for a percentile; ")
    assert all(kinds_of(one)[0].what == "Latency" for one in others)
    assert "; the slowest is Django on gunicorn gthread (django), 99 % within " in gist(others[0])


def test_without_a_rate_that_keeps_the_objective_nothing_is_computed_from_it():
    for one in analyse(run_of(slo_ms=0.001)).costs:
        assert one.needed == ()
    assert "none that was tried" in report_text(analyse(run_of(slo_ms=0.001)), {})


def test_too_few_requests_at_the_highest_rate_prove_no_machine():
    found = analyse(run_of((Open(rate=0.5), Open(rate=20))))
    assert [one.needed for one in found.costs] == [(), ()]
    assert "flask: no machines: too few requests were sent" in report_text(found, {})


def test_machines_read_costs_in_the_summary():
    django, _ = summary(with_records(run_of(), polling))["costs"]
    assert (django["contender"], django["polls"]) == ("django", True)
    assert django["idle_cores"] == pytest.approx(0.02, rel=0.05)
    assert [one["machines"] for one in django["needed"]] == [1, 1, 4]
    assert "costs" not in summary(synthetic_run({"flask": 400.0}))


def test_a_server_that_polls_is_named_by_its_cpu_while_nobody_requests():
    found = analyse(with_records(run_of(), polling))
    django, flask = found.costs
    assert django.idle_cores == pytest.approx(0.02, rel=0.05)
    assert django.polls
    assert flask.idle_cores < POLLS
    assert not flask.polls
    text = report_text(found, {})
    assert "django uses 2.0" in text
    assert "flask uses" not in text


@pytest.mark.parametrize(
    ("unknown", "note"),
    [
        ({"server_cpu_s": None}, "django: no machines: CPU of its server is not known."),
        (
            {"database_cpu_s": None},
            "django: cores are of the server alone: no CPU of a database was measured.",
        ),
    ],
)
def test_cpu_that_is_not_known_is_said(unknown, note):
    def unseen(record):
        of_django = record.slice.cell.contender == "django"
        return replace(record, usage=replace(record.usage, **unknown)) if of_django else record

    notes = cost_tables.section(analyse(with_records(run_of(), unseen))).notes
    assert [one for one in notes if one.startswith("django: ")] == [note]


def test_nearly_idle_a_request_bears_what_is_spent_while_nobody_requests():
    """A server uses 2 % of a core at all times, and 4 ms for a request: with one in two seconds 44 ms."""
    polls, takes_s, nearly = 0.02, 0.004, 0.5

    def rarely(record):
        if record.slice.rate_rps != nearly:
            return record
        requests = (0, 0, 1, 2)[(record.slice.round + record.slice.sweep) % 4]
        latency = Histogram.of([4_000_000] * requests)
        sample = replace(record.sample, latency=latency, due=requests, slice_requests=requests)
        used_s = (polls + takes_s * requests / sample.window_s) * record.usage.elapsed_s
        return replace(record, sample=sample, usage=replace(record.usage, server_cpu_s=used_s))

    (django, _) = analyse(with_records(run_of(), rarely)).costs
    (row,) = [row for row in django.rows if row.arrivals.rate_rps == nearly]
    assert row.service_demand_us.estimate == pytest.approx((polls / nearly + takes_s) * 1e6)
    assert row.service_demand_us.low is None


def test_a_stray_idle_window_takes_no_interval_away():
    def stray(record):
        if (record.slice.rate_rps, record.slice.round, record.slice.sweep) != (200, 1, 1):
            return record
        sample = replace(record.sample, latency=Histogram(), due=0, slice_requests=0)
        return replace(record, sample=sample)

    (django, _) = analyse(with_records(run_of(), stray)).costs
    (row,) = [row for row in django.rows if row.arrivals.rate_rps == 200]
    assert row.service_demand_us.low is not None


def test_a_run_that_left_no_server_alone_has_no_such_section():
    found = analyse(run_of(LOADS[1:]))
    assert found.costs == ()
    assert cost_tables.TITLE not in report_text(found, {})


def test_without_an_objective_the_missing_costs_are_named():
    (caveat,) = cost_tables.section(analyse(run_of(slo_ms=None))).caveats
    assert caveat in report_text(analyse(run_of(slo_ms=None)), {})
    assert caveat in printed(run_of(slo_ms=None))


def test_a_rate_that_is_left_out_is_named_with_the_reason():
    def wrong(record):
        at_most = record.slice.cell.contender == "django" and record.slice.rate_rps > 1_500
        return failing(record) if at_most else record

    run = with_records(run_of(), wrong)
    idle, of_flask, wrong_ones = cost_tables.warnings(analyse(run))
    assert idle == "django, hello: left out at 0.50 requests/s: no request was due."
    assert of_flask.startswith("flask, hello: left out at 0.50 ")
    assert wrong_ones.startswith("django, hello: left out at 1,600 requests/s: withheld: ")
    assert wrong_ones in " ".join(printed(run).split())


def test_a_terminal_shows_what_a_rate_takes():
    text = printed(run_of())
    assert "What a rate takes" in text
    assert "2.50, 0.17, ≤ 4" in text
    assert max(map(len, printed(run_of(), 80).splitlines())) <= 80


def test_a_contender_whose_answers_are_wrong_has_no_cost():
    def wrong(record):
        return failing(record) if record.slice.cell.contender == "django" else record

    assert [one.contender for one in analyse(with_records(run_of(), wrong)).costs] == ["flask"]


WAITS = "import sys; sys.stdout.write('up\\n'); sys.stdout.flush(); sys.stdin.read()"
POLLS_EACH_MS = (
    "import select, sys; sys.stdout.write('up\\n'); sys.stdout.flush()\n"
    "while not select.select([sys.stdin], [], [], 0.001)[0]: pass"
)


def idle_usage(program):
    """Return what a server uses to which nobody sends anything."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe) as server:
        server.stdout.readline()
        now = time.perf_counter_ns()
        usage = ProcessObserver().watch((server.pid,), (), (), now, now + 500_000_000)
        server.stdin.close()
    return usage


def test_a_true_server_that_polls_each_millisecond_is_named():
    of = {"django": idle_usage(POLLS_EACH_MS), "flask": idle_usage(WAITS)}

    def left_alone(record):
        if record.sample.due != 0 or record.slice.role != "measure":
            return record
        return replace(record, usage=of[record.slice.cell.contender])

    found = analyse(with_records(run_of(), left_alone))
    django, flask = found.costs
    assert django.polls
    assert flask.idle_cores < POLLS
    (named,) = (note for note in cost_tables.section(found).notes if "nobody requests" in note)
    assert named.startswith("django uses ")


def test_a_million_requests_take_as_many_seconds_as_one_takes_microseconds():
    found = analyse(run_of())
    (hours,) = (
        one for one in cost_tables.section(found).tables if one.caption == "What a million requests take"
    )
    assert [column.heading for column in hours.columns[2:]] == [
        "req/s",
        "server core-hours",
        "database core-hours",
        "server GiB",
    ]
    (line,) = (row for row in hours.rows if (row[0].contender, row[2].text) == ("django", "1,000"))
    # 500 µs each: 500 s, and no database.
    assert [cell.text for cell in line[3:]] == [f"{500 / 3600:.3f}", "0", "0.04"]


def test_cpu_per_request_is_drawn_by_rate_with_its_intervals():
    picture = cost_tables.cost_picture(analyse(run_of()))
    assert [*picture.costs] == ["django", "flask"]
    axes = cost_lines(picture, looks_of(SPEEDS)).axes[0]
    (django, *_) = (line for line in axes.lines if len(line.get_xdata()) == 3)
    assert [*django.get_xdata()] == pytest.approx([200, 1_000, 1_600])
    assert [*django.get_ydata()] == pytest.approx([500] * 3, rel=0.05)
    spans = [path.vertices[:, 1] for bars in axes.collections for path in bars.get_paths()]
    assert len(spans) == 6
    assert all(low <= high for low, high in spans)
    assert "django 5" in "; ".join(numbers(picture))
    assert cost_tables.cost_picture(analyse(run_of(LOADS[1:]))) is None


def test_joules_stand_where_the_machine_counts_them_and_else_why_not():
    def counted(record):
        energy_j = 0.002 * record.sample.requests * record.usage.elapsed_s / record.sample.window_s
        return replace(record, usage=replace(record.usage, energy_j=energy_j))

    section = cost_tables.section(analyse(with_records(run_of(), counted)))
    (hours,) = (one for one in section.tables if "million" in one.caption)
    assert hours.columns[-1].heading == "machine's joules"
    assert {row[-1].text for row in hours.rows} == {"2,000"}  # 2 mJ each
    without = cost_tables.section(analyse(run_of()))
    assert "machine's joules" not in [column.heading for one in without.tables for column in one.columns]
    assert any(note.startswith("No joules: this machine counts no energy") for note in without.notes)
