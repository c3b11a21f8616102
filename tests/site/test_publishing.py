import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import stdev

import jsonschema
import pytest
from click.testing import CliRunner

from bench.cli import commands
from bench.compare.two_runs import compare
from bench.errors import UsageError
from bench.files import to_json, write_atomically
from bench.loads import Closed
from bench.project import content_hash
from bench.site.browser_data import index_of, travels_of, trends_of
from bench.site.catalogue import Catalogue
from bench.site.gathering import Gathered, Gathering, gather
from bench.site.machines import across, machines_of, student
from bench.site.packing import submission_of, to_text
from bench.site.published import published, schema
from bench.site.publishing import publish
from bench.site.scripts import run_script, to_script
from tests.support.submissions import HERE, NOW, changed, content_of, run_of, write
from tests.support.synthetic import rate

OTHER = "aarch64, Other CPU, 4 cores, 16 GiB"
THIRD = "x86_64, Third CPU, 8 cores, 32 GiB"


def page(contenders):
    return f"<!doctype html><title>{', '.join(contenders)}</title>"


def day(number):
    return f"2026-11-{number:02}T02:17:00+00:00"


def gathered(*runs, origin=HERE):
    return Gathering(runs=tuple(_gathered(run, origin) for run in runs))


def _gathered(run, origin):
    return Gathered(submission=submission_of(run, origin), text=to_text(content_of(run, origin)).strip())


def catalogue_of(*runs):
    return Catalogue.of(gathered(*runs))


def with_packages(run, **versions):
    environments = {"fastapi_app-py313-0": {"python": "3.13.1", "packages": versions}}
    return replace(run, fingerprint={**run.fingerprint, "environments": environments})


def with_facts(run, **facts):
    return replace(run, fingerprint={**run.fingerprint, **facts})


def test_submissions_and_folders_of_runs_are_read_the_newest_first(tmp_path):
    write(tmp_path / "gallery", content_of(run_of(at=day(1))))
    folder = tmp_path / "run"
    folder.mkdir()
    write_atomically(folder / "run.json", to_json(run_of(at=day(2))))
    found = gather([tmp_path / "gallery", folder], tmp_path, NOW)
    assert [one.submission.started_at for one in found.runs] == [day(2), day(1)]
    assert found.left_out == ()


def test_what_cannot_be_read_is_left_out_each_in_a_line(tmp_path):
    write(tmp_path, content_of(run_of(at=day(1))))
    bad = content_of(run_of(at=day(2)))
    bad["ratios"][0]["ratio"][0] *= 2
    bad_file = write(tmp_path, bad)
    (tmp_path / "old.json").write_text(json.dumps({**bad, "format": 9}))
    (tmp_path / "torn.json").write_text("{")
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text('{"schema": 1')
    found = gather([tmp_path], tmp_path, NOW)
    assert len(found.runs) == 1
    assert len(found.left_out) == 4
    for words in (
        "run.json is damaged",
        f"{bad_file}: fastapi",
        "old.json has format 9",
        "torn.json: it is no JSON",
    ):
        assert any(words in str(one) for one in found.left_out), found.left_out


def test_a_run_and_its_submission_are_one_run(tmp_path):
    run = run_of(at=day(1))
    (tmp_path / "run").mkdir()
    write_atomically(tmp_path / "run" / "run.json", to_json(run))
    file = write(tmp_path / "gallery", content_of(run))
    found = gather([file, tmp_path / "run"], tmp_path, NOW)
    assert len(found.runs) == 1
    assert "once more" in str(found.left_out[0])


def test_what_is_left_out_is_published_without_its_folder(tmp_path):
    write(tmp_path, content_of(run_of(at=day(1))))
    (tmp_path / "torn.json").write_text("{")
    found = gather([tmp_path], tmp_path, NOW)
    publish(found, tmp_path / "site", page, NOW)
    assert str(tmp_path / "torn.json") in str(found.left_out[0])
    texts = [one.read_text() for one in (tmp_path / "site").rglob("*") if one.is_file()]
    assert any("torn.json" in text for text in texts)
    assert not any(str(tmp_path) in text for text in texts)


