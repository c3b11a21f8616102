"""A service of one request at a time, measured for real: the built-in plan gives it fewer connections."""

import subprocess
import sys

import pytest

from bench.run import store

pytestmark = pytest.mark.slow

SERVER = """
import http.server, sqlite3, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.0 if self.path == "/health" else 0.05)
        body = b'{"note": "%s"}' % self.path.rpartition("/")[2].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.HTTPServer):
    request_queue_size = 128

if len(sys.argv) > 2:
    with sqlite3.connect(sys.argv[2]) as database:
        database.execute("CREATE TABLE notes (id)")
        database.executemany("INSERT INTO notes VALUES (?)", [(7,), (9,)])
else:
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
SERVICE = """
[contenders.slow]
command = "python server.py {port}"
prepare = "python server.py 0 {data_dir}/notes.sqlite"
install = []
keep_alive = false

[exchanges.note]
request = "GET /notes/{id}"
fields = { id = { query = "SELECT id FROM notes" } }
expect = { json = { note = "{id:text}" } }

[scenarios.notes]
mix = { note = 1 }
"""


def test_a_slow_service_is_measured_with_fewer_connections(tmp_path):
    (tmp_path / "server.py").write_text(SERVER, encoding="utf-8")
    (tmp_path / "bench.toml").write_text(SERVICE, encoding="utf-8")
    command = [sys.executable, "-m", "bench", "run", "--rounds", "1", "--out", str(tmp_path / "run")]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    run = store.load(tmp_path / "run")
    counted = [one for one in run.records if one.slice.role == "measure"]
    assert counted, told.stderr
    assert {one.slice.cell.load.connections for one in counted} == {10}
    assert "with 10 connections instead, for all contenders alike" in told.stderr
    assert {one.slice.window_s > 1 for one in counted} == {True}
    assert sum(one.sample.requests for one in counted) >= 40
    assert not any(one.sample.failures for one in counted)
    assert run.scenarios[0].exchanges[0].fields["id"]["values"] == [7, 9]
