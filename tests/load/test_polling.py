import select
import socket
from random import Random
from statistics import NormalDist
from time import perf_counter_ns

import pytest

from bench.load.polling import IN, OUT, HeadStart, Poll, new_alarm, new_poller


@pytest.mark.parametrize("make", [new_poller, lambda: Poll(select.poll())], ids=["the system's", "poll"])
def test_a_poller_tells_what_is_ready_until_it_is_dealt_with(make):
    poller = make()
    here, there = socket.socketpair()
    with here, there:
        poller.register(here.fileno(), IN)
        assert poller.poll(0) == []
        there.send(b"x")
        assert poller.poll(1) == [(here.fileno(), IN)]
        assert poller.poll(0) == [(here.fileno(), IN)]
        here.recv(1)
        assert poller.poll(0.001) == []
        poller.modify(here.fileno(), OUT)
        assert poller.poll(1) == [(here.fileno(), OUT)]
        poller.unregister(here.fileno())
        assert poller.poll(0) == []
    poller.close()


def test_an_alarm_is_ready_from_its_moment_on_and_not_before():
    alarm, poller = new_alarm(), new_poller()
    if alarm is None:
        pytest.skip("only Linux has them")
    poller.register(alarm.fd, IN)
    at_ns = perf_counter_ns() + 50_000_000
    alarm.set(at_ns)
    assert poller.poll(1) == [(alarm.fd, IN)]
    assert perf_counter_ns() >= at_ns
    assert poller.poll(0) == [(alarm.fd, IN)]
    alarm.set(perf_counter_ns() + 60_000_000_000)
    assert poller.poll(0) == []
    alarm.set(perf_counter_ns() - 1)
    assert poller.poll(1) == [(alarm.fd, IN)]
    alarm.close()
    poller.close()


@pytest.mark.parametrize(("mean_us", "deviation_us"), [(5, 1), (50, 10), (100, 30)])
def test_a_head_start_settles_where_nine_in_ten_wake_in_time(mean_us, deviation_us):
    wakes, head_start = NormalDist(mean_us * 1e3, deviation_us * 1e3), HeadStart()
    random, settled_ns = Random(7), []
    for number in range(6_000):
        head_start.woke(round(random.gauss(wakes.mean, wakes.stdev)))
        settled_ns += [head_start.ns] if number >= 2_000 else []
    in_time = [wakes.cdf(ns) for ns in settled_ns]
    assert sum(in_time) / len(in_time) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("late_ns", "settled_ns"), [(0, 0), (50_000_000, 200_000)])
def test_a_head_start_has_bounds(late_ns, settled_ns):
    head_start = HeadStart()
    for _ in range(1_000):
        head_start.woke(late_ns)
    assert head_start.ns == settled_ns
