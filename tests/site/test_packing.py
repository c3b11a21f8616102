import json
import math
from dataclasses import replace
from datetime import datetime

import pytest

from bench.analysis import analyse
from bench.analysis.comparisons import log_ratios
from bench.analysis.rows import PACED
from bench.errors import UsageError
from bench.histogram import Histogram
from bench.loads import Closed
from bench.model.cell import Cell
from bench.project import content_hash
from bench.records import Event, EventTimes
from bench.site.check import checked
from bench.site.figures import thinned, wider
from bench.site.origin import Origin
from bench.site.outbox import packed
from bench.site.packing import plain, submission_of, to_text
from bench.site.recomputed import Recomputed
from bench.site.stated import contender_of, data_of, framework_of
from tests.support.submissions import HERE, NOW, content_of, run_of
from tests.support.synthetic import contender, failing, rate, with_records


def read(run):
    return checked("it", to_text(plain(submission_of(run, HERE))).encode(), NOW)


@pytest.mark.parametrize("rounds", [3, 9, 12])
def test_ratios_of_the_sweeps_are_those_of_the_run(rounds):
    run = run_of(rounds=rounds)
    found = Recomputed(submission=read(run))
    names = [one.name for one in found.submission.contenders]
    for one in analyse(run).comparisons:
        cell, reference = names.index(one.cell.contender), names.index(one.reference)
        again = found.ratio(cell, reference, one.metric)
        assert again.estimate == pytest.approx(one.ratio.estimate, rel=1e-6)
        if rounds > 5:
            assert (again.low, again.high) == pytest.approx((one.ratio.low, one.ratio.high), rel=1e-6)
        assert again.level == one.ratio.level
        beside = replace(one.cell, contender=one.reference)
        exact = log_ratios(run.records, one.cell, beside, one.metric)
        assert found.pairing(cell, reference, one.metric).log_ratios == pytest.approx(exact, abs=1e-6)


def test_a_ratio_the_other_way_round_is_its_inverse():
    run = run_of(rounds=12)
    one, other = Recomputed(submission=read(run)), Recomputed(submission=read(run))
    there, back = one.ratio(0, 1, "throughput_rps"), other.ratio(1, 0, "throughput_rps")
    assert one.ratio(1, 0, "throughput_rps").low == pytest.approx(back.low)
    assert there.estimate * back.estimate == pytest.approx(1)
    assert there.low * back.high == pytest.approx(1)


def test_estimates_and_ranks_are_those_of_the_run():
    run = run_of(rounds=9, scenarios=("hello", "users"))
    submission = read(run)
    for row, cell in zip(analyse(run).rows, submission.cells, strict=True):
        assert cell.throughput_rps[0] == pytest.approx(row.throughput_rps.estimate, rel=1e-6)
        assert (cell.rank, cell.requests) == (row.rank, row.requests)
    assert [cell.rank for cell in submission.cells[:4]] == [2, 1, 3, None]


def test_an_open_load_is_a_submission_too():
    submission = read(run_of(loads=(rate(0.5), Closed(connections=8))))
    assert [load.metrics for load in submission.loads] == [
        ("service_demand_us",),
        ("throughput_rps", "service_demand_us"),
    ]
    assert submission.cells[0].arrivals.due > 0


