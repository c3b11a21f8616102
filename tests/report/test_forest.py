from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.loads import Closed
from bench.model.plan import ITSELF, PREVIOUS
from bench.report.charts import draw
from bench.report.charts.ratio_chart import ratio_caption, ratio_chart
from bench.report.charts.sheet import SCREEN, WIDE_FILE, WIDE_SCREEN
from bench.report.charts.style import looks_of
from bench.report.forest import MOST, forest, notes, section
from tests.report.test_terminal import busy_client
from tests.report.test_webpage import page_of
from tests.support.pages import read
from tests.support.synthetic import failing, rate, synthetic_run, with_records

FOUR = {"stdlib": 12_000, "fastapi": 10_400, "flask": 4_300, "django": 2_100}


def of(run):
    return forest(analyse(run))


def drawn(run, sheet=WIDE_FILE):
    return ratio_chart(of(run), looks_of(one.name for one in run.contenders), sheet)


def by_name(group):
    return {mark.contender: mark for mark in group.marks}


def test_every_scenario_is_a_group_with_a_mark_for_each_contender_best_first():
    found = of(synthetic_run(scenarios=("hello", "users-read"), noise=0))
    assert [group.about for group in found.groups] == ["hello", "users-read"]
    for group in found.groups:
        assert [mark.contender for mark in group.marks] == ["stdlib", "fastapi", "flask", "django"]
    assert found.title == "Throughput relative to Flask on gunicorn gthread (flask)"


def test_a_proven_difference_is_filled_and_a_tie_is_hollow():
    marks = by_name(of(synthetic_run(FOUR | {"litestar": 4_310})).groups[0])
    assert marks["flask"].standing == "reference"
    assert {marks[name].standing for name in ("stdlib", "fastapi", "django")} == {"proven"}
    assert marks["litestar"].standing == "open"
    assert marks["litestar"].ratio.low < 1 < marks["litestar"].ratio.high


def test_without_an_interval_nothing_is_proven():
    found = of(synthetic_run(FOUR, rounds=2))
    assert {mark.standing for mark in found.marks} == {"reference", "open"}
    assert "too few rounds for intervals" in next(notes(found))


def test_what_the_noise_floor_blocks_is_not_proven():
    quick = by_name(of(synthetic_run({"flask": 4_000, "django": 4_400, "flask~aa": 4_600})).groups[0])
    calm = by_name(of(synthetic_run({"flask": 4_000, "django": 4_400, "flask~aa": 4_000})).groups[0])
    assert (quick["django"].standing, calm["django"].standing) == ("open", "proven")


def test_those_that_share_a_place_are_joined():
    (group,) = of(synthetic_run(FOUR | {"litestar": 4_310})).groups
    assert [{mark.contender for mark in tied} for tied in group.ties] == [{"flask", "litestar"}]
    (alone,) = of(synthetic_run(FOUR, noise=0)).groups
    assert not alone.ties


def test_who_has_no_ratio_has_a_line_with_the_reason():
    def broken(record):
        return failing(record) if record.slice.cell.contender == "django" else record

    run = busy_client(with_records(synthetic_run(noise=0), broken), "stdlib")
    marks = by_name(of(run).groups[0])
    assert (marks["django"].standing, marks["django"].text) == ("none", "withheld")
    assert (marks["stdlib"].standing, marks["stdlib"].text) == ("none", "a bound: ≥ 12,000 req/s")


@pytest.mark.parametrize(
    "run",
    [
        synthetic_run({"flask": 400}),
        replace(synthetic_run(FOUR), records=()),
        with_records(synthetic_run(FOUR), failing),
        replace(synthetic_run(FOUR), ended="failed"),
        synthetic_run({"django": 200, "fastapi": 300}),
    ],
    ids=["one contender", "nothing measured", "only failures", "not valid", "no reference"],
)
def test_without_a_ratio_to_use_there_is_no_picture(run):
    assert of(run) is None
    assert section(analyse(run)) is None
    assert not list(read(page_of(run)).all("figure", class_="picture"))


def test_at_given_rates_it_is_of_cpu_and_the_least_comes_first():
    found = of(synthetic_run(FOUR, loads=(rate(0.5),), rounds=6))
    assert found.title.startswith("CPU per request relative to ")
    assert [mark.contender for mark in found.groups[0].marks] == ["stdlib", "fastapi", "flask", "django"]
    assert "left needs less CPU" in next(notes(found))


def test_loads_are_named_where_they_differ():
    loads = [Closed(connections=connections) for connections in (1, 32)]
    found = of(synthetic_run(FOUR, loads=loads, noise=0))
    assert [group.about for group in found.groups] == ["hello, 1 connection", "hello, 32 connections"]


SWITCHED = {
    "flask": 1_000.0,
    "flask:pool=on": 2_000.0,
    "flask:pool=on,eager=on": 2_010.0,
    "django": 3_000.0,
    "django:pool=on": 2_900.0,
}


