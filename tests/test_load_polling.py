import select
import socket

import pytest

from bench.load.polling import IN, OUT, Poll, new_poller


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
