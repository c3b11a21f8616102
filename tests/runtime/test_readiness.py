"""When a server counts as up, and what is said of one that does not get there. Servers truly run here."""

import sys
from contextlib import contextmanager

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.model.contender import Contender, Ready
from bench.project import contenders
from bench.runtime import readiness, servers
from bench.runtime.children import Children
from bench.runtime.leftovers import Ledger
from bench.runtime.ports import free_ports
from tests.support.projects import CONTENDERS, make_project

# Answers what its first argument says: a line of Python with `self` as the handler.
SERVER = """
import http.server, os, sys, time
BORN = time.time()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, headers = eval(sys.argv[1])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
UNSAID = Ready()
STEADY_S = 0.5
FAST_S = 20.0  # far below the limit of 30 s, whatever else the machine does


@pytest.fixture
def started(tmp_path):
    """Return what starts a Python program on a port of its own; all end with the test."""
    ports = iter(free_ports(4))
    with Children(Ledger(tmp_path), grace_s=0.1) as children:

        def start(program, *words, ready=UNSAID, port=None):
            given = next(ports)
            child = children.start(
                [sys.executable, "-c", program, *words, str(port or given)],
                folder=tmp_path,
                log=tmp_path / "server.log",
                env={},
                cores=None,
            )
            contender = Contender(
                name="shop", base="shop", app="shop_app", root="", stack="", interface="", server="",
                command="", ready=ready,
            )  # fmt: skip
            return servers.ProcessServer(contender=contender, address=("127.0.0.1", given), child=child)

        yield start


ONE_ADDRESS = 'http.server.HTTPServer(("127.0.0.1", int(sys.argv[2]))'
OF_IPV6 = SERVER.replace(ONE_ADDRESS, "Six((sys.argv[2], int(sys.argv[3]))").replace(
    "BORN =",
    """import socket