def test_no_run_is_a_usage_error_in_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"no run in .*: name folders of runs, or submissions"):
        gather([tmp_path], tmp_path, NOW)
    done = CliRunner().invoke(commands, ["site", str(tmp_path), "--out", str(tmp_path / "out")])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert CliRunner().invoke(commands, ["site", "--out", str(tmp_path / "out")]).exit_code == 2


def test_a_site_has_data_for_its_page_and_for_machines(tmp_path):
    out = tmp_path / "site"
    runs = [run_of(at=day(1)), run_of(at=day(2)), run_of(OTHER, at=day(3))]
    publish(gathered(*runs), out, page, NOW, code="https://example.org/{commit}/{folder}")
    index = json.loads((out / "index.json").read_text())
    jsonschema.validate(index, json.loads((out / "index.schema.json").read_text()))
    assert [run["state"] for run in index["runs"]] == ["valid"] * 3
    for run in index["runs"]:
        assert json.loads((out / run["file"]).read_text())["id"] == run["id"]
        assert (out / "data" / f"{run['id']}.js").read_text().startswith(f'benchRun("{run["id"]}",{{')
    assert sorted(file.name for file in (out / "data").glob("trend-*.js")) == ["trend-0.js", "trend-1.js"]
    first = (out / "data" / "index.js").read_text()
    assert json.loads(first.removeprefix("benchIndex(").removesuffix(");\n"))["about"]["runs"] == 3
    assert "FastAPI on uvicorn (fastapi) has 2.4" in (out / "llms.txt").read_text()


def test_a_site_takes_the_place_of_a_site_and_of_nothing_else(tmp_path):
    publish(gathered(run_of(at=day(1))), tmp_path / "site", page, NOW)
    publish(gathered(run_of(at=day(2))), tmp_path / "site", page, NOW)
    assert len([*(tmp_path / "site" / "runs").iterdir()]) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds something else than a site"):
        publish(gathered(run_of()), tmp_path / "mine", page, NOW)


def test_every_headline_has_a_line_to_cite():
    index = published(catalogue_of(run_of(rounds=12, at=day(1))), NOW)
    cites = {(one.contender, one.metric): one.cite for one in index.runs[0].headlines}
    assert set(cites) == {
        (name, metric) for name in ("fastapi", "django") for metric in ("throughput_rps", "service_demand_us")
    }
    assert cites["fastapi", "throughput_rps"].startswith("FastAPI on uvicorn (fastapi) has 2.4")
    for words in (
        "96 % interval",
        "as many requests per second as Flask",
        "32 connections",
        "12 rounds on 2026-11-01",
    ):
        assert words in cites["fastapi", "throughput_rps"]


@pytest.mark.parametrize("ended", ["interrupted", "failed", None])
def test_a_partial_run_is_shown_and_in_no_rank(ended):
    whole, part = run_of(at=day(1)), replace(run_of(at=day(2)), ended=ended)
    catalogue = catalogue_of(part, whole)
    index = published(catalogue, NOW)
    assert [(run.state, len(run.headlines)) for run in index.runs] == [
        ("invalid" if ended == "failed" else "partial", 0),
        ("valid", 4),
    ]
    first = index_of(catalogue, NOW, "")
    assert [board["run"] for board in first["boards"]] == [1]
    assert first["runs"]["state"] == ("iv" if ended == "failed" else "pv")
    assert first["runs"]["trend"] == [-1, 0]
    assert [track["run"] for track in next(trends_of(catalogue))["tracks"]] == [[1]] * 4


def test_runs_of_other_projects_with_equal_names_are_kept_apart():
    here = _gathered(run_of(at=day(1)), HERE)
    there = _gathered(run_of(OTHER, at=day(2)), replace(HERE, project="b" * 40))
    catalogue = Catalogue.of(Gathering(runs=(there, here)))
    assert len(catalogue.projects) == 2
    assert len(catalogue.contenders) == 8
    assert catalogue.travels == ()  # two machines, but of two projects


