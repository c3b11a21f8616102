from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import analyse
from bench.analysis.findings import Allowed, verdict_on
from bench.analysis.statistics import Estimate
from bench.model.claim import Claim, ClaimedFigure, ClaimedRatio
from bench.records import Verification
from tests.support.synthetic import failing, synthetic_run, with_records

SPEEDS = {"flask": 2_500, "fastapi": 15_000, "django": 1_800, "flask~aa": 2_500}
HELLO = {"scenario": "hello", "connections": 32}
ABOUT_SIX = Allowed(low=4.8, high=7.5)


def ratio(contender="fastapi", reference="flask", **changes):
    said = ClaimedRatio(contender=contender, reference=reference, **HELLO, **({"about": 6.0} | changes))
    return Claim(says=f"{contender} and {reference}", source="a leaflet", ratio=said)


def figure(contender, throughput_rps, source="a leaflet"):
    said = ClaimedFigure(contender=contender, throughput_rps=throughput_rps, latency_ms=2.0, **HELLO)
    return Claim(says=contender, source=source, figure=said)


def found(run, *claims):
    findings = analyse(replace(run, plan=replace(run.plan, claims=claims))).findings
    return findings[0] if len(claims) == 1 else findings


def between(low, high):
    return Estimate(estimate=(low + high) / 2, low=low, high=high, level=0.96)


@pytest.mark.parametrize(
    ("low", "high", "allowed", "verdict"),
    [
        (5.0, 7.0, ABOUT_SIX, "supported"),
        (4.8, 7.5, ABOUT_SIX, "supported"),
        (4.79, 7.0, ABOUT_SIX, "cannot tell"),
        (5.0, 7.51, ABOUT_SIX, "cannot tell"),
        (4.0, 9.0, ABOUT_SIX, "cannot tell"),
        (4.0, 4.8, ABOUT_SIX, "cannot tell"),
        (4.0, 4.79, ABOUT_SIX, "not supported"),
        (7.5, 8.0, ABOUT_SIX, "cannot tell"),
        (7.51, 8.0, ABOUT_SIX, "not supported"),
        (1.05, 1.06, Allowed(low=1.05), "supported"),
        (2.0, 90.0, Allowed(low=1.05), "supported"),
        (1.04, 1.06, Allowed(low=1.05), "cannot tell"),
        (1.0, 1.05, Allowed(low=1.05), "cannot tell"),
        (1.0, 1.04, Allowed(low=1.05), "not supported"),
    ],
)
def test_the_whole_interval_decides_and_edges_are_allowed(low, high, allowed, verdict):
    assert verdict_on(between(low, high), allowed) == verdict


@pytest.mark.parametrize("nothing", [None, Estimate(estimate=6.0)])
def test_without_an_interval_nothing_can_be_told(nothing):
    assert verdict_on(nothing, ABOUT_SIX) == "cannot tell"


def test_what_a_claim_allows_is_the_same_factor_to_either_side():
    assert Allowed.by(ratio().ratio) == ABOUT_SIX
    assert Allowed.by(ratio(about=None, at_least=1.05).ratio) == Allowed(low=1.05)


sizes = st.floats(0.01, 100)
intervals = st.tuples(sizes, sizes).map(sorted)


@given(intervals, sizes, st.floats(0.01, 0.99), st.floats(0, 1), st.floats(0, 1))
def test_a_narrower_interval_never_takes_a_verdict_back(interval, about, within, left, right):
    allowed = Allowed(low=about / (1 + within), high=about * (1 + within))
    low, high = interval
    inner = sorted((low + (high - low) * left, low + (high - low) * right))
    verdict = verdict_on(between(low, high), allowed)
    if verdict != "cannot tell":
        assert verdict_on(between(max(low, inner[0]), min(high, inner[1])), allowed) == verdict


@given(intervals, sizes, st.floats(0.01, 0.9), st.floats(0, 0.09))
def test_a_claim_that_allows_more_is_never_supported_less(interval, about, within, more):
    order = ["not supported", "cannot tell", "supported"]
    strict, lax = (
        Allowed(low=about / (1 + allowed), high=about * (1 + allowed)) for allowed in (within, within + more)
    )
    measured = between(*interval)
    assert order.index(verdict_on(measured, strict)) <= order.index(verdict_on(measured, lax))


@given(intervals, sizes, sizes)
def test_a_claim_of_less_is_never_supported_less(interval, one, other):
    order = ["not supported", "cannot tell", "supported"]
    measured = between(*interval)
    less, more = (order.index(verdict_on(measured, Allowed(low=low))) for low in sorted((one, other)))
    assert more <= less


def test_a_figure_is_judged_by_its_ratio_to_the_reference_of_the_same_source():
    run = synthetic_run(SPEEDS)
    fast, own, slow = found(run, figure("fastapi", 15_000), figure("flask", 2_500), figure("django", 900))
    assert (fast.verdict, fast.ratio.about, fast.ratio.reference) == ("supported", 6.0, "flask")
    assert (slow.verdict, slow.ratio.about) == ("not supported", 0.36)
    assert (own.verdict, own.ratio) == ("cannot tell", None)
    assert "a figure alone" in own.reason
    alone, _ = found(run, figure("fastapi", 15_000), figure("flask", 2_500, source="another"))
    assert (alone.verdict, alone.reason) == (
        "cannot tell",
        "its source has no figure of flask, the reference, to be relative to",
    )


