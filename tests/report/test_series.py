from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from bench.analysis import analyse
from bench.loads import Closed, Open
from bench.report.panels import panels
from bench.report.series import apart, series_of
from bench.report.terminal import print_run
from tests.support.synthetic import rate, synthetic_run, with_records

CONNECTIONS = [Closed(connections=connections) for connections in (32, 1, 256)]
FRACTIONS = [rate(0.5), rate(0.1), rate(1.0)]
SPEEDS = {"flask": 4000, "fastapi": 9000, "flask~aa": 4000}


def analysed(loads, **options):
    return analyse(synthetic_run(SPEEDS, loads=loads, noise=0, **options))


def only_series(loads, **options):
    (series,) = series_of(panels(analysed(loads, **options)))
    return series


@pytest.mark.parametrize(
    ("loads", "title"),
    [
        (CONNECTIONS, "hello, 1 to 256 connections"),
        (FRACTIONS, "hello, 10 to 100 % of each one's capacity"),
        (
            [rate(one, of="slowest") for one in (0.1, 0.5, 0.9)],
            "hello, 10 to 90 % of the slowest one's capacity",
        ),
        (
            [Open(connections=9, rate=n, arrivals="uniform") for n in (5, 50, 2500)],
            "hello, 5 to 2,500 requests/s",
        ),
    ],
    ids=["connections", "fractions", "of the slowest", "rates"],
)
def test_three_loads_of_a_kind_are_a_series_from_weak_to_strong(loads, title):
    series = only_series(loads)
    assert series.title == title
    assert list(series.rows) == ["fastapi", "flask"]
    assert len(series.lines["flask"]) == 3


def test_two_loads_are_none_and_kinds_are_not_mixed():
    shown = panels(analysed([*CONNECTIONS[:2], *FRACTIONS[:2]]))
    assert series_of(shown) == ()
    assert apart(shown) == shown


def test_what_is_in_a_series_is_not_apart():
    shown = panels(analysed([*CONNECTIONS, rate(0.5)]))
    assert [panel.title for panel in apart(shown)] == ["hello, 50 % of its capacity"]


def test_the_plateau_is_the_highest_throughput_with_its_connections():
    (note,) = only_series(CONNECTIONS).notes(())
    assert note.startswith("Plateau, the highest throughput: fastapi 9,000 (9,000–9,000) req/s at ")
    assert "flask 4,000 (4,000–4,000) req/s at 1 connection" in note


def test_capacity_under_the_objective_is_told_with_its_interval():
    analysis = analysed(FRACTIONS, slo_ms=50)
    (series,) = series_of(panels(analysis))
    (note,) = series.notes(analysis.capacities)
    assert note == (
        "Capacity, the highest rate of those tried with p99 within 50 ms: "
        "fastapi 4,500 (4,500–4,500)/s, flask 2,000 (2,000–2,000)/s."
    )


@pytest.mark.parametrize("loads", [CONNECTIONS, FRACTIONS], ids=["connections", "fractions"])
def test_the_terminal_shows_a_series_as_one_table_that_fits(loads):
    console = Console(file=StringIO(), width=80)
    print_run(synthetic_run(SPEEDS, loads=loads, rounds=2), console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("contender") == 1
    assert "no interval: 2 rounds, 6 are needed" in text


def test_a_caveat_of_several_loads_is_said_once_with_the_loads_that_it_concerns():
    def void(record):
        return replace(record, void="the load generator sent late") if record.slice.sweep == 1 else record

    def wrong(record):
        if record.slice.role != "ceiling" or record.slice.cell.load.connections == 32:
            return record
        return replace(record, sample=replace(record.sample, failures={"body": 3}))

    run = with_records(with_records(synthetic_run({"flask": 400}, loads=CONNECTIONS), void), wrong)
    (series,) = series_of(panels(analyse(run)))
    missing = "no ceiling: the null server gave 3 wrong answers"
    assert series.caveats == (f"1 connection, 256 connections: flask: {missing}",)
    assert "sent late" not in "".join(series.caveats)  # it concerns every row of the run


def test_rates_are_known_even_where_nothing_counted():
    run = synthetic_run(SPEEDS, loads=FRACTIONS)
    (series,) = series_of(panels(analyse(with_records(run, lambda record: replace(record, void="late")))))
    assert [line[0].text for line in series.lines["flask"]] == ["400", "2,000", "4,000"]