def test_machines_are_grouped_by_the_rule_of_compare():
    one, same, other = run_of(at=day(1)), run_of(at=day(2), seed=2), run_of(OTHER, at=day(3))
    packed = [submission_of(run, HERE) for run in (other, same, one)]
    machines, numbers = machines_of(packed)
    assert len(machines) == 2
    assert numbers == (1, 0, 0)
    assert compare(one, same).changes
    with pytest.raises(UsageError, match=r"machine\.class"):
        compare(one, other)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"placement": {"server": [0, 1], "client": [1], "database": [1]}}, ["core 0", "cores 0+1"]),
        ({"limits": {"cpu_quota": 1.5}}, ["no limit of CPU time", "1.5 cores' worth of CPU time"]),
        ({"system": {"turbo": True}}, ["turbo unknown", "turbo on"]),
    ],
)
def test_groups_of_one_class_are_told_apart_by_what_differs(facts, words):
    known = {"limits": {"cpu_quota": None}, "system": {"turbo": None}}
    usual = with_facts(run_of(at=day(1)), **known)
    other = with_facts(run_of(at=day(2)), **{**known, **facts})
    machines, _ = machines_of([submission_of(run, HERE) for run in (usual, other)])
    assert [machine.title.rpartition(", ")[2].removeprefix("servers on ") for machine in machines] == words
    with pytest.raises(UsageError, match=r"placement\.server|cpu_quota|turbo"):
        compare(usual, other)


@pytest.mark.parametrize(
    ("kind", "short"),
    [
        ("x86_64, Intel(R) Xeon(R) Processor, 2 cores, 24 GiB", "Intel Xeon, 2 cores, process"),
        ("x86_64, AMD EPYC, 2 cores, 24 GiB", "AMD EPYC, 2 cores, process"),
        (
            "x86_64, Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz, 1 core, 8 GiB",
            "Intel Core i7-8700, 1 core, process",
        ),
        ("aarch64, Apple M2, 8 cores, 16 GiB", "aarch64, Apple M2, 8 cores, process"),
        ("x86_64", "x86_64, process"),
    ],
)
def test_a_machine_has_a_short_name(kind, short):
    machines, _ = machines_of([submission_of(run_of(kind), HERE)])
    assert machines[0].short == short


def test_an_interval_across_machines_needs_three_classes():
    speeds = {"flask": 4_300.0, "fastapi": 8_600.0}
    runs = [
        run_of(machine, at=day(number), speeds={**speeds, "fastapi": speed})
        for number, (machine, speed) in enumerate(
            [("a", 8_600.0), (OTHER, 9_000.0), (THIRD, 10_000.0), ("a", 8_800.0)], start=1
        )
    ]
    two = catalogue_of(*runs[:2]).travels[0]
    assert (two.across.low, two.across.next_low, len(two.values)) == (None, None, 2)
    three = catalogue_of(*reversed(runs)).travels[0]
    ratios = [value.ratio for value in three.values]
    assert len(ratios) == 3  # the newest of each class
    assert ratios[0] == pytest.approx(8_800 / 4_300, rel=0.02)
    assert three.across.next_low < three.across.low < three.across.estimate < three.across.high
    assert three.across.high < three.across.next_high
    assert three.same_side == 3


def test_the_interval_across_machines_is_student_s():
    logs = [0.7, 0.9, 0.8, 1.1]
    half = 3.182446 * stdev(logs) / 2
    found = across(logs)
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((0.875 - half, 0.875 + half))
    assert math.log(found.next_high) == pytest.approx(0.875 + half * math.sqrt(5))
    # Tables of Student's t, 0.975
    tables = {1: 12.70620, 2: 4.302653, 3: 3.182446, 4: 2.776445, 10: 2.228139, 40: 2.021075}
    assert {freedom: student(freedom) for freedom in tables} == pytest.approx(tables, rel=1e-6)


