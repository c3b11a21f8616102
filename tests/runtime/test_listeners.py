import socket
import subprocess
import sys

import pytest

from bench.runtime.listeners import listener
from bench.runtime.ports import free_ports

FORKS = """
import os, socket, sys
one = socket.create_server(("127.0.0.1", int(sys.argv[1])))
child = os.fork()
os.write(1, b"up\\n")  # at once, as both processes write
sys.stdin.read()
"""


def test_the_topmost_process_that_listens_is_found():
    (port,) = free_ports(1)
    command = [sys.executable, "-c", FORKS, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        assert master.stdout.readline() == b"up\n"
        found = listener(("127.0.0.1", port))
        master.stdin.close()
        master.stdout.read()
    assert found.pids == (master.pid,)
    assert found.program.startswith("python")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_free_port_has_no_listener_and_the_reason_says_so(host):
    (port,) = free_ports(1)
    found = listener((host, port))
    assert found.pids == ()
    assert f"listens at {host}:{port}" in found.why


def test_a_connection_s_own_end_is_no_listener():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert listener(client.getsockname()).pids == ()


def test_an_address_elsewhere_is_not_looked_for():
    assert listener(("192.0.2.1", 80)).why == "192.0.2.1:80 is not an address of loopback"