def test_a_server_that_fell_far_behind_was_not_busier_than_its_machine():
    def behind(record):
        sample = record.sample
        return replace(record, sample=replace(sample, answered=sample.requests // 8))

    submission = read(with_records(run_of(loads=(rate(0.5),)), behind))
    cell = submission.cells[0]
    assert cell.in_window == tuple(right // 8 for right in cell.right)


def test_a_run_of_streams_is_a_submission_without_ratios():
    def streaming(record):
        each = Histogram.of([20_000_000] * 40)
        times = EventTimes(first=each, gap=each, late=each)
        return replace(record, sample=replace(record.sample, events=times))

    submission = read(with_records(run_of(rounds=9), streaming))
    assert {cell.paced for cell in submission.cells} == {PACED}
    assert {cell.rank for cell in submission.cells} == {None}
    assert {(one.ratio, one.withheld is None) for one in submission.ratios} == {(None, False)}


def test_nothing_of_the_machine_s_owner_is_sent():
    run = run_of()
    said = Event(at_s=1.0, what="killed, see /home/ada/shop/logs/flask.log on build7 or build7.corp")
    run = replace(
        run,
        events=(said,),
        fingerprint={
            **run.fingerprint,
            "checkout": "/home/ada/shop",
            "services": {"postgres": {"settings": {"dir": "/home/ada/data"}}},
            "locks": {"x": {"at": "/tmp/x"}},
        },
        contenders=tuple(replace(one, env={"DB": "postgres://ada@db.corp/shop"}) for one in run.contenders),
    )
    text = to_text(content_of(run, replace(HERE, own_names=("build7",))))
    for secret in ("ada", "/home", "/nowhere", "/tmp", "corp", "build7", "gunicorn app:app", "postgres://"):
        assert secret not in text
    assert "killed, see …" in text


def test_a_run_without_a_right_answer_is_refused():
    run = with_records(run_of(), failing)
    with pytest.raises(UsageError, match="the run has no measurement to submit"):
        submission_of(run, HERE)


def test_a_plan_that_reveals_something_is_not_sent():
    run = run_of()
    run = replace(run, plan=replace(run.plan, changed=("/home/ada/shop/views.py",)))
    with pytest.raises(UsageError, match=r"this run cannot be submitted: plan.*an absolute path"):
        packed(replace(run, fingerprint={**run.fingerprint, "plan": {}}), HERE, NOW)


def test_a_large_run_has_thinner_histograms_and_is_compressed_at_last():
    small, plainly = packed(run_of(), HERE, NOW)
    thinner, thinly = packed(run_of(), HERE, NOW, len(plainly) - 1)
    compressed = packed(run_of(), HERE, NOW, 1_000)[1]
    assert (small.cells[0].latencies.bits, thinner.cells[0].latencies.bits) == (5, 6)
    assert len(thinly) < len(plainly)
    assert plainly[:1] == thinly[:1] == b"{"
    assert compressed.startswith(b"\x1f\x8b")
    assert checked("it", compressed, NOW).cells[0].latencies.bits == 7


def test_without_a_first_commit_only_the_same_code_is_the_same_project():
    here = submission_of(run_of(), Origin()).project.id
    run = run_of()
    other = replace(run, fingerprint={**run.fingerprint, "content": {"apps": {"flask_app": "1"}}})
    assert here == submission_of(run_of(seed=2), Origin()).project.id
    assert here != submission_of(other, Origin()).project.id
    assert here.startswith("code-")


def test_hashes_of_a_plan_ignore_what_is_not_set_and_nothing_else():
    plan = run_of().plan
    assert content_hash.stamp(plan) == content_hash.stamp(replace(plan, slo_ms=None))
    assert content_hash.stamp(plan)["plan"] != content_hash.stamp(replace(plan, spare_sweeps=0))["plan"]
    assert content_hash.stamp(replace(plan, spare_sweeps=0)) != content_hash.stamp(
        replace(plan, spare_sweeps=1)
    )


def test_the_file_is_plain_json_with_times_in_utc():
    run = run_of(at="2026-11-23T06:43:00+02:00")
    content = content_of(run)
    assert datetime.fromisoformat(content["started_at"]).utcoffset().total_seconds() == 0
    assert content["id"].startswith("20261123T044300Z-synthetic-")
    numbers = json.dumps(content)
    assert "NaN" not in numbers
    assert math.isclose(content["cells"][0]["window_s"], 0.65)


def test_a_cell_is_found_by_its_names():
    content = content_of()
    place = Cell(contender="flask", scenario="hello", load=Closed(connections=32))
    assert content["contenders"][content["cells"][0]["contender"]]["name"] == place.contender


@pytest.mark.parametrize(
    ("base", "stack", "packages", "framework"),
    [
        ("django-drf", "Django REST framework on gunicorn", {"django": "5.2", "gunicorn": "27"}, "django"),
        ("shop", "FastAPI on uvicorn", {"fastapi": "0.165", "uvicorn": "0.54"}, "fastapi"),
        ("stdlib", "Python's own http.server", {}, "stdlib"),
        ("gunicorn-app", "a WSGI app on gunicorn", {"gunicorn": "27"}, "gunicorn"),
    ],
)
def test_a_framework_is_known_by_its_package(base, stack, packages, framework):
    one = replace(contender("x"), base=base, stack=stack)
    assert framework_of(one, packages) == framework


def test_how_a_contender_speaks_to_its_database_is_in_its_switches_and_packages():
    one = replace(contender("flask"), services=("postgres",))
    by_hand = replace(one, name="flask:orm=off")
    assert data_of(one, {"sqlalchemy": "2.1"}) == "orm"
    assert data_of(one, {"psycopg": "3.3"}) == data_of(by_hand, {"sqlalchemy": "2.1"}) == "sql"
    assert data_of(replace(one, services=("valkey",)), {"sqlalchemy": "2.1"}) is None
    assert data_of(one, {}) is None


def test_a_histogram_twice_as_wide_counts_the_same():
    found = thinned(Histogram.of(range(1_000_000, 9_000_000, 1_234)), 5)
    assert sum(wider(found).counts) == sum(found.counts)
    assert wider(found) == thinned(Histogram.of(range(1_000_000, 9_000_000, 1_234)), 6)


def test_a_contender_in_a_container_has_the_packages_of_its_image():
    run = run_of()
    image = "shop/flask_app:1a2b"
    facts = {
        **run.fingerprint,
        "environments": {image: {"python": "3.13.0", "packages": {"flask": "3.1.3", "sqlalchemy": "2.1.9"}}},
        "environment_of": {"flask": image},
    }
    flask = replace(run.contenders[0], services=("postgres",))
    assert flask.name == "flask"
    stated = contender_of(replace(run, fingerprint=facts), flask)
    assert (stated.environment, stated.python, stated.data) == (image, "3.13.0", "orm")
    assert stated.framework_version == "3.1.3"
