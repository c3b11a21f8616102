from datetime import date

import pytest

from bench.errors import UsageError
from bench.project.waivers import leftover, read_waivers

ONE = """
[[waiver]]
contender = "fastapi"
of = "users-read"
metric = "service_demand_us"
size = 0.1
reason = "the safer hash costs it"
until = 2026-12-31
"""
TODAY = date(2026, 11, 25)


def read(tmp_path, text=ONE):
    (tmp_path / "waivers.toml").write_text(text)
    return read_waivers(tmp_path)


def test_a_project_without_the_file_has_none(tmp_path):
    assert read_waivers(tmp_path) == ()


def test_a_waiver_covers_its_own_regression_up_to_its_size_and_day(tmp_path):
    (waiver,) = read(tmp_path)
    assert waiver.covers("fastapi", "users-read", "service_demand_us", 0.09, TODAY)
    assert not waiver.covers("fastapi", "users-read", "service_demand_us", 0.11, TODAY)
    assert not waiver.covers("fastapi", "users-read", "throughput_rps", 0.09, TODAY)
    assert not waiver.covers("fastapi", "hello", "service_demand_us", 0.09, TODAY)
    assert not waiver.covers("fastapi", "users-read", "service_demand_us", 0.09, date(2027, 1, 1))


def test_a_waiver_without_a_metric_covers_any(tmp_path):
    (waiver,) = read(tmp_path, ONE.replace('metric = "service_demand_us"\n', ""))
    assert waiver.covers("fastapi", "users-read", "throughput_rps", 0.09, TODAY)


def test_what_is_expired_or_not_needed_is_told(tmp_path):
    (waiver,) = read(tmp_path)
    assert list(leftover([waiver], [waiver], TODAY)) == []
    words = "fastapi, users-read, service_demand_us: the safer hash costs it"
    assert list(leftover([waiver], [], TODAY)) == [f"waiver not needed: {words}"]
    assert list(leftover([waiver], [], date(2027, 1, 1))) == [f"waiver expired on 2026-12-31: {words}"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('reason = "the safer hash costs it"', 'reason = " "', r"waiver\.0\.reason: why is it accepted\?$"),
        ('reason = "the safer hash costs it"', 'reason = ""', r"waiver\.0\.reason: why is it accepted\?$"),
        ("size = 0.1", "size = 0", r"waiver\.0\.size: must be more than 0"),
        ("service_demand_us", "cpu", r"waiver\.0\.metric: 'cpu' is unknown; there is throughput_rps, "),
        ("until = 2026-12-31\n", "", r"waiver\.0\.until"),
        ("until = 2026-12-31", 'until = "some day"', r"waiver\.0\.until"),
        ("of = ", "scenario = ", r"waiver\.0"),
    ],
)
def test_a_mistake_is_named(tmp_path, before, after, words):
    with pytest.raises(UsageError, match=words):
        read(tmp_path, ONE.replace(before, after))