class Six(http.server.HTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()
BORN =""",
)


@contextmanager
def refused(match):
    with pytest.raises(CannotMeasure, match=match) as raised:
        yield
    assert "\n" not in str(raised.value)
    assert "server.log" in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        ("(200 if self.path == '/healthz/' else 404, {})", Ready(path="/healthz/")),
        ("(200 if self.headers['Host'] == 'shop.example' else 400, {})", Ready(host="shop.example")),
        ("(200 if self.headers['X-Key'] == 'k' else 401, {})", Ready(headers={"X-Key": "k"})),
        ("(204, {})", Ready(status=(200, 204))),
        ("(503 if time.time() - BORN < 1 else 200, {})", Ready()),
        ("(404 if time.time() - BORN < 1 else 200, {})", Ready()),
    ],
)
def test_a_server_is_up_when_it_answers_the_probe_that_its_contender_names(started, answer, ready):
    assert 0 < readiness.ready(started(SERVER, answer, ready=ready)).ready_s < FAST_S


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("(400, {})", r"answered 400 .* Host: 127\.0\.0\.1:\d+.*ALLOWED_HOSTS.*ready = \{ host = "),
        ("(301, {'Location': '/healthz/'})", r'leads to /healthz/: .*`ready = \{ path = "/healthz/" \}`'),
        ("(302, {'Location': 'https://127.0.0.1/health'})", r"X-Forwarded-Proto"),
        ("(307, {'Location': 'http://shop.example/health'})", r'`ready = \{ host = "shop\.example" \}`'),
        ("(401, {})", r"GET /health has to answer 200 for everyone.*`ready.path`, `ready.headers`"),
        ("(404, {})", r"GET /health has to answer 200 for everyone.*`ready.path`"),
        ("(405, {})", r"GET /health has to answer 200 for everyone"),
        ("(204, {})", r"`ready = \{ status = 204 \}`"),
    ],
)
def test_an_answer_that_waiting_does_not_change_ends_in_seconds_with_the_remedy(started, answer, said):
    server = started(SERVER, answer)
    with refused(said):
        readiness.ready(server, steady_s=STEADY_S)


def test_a_time_that_was_set_is_waited_for_whatever_is_answered(started):
    server = started(SERVER, "(404 if time.time() - BORN < 2 else 200, {})", ready=Ready(seconds=60))
    assert readiness.ready(server, steady_s=STEADY_S).ready_s > STEADY_S


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (SERVER, r"within 1 s: GET /health answered 503 .*set `ready.seconds`"),
        ("import time; time.sleep(60)", r"within 1 s: nothing answered .*set `ready.seconds`"),
    ],
)
def test_the_limit_names_the_key_that_moves_it(started, program, said):
    with refused(said):
        readiness.ready(started(program, "(503, {})", ready=Ready(seconds=1)))


def test_what_is_not_http_is_named(started):
    program = (
        "import socket, sys\nwith socket.create_server(('127.0.0.1', int(sys.argv[1]))) as s:\n"
        "    while True:\n        c, _ = s.accept(); c.recv(99); c.sendall(b'\\x15\\x03\\x01\\n'); c.close()"
    )
    with refused("its answer is not HTTP/1.1"):
        readiness.ready(started(program, ready=Ready(seconds=1)))


def test_a_server_that_listens_elsewhere_is_named_with_its_address_in_seconds(started):
    [own] = free_ports(1)
    with refused(rf"it listens on 127\.0\.0\.1:{own}, not on 127\.0\.0\.1:\d+, .*\{{host\}} and \{{port\}}"):
        readiness.ready(started(SERVER, "(200, {})", port=own), steady_s=STEADY_S)


def test_a_server_on_a_socket_of_the_file_system_is_named_at_the_limit(started, tmp_path):
    program = (
        "import socket, sys, time\ns = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"
        "time.sleep(60)"
    )
    with refused(r"it listens on no port, though on /\S+/s.sock, .*use \{host\} and \{port\}"):
        readiness.ready(started(program, str(tmp_path / "s.sock"), ready=Ready(seconds=1)))


def test_a_server_that_goes_on_in_the_background_has_to_stay_in_the_foreground(started):
    with refused(r"ended with exit status 0 before it was ready .* has to stay in the foreground"):
        readiness.ready(started("pass"))


def test_a_server_that_wants_a_port_of_its_own_which_is_taken_is_no_case_for_running_again(started):
    [own] = free_ports(1)
    first = started(SERVER, "(200, {})", port=own)
    while not readiness.listens(first.pids(), own):
        pass
    with refused(r"in use\); it was given port \d+ and wants another: use \{host\} and \{port\}"):
        readiness.ready(started(SERVER, "(200, {})", port=own))


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("import os; os.environ['SECRET_KEY']", "SECRET_KEY"),
        ("raise ValueError('Set the SECRET_KEY environment variable')", "what is missing"),
        ("raise ValueError('1 validation error for AppSettings')", "what is missing"),
        ("raise SystemExit('DATABASE_PASSWORD is not set')", "DATABASE_PASSWORD"),
        ("raise SystemExit('app.sh: line 1: TOKEN: unbound variable')", "TOKEN"),
        ("raise ValueError('TOKEN not found. Declare it as envvar or define a default value.')", "TOKEN"),
    ],
)
def test_a_variable_that_is_missing_is_told_where_it_is_set(started, program, name):
    with refused(f"nothing of your shell reaches it: set {name} under env of its contender"):
        readiness.ready(started(program))


def test_another_failure_is_no_missing_variable(started):
    with pytest.raises(CannotMeasure, match="before it was ready") as raised:
        readiness.ready(started("{}['name']"))
    assert "under env of its contender" not in str(raised.value)


def test_readiness_is_declared_beside_the_command_and_merged_key_by_key(tmp_path):
    declared = CONTENDERS + "[one.switch.slow]\nyes = { ready = { seconds = 90, status = [200, 204] } }\n"
    declared = declared.replace(
        "[one.switch.pool]", '[one.ready]\npath = "/up"\nheaders = { X-Key = "k" }\n[one.switch.pool]'
    )
    tables = contenders.declared(make_project(tmp_path, contenders=declared))
    assert contenders.resolve("floor", tables).ready == Ready()
    assert contenders.resolve("one", tables).ready == Ready(path="/up", headers={"X-Key": "k"})
    assert contenders.resolve("one-fast:slow=yes", tables).ready == Ready(
        path="/up", headers={"X-Key": "k"}, seconds=90, status=(200, 204)
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ('path = "health"', r"one\.ready\.path: 'health' is no path"),
        ('path = "/a b"', r"one\.ready\.path"),
        ("status = 99", r"one\.ready\.status\.0: at least 200"),
        ("status = []", r"one\.ready\.status"),
        ("seconds = 0", r"one\.ready\.seconds: must be more than 0"),
        ('host = "a\\nb"', r"one\.ready: host"),
        ('headers = { "X\\r" = "k" }', r"one\.ready"),
        ('host = "a"\nheaders = { Host = "b" }', r"the header Host is set twice"),
        ('paht = "/up"', r"one\.ready"),
    ],
)
def test_a_probe_that_cannot_be_sent_is_refused_when_it_is_read(tmp_path, key, said):
    declared = CONTENDERS.replace("[one.switch.pool]", f"[one.ready]\n{key}\n[one.switch.pool]")
    with pytest.raises(UsageError, match=said):
        contenders.declared(make_project(tmp_path, contenders=declared))


@pytest.mark.parametrize("address", ["::1", "::"])
def test_a_server_for_ipv6_alone_is_requested_there(started, address):
    server = readiness.ready(started(OF_IPV6, "(200, {})", address), steady_s=STEADY_S)
    assert server.address[0] == "::1"
    assert server.ready_s < FAST_S
