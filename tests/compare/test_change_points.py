import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from bench.cli import commands
from bench.compare.change_points import changes_in, since
from bench.compare.entries import SCHEMA, Entry, EntryCell, EntryCount, entries
from bench.compare.history import trends
from bench.compare.steps import moves_of, steps_of
from bench.errors import UsageError
from bench.files import to_json

BEGAN = datetime(2024, 1, 1, 2, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 0.01  # the margin of a level


def noise(runs, seed=1, spread=0.01):
    return np.random.default_rng(seed).normal(0, spread, runs)


def entry(run, ratio=0.0, *, machine="x86", statements=3.0, **others):
    """Return a run on day *run*, in which fastapi has a log-*ratio* to flask."""
    cell = {"scenario": "hello", "load": {"kind": "closed", "connections": 32}, "throughput_rps": 1000.0}
    made = Entry(
        schema=SCHEMA,
        machine=machine,
        runtime="process",
        plan="full",
        started_at=BEGAN + timedelta(days=run),
        commit=f"{run:08x}{'0' * 32}",
        anchor="flask",
        cells=(
            EntryCell(contender="flask", **cell),
            EntryCell(contender="fastapi", reference="flask", ratio=float(np.exp(0.7 + ratio)), **cell),
        ),
        counts=(EntryCount(contender="fastapi", counted="statements", of="user", per_request=statements),),
    )
    return replace(made, **others)


def points(runs):
    return changes_in(trends(runs)).points


def write(folder, runs):
    folder.mkdir(parents=True)
    for number, run in enumerate(runs):
        (folder / f"{number:04}.json").write_bytes(to_json(run))
    return folder


def slower(runs=60, at=40, by=0.03):
    return [entry(run, value - by * (run >= at)) for run, value in enumerate(noise(runs))]


def test_a_step_lies_between_two_commits_and_has_its_size():
    (point,) = points(slower())
    assert point.worse
    assert point.after.commit < f"{40:08x}{'0' * 32}" <= point.by.commit
    assert (point.by.at - point.after.at).days <= 6
    assert point.size.low <= np.exp(-0.03) <= point.size.high
    assert 3 <= (point.found.at - BEGAN).days - 40 <= 10


def test_what_a_run_showed_is_the_same_when_more_runs_follow():
    whole = points(slower())
    begun = next(number for number, run in enumerate(slower()) if run.started_at == whole[0].found.at)
    assert points(slower()[:begun]) == ()
    assert points(slower()[: begun + 1])[0].found == whole[0].found


@pytest.mark.parametrize("seed", range(20))
def test_a_step_has_the_side_that_was_shown_and_is_found_at_one_run_for_good(seed):
    """A gain of six runs, and a loss for good: the gain may be shown, but never as what the loss did."""
    values = np.random.default_rng(seed).normal(0, 0.01, 80)
    values[40:46] += 0.05
    values[46:] -= 0.05
    known = {}
    for runs in range(41, 81):
        for step in steps_of(values[:runs], [32] * runs).steps:
            assert known.setdefault((step.towards, step.at), step.found) == step.found
            assert step.low <= step.at <= step.found
            assert (
                step.towards * (np.median(values[step.at : step.at + 6]) - np.median(values[: step.at])) > 0
            )


@pytest.mark.parametrize("spiked", [[30], [20, 33, 47, 59]])
def test_spikes_are_no_change(spiked):
    values = noise(60)
    values[spiked] -= 0.2
    assert points([entry(run, value) for run, value in enumerate(values)]) == ()


def test_a_steep_drift_is_no_step_and_is_named():
    values = noise(120, spread=0.003) - np.linspace(0, 0.2, 120)
    changes = changes_in(trends([entry(run, value) for run, value in enumerate(values)]))
    assert changes.points == ()
    (drift,) = changes.drifts
    assert drift.worse
    assert drift.change < 0.97


@pytest.mark.parametrize("runs", [239, 240, 365])
def test_a_drift_of_many_months_is_named(runs):
    flat = noise(runs, spread=0.003)
    flat[-120:] -= np.linspace(0, 0.2, 120)
    (drift,) = changes_in(trends([entry(run, value) for run, value in enumerate(flat)])).drifts
    assert drift.change < 0.97


def test_three_machines_that_take_turns_are_three_series():
    levels = {"a": 0.0, "b": 0.1, "c": -0.2}
    runs = [
        entry(run, value + levels["abc"[run % 3]], machine="abc"[run % 3])
        for run, value in enumerate(noise(180))
    ]
    assert points(runs) == ()
    changed = [
        replace(one, cells=entry(run, 0.04).cells) if one.machine == "b" and run > 120 else one
        for run, one in enumerate(runs)
    ]
    assert {one.track.machine for one in points(changed)} == {"b"}


@pytest.mark.parametrize(
    "other",
    [
        {"settings": {"window_s": 2.0}},
        {"scenarios": {"hello": "other"}},
        {"facts": {"system": {"turbo": False}}},
        {"anchor": "django"},
    ],
)
def test_other_conditions_begin_a_series_of_their_own(other):
    runs = slower(by=0.3)
    changed = [replace(one, **other) if run >= 40 else one for run, one in enumerate(runs)]
    if "anchor" in other:
        changed[40:] = [
            replace(
                one, cells=tuple(replace(cell, reference=cell.reference and "django") for cell in one.cells)
            )
            for one in changed[40:]
        ]
    assert len(points(runs)) == 1
    assert points(changed) == ()


def test_other_versions_are_a_likely_cause():
    def facts(version):
        return {"environments": {"fastapi_app-1": {"python": "3.13", "packages": {"pydantic": version}}}}

    runs = [replace(one, facts=facts("2" if run < 40 else "3")) for run, one in enumerate(slower())]
    assert points(runs)[0].causes == ("pydantic 2 → 3 (fastapi_app)",)


def test_a_reference_that_changed_is_suspected():
    runs = [replace(one, cells=(*one.cells, replace(one.cells[1], contender="django"))) for one in slower()]
    for point in points(runs):
        assert point.causes[0] == "flask, the reference: 2 contenders moved alike"


def test_one_more_statement_is_a_change_at_once_and_a_single_one_back_is_none():
    runs = [entry(run, statements=3.0 + (run == 9)) for run in range(10)]
    (point,) = points(runs)
    assert (point.before, point.now, point.worse) == (3.0, 4.0, True)
    assert point.found.at == runs[9].started_at
    assert points([*runs, entry(10)]) == ()
    assert len(points([*runs, entry(10, statements=4.0), entry(11)])) == 2


def test_counts_within_their_margin_are_no_move():
    assert moves_of([100, 100.5, 99.5, 101], lambda level: AT_ONCE * level) == ()
    assert [step.at for step in moves_of([100, 100, 102, 102], lambda level: AT_ONCE * level)] == [2]
    assert (
        moves_of([100, 100, 120, 80, 100, 100], lambda level: AT_ONCE * level) == ()
    )  # to either side, once


def test_instructions_are_followed_across_machines_of_an_architecture():
    def counting(run, machine, architecture="x86_64", built="GCC 12"):
        one = EntryCount(
            contender="flask",
            counted="instructions",
            of="hello",
            per_request=1_000_000.0 * (1.03 if run >= 6 else 1.0),
        )
        facts = {
            "machine": {"class": machine, "architecture": architecture},
            "environments": {"flask_app-py313": {"python": "3.13.1", "built": built}},
        }
        return replace(entry(run, machine=machine), counts=(one,), facts=facts)

    (point,) = points(counting(run, "ab"[run % 2]) for run in range(8))
    assert (point.track.machine, point.likely.at) == ("x86_64", entry(6).started_at)
    assert points(counting(run, "ab"[run >= 6], ("x86_64", "aarch64")[run >= 6]) for run in range(8)) == ()
    builds = ("GCC 12", "Clang 18")
    assert points(counting(run, "ab"[run >= 6], built=builds[run >= 6]) for run in range(8)) == ()
    assert points(replace(counting(run, "a"), facts={"machine": None}) for run in range(3)) == ()


def test_instructions_need_a_second_run_unless_they_move_far():
    def margin(level):
        return 0.005 * level

    def at_once(level):
        return 0.02 * level

    assert moves_of([100.0, 100.0, 101.0], margin, at_once) == ()
    assert [(one.at, one.found) for one in moves_of([100.0, 100.0, 101.0, 101.0], margin, at_once)] == [
        (2, 3)
    ]
    assert [(one.at, one.found) for one in moves_of([100.0, 100.0, 103.0], margin, at_once)] == [(2, 2)]
    assert [(one.at, one.found) for one in moves_of([100.0, 100.0, 103.0, 103.0], margin, at_once)] == [
        (2, 2)
    ]


@pytest.mark.parametrize(
    ("counts", "steps"),
    [
        # users-read at nine commits: the first count was a low one, and the level is where it was
        ([1_823, 1_836, 1_829, 1_833, 1_840, 1_830, 1_828, 1_821, 1_826], []),
        ([2_036, 2_043, 2_057, 2_022, 2_040, 2_057, 2_064, 2_065, 2_065], [(5, 1)]),
        ([1_000, 1_030, 1_000, 1_000, 1_000], []),
        ([1_000, 1_000, 1_100, 1_130, 1_100, 1_100], [(2, 1)]),
    ],
    ids=["FastAPI", "Flask", "the second is off", "the second after a step is off"],
)
def test_a_level_of_counts_is_their_median_so_far(counts, steps):
    found = moves_of(counts, lambda level: 0.005 * level, lambda level: 0.02 * level)
    assert [(one.at, one.towards) for one in found] == steps


def test_more_series_need_more_runs():
    values = noise(60)
    values[40:] += 0.03
    found = [steps_of(values, [family] * 60).steps[0].found for family in (1, 64)]
    assert found[0] < found[1]


@pytest.mark.parametrize(("family", "runs"), [(1, 4), (16, 4), (32, 5), (64, 5), (64, 7)])
def test_a_step_that_was_taken_back_soon_is_followed_by_its_end(family, runs):
    values = noise(60 + runs + 70)
    values[60 : 60 + runs] -= 0.06
    steps = steps_of(values, [family] * len(values)).steps
    assert [(step.at, step.towards) for step in steps] == [(60, -1), (60 + runs, 1)]


@pytest.mark.parametrize("values", [[], [0.1], [0.1] * 200, [0.1] * 3 + [0.2] * 3])
def test_too_few_runs_and_equal_ones_have_no_step(values):
    assert steps_of(values, [1] * len(values)).steps == ()


def test_files_that_cannot_be_used_are_named_and_left_out(tmp_path):
    folder = write(tmp_path / "history", slower()[:5])
    (folder / "broken.json").write_text("{")
    (folder / "typed.json").write_bytes(to_json(entry(7)).replace(b'"cells"', b'"sells"'))
    (folder / "negative.json").write_bytes(to_json(entry(7)).replace(b"1000.0", b"-1.0"))
    (folder / "words.json").write_bytes(to_json(entry(7)).replace(b"1000.0", b'"many"'))
    (folder / "long_ago.json").write_bytes(to_json(entry(6, committed_at=datetime.min.replace(tzinfo=UTC))))
    (folder / "future.json").write_bytes(to_json(entry(2000)))
    late = BEGAN + timedelta(days=30)
    (folder / "backwards.json").write_bytes(to_json(entry(6, committed_at=late)))
    read = entries([folder, folder], NOW)
    assert len(read.runs) == 6  # with the commit of long ago
    for name, why in {
        "broken": "damaged",
        "typed": "no summary and no entry",
        "negative": "is no figure",
        "words": "damaged",
        "future": "started in the future",
        "backwards": "before its commit",
    }.items():
        assert any(f"{name}.json" in text and why in text for text in read.left_out)


def test_a_folder_that_is_not_there_is_no_silent_pass(tmp_path):
    folder = write(tmp_path / "history", slower()[:5])
    with pytest.raises(UsageError, match=r"histroy: there is no such file or folder"):
        entries([folder, tmp_path / "histroy"], NOW)


def test_runs_are_in_the_order_of_time_whatever_zone_they_name(tmp_path):
    folder = write(tmp_path / "history", [entry(3), entry(1), entry(2)])
    text = (folder / "0001.json").read_text()
    (folder / "0001.json").write_text(text.replace("2024-01-02T02:00:00Z", "2024-01-02T04:00:00+02:00"))
    assert [run.started_at.day for run in entries([folder], NOW).runs] == [2, 3, 4]


def invoked(*words):
    return CliRunner().invoke(commands, ["history", *map(str, words)])


def test_since_fails_for_what_later_runs_showed_only(tmp_path):
    runs = slower()
    folder, found = write(tmp_path / "history", runs), points(runs)[0].found
    day = (found.at - BEGAN).days
    before, then = (
        invoked(folder, "--json", "--since", runs[day - 1].commit),
        invoked(folder, "--json", "--since", folder / f"{day:04}.json"),
    )
    assert (before.exit_code, then.exit_code) == (1, 0)
    assert "worse since" in before.stderr
    told = json.loads(before.stdout)
    assert [point["found"]["commit"] for point in told["points"]] == [found.commit]
    assert since(points(runs), found.at) == ()


def test_since_a_better_run_is_no_failure(tmp_path):
    runs = slower(by=-0.05)
    folder = write(tmp_path / "history", runs)
    told = invoked(folder, "--json", "--since", runs[0].commit)
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["points"][0]["worse"] is False


@pytest.mark.parametrize(("run", "words"), [("fffffff", "no run is of such a commit"), ("0", "no run is of")])
def test_since_an_unknown_run_is_a_mistake(tmp_path, run, words):
    told = invoked(write(tmp_path / "history", slower()[:3]), "--json", "--since", run)
    assert told.exit_code == 2
    assert words in told.output


def test_one_run_has_no_change_point_and_says_why(tmp_path):
    told = invoked(write(tmp_path / "history", [entry(1)]), "--out", tmp_path / "charts")
    assert told.exit_code == 0, told.output
    assert "1 run may be too few" in told.stdout


def test_the_chart_has_the_commits_and_the_table_the_size(tmp_path):
    told = invoked(write(tmp_path / "history", slower()), "--out", tmp_path / "charts")
    assert told.exit_code == 0, told.output
    assert "Change points" in told.stdout
    assert len([*(tmp_path / "charts").glob("fastapi-throughput*.svg")]) == 1
