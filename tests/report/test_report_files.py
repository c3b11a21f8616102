"""What a run folder holds. With UPDATE_GOLDEN=1 in the environment tests/expected/ is written anew."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.loads import Closed
from bench.records import Event, Queries, Verification
from bench.report.report_files import write_report
from bench.report.summary import summary
from tests.support.pages import read
from tests.support.synthetic import contender, failing, rate, synthetic_run, with_records

EXPECTED = Path(__file__).parents[1] / "expected"


def eventful_run():
    """A run with an A/A pair, a void, failures, a death and a contender that is not timed."""
    run = synthetic_run(scenarios=("hello", "users-read"))

    def change(record):
        place = (record.slice.cell.contender, record.slice.round, record.slice.sweep)
        match place:
            case ("stdlib", _, _) if record.slice.cell.scenario == "users-read":
                return None
            case ("django", 9, _):
                return failing(record)
            case ("fastapi", 3, 2):
                return replace(record, void="foreign CPU 31 % of the server's core")
        return record

    return replace(
        with_records(run, change),
        contenders=(*run.contenders, contender("django-drf")),
        verifications=(
            *run.verifications,
            Verification(
                contender="django-drf", outcome="failed", checks=61, differences=("GET /users: a | b",)
            ),
        ),
        queries=(
            *(counted(name, {"SELECT a | b": 1.0}) for name in ("django", "flask~aa")),
            counted("flask", {"BEGIN": 1.0, "SELECT\n  a": 1.0, "ROLLBACK": 1.0}),
            replace(counted("fastapi", {}), failed=7),
        ),
        events=(Event(at_s=88.0, what="killed by signal 9", contender="django", log="[1] ready\n[1] oh"),),
    )


def counted(contender, statements):
    return Queries(contender=contender, exchange="users-read", requests=50, statements=statements)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    written = tmp_path_factory.mktemp("run")
    write_report(eventful_run(), written)
    return written


def swept_run():
    """A run like plan latency: connections, rates, an objective, a void and a client that was the limit."""
    closed = (Closed(connections=connections) for connections in (1, 32, 256))
    run = synthetic_run(
        {"flask": 4_000, "fastapi": 9_000},
        loads=(*closed, *map(rate, (0.1, 0.5, 1.0))),
        rounds=6,
        slo_ms=100,
    )

    def change(record):
        cell, usage = record.slice.cell, record.usage
        if (cell.contender, cell.load.connections) == ("fastapi", 256) and cell.load.kind == "closed":
            return replace(record, usage=replace(usage, busy_s={"0": 0.6, "1": usage.elapsed_s}))
        if cell.load == rate(1.0) and cell.contender == "flask":
            return replace(record, sample=replace(record.sample, queued=40, unfinished=30))
        if (cell.load, record.slice.round, record.slice.sweep) == (rate(0.5), 2, 1):
            return replace(record, void="the load generator sent late")
        return record

    return with_records(run, change)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    written = tmp_path_factory.mktemp("swept")
    write_report(swept_run(), written)
    return written


def test_the_page_of_a_fixed_sweep_over_loads_is_as_expected(swept):
    text = (swept / "report.md").read_text(encoding="utf-8")
    if os.environ.get("UPDATE_GOLDEN"):
        (EXPECTED / "report-latency.md").write_text(text, encoding="utf-8")
    assert text == (EXPECTED / "report-latency.md").read_text(encoding="utf-8")
    links = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert all((swept / link).stat().st_size > 0 for link in links)
    assert len(list((swept / "charts").iterdir())) == 2 + 3  # the picture twice


def test_the_summary_tells_open_rows_and_capacities():
    told = summary(swept_run())
    rows = {(row["contender"], *row["load"].values()): row for row in told["rows"]}
    assert rows["flask", "closed", 32]["arrivals"] is None
    assert rows["flask", "closed", 32]["ceiling_rps"] == pytest.approx(150_000, rel=1e-4)
    full = rows["flask", "open", 256, 1.0, "poisson"]
    assert full["arrivals"]["rate_rps"] == 4000
    assert (full["arrivals"]["queued"], full["unfinished"]) == (18 * 40, 18 * 30)
    assert full["percentiles_ms"]["p99"] is None
    assert full["percentiles_ms"]["p50"]["low"] < full["latency_ms"]["p50"]
    assert (full["arrivals"]["bent_slices"], full["arrivals"]["tested_slices"]) == (0, 18)
    assert rows["flask", "closed", 32]["read_late_ms"]["p50"] == pytest.approx(0.012, rel=0.2)
    assert full["read_late_ms"]["p50"] == pytest.approx(0.014, rel=0.2)
    assert full["latency_ms"]["p50"] > 100
    assert full["latency_ms"]["p99"] is None  # 1.2 % have no answer
    assert rows["fastapi", "closed", 256]["client_limited"]
    assert rows["fastapi", "closed", 256]["bound_by"] == "client"
    (withheld,) = (
        one
        for one in told["comparisons"]
        if one["load"] == {"kind": "closed", "connections": 256} and one["metric"] == "throughput_rps"
    )
    assert (withheld["ratio"], withheld["verdict"]) == (None, None)
    capacities = {one["contender"]: one for one in told["capacities"]}
    assert capacities["flask"]["rate_rps"]["estimate"] == 2000
    assert (capacities["flask"]["slo_ms"], capacities["flask"]["at_least"]) == (100, False)


def test_trials_tell_rates_and_leave_empty_what_a_closed_loop_does_not_know(swept):
    trials = pd.read_csv(swept / "trials.csv")
    closed, open_ = (trials[trials["kind"] == kind] for kind in ("closed", "open"))
    assert set(open_["rate_rps"]) == {400, 2000, 4000, 900, 4500, 9000}
    assert open_["due"].notna().all()
    assert closed[["rate_rps", "due", "lag_p99_ms", "service_p50_ms"]].isna().all().all()
    assert trials["client_core"].max() == 1


@pytest.mark.parametrize("name", ["report.md", "summary.json", "trials.csv"])
def test_files_of_a_fixed_run_are_as_expected(folder, name):
    text = (folder / name).read_text(encoding="utf-8")
    if name == "trials.csv":
        text = "".join(text.splitlines(keepends=True)[:12])
    if os.environ.get("UPDATE_GOLDEN"):
        (EXPECTED / name).write_text(text, encoding="utf-8")
    assert text == (EXPECTED / name).read_text(encoding="utf-8")


def test_every_link_of_the_page_leads_to_a_file(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    links = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert len(links) == 1 + 2 * 3 + 2  # the picture, charts of two panels, and two files
    assert all((folder / link).stat().st_size > 0 for link in links)


def test_charts_are_drawn_the_same_again(folder, tmp_path):
    write_report(eventful_run(), tmp_path)
    charts = sorted(path.name for path in (folder / "charts").iterdir())
    of_panels = (
        f"{scenario}-32{kind}.svg"
        for scenario in ("hello", "users-read")
        for kind in ("", "-latency", "-cpu")
    )
    assert charts == sorted(("answer.svg", "answer.png", *of_panels))
    for chart in charts:
        assert (tmp_path / "charts" / chart).read_bytes() == (folder / "charts" / chart).read_bytes()


def test_trials_have_a_line_for_every_slice_with_warm_ups_and_voids(folder):
    trials = pd.read_csv(folder / "trials.csv")
    assert len(trials) == len(eventful_run().records)
    assert set(trials["role"]) == {"warm-up", "measure", "control", "ceiling"}
    assert trials["void"].count() == 2
    django = trials[(trials["contender"] == "django") & (trials["round"] == 9)]
    assert django["p50_ms"].isna().all()
    assert (django["failures"] > 0).all()


def test_summary_names_the_noise_floor_by_the_contender_that_ran_twice():
    floor = summary(eventful_run())["noise_floor"]
    assert floor["contender"] == "flask"
    assert floor["ratio"]["low"] < floor["ratio"]["estimate"] < floor["ratio"]["high"]


def tiny():
    return synthetic_run({"flask": 400}, rounds=1, sweeps=1)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        pytest.param(tiny(), "no interval: 1 round", id="one contender, one round"),
        pytest.param(with_records(tiny(), failing), "no verified response from anyone", id="only failures"),
        pytest.param(synthetic_run({"flask": 0}), "no verified response from anyone", id="zero requests"),
        pytest.param(replace(tiny(), records=()), "Nothing was measured", id="nothing measured"),
        pytest.param(replace(tiny(), ended="interrupted"), "Partial run: interrupted", id="interrupted"),
        pytest.param(replace(tiny(), ended=None), "Partial run: still going, or killed", id="killed"),
        pytest.param(
            synthetic_run({"django": 200}, rounds=1), "No ratios: the reference, flask", id="no reference"
        ),
        pytest.param(
            with_records(
                synthetic_run({"flask": 400, "django": 200}, rounds=1),
                lambda record: failing(record) if record.slice.cell.contender == "django" else record,
            ),
            "No ratio for django: django withheld: ",
            id="one fails",
        ),
        pytest.param(
            replace(tiny(), verifications=(), fingerprint={}), "No contender was.", id="nothing known of it"
        ),
    ],
)
def test_any_run_has_a_report_that_says_what_is_missing(run, said, tmp_path):
    page = write_report(run, tmp_path)
    assert said in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert said.lower() in read(page.read_text(encoding="utf-8")).text.lower()
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == summary(run)


def test_text_from_outside_cannot_break_a_table(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "GET /users: a \\| b" in text
    rows = [line for line in text.splitlines() if line.startswith("| django-drf ")]
    assert rows == ["| django-drf | failed | 61 | GET /users: a \\| b |"]