def test_any_two_contenders_can_be_compared():
    run = synthetic_run(SPEEDS)
    right, wrong = found(run, ratio(reference="django", about=8.33), ratio(reference="django", about=2.0))
    assert (right.verdict, wrong.verdict) == ("supported", "not supported")
    assert right.comparison.reference == "django"
    assert found(run, ratio("django", "fastapi", about=1 / 8.33)).verdict == "supported"


def test_less_cpu_can_be_claimed_as_well():
    frugal = ratio(metric="service_demand_us", about=1 / 6)
    assert found(synthetic_run(SPEEDS), frugal).verdict == "supported"


def limited(record):
    if record.slice.cell.contender != "fastapi":
        return record
    return replace(record, usage=replace(record.usage, busy_s={"0": 0.6, "1": record.usage.elapsed_s}))


def one_fails(record):
    return failing(record) if record.slice.cell.contender == "fastapi" else record


def with_workers(run, workers):
    return replace(
        run,
        contenders=tuple(
            replace(one, workers=workers if one.name == "fastapi" else 1) for one in run.contenders
        ),
    )


NO_FASTAPI = {name: speed for name, speed in SPEEDS.items() if name != "fastapi"}
FAILED = Verification(contender="fastapi", outcome="failed")


@pytest.mark.parametrize(
    ("run", "why"),
    [
        pytest.param(synthetic_run(SPEEDS, rounds=1), "no interval: 1 round, 6 are needed", id="one round"),
        pytest.param(synthetic_run(SPEEDS, rounds=5), "no interval: 5 rounds, 6 are needed", id="too few"),
        pytest.param(synthetic_run(NO_FASTAPI), "not measured: fastapi", id="left out"),
        pytest.param(
            replace(synthetic_run(NO_FASTAPI), verifications=(FAILED,)),
            "not measured: fastapi, which failed its checks",
            id="failed its checks",
        ),
        pytest.param(
            replace(synthetic_run(NO_FASTAPI), verifications=(replace(FAILED, outcome="skipped"),)),
            "not measured: fastapi, which could not be served",
            id="could not be served",
        ),
        pytest.param(
            with_records(synthetic_run(SPEEDS), limited),
            "only a bound is known: fastapi client-limited",
            id="client-limited",
        ),
        pytest.param(
            with_records(synthetic_run(SPEEDS), one_fails),
            "no ratio: fastapi withheld: 264,269 of 264,269 answers were wrong",
            id="wrong answers",
        ),
        pytest.param(
            synthetic_run({**SPEEDS, "flask~aa": 3_000}),
            "the noise floor shows as much between equals",
            id="noise floor",
        ),
        pytest.param(
            with_workers(synthetic_run(SPEEDS), 4),
            "4 workers need as many cores, and the servers had 1 core: a machine of 6 cores can tell",
            id="too few cores",
        ),
        pytest.param(
            replace(synthetic_run(SPEEDS), ended="failed"),
            "the run is not valid",
            id="not valid",
        ),
    ],
)
def test_what_stands_against_a_verdict_is_told(run, why):
    finding = found(run, ratio())
    assert (finding.verdict, finding.reason) == ("cannot tell", why)


def test_a_noise_floor_beyond_the_margin_blocks_where_equals_are_claimed_too():
    run = synthetic_run({"flask": 2_500, "django": 2_500, "flask~aa": 3_000})
    equal = ratio("django", about=1.0, within=0.1)
    assert found(run, equal).reason == "the noise floor shows as much between equals"
    assert found(synthetic_run({**SPEEDS, "django": 2_500}), equal).verdict == "supported"


def test_as_many_workers_as_cores_are_judged():
    run = with_workers(synthetic_run(SPEEDS), 4)
    placement = {**run.fingerprint["placement"], "server": [0, 1, 2, 3]}
    assert found(replace(run, fingerprint={**run.fingerprint, "placement": placement}), ratio()).verdict == (
        "supported"
    )
    unpinned = {"machine": {"cores": 2}}
    assert found(replace(run, fingerprint=unpinned), ratio()).reason.endswith(
        "the servers had 2 cores: a machine of 6 cores can tell"
    )
    assert found(replace(run, fingerprint={}), ratio()).verdict == "supported"


def test_a_run_that_was_interrupted_is_judged_by_the_rounds_it_has():
    assert (
        found(replace(synthetic_run(SPEEDS, rounds=6), ended="interrupted"), ratio()).verdict == "supported"
    )


def test_what_a_plan_cannot_tell_says_what_it_would_need():
    finding = found(synthetic_run(SPEEDS), Claim(says="nice", source="a leaflet", needs="people to ask"))
    assert (finding.verdict, finding.reason, finding.row) == ("cannot tell", "it needs people to ask", None)
