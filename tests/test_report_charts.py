import re
from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.report.charts import COLOURS, colour_of, throughput_chart, write_charts
from bench.report.panels import panels
from tests.synthetic import synthetic_run


def drawn(run):
    return throughput_chart(panels(analyse(run))[0])


def texts(figure):
    return [text.get_text() for text in (*figure.texts, *figure.axes[0].texts)]


@pytest.mark.parametrize("name", ["flask", "flask-sync", "flask:pool=off", "flask@main", "flask~aa"])
def test_a_family_has_one_colour_in_all_its_variants(name):
    assert colour_of(name) == COLOURS["flask"]


def test_a_family_nobody_has_heard_of_has_a_colour_that_no_known_one_has():
    assert colour_of("litestar-x") == colour_of("litestar")
    assert colour_of("litestar") not in COLOURS.values()


def test_bars_start_at_zero_and_carry_their_number_and_unit():
    figure = drawn(synthetic_run(noise=0))
    axes = figure.axes[0]
    assert axes.get_xlim()[0] == 0
    assert [bar.get_x() for bar in axes.patches] == [0] * 4
    assert "10,400 req/s" in texts(figure)
    assert "FastAPI on uvicorn" in texts(figure)


def test_title_says_scenario_load_and_what_the_whiskers_are():
    title, subtitle = texts(drawn(synthetic_run()))[:2]
    assert title == "hello"
    assert "32 connections" in subtitle
    assert "96.1 % interval over 9 rounds" in subtitle
    assert "too few for intervals" in texts(drawn(synthetic_run(rounds=2)))[1]


def test_a_chart_without_a_single_response_can_be_drawn():
    assert "0 req/s" in texts(drawn(synthetic_run({"flask": 0}, rounds=1)))


def test_file_names_are_safe_whatever_a_scenario_is_called(tmp_path):
    panel = replace(panels(analyse(synthetic_run({"a$b": 10}, rounds=1)))[0], scenario="../a b/c")
    name = write_charts(panel, tmp_path)
    assert re.fullmatch(r"[\w.-]+", name)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.svg", f"{name}.png"}
