import os
import sys

import psutil
import pytest

from bench.observe.hyperthreads import evidence, neighbour_of, neighbours
from bench.observe.spinner import spin

CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def siblings(folder, listed):
    for core, told in listed.items():
        topology = folder / f"cpu{core}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{told}\n")
    return folder


@pytest.mark.parametrize(
    ("listed", "cores", "neighbour"),
    [
        pytest.param({0: "0,4"}, {0, 1, 4, 5}, 4, id="the kernel names it"),
        pytest.param({0: "0-1"}, {0, 1, 2, 3}, 1, id="as a range"),
        pytest.param({0: "0"}, {0, 1}, 1, id="the kernel of a virtual machine knows of none"),
        pytest.param({0: "0,4"}, {0, 2, 3}, 2, id="it is not ours to use"),
        pytest.param({}, {0, 3}, 3, id="nothing is told"),
    ],
)
def test_the_neighbour_is_the_most_likely_hyperthread(tmp_path, listed, cores, neighbour):
    assert neighbour_of(0, cores, siblings(tmp_path, listed)) == neighbour


@pytest.mark.parametrize("cores", [None, frozenset(), frozenset({0})])
def test_one_core_has_no_neighbour(cores):
    assert neighbours(cores) is None
    assert evidence(cores) is None


@pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")
def test_two_cores_are_timed_and_nothing_is_left_behind():
    children = psutil.Process().children()
    found = evidence(CORES)
    assert found["cores"][0] == CORES[0]
    assert found["cores"][1] in CORES[1:]
    assert -1 < found["slowdown"] < 1
    assert psutil.Process().children() == children


@pytest.mark.skipif(len(CORES) < 1, reason="needs Linux")
def test_a_core_that_is_not_there_gives_no_evidence():
    assert neighbours({CORES[0], 100_000}) is None


def test_speed_is_counted_by_cpu_time():
    assert spin(0.01) > 1_000