def test_with_references_of_their_own_marks_name_them_and_have_no_place():
    (group,) = of(synthetic_run(SWITCHED, reference=PREVIOUS)).groups
    assert [(mark.contender, mark.beside, mark.rank) for mark in group.marks] == [
        ("flask:pool=on", "relative to flask", ""),
        ("flask:pool=on,eager=on", "relative to flask:pool=on", ""),
        ("django:pool=on", "relative to django", ""),
    ]
    assert not group.ties


def test_steps_of_one_ladder_are_not_relative_to_its_foot():
    steps = {name: speed for name, speed in SWITCHED.items() if name.startswith("flask")}
    found = of(synthetic_run(steps, reference=PREVIOUS))
    assert found.title == "Throughput relative to the step before it"
    assert [mark.against for mark in found.marks] == ["flask", "flask:pool=on"]


def test_without_its_switches_is_what_each_is_relative_to():
    found = of(synthetic_run(SWITCHED, reference=ITSELF))
    assert found.title == "Throughput relative to the same contender without its switches"
    assert {mark.against for mark in found.marks} == {"flask", "django"}


def test_a_change_is_relative_to_the_same_contender_before_it():
    speeds = {f"{name}@{at}": 1_000.0 for name in ("flask", "django") for at in ("main", "head")}
    run = synthetic_run(speeds, reference="flask@main")
    found = of(replace(run, plan=replace(run.plan, baseline="main")))
    assert found.title == "Throughput relative to itself at main"
    assert [(mark.contender, mark.against) for mark in found.marks] == [
        ("flask@head", "flask@main"),
        ("django@head", "django@main"),
    ]


def test_too_many_for_a_picture_are_named_instead():
    speeds = {"flask": 1_000.0} | {f"flask-{number}": 1_000.0 + 50 * number for number in range(MOST)}
    found = of(synthetic_run(speeds, rounds=1, sweeps=1))
    assert len(found.marks) == MOST
    assert "flask" in by_name(found.groups[0])
    assert len(found.left_out) == 1
    assert ratio_caption(found).endswith(" · 1 more contender below")
    assert list(notes(found))[-1] == f"In the tables below only: {found.left_out[0]}."


def test_the_noise_of_the_reference_is_shown_where_it_was_measured():
    run = synthetic_run(scenarios=("hello", "users-read"))

    def keep(record):
        cell = record.slice.cell
        return None if (cell.scenario, cell.contender) == ("users-read", "flask~aa") else record

    here, there = of(with_records(run, keep)).groups
    assert here.noise_floor.low < here.noise_floor.high
    assert there.noise_floor is None


@pytest.mark.parametrize("sheet", [WIDE_FILE, WIDE_SCREEN, SCREEN])
@pytest.mark.parametrize("count", [3, 40])
def test_no_text_lies_on_another_or_off_the_sheet(sheet, count):
    """Text as Matplotlib's own font draws it, which is wider than those of most pages."""
    names = [f"flask-{'x' * (number % 12)}{number}" for number in range(count - 1)]
    speeds = {"flask": 4_000.0} | {name: 900.0 * (1 + number) for number, name in enumerate(names)}
    figure = drawn(synthetic_run(speeds, rounds=1, sweeps=1), sheet)
    figure.canvas.draw()
    texts = [text for text in (*figure.texts, *figure.axes[0].texts) if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    width, height = figure.get_size_inches() * figure.dpi
    for place, box in enumerate(boxes):
        assert box.x0 >= 0, texts[place]
        assert box.x1 <= width, texts[place]
        assert 0 <= box.y0 <= box.y1 <= height
        for other in boxes[:place]:
            assert not box.overlaps(other), (texts[place], other)


def test_marks_differ_in_shape_and_variants_in_the_sign_inside():
    looks = looks_of(["flask", "flask-sync", "django", "fastapi", "stdlib"])
    shapes = [(look.marker, look.inner) for look in looks.values()]
    assert len(set(shapes)) == len(shapes)


def test_a_page_has_a_picture_for_wide_and_one_for_narrow_and_both_in_words():
    page = read(page_of(synthetic_run(scenarios=("hello", "users-read"), noise=0)))
    answer = page.one("section", id="answer")
    first = next(part for part in answer.content if not isinstance(part, str))
    assert first.attributes["class"] == "picture"
    wide, narrow = first.all(role="img")
    assert wide.attributes["aria-label"] == narrow.attributes["aria-label"]
    assert (
        "hello: stdlib 2.79 (2.79–2.79), fastapi 2.42 (2.42–2.42), flask 1, the reference"
        in (wide.attributes["aria-label"])
    )
    assert "FastAPI on uvicorn" in wide.text
    assert "FastAPI on uvicorn" not in narrow.text
    rows = [row.text for row in answer.one("table").all("tr")]
    assert rows[2] == "1 stdlib http.server of the standard library 2.79 (2.79–2.79) proven"


def test_there_is_a_file_for_slides_beside_the_one_for_pages(tmp_path):
    run = synthetic_run(FOUR, noise=0)
    names = draw.write_charts(of(run), looks_of(FOUR), tmp_path)
    assert names == {"Ratios": "answer"}
    assert (tmp_path / "answer.png").read_bytes().startswith(b"\x89PNG")
    assert b"<text" not in (tmp_path / "answer.svg").read_bytes()  # letters are paths
