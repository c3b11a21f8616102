import re
from dataclasses import replace
from itertools import pairwise

import pytest

from bench.analysis import analyse
from bench.loads import Closed
from bench.report.charts.bars import demand_chart, throughput_chart
from bench.report.charts.draw import write_charts
from bench.report.charts.lines import latency_lines, throughput_lines
from bench.report.charts.percentiles import latency_chart, place_of
from bench.report.charts.sheet import SCREEN
from bench.report.charts.style import COLOURS, looks_of, spread_out
from bench.report.panels import panels
from bench.report.series import series_of
from tests.support.synthetic import rate, synthetic_run, with_records


def drawn(run, chart=throughput_chart):
    return chart(panels(analyse(run))[0], looks_of(contender.name for contender in run.contenders))


def texts(figure):
    return [text.get_text() for text in (*figure.texts, *figure.axes[0].texts)]


@pytest.mark.parametrize("name", ["flask", "flask-sync", "flask:pool=off", "flask@main", "flask~aa"])
def test_a_family_has_one_colour_in_all_its_variants(name):
    assert looks_of(["flask", name])[name].colour == COLOURS["flask"]


def test_a_family_nobody_has_heard_of_has_a_colour_that_no_known_one_has():
    looks = looks_of(["litestar-x", "litestar"])
    assert looks["litestar-x"].colour == looks["litestar"].colour
    assert looks["litestar"].colour not in COLOURS.values()


def test_contenders_of_one_colour_are_told_apart_by_hatch_and_line():
    names = ["django", "django-drf", "django-asgi", "django-granian", "django-default", "django:workers=4"]
    looks = looks_of(names).values()
    assert len({(look.fill, look.hatch) for look in looks}) == len(names)
    assert len({look.line for look in looks}) == len(names)


def test_no_further_contender_looks_like_the_framework_as_it_comes():
    first, *others = looks_of([f"django:workers={count}" for count in range(1, 20)]).values()
    assert all(look.hatch and look.hatch != first.hatch for look in others)


def test_a_control_does_not_take_a_look_of_its_own():
    looks = looks_of(["flask", "flask~aa", "flask-sync"])
    assert looks["flask-sync"] == looks_of(["flask", "flask-sync"])["flask-sync"]


def test_bars_start_at_zero_and_carry_their_number_and_unit():
    figure = drawn(synthetic_run(noise=0))
    axes = figure.axes[0]
    assert axes.get_xlim()[0] == 0
    assert [bar.get_x() for bar in axes.patches] == [0] * 4
    assert "10,400 req/s" in texts(figure)
    assert "FastAPI on uvicorn" in texts(figure)


def test_title_says_scenario_load_and_what_the_whiskers_are():
    title, subtitle = texts(drawn(synthetic_run()))[:2]
    assert title == "hello · throughput"
    assert "32 connections" in subtitle
    assert "96.1 % interval over 9 rounds" in subtitle
    assert "too few for intervals" in texts(drawn(synthetic_run(rounds=2)))[1]


def test_cpu_of_server_and_database_are_stacked_and_the_negligible_left_out():
    def asking(record):
        return replace(record, usage=replace(record.usage, database_cpu_s=record.usage.elapsed_s * 0.1))

    run = synthetic_run({"flask": 1000}, noise=0)
    alone, both = drawn(run, demand_chart), drawn(with_records(run, asking), demand_chart)
    assert [bar.get_x() for bar in alone.axes[0].patches] == [0]
    assert [bar.get_x() for bar in both.axes[0].patches] == pytest.approx([0, 990])
    assert "990 (990–990) + 100 µs" in texts(both)


def test_latency_curves_run_from_the_median_to_p99_9_on_a_log_axis():
    figure = drawn(synthetic_run(), latency_chart)
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    curve = max(axes.lines, key=lambda line: len(line.get_xdata()))
    assert (curve.get_xdata()[0], curve.get_xdata()[-1]) == pytest.approx((place_of(50), 3))
    assert list(curve.get_ydata()) == sorted(curve.get_ydata())
    assert any(text.startswith("flask  ") for text in texts(figure))
    assert not any("~aa" in text for text in texts(figure))


def test_a_crowd_of_curves_has_axes_for_each_framework_on_the_same_scales():
    names = [f"{framework}{variant}" for framework in COLOURS for variant in ("", "-a", "-b")]
    run = synthetic_run({name: 1000 * (1 + place) for place, name in enumerate(names)})
    figure = drawn(run, latency_chart)
    assert len(figure.axes) == len(COLOURS)
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    for axes in figure.axes:
        told = {note.get_text().split("  ")[0] for note in axes.texts} - {""}
        assert len(told) == 3
        assert len({name.split("-")[0] for name in told}) == 1


