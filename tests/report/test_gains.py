"""What a practice is worth: contenders beside themselves without it."""

from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.model.contender import SAME_AGAIN
from bench.model.plan import ITSELF, PREVIOUS
from bench.model.scenario import Exchange, Scenario
from bench.records import Queries
from bench.report.answer import answer
from bench.report.charts.style import looks_of
from bench.report.gains import gains, notes
from bench.report.markdown import report_text
from bench.report.summary import summary
from bench.report.webpage import report_html
from tests.support.pages import read
from tests.support.synthetic import synthetic_run, with_records

SPEEDS = {
    "flask": 4_000.0,
    "flask:pool=off": 2_000.0,
    "fastapi": 8_000.0,
    "fastapi:pool=off": 7_990.0,
    f"flask{SAME_AGAIN}": 4_000.0,
}


def measured(**changes):
    run = synthetic_run(SPEEDS, **{"reference": ITSELF, "rounds": 12, "noise": 0.01, **changes})
    queries = tuple(
        Queries(contender=name, exchange="hello", requests=10, statements={"SELECT": calls})
        for name, calls in (("flask", 1.0), ("flask:pool=off", 3.0))
    )
    return replace(run, queries=queries)


def test_each_contender_is_relative_to_itself_without_switches():
    compared = {
        one.cell.contender: one.reference
        for one in analyse(measured()).comparisons
        if one.metric == "throughput_rps"
    }
    assert compared == {
        "flask:pool=off": "flask",
        "fastapi:pool=off": "fastapi",
        f"flask{SAME_AGAIN}": "flask",
    }


def test_a_gain_is_told_as_before_and_after():
    flask, fastapi = gains(analyse(measured()))
    assert (flask.switch, flask.contender, flask.worth) == ("pool", "flask", "pays")
    assert flask.ratio.estimate == pytest.approx(2.0, rel=0.02)
    assert flask.ratio.low < flask.ratio.estimate < flask.ratio.high
    assert flask.statements == "3 → 1"
    assert (fastapi.worth, fastapi.statements) == ("worth nothing here", "– → –")
    assert "Worth nothing here: pool (fastapi)." in list(notes((flask, fastapi)))


@pytest.mark.parametrize(
    ("name", "switch"),
    [
        ("django:async=on", "async"),
        ("django:middleware=stock", "middleware=stock"),
        ("django:workers=4,pool=off", "workers=4, pool"),
    ],
)
def test_a_switch_that_adds_something_is_told_the_same_way_round(name, switch):
    speeds = {"django": 3_000.0, name: 1_500.0}
    (gain,) = gains(analyse(synthetic_run(speeds, reference=ITSELF, rounds=12, noise=0.01)))
    assert (gain.switch, gain.worth) == (switch, "costs")
    assert gain.ratio.estimate == pytest.approx(0.5, rel=0.02)
    assert float(gain.without.replace(",", "")) > float(gain.with_it.replace(",", ""))


LADDER = {
    "flask:pool=off,index=off": 1_000.0,
    "flask:index=off": 2_000.0,
    "flask": 2_002.0,
    "flask:cache=redis": 1_800.0,
    f"flask{SAME_AGAIN}": 2_002.0,
    "django": 500.0,
    "django:cache=redis": 1_000.0,
}


def test_a_ladder_tells_each_step_and_then_all_of_them():
    run = synthetic_run(LADDER, reference=PREVIOUS, rounds=12, noise=0.01)
    told = gains(analyse(run))
    assert [(one.contender, one.switch, one.worth) for one in told] == [
        ("flask", "pool", "pays"),
        ("flask", "index", "worth nothing here"),
        ("flask", "cache=redis", "costs"),
        ("flask", "all of them", "pays"),
        ("django", "cache=redis", "pays"),
        ("django", "all of them", "pays"),
    ]
    ratios = [one.ratio.estimate for one in told]
    assert ratios == pytest.approx([2.0, 1.001, 0.9, 1.8, 2.0, 2.0], rel=0.02)
    assert "× previous" in report_text(analyse(run), {})


def test_each_scenario_has_its_own_climb_and_steps_stay_where_the_top_is_missing():
    run = synthetic_run(LADDER, scenarios=("hello", "wait"), reference=PREVIOUS)
    topless = with_records(
        run, lambda record: None if record.slice.cell.contender == "flask:cache=redis" else record
    )
    told = [(one.contender, one.about, one.switch) for one in gains(analyse(topless))]
    for about in ("hello", "wait"):
        assert [what for who, where, what in told if (who, where) == ("flask", about)] == ["pool", "index"]
        assert [what for who, where, what in told if (who, where) == ("django", about)] == [
            "cache=redis", "all of them"
        ]  # fmt: skip


def test_statements_of_a_mix_are_those_of_a_request_on_average():
    asked = synthetic_run(SPEEDS, reference=ITSELF)
    read, write = (Exchange(name=name, method="GET", path="/") for name in ("read", "write"))
    mix = Scenario(name="hello", exchanges=(read, write), weights=(3, 1))
    counts = {("flask", "read"): 1.0, ("flask", "write"): 3.0, ("flask:pool=off", "read"): 1.0}
    queries = tuple(
        Queries(contender=name, exchange=exchange, requests=1, statements={"SELECT": calls})
        for (name, exchange), calls in counts.items()
    )
    flask, _ = gains(analyse(replace(asked, scenarios=(mix,), queries=queries)))
    assert flask.statements == "– → 1.50"


def test_a_run_that_is_not_valid_tells_of_no_worth():
    broken = replace(measured(), ended="failed")
    assert {one.worth for one in gains(analyse(broken))} == {"cannot tell"}


def test_the_answer_is_what_practices_are_worth():
    count, most = answer(analyse(measured(noise=0)))
    assert count == (
        "Of 2 comparisons with and without a practice: 1 pays, 0 costs, 1 worth nothing here, 0 cannot tell."
    )
    assert most == "Most is gained by pool at hello (flask), 2.00 × (2.00–2.00)."
    ladder = synthetic_run(LADDER, reference=PREVIOUS, rounds=12, noise=0.01)
    assert answer(analyse(ladder))[-1].startswith("Most is lost by cache=redis at hello (flask), 0.")


def test_without_intervals_or_validity_practices_are_not_said_to_pay():
    (count,) = answer(analyse(measured(rounds=2)))
    assert count.endswith("0 pays, 0 costs, 0 worth nothing here, 2 cannot tell.")
    assert answer(analyse(replace(measured(), ended="failed"))) == ()


def test_a_run_with_one_reference_for_all_has_none():
    assert gains(analyse(synthetic_run())) == ()


def test_reports_have_a_section_of_them():
    analysis = analyse(measured())
    page = read(report_html(analysis, {}, looks_of(SPEEDS)))
    section = page.one("section", id="practices")
    assert "pays" in section.text
    assert "worth nothing here" in section.text
    assert page.one("nav").one("a", href="#practices").text == "Practices"
    text = report_text(analysis, {})
    assert "| pool: hello | Flask on gunicorn gthread | " in text
    assert "× itself" in text


def test_the_summary_names_what_each_is_relative_to():
    references = {one["contender"]: one["reference"] for one in summary(measured())["comparisons"]}
    assert references["fastapi:pool=off"] == "fastapi"
