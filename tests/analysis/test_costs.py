"""What a rate costs: arithmetic on made-up rows, and a server that polls."""

from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.analysis.costs import POLLS
from bench.loads import Open
from bench.report.markdown import report_text
from tests.support.synthetic import failing, rate, synthetic_run, with_records

SPEEDS = {"django": 2_000.0, "flask": 4_000.0}
LOADS = (Open(rate=0.5), rate(0.1, of="slowest"), rate(0.5, of="slowest"), rate(0.8))


def run_of(loads=LOADS, slo_ms=1_000.0):
    return synthetic_run(SPEEDS, loads=loads, slo_ms=slo_ms, noise=0.0, rounds=6)


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
    assert [one.cores for one in django.needed] == pytest.approx([0.025, 0.25, 2.5], rel=0.01)
    assert many.memory_bytes == 4 * few.memory_bytes
    assert (few.priced_at_rps, many.priced_at_rps) == pytest.approx((200, 1_000))
    assert [one.machines for one in flask.needed] == [1, 1, 2]


def test_without_a_rate_that_keeps_the_objective_nothing_is_computed_from_it():
    for one in analyse(run_of(slo_ms=0.001)).costs:
        assert one.needed == ()
    assert "none that was tried" in report_text(analyse(run_of(slo_ms=0.001)), {})


def test_too_few_requests_at_the_highest_rate_prove_no_machine():
    found = analyse(run_of((Open(rate=0.5), Open(rate=20))))
    assert [one.needed for one in found.costs] == [(), ()]
    assert "flask: no machines: too few requests were sent" in report_text(found, {})


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


def test_a_run_that_left_no_server_alone_has_no_such_section():
    found = analyse(run_of(LOADS[1:]))
    assert found.costs == ()
    assert "What it costs" not in report_text(found, {})


def test_a_contender_whose_answers_are_wrong_has_no_cost():
    def wrong(record):
        return failing(record) if record.slice.cell.contender == "django" else record

    assert [one.contender for one in analyse(with_records(run_of(), wrong)).costs] == ["flask"]
