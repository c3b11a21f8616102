"""What a machine resolves, told from made-up runs of a contender against itself."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis.statistics import rounds_for
from bench.doctor.diagnosis import Diagnosis, noise_lines
from bench.doctor.noise import HALF_WIDTHS, noise_of, planned
from bench.errors import CannotMeasure, UsageError
from bench.project import contenders, heats, plans
from tests.support.projects import CONTENDERS, SCENARIOS, make_project
from tests.support.synthetic import synthetic_run, with_records

ROOT = Path(__file__).parents[2]
TWINS = {"flask": 4_000.0, "flask~aa": 4_000.0}


def measured(noise=0.02, rounds=12):
    return synthetic_run(TWINS, scenarios=("hello", "users-read"), rounds=rounds, noise=noise)


def test_the_experiment_is_the_reference_of_plan_quick_beside_its_twin_where_it_only_reads():
    experiment = planned(ROOT)
    (block,) = experiment.blocks
    assert block.contenders == ("flask", "flask~aa")
    assert block.scenarios == ("hello", "users-read")
    assert experiment.reference == "flask"
    named = plans.contenders(experiment, contenders.declared(ROOT))
    swept = heats.groups(experiment, named)
    assert [group.contenders for group in swept] == [block.contenders] * 2


def test_a_project_without_plan_quick_offers_its_first_contender_and_what_it_has(tmp_path):
    (block,) = planned(make_project(tmp_path)).blocks
    assert block.contenders == ("one", "one~aa")
    assert block.scenarios == ("hello",)


def test_a_contender_that_only_writes_is_asked_to_write(tmp_path):
    only = CONTENDERS.replace('interface = "wsgi"', 'interface = "wsgi"\nscenarios = ["churn"]')
    (block,) = planned(make_project(tmp_path, contenders=only)).blocks
    assert block.scenarios == ("churn",)


def test_who_serves_nothing_of_what_there_is_is_told_so(tmp_path):
    lost = CONTENDERS.replace('interface = "wsgi"', 'interface = "wsgi"\nscenarios = ["elsewhere"]')
    with pytest.raises(UsageError, match="one serves none of hello, churn"):
        planned(make_project(tmp_path, contenders=lost))


def test_a_project_whose_files_declare_nobody_is_told_so(tmp_path):
    with pytest.raises(UsageError, match="declares no contender"):
        planned(make_project(tmp_path, contenders="", scenarios=SCENARIOS))


def test_rounds_follow_from_the_widest_spread_and_minutes_from_how_long_a_round_took():
    run = measured()
    noise = noise_of(run)
    assert [floor.scenario for floor in noise.floors] == ["hello", "users-read"]
    assert all(floor.ratio.low < 1 < floor.ratio.high for floor in noise.floors)
    # One sweep's log-ratio has √2 times the noise of a slice; the median of three takes 0.67 of it.
    assert all(0.01 < floor.spread < 0.035 for floor in noise.floors)
    worst = max(floor.spread for floor in noise.floors)
    assert [one.half_width for one in noise.resolves] == list(HALF_WIDTHS)
    for one in noise.resolves:
        assert one.rounds == rounds_for(worst, math.log1p(one.half_width), 12)
        assert one.minutes == pytest.approx(one.rounds * 100 / 60)  # a synthetic round takes 100 s


def test_a_quieter_machine_resolves_more_in_the_same_time():
    def rounds(noise):
        return [one.rounds for one in noise_of(measured(noise)).resolves]

    assert all(quiet <= loud for quiet, loud in zip(rounds(0.005), rounds(0.05), strict=True))
    assert rounds(0.005) != rounds(0.05)


def test_it_does_not_matter_whether_the_twin_seems_faster():
    slow = synthetic_run({"flask": 4_000.0, "flask~aa": 3_600.0}, rounds=12)
    equal = synthetic_run(TWINS, rounds=12)
    spreads = [noise_of(run).floors[0].spread for run in (slow, equal)]
    assert spreads[0] == pytest.approx(spreads[1], rel=0.02)


def disturbed(scenario, rounds):
    def changed(record):
        where = record.slice.cell.scenario, record.slice.round <= rounds
        return replace(record, void="others used the server's cores") if where == (scenario, True) else record

    return changed


def test_a_scenario_without_an_interval_is_no_answer():
    def lost(record):
        return disturbed("users-read", 8)(record) if record.slice.role == "control" else record

    said = "no interval for users-read: 4 of 12 rounds are of use, too few for an interval"
    with pytest.raises(CannotMeasure, match=said):
        noise_of(with_records(measured(), lost))


def test_a_client_that_was_the_limit_tells_nothing_of_the_machine():
    def busy(record):
        if record.slice.role == "ceiling":
            return record
        return replace(record, sample=replace(record.sample, client_cpu_s=0.63))

    with pytest.raises(CannotMeasure, match="no interval for hello, users-read: client-limited: "):
        noise_of(with_records(measured(), busy))


def test_rounds_that_were_lost_make_the_pilot_smaller():
    noise = noise_of(with_records(measured(), disturbed("hello", 4)))
    assert [(floor.scenario, floor.rounds) for floor in noise.floors] == [("hello", 8), ("users-read", 12)]
    wanted = [rounds_for(floor.spread, math.log1p(0.01), floor.rounds) for floor in noise.floors]
    assert noise.resolves[-1].rounds == max(wanted)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (replace(measured(), records=()), "no contender gave a right answer"),
        (replace(measured(), ended="failed"), "the run failed"),
        (
            with_records(measured(), disturbed("hello", 12)),
            "72 of 144 slices are void: the machine was not ours",
        ),
    ],
)
def test_a_run_that_is_not_valid_is_no_answer(run, said):
    with pytest.raises(CannotMeasure, match=said):
        noise_of(run)


def test_it_is_told_in_a_sentence_and_to_machines():
    noise = noise_of(measured())
    heading, *ratios, sentence = noise_lines(noise)
    assert heading == "flask against itself, 12 rounds, intervals of 95.8 %"
    assert [line.split(":")[0].strip() for line in ratios] == ["hello", "users-read"]
    five, one = noise.resolves[0], noise.resolves[-1]
    assert sentence.startswith(f"This machine resolves 5 % in {math.ceil(five.minutes)} min, 3 % in ")
    assert sentence.endswith(f", 1 % in {math.ceil(one.minutes)} min.")
    diagnosis = Diagnosis(checks=(), hello={}, writing={}, writing_scenario=None, noise=noise)
    document = json.loads(json.dumps(diagnosis.document()))["noise"]
    assert list(document) == ["contender", "rounds", "floors", "resolves"]
    assert document["resolves"][0] == {"half_width": 0.05, "rounds": five.rounds, "minutes": five.minutes}
    assert list(document["floors"][0]["ratio"]) == ["estimate", "low", "high", "level"]


def test_what_takes_hours_is_told_in_hours():
    slow = noise_of(measured())
    hours = replace(slow, resolves=tuple(replace(one, minutes=one.minutes * 1_000) for one in slow.resolves))
    assert " h." in list(noise_lines(hours))[-1]
