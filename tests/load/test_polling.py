import select
import socket
from time import perf_counter_ns

import pytest

from bench.load.polling import IN, OUT, Poll, new_alarm, new_poller


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
