from dataclasses import replace

import pytest

from bench.compare.two_runs import compare
from bench.errors import CannotMeasure, UsageError
from bench.records import Instructions, Verification
from tests.compare.test_instructions import counted
from tests.support.synthetic import FINGERPRINT, failing, scenario, synthetic_run, with_records

SPEEDS = {"flask": 4300.0, "fastapi": 9000.0, "django": 2100.0, "flask~aa": 4300.0}
DEMAND, THROUGHPUT = "service_demand_us", "throughput_rps"


def run(seed, changed=(), **kwargs):
    return synthetic_run({**SPEEDS, **dict(changed)}, **{"noise": 0.01, "seed": seed, **kwargs})


def verdicts(two):
    return {(one.cell.contender, one.metric): one.verdict for one in two.changes}


def without(measured, contender):
    return with_records(measured, lambda record: None if record.slice.cell.contender == contender else record)


def with_machine(measured, cpu_class):
    machine = {**FINGERPRINT["machine"], "class": cpu_class}
    return replace(measured, fingerprint={**measured.fingerprint, "machine": machine})


@pytest.mark.parametrize("seed", range(4))
def test_of_equal_runs_nothing_got_slower_or_faster(seed):
    two = compare(run(10 + seed), run(20 + seed))
    assert set(verdicts(two).values()) == {"equivalent"}
    assert two.regressed == two.broken == ()


def test_what_got_slower_by_more_than_the_margin_is_found_in_both_metrics():
    two = compare(run(1), run(2, {"fastapi": 8000.0, "django": 2400.0}))
    assert verdicts(two) == {
        ("fastapi", THROUGHPUT): "slower",
        ("fastapi", DEMAND): "slower",
        ("django", THROUGHPUT): "faster",
        ("django", DEMAND): "faster",
    }
    (demand,) = (one for one in two.regressed if one.metric == DEMAND)
    assert demand.change.low < 9 / 8 < demand.change.high
    assert demand.adjusted_p < 0.001


def test_the_mood_of_the_machine_cancels():
    slower = {name: speed * 0.6 for name, speed in SPEEDS.items()}
    assert set(verdicts(compare(run(1), run(2, slower))).values()) == {"equivalent"}


def test_seen_from_the_other_side_faster_is_slower():
    one, other = run(1), run(2, {"fastapi": 8000.0})
    there, back = compare(one, other), compare(other, one)
    assert verdicts(there)["fastapi", THROUGHPUT] == "slower"
    assert verdicts(back)["fastapi", THROUGHPUT] == "faster"
    for mine, yours in zip(there.changes, back.changes, strict=True):
        assert mine.change.estimate == pytest.approx(1 / yours.change.estimate)


def test_the_baselines_margins_decide_and_others_are_told():
    wide = {THROUGHPUT: 0.3, DEMAND: 0.3}
    one, other = run(1), run(2, {"fastapi": 8000.0})
    tolerant = replace(one, plan=replace(one.plan, margins=wide))
    two = compare(tolerant, other)
    assert verdicts(two)["fastapi", DEMAND] == "equivalent"
    assert any("plan, margins" in warning for warning in two.warnings)


def test_a_twin_that_differs_from_its_original_blocks_verdicts_of_either_run():
    for changed in (
        (run(1, {"flask~aa": 5200.0}), run(2, {"fastapi": 8000.0})),
        (run(1), run(2, {"fastapi": 8000.0, "flask~aa": 5200.0})),
    ):
        two = compare(*changed)
        (found,) = (one for one in two.changes if (one.cell.contender, one.metric) == ("fastapi", DEMAND))
        assert (found.verdict, found.why) == ("inconclusive", "the noise floor shows as much between equals")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda run: with_machine(run, "arm64, Other, 8 cores, 16 GiB"), "machine.class: x86_64, Some, "),
        (lambda run: replace(run, runtime="compose"), "runtime: process here, compose there"),
        (lambda run: replace(run, plan=replace(run.plan, reference="django")), "ratios to flask in the base"),
        (lambda run: without(run, "flask"), "share no cell beside flask"),
    ],
)
def test_what_does_not_compare_is_refused_by_name(changed, said):
    baseline = with_machine(run(1), "x86_64, Some, 2 cores, 8 GiB")
    with pytest.raises(UsageError, match=r"^the runs ") as refusal:
        compare(baseline, changed(with_machine(run(2), "x86_64, Some, 2 cores, 8 GiB")))
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda run: replace(run, ended="interrupted"), "partial: interrupted"),
        (lambda run: replace(run, ended=None), "partial: still going, or killed"),
        (lambda run: replace(run, ended="failed"), "not valid: the run failed"),
        (
            lambda run: with_records(run, failing),
            "not valid: no contender gave a right answer: status 500 × 75,380 of 75,380 (100%)",
        ),
    ],
)
def test_a_partial_or_invalid_run_is_no_side_of_a_comparison(changed, said):
    for which, sides in (("candidate", (run(1), changed(run(2)))), ("baseline", (changed(run(2)), run(1)))):
        with pytest.raises(CannotMeasure) as refusal:
            compare(*sides)
        assert f"the {which} is {said}; measure it again" == str(refusal.value)


def test_with_fewer_than_six_rounds_there_is_no_number():
    two = compare(run(1, rounds=5), run(2))
    assert {(one.verdict, one.change) for one in two.changes} == {("invalid", None)}
    assert two.changes[0].why == "5 of the 6 rounds that are needed in the baseline"


