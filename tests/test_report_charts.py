import re
from dataclasses import replace
from itertools import pairwise

import pytest

from bench.analysis import analyse
from bench.report.bars import demand_chart, throughput_chart
from bench.report.charts import write_charts
from bench.report.curves import last_percent, latency_chart, place_of, spread_out
from bench.report.looks import COLOURS, looks_of
from bench.report.panels import panels
from tests.synthetic import synthetic_run, with_records


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


@pytest.mark.parametrize(("count", "last"), [(1, 50), (100, 90), (5000, 99.8), (10**6, 99.9)])
def test_a_curve_ends_where_fewer_than_ten_responses_lie_beyond(count, last):
    assert last_percent(count) == pytest.approx(last)


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
    name = write_charts(panel, looks_of(["a$b"]), tmp_path)
    assert re.fullmatch(r"[\w.-]+", name)
    kinds = ("", "-latency", "-cpu")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}{kind}.{suffix}" for kind in kinds for suffix in ("svg", "png")
    }