@pytest.mark.parametrize(("unfinished", "last"), [(0, 99.9), (5_000, 95.25)])
def test_a_curve_ends_where_too_few_requests_lie_beyond_or_none_was_answered(unfinished, last):
    def lossy(record):
        return replace(record, sample=replace(record.sample, unfinished=unfinished // 27))

    run = synthetic_run({"flask": 11_400}, loads=(rate(0.5),), noise=0)  # 27 slices: 100,035 requests
    axes = drawn(with_records(run, lossy), latency_chart).axes[0]
    curve = max(axes.lines, key=lambda line: len(line.get_xdata()))
    assert curve.get_xdata()[-1] == pytest.approx(place_of(last), abs=0.01)
    assert all(value > 0 for value in curve.get_ydata())


def test_as_many_letters_as_a_sheet_says_have_room():
    assert SCREEN.room_in(SCREEN.letters(9), 9) <= SCREEN.width_in / 2
    assert SCREEN.room_in(SCREEN.letters(9) + 1, 9) >= SCREEN.width_in / 2


def test_labels_keep_their_order_and_their_distance():
    placed = spread_out({"c": 0.99, "a": 0.5, "b": 0.51, "d": 1.0}, 0.1)
    assert sorted(placed, key=placed.__getitem__) == ["a", "b", "c", "d"]
    heights = sorted(placed.values())
    assert all(after - before >= 0.1 - 1e-9 for before, after in pairwise(heights))
    assert heights[-1] <= 1


@pytest.mark.parametrize("chart", [throughput_chart, latency_chart, demand_chart])
@pytest.mark.parametrize("speed", [0, 1])
def test_a_chart_of_next_to_nothing_can_be_drawn(chart, speed, tmp_path):
    figure = drawn(synthetic_run({"flask": speed}, rounds=1), chart)
    figure.savefig(tmp_path / "chart.svg")
    assert texts(figure)[0].startswith("hello · ")


def test_file_names_are_safe_whatever_a_scenario_is_called(tmp_path):
    panel = replace(panels(analyse(synthetic_run({"a$b": 10}, rounds=1)))[0], scenario="../a b/c")
    names = write_charts(panel, looks_of(["a$b"]), tmp_path).values()
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.svg" for name in names}


def test_a_client_limited_bar_says_that_it_is_a_bound_and_comes_last():
    def busy(record):
        busy_s = {"0": 0.0, "1": record.usage.elapsed_s}
        return replace(record, usage=replace(record.usage, busy_s=busy_s))

    run = synthetic_run(noise=0)
    figure = drawn(
        with_records(run, lambda record: busy(record) if record.slice.cell.contender == "stdlib" else record)
    )
    said = texts(figure)
    assert "≥ 12,000 req/s, client-limited" in said
    assert said.index("fastapi") < said.index("django") < said.index("stdlib")


CONNECTIONS = [Closed(connections=connections) for connections in (1, 8, 32)]
FRACTIONS = [rate(0.2), rate(0.5), rate(0.9)]
PAIR = {"flask": 4000, "fastapi": 9000}


def series_drawn(chart, loads, speeds=PAIR):
    run = synthetic_run(speeds, loads=loads, noise=0)
    (series,) = series_of(panels(analyse(run)))
    return chart(series, looks_of(speeds))


def test_throughput_stands_against_connections_from_zero_up():
    axes = series_drawn(throughput_lines, CONNECTIONS).axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[0] == 0
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "8", "32"]
    lines = [line for line in axes.lines if len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in lines] == [[1, 8, 32], [1, 8, 32]]


@pytest.mark.parametrize(
    ("loads", "levels"), [(CONNECTIONS, [1, 8, 32]), (FRACTIONS, [1800, 4500, 8100])], ids=["closed", "open"]
)
def test_p50_and_p99_stand_against_the_load(loads, levels):
    figure = series_drawn(latency_lines, loads)
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    lines = [line for line in axes.lines if len(line.get_xdata())]
    assert list(lines[0].get_xdata()) == pytest.approx(levels)  # fastapi's p99
    names = [text.split("  ")[0] for text in texts(figure)[2:] if text]
    assert sorted(names) == ["fastapi p50", "fastapi p99", "flask p50", "flask p99"]


@pytest.mark.parametrize("chart", [throughput_lines, latency_lines])
@pytest.mark.parametrize("speed", [0, 1])
def test_lines_of_next_to_nothing_can_be_drawn(chart, speed, tmp_path):
    series_drawn(chart, CONNECTIONS, {"flask": speed}).savefig(tmp_path / "chart.svg")


def test_series_of_one_scenario_do_not_overwrite_each_others_charts(tmp_path):
    loads = (*CONNECTIONS, *FRACTIONS, *(rate(one, of="slowest") for one in (0.2, 0.5, 0.9)))
    run = synthetic_run({"flask": 400}, loads=loads, rounds=1)
    for series in series_of(panels(analyse(run))):
        write_charts(series, looks_of(["flask"]), tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {
        "hello-connections",
        "hello-connections-latency",
        "hello-fractions-latency",
        "hello-fractions-slowest-latency",
    }