def test_a_limit_of_cpu_time_and_another_runtime_are_not_put_across_machines():
    free = {"limits": {"cpu_quota": None}}
    one, other = with_facts(run_of("a", at=day(1)), **free), with_facts(run_of(OTHER, at=day(2)), **free)
    held = with_facts(run_of(THIRD, at=day(3)), limits={"cpu_quota": 1.5})
    boxed = replace(with_facts(run_of(THIRD, at=day(4)), **free), runtime="compose")
    shared = {"placement": {"server": [0], "client": [0], "database": [0]}}
    single = with_facts(run_of(THIRD, at=day(5)), **free, **shared)
    catalogue = catalogue_of(single, boxed, held, other, one)
    assert {tuple(value.run for value in found.values) for found in catalogue.travels} == {(3, 4)}
    assert (
        catalogue_of(run_of(THIRD, at=day(3)), other, one).travels[0].across.low is not None
    )  # unknown: none


def test_machines_are_put_together_with_the_same_python_where_that_loses_none():
    def on(python, run):
        environments = {"fastapi_app-py-0": {"python": python, "packages": {}}}
        return with_facts(run, environments=environments)

    one, other = on("3.13.1", run_of("a", at=day(1))), on("3.13.1", run_of(OTHER, at=day(2)))
    newer = on("3.14.0", run_of(OTHER, at=day(3)))
    assert [value.run for value in catalogue_of(newer, other, one).travels[0].values] == [1, 2]
    assert [value.run for value in catalogue_of(newer, one).travels[0].values] == [0, 1]
    alone = on("3.14.0", run_of(THIRD, at=day(4)))
    assert [value.run for value in catalogue_of(alone, newer, other, one).travels[0].values] == [0, 1, 3]


def test_a_ratio_across_machines_names_its_plans():
    one, other = run_of("a", at=day(1)), run_of(OTHER, at=day(2))
    other = replace(other, plan=replace(other.plan, name="article"))
    other = with_facts(other, plan=content_hash.stamp(other.plan))
    [first, *_] = published(catalogue_of(other, one), NOW).across
    assert first.plans == ("article", "synthetic")
    assert first.cite.endswith("plans article, synthetic")
    assert "plans differ between machines" in first.notes


def test_the_page_has_the_conditions_of_every_run():
    newer = with_facts(
        run_of(at=day(2)),
        limits={"cpu_quota": 1.5},
        placement={"server": [0], "client": [0], "database": [0]},
        environments={"fastapi_app-py314-0": {"python": "3.14.2", "packages": {"fastapi": "0.165.0"}}},
    )
    newer = replace(newer, runtime="compose")
    index = index_of(catalogue_of(newer, run_of(at=day(1))), NOW, "")
    usual = {"plan": "synthetic", "runtime": "process", "cores": "2", "placed": "1", "quota": "unknown"}
    assert [index["conditions"][number] for number in index["runs"]["conditions"]] == [
        {**usual, "runtime": "compose", "placed": "1, shared", "quota": "1.5", "python": ("3.14",)},
        {**usual, "python": ()},
    ]


def test_a_trend_has_the_own_figures_of_one_machine():
    one, same, other = run_of(at=day(1)), run_of(at=day(2), seed=2), run_of(OTHER, at=day(3))
    catalogue = catalogue_of(other, same, one)
    names = [name for _, name in catalogue.contenders]
    elsewhere, here = trends_of(catalogue)
    flask = next(cell for cell in here["figures"] if names[cell["contender"]] == "flask")
    assert flask["run"] == [2, 1]
    assert elsewhere["figures"][0]["run"] == [0]
    stated = next(cell for cell in submission_of(one, HERE).cells if cell.contender == names.index("flask"))
    assert flask["rps"][0] == pytest.approx(stated.throughput_rps[:3], rel=1e-5)
    assert flask["cpu"][0] == pytest.approx(stated.service_demand_us[:3], rel=1e-5)
    assert flask["bound"] == [0, 0]
    assert "flask~aa" not in {names[cell["contender"]] for cell in here["figures"]}