def test_a_cell_that_the_client_limited_has_no_number_and_the_others_do():
    fast = run(2, {"fastapi": 130_000.0})
    two = compare(run(1), fast)
    told = {one.cell.contender: (one.verdict, one.why) for one in two.changes}
    assert told["fastapi"] == ("invalid", "fastapi client-limited in the candidate")
    assert told["django"][0] == "equivalent"


def test_a_scenario_that_asks_for_something_else_is_another_cell():
    other = run(2)
    asked = replace(scenario("hello"), weights=(2,))
    two = compare(run(1), replace(other, scenarios=(asked,)))
    assert {one.why for one in two.changes} == {"scenario hello is not the same in both runs"}


def test_a_contender_without_a_right_answer_any_more_is_broken():
    def broken(record):
        return failing(record) if record.slice.cell.contender == "django" else record

    two = compare(run(1), with_records(run(2), broken))
    assert two.broken == ("django",)
    (django, *_) = (one for one in two.changes if one.cell.contender == "django")
    assert django.why.startswith("django withheld: ")
    assert django.why.endswith(" answers were wrong in the candidate")


def test_a_contender_that_fails_its_checks_now_is_broken_though_it_was_not_timed():
    unequal = Verification(contender="django", outcome="failed", checks=61)
    two = compare(run(1), replace(without(run(2), "django"), verifications=(unequal,)))
    assert two.broken == ("django",)
    assert [cell.contender for cell in two.only_in_baseline] == ["django"]


def test_what_differs_besides_is_told_and_the_reference_first():
    other = run(2)
    contenders = tuple(
        replace(one, command="gunicorn --preload") if one.name == "flask" else replace(one, root="/else")
        for one in other.contenders
    )
    packages = {"fastapi_app-py313": {"packages": {"fastapi": "0.166.0", "uvicorn": "0.40.0"}}}
    fingerprint = {**other.fingerprint, "environments": packages}
    two = compare(run(1), replace(other, contenders=contenders, fingerprint=fingerprint))
    assert two.warnings[0].startswith("flask, the reference, is not the same in both: ")
    assert two.warnings[1:] == (
        "contender flask is started or set up in another way",
        "versions, environments.fastapi_app.fastapi: 0.165.0 here, 0.166.0 there",
    )


def test_a_reference_with_other_packages_or_code_is_told():
    one, other = run(1), run(2)
    here, there = (
        replace(
            measured,
            fingerprint={
                **measured.fingerprint,
                "environments": {"flask_app-py313-abc": {"python": "3.13", "packages": {"flask": version}}},
            },
        )
        for measured, version in ((one, "3.1.1"), (other, "3.1.2"))
    )
    assert compare(here, there).warnings[0].startswith("flask, the reference, is not the same")
    assert not compare(here, here).warnings


def counting(measured, instructions):
    found = tuple(
        counted(name, (each,), scenario="hello", environment="", path_length=20)
        for name, each in instructions.items()
    )
    architecture = {"machine": {**measured.fingerprint["machine"], "architecture": "x86_64"}}
    return replace(measured, instructions=found, fingerprint={**measured.fingerprint, **architecture})


def test_runs_that_share_no_cell_are_compared_by_their_instructions():
    alone = synthetic_run({"flask": 5_000.0}, seed=1)
    two = compare(counting(alone, {"flask": 1_000_000}), counting(alone, {"flask": 2_000_000}))
    assert two.takes_more
    assert "the runs share no cell beside flask" in two.warnings[0]


def test_runs_of_unknown_paths_have_the_wider_margin():
    one, other = (
        replace(found, instructions=tuple(replace(each, path_length=0) for each in found.instructions))
        for found in (counting(run(1), {"flask": 1_000_000}), counting(run(2), {"flask": 1_015_000}))
    )
    assert not compare(one, other).takes_more


def test_more_instructions_are_found_beside_equal_times():
    one = counting(run(1), {"flask": 1_000_000, "fastapi": 500_000})
    other = counting(run(2), {"flask": 1_000_000, "fastapi": 510_000})
    two = compare(one, other)
    assert two.regressed == ()
    assert two.takes_more
    assert [(move.contender, move.moved) for move in two.moves] == [("fastapi", True), ("flask", False)]


@pytest.mark.parametrize("which", ["baseline", "candidate"])
def test_what_one_of_two_runs_tried_in_vain_to_count_is_named(which):
    one, other = (counting(run(seed), {"flask": 1_000_000, "fastapi": 500_000}) for seed in (1, 2))
    failed = Instructions(contender="fastapi", scenario="hello", why="it does not start")
    sides = {"baseline": one, "candidate": other}
    sides[which] = replace(sides[which], instructions=(sides[which].instructions[0], failed))
    (flask, fastapi) = compare(**sides).moves
    assert (flask.moved, flask.why) == (False, "")
    assert fastapi.why == f"not counted in the {which}: it does not start"


def test_of_two_machines_instructions_alone_are_compared():
    one = counting(with_machine(run(1), "one"), {"flask": 1_000_000})
    other = counting(with_machine(run(2), "another"), {"flask": 990_000})
    two = compare(one, other)
    assert two.changes == ()
    assert "the runs do not compare: " in two.warnings[0]
    assert [(move.moved, round(move.ratio, 3)) for move in two.moves] == [(True, 0.99)]
    assert not two.takes_more


def test_two_machines_of_two_architectures_have_nothing_in_common():
    one = counting(with_machine(run(1), "one"), {"flask": 1_000_000})
    other = counting(with_machine(run(2), "another"), {"flask": 1_000_000})
    other.fingerprint["machine"]["architecture"] = "aarch64"
    with pytest.raises(UsageError, match="the runs do not compare"):
        compare(one, other)
