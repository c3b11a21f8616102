"""Runs against a server that bench did not start."""

import json
import socket
import subprocess
import sys

import pytest

from tests.support.projects import SCENARIOS, make_project
from tests.support.quiet import undisturbed
from tests.support.waiting import waiting_server

pytestmark = pytest.mark.alone

PLAN = """
reference = "one"
rounds = 1
sweeps = 1
window_s = 0.3
warm_up_s = 0.1

[[block]]
contenders = ["one", "floor"]
scenarios = ["hello"]
loads = [{ kind = "closed", connections = 4 }]
"""
CAVEAT = "a server we did not start: no checks, no CPU, no reset"


@pytest.fixture
def run(tmp_path):
    scenarios = SCENARIOS.replace('"Hello"', '"Hello, World!"')
    project = make_project(tmp_path / "project", scenarios=scenarios, plan=PLAN)

    def run(url, *options, out=tmp_path / "run"):
        command = [sys.executable, "-m", "bench", "run", "tiny", "--target", url, *options, "--out", str(out)]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=120)

    return run


def test_a_server_we_did_not_start_is_measured_and_every_row_says_so(run, tmp_path):
    with waiting_server(5) as (host, port):

        def measure(folder):
            told = run(f"http://{host}:{port}", out=folder)
            return told.returncode, told.stdout, told.stderr

        folder, code, out, err = undisturbed(measure, tmp_path)
    assert code == 0, err
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["runtime"] == "external"
    (row,) = summary["rows"]
    assert (row["contender"], row["failures"]) == ("target", 0)
    assert row["requests"] > 10
    assert row["service_demand_us"] is None
    assert CAVEAT in row["caveats"]
    assert "no checks: nothing shows that it does the same work" in row["caveats"]
    assert f"http://{host}:{port}" in out


def test_where_nobody_listens_one_line_says_so(run):
    told = run("http://127.0.0.1:9")
    assert told.returncode == 3
    assert "bench: nothing listens at http://127.0.0.1:9 (Connection refused): start it" in told.stderr
    assert "Traceback" not in told.stderr


def test_load_workers_that_joined_by_hand_ask_a_whole_run(run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        master = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "bench", "load-worker", "--master", master]
    workers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        with waiting_server(5) as (host, port):
            told = run(f"http://{host}:{port}", "--load-bind", master, "--load-expect", "2")
        assert told.returncode == 0, told.stderr
        assert told.stderr.count("has joined") == 2
        assert [worker.wait(timeout=10) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    run_file = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run_file["plan"]["load_workers"] == 2
    assert run_file["fingerprint"]["placement"]["client"] == []
    assert {record["sample"]["connects"] for record in run_file["records"]} == {0, 4}