def test_the_page_has_a_ratio_of_each_machine_under_each_conditions():
    one, newer = run_of(at=day(1)), run_of(at=day(2), seed=2)
    boxed = replace(run_of(at=day(3)), runtime="compose")
    tracks = travels_of(catalogue_of(boxed, newer, one))["tracks"]
    assert [track["run"] for track in tracks] == [[0, 1]] * 4
    assert set(tracks[0]["held"][0]) == {"code", "versions of frameworks", "versions of Python"}


def test_a_row_older_than_a_release_that_was_seen_is_marked():
    old = with_packages(run_of(at=day(1)), fastapi="0.115.0")
    new = with_packages(run_of(at=day(2)), fastapi="0.165.0")
    beta = with_packages(run_of(at=day(3)), fastapi="1.0.0b1")
    catalogue = catalogue_of(beta, new, old)
    assert index_of(catalogue, NOW, "")["releases"]["fastapi"] == [
        "0.165.0",
        int(datetime(2026, 11, 2, 2, 17, tzinfo=UTC).timestamp()),
    ]
    assert index_of(catalogue, NOW, "")["runs"]["newer"] == "001"
    assert published(catalogue, NOW).runs[2].newer_releases == ("fastapi 0.115.0, 0.165.0 was seen",)


def test_a_script_s_words_cannot_end_the_script():
    text = to_script("f", {"name": "</script><script>alert(1)</script>\u2028"})
    assert "</" not in text
    assert "\u2028" not in text
    assert run_script("a", '{"x":"</script>"}', {"latest": None}) == (
        'benchRun("a",{"submission":{"x":"<\\/script>"},"latest":null});\n'
    )


def test_a_thousand_runs_fit_the_first_view():
    text, one = "{}", submission_of(run_of(), HERE)
    runs = tuple(
        Gathered(
            submission=replace(
                one, id=f"20261123T044300Z-synthetic-{number:010}", started_at=day(1 + number % 28)
            ),
            text=text,
        )
        for number in range(1000)
    )
    first = to_script("benchIndex", index_of(Catalogue.of(Gathering(runs=runs)), NOW, ""))
    assert len(first.encode()) < 120_000


def test_the_schema_names_every_key_of_a_headline():
    assert {"ratio", "low", "high", "verdict", "cite"} <= set(schema()["$defs"]["Headline"]["required"])


def test_submit_writes_a_file_that_check_takes(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write_atomically(folder / "run.json", to_json(run_of(at=day(1))))
    done = CliRunner().invoke(commands, ["submit", str(folder), "--out", str(tmp_path), "--project", "shop"])
    assert done.exit_code == 0, done.stderr
    file = done.stdout.strip()
    assert CliRunner().invoke(commands, ["site", "--check", file]).exit_code == 0
    assert json.loads(Path(file).read_text())["project"]["name"] == "shop"


def test_submit_refuses_a_run_without_measurements_in_a_line(tmp_path):
    write_atomically(tmp_path / "run.json", to_json(replace(run_of(), records=())))
    done = CliRunner().invoke(commands, ["submit", str(tmp_path)])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "no measurement to submit" in done.stderr


def test_a_changed_submission_is_in_no_site(tmp_path):
    def faster(content):
        content["cells"][1]["rank"] = 2

    good, bad = write(tmp_path, content_of(run_of(at=day(1)))), write(tmp_path, changed(faster))
    done = CliRunner().invoke(commands, ["site", str(good), str(bad), "--out", str(tmp_path / "site")])
    assert done.exit_code == 0, done.output
    assert f"left out: {bad}: fastapi in hello: rank: 2, and its rounds give 1" in done.stderr
    assert len([*(tmp_path / "site" / "runs").iterdir()]) == 1


@pytest.mark.parametrize(("loads", "size"), [((Closed(connections=8),), 3), ((rate(0.5),), 0)])
def test_a_board_is_as_large_as_its_cells_that_compare_by_throughput(loads, size):
    (board,) = index_of(catalogue_of(run_of(loads=loads, rounds=9)), NOW, "")["boards"]
    assert board["size"] == size
