"""Energy from a made-up tree of powercap's files."""

import time

import pytest

from bench.observe.energy import Counter, Rapl, joules
from bench.observe.observer import ProcessObserver

TURN = 262_143_328_850


def domain(root, folder, name, energy_uj, range_uj=TURN):
    place = root / folder
    place.mkdir(exist_ok=True)
    (place / "name").write_text(f"{name}\n")
    (place / "energy_uj").write_text(f"{energy_uj}\n")
    (place / "max_energy_range_uj").write_text(f"{range_uj}\n")


@pytest.fixture
def powercap(tmp_path):
    domain(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    domain(tmp_path, "intel-rapl:0:0", "core", 400_000)
    domain(tmp_path, "intel-rapl:1", "package-1", TURN - 500_000)
    domain(tmp_path, "intel-rapl:2", "psys", 9_000_000)
    return tmp_path


def test_packages_are_added_up_without_their_parts_and_the_platform(powercap):
    before = Rapl(powercap).read()
    assert [*before] == ["intel-rapl:0", "intel-rapl:1"]
    domain(powercap, "intel-rapl:0", "package-0", 3_000_000)
    assert joules(before, Rapl(powercap).read()) == pytest.approx(2.0)


def test_a_counter_that_started_anew_has_grown(powercap):
    before = Rapl(powercap).read()
    domain(powercap, "intel-rapl:1", "package-1", 250_000)
    assert joules(before, Rapl(powercap).read()) == pytest.approx(0.75)


def test_a_machine_without_counters_counts_nothing(tmp_path):
    assert Rapl(tmp_path / "nothing").read() == {}
    assert joules({}, {}) is None
    assert joules({"intel-rapl:0": Counter(1, 2)}, {}) is None


def test_counters_that_cannot_be_read_count_nothing(powercap):
    file = powercap / "intel-rapl:1" / "energy_uj"
    file.unlink()
    file.mkdir()
    assert Rapl(powercap).read() == {}


def test_the_energy_of_a_window_is_in_its_usage(powercap):
    class Meter:
        def __init__(self):
            self.energy_uj = 0

        def read(self):
            self.energy_uj += 4_000_000
            return {"intel-rapl:0": Counter(self.energy_uj, TURN)}

    now = time.perf_counter_ns()
    assert ProcessObserver(Meter()).watch((), (), (), now, now + 1_000_000).energy_j == pytest.approx(4.0)
    absent = ProcessObserver(Rapl(powercap / "nothing")).watch((), (), (), now, now)
    assert absent.energy_j is None
