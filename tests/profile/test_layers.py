"""Samples of stacks as CPU per request, by layer and by function."""

from dataclasses import replace

import pytest

from bench.compare.explained_report import plain, where
from bench.profile.layers import LAYERS, Explained, layer_of, moved, owner, spent
from bench.profile.record import Profile, Sampled, Window

FILES = {
    "gunicorn": "server",
    "flask": "framework",
    "flask/json": "validation",
    "json": "validation",
    "sqlalchemy": "orm",
    "psycopg": "driver",
    "socketserver.py": "server",
    "./": "handler",
    "./schemas.py": "validation",
}
SERVER, FRAMEWORK, VIEW = "handle (gunicorn/sync.py)", "wsgi_app (flask/app.py)", "hello (./views.py)"
DUMPS, ENCODE, BOOT = "dumps (flask/json/provider.py)", "encode (json/encoder.py)", "run (threading.py)"


def window(seconds=10.0, requests=10_000, cpu_s=5.0):
    return Window(window_s=seconds, requests=requests, failed=0, watched_s=seconds, server_cpu_s=cpu_s)


BESIDE, DURING = window(), window(requests=9_000)


def profile(stacks, *, cpu_s=10.0, period_s=0.01, beside=BESIDE, during=DURING, **changes):
    sampled = Sampled(stacks=stacks, period_s=period_s, watched_s=10.0, cpu_s=cpu_s)
    told = {
        "contender": "flask",
        "stack": "Flask on a server",
        "scenario": "hello",
        "files": FILES,
        **changes,
    }
    return Profile(beside=(beside, beside), during=during, sampled=sampled, **told)


@pytest.mark.parametrize(
    ("file", "layer"),
    [
        ("flask/app.py", "framework"),
        ("flask/json/provider.py", "validation"),
        ("flasky/app.py", None),
        ("json/encoder.py", "validation"),
        ("./views.py", "handler"),
        ("./schemas.py", "validation"),
        ("socketserver.py", "server"),
        ("<frozen abc>", None),
        ("", None),
    ],
)
def test_the_longest_path_that_fits_decides(file, layer):
    assert layer_of(file, FILES) == layer


@pytest.mark.parametrize(
    ("stack", "whose"),
    [
        ((SERVER, FRAMEWORK, VIEW), ("handler", VIEW)),
        ((SERVER, FRAMEWORK, VIEW, "sleep"), ("handler", VIEW)),
        ((SERVER, FRAMEWORK, "copy (copy.py)"), ("framework", FRAMEWORK)),
        ((SERVER, FRAMEWORK, DUMPS, ENCODE), ("validation", ENCODE)),
        ((BOOT,), ("rest", BOOT)),
    ],
)
def test_what_has_no_layer_counts_for_its_caller(stack, whose):
    assert owner(";".join(stack), FILES) == whose


def test_shares_are_scaled_to_the_cpu_of_windows_that_nobody_profiled():
    told = spent(profile({SERVER: 250, f"{SERVER};{FRAMEWORK}": 750}))
    assert told.layers["server"] == pytest.approx(125)  # of 500 µs a request
    assert told.layers["framework"] == pytest.approx(375)
    assert told.total_us == pytest.approx(500)
    assert list(told.layers) == list(LAYERS)
    assert list(told.functions) == [("framework", FRAMEWORK), ("server", SERVER)]


def test_cpu_that_no_sample_speaks_for_is_the_rest():
    told = spent(profile({SERVER: 600}))
    assert told.layers["rest"] == pytest.approx(200)
    assert told.total_us == pytest.approx(500)


def test_where_a_server_waited_for_its_core_samples_are_shares_of_each_other():
    told = spent(profile({SERVER: 1500, FRAMEWORK: 500}))
    assert told.layers["server"] == pytest.approx(375)
    assert told.layers["rest"] == 0


def test_what_profiling_took_is_told_against_the_windows_around_it():
    one = profile({SERVER: 1}, during=window(requests=8_000))
    assert one.lost == pytest.approx(0.2)
    assert one.sampled.coverage == pytest.approx(0.001)


def explained():
    base = profile({f"{SERVER};{VIEW}": 800, "parse (./schemas.py)": 200})
    head = profile(
        {f"{SERVER};{VIEW}": 800, "parse (./schemas.py)": 320, "check (./schemas.py)": 80},
        cpu_s=12.0,
        beside=window(cpu_s=6.0),
    )
    return Explained(contender="flask", scenario="hello", base=spent(base), head=spent(head))


def test_a_regression_is_told_by_layer_and_function():
    assert where(explained()) == (
        "where, by profiles of both: +100 µs in validation and serialisation "
        "(`parse (./schemas.py)` +60.0 µs, `check (./schemas.py)` +40.0 µs) "
        "(all: 500 → 600 µs of CPU per request)"
    )


def test_a_little_in_every_function_of_a_layer_comes_after_much_in_one():
    many = {f"f{number} (sqlalchemy/orm.py)": 20 for number in range(20)}
    base = profile({**many, "parse (./schemas.py)": 600})
    noisy = dict.fromkeys(many, 24)
    head = profile({**noisy, "parse (./schemas.py)": 660}, cpu_s=11.4, beside=window(cpu_s=5.7))
    told = moved(spent(base), spent(head))
    assert [one.layer for one in told[:2]] == ["validation", "orm"]
    assert told[1].by_us > told[0].by_us > 0


def test_a_regression_has_every_layer_for_machines():
    told = plain(explained())
    first = told["layers"][0]
    assert (first["layer"], first["base_us"], first["head_us"]) == ("validation", 100.0, 200.0)
    assert {one["layer"] for one in told["layers"]} == set(LAYERS)


def test_without_cpu_times_it_is_shares_of_samples():
    told = spent(profile({SERVER: 3, VIEW: 1}, cpu_s=None))
    assert told.layers["server"] == pytest.approx(375)


def test_nothing_seen_is_all_rest():
    assert spent(profile({})).layers["rest"] == pytest.approx(500)
    blind = replace(window(), server_cpu_s=None)
    assert spent(profile({}, beside=blind, during=blind)).total_us == 0
