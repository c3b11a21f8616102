"""True runs of this very project: servers, PostgreSQL, load, report."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from bench.project import contenders
from tests.support.quiet import undisturbed

ROOT = Path(__file__).parents[2]
PROCESS = ("--runtime", "process")  # what is killed or looked for below is a process of ours


def bench(*words, **options):
    command = [sys.executable, "-m", "bench", *map(str, words)]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def finished(process, timeout=300):
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return process.returncode, out, err


def carried_out(code, err):
    """Whether a run came to its end; others may have been at work on this machine."""
    return code == 0 or (code == 3 and "slices are void" in err)


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def left_running(folder):
    """What a run in *folder* has left: whatever still logs there, or a load child without its parent.

    A run of another worker of pytest-xdist, which has a temporary folder of its own, does not count.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            logs_there = any(file.path.startswith(str(folder)) for file in process.open_files())
            orphan = process.ppid() == 1 and "bench.load.child" in process.cmdline()
            if logs_there or (orphan and process.environ().get("TMPDIR") == os.environ.get("TMPDIR")):
                found.append(process.cmdline())
    return found


@pytest.mark.alone
def test_a_short_run_measures_two_contenders_and_leaves_a_report(tmp_path):
    words = ("--contender", "stdlib", "--contender", "flask", "--rounds", "1")
    folder, code, out, err = undisturbed(
        lambda folder: finished(bench("run", "smoke", *PROCESS, *words, "--out", folder)), tmp_path
    )
    assert code == 0, err
    assert "Flask on gunicorn gthread" in out
    summary = summary_of(folder)
    rows = {(row["contender"], row["scenario"]): row for row in summary["rows"]}
    assert set(rows) == {("stdlib", "hello"), ("flask", "hello"), ("flask", "users-crud")}
    assert all(row["failures"] == 0 and row["requests"] > 0 for row in rows.values())
    assert all(row["throughput_rps"]["low"] is None for row in rows.values())
    assert rows["flask", "users-crud"]["utilisation"]["database"] > 0
    assert (summary["valid"], summary["partial"]) == (True, False)
    assert {"content", "hyperthreads", "placement", "environments"} <= summary["fingerprint"].keys()
    assert {file.name for file in folder.iterdir()} >= {
        "run.json",
        "report.html",
        "report.md",
        "trials.csv",
        "charts",
        "logs",
    }
    assert left_running(tmp_path) == []


def started_measuring(process, folder):
    """Wait until a run has measured something."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        file = folder / "run.json"
        if file.exists() and '"role":"measure"' in file.read_text():
            return
        time.sleep(0.1)
    pytest.fail(f"nothing was measured: {process.communicate()[1]}")


@pytest.mark.slow
def test_ctrl_c_twice_leaves_a_partial_run_and_nothing_running(tmp_path):
    process = bench("run", "quick", *PROCESS, "--contender", "flask", "--out", tmp_path)
    started_measuring(process, tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    code, out, err = finished(process)
    assert code == 130
    assert "Traceback" not in err
    assert "flask" in out
    assert summary_of(tmp_path)["partial"] is True
    assert left_running(tmp_path) == []


@pytest.mark.slow
def test_kill_9_of_the_harness_leaves_nothing_running(tmp_path):
    process = bench("run", "quick", *PROCESS, "--contender", "fastapi", "--out", tmp_path)
    started_measuring(process, tmp_path)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while left_running(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_running(tmp_path) == []
    code, _, err = finished(bench("report", tmp_path))
    assert code == 0, err
    assert summary_of(tmp_path)["partial"] is True


def identities(folder):
    records = json.loads((folder / "run.json").read_text())["records"]
    counted = [record for record in records if record["slice"]["role"] in ("measure", "control", "ceiling")]
    return [json.dumps(record["slice"], sort_keys=True) for record in counted], records


@pytest.mark.slow
def test_a_run_that_was_killed_three_times_goes_on_each_time_and_is_complete(tmp_path):
    words = ("--contender", "flask", "--contender", "fastapi", "--out", tmp_path)
    process = bench("run", "smoke", *PROCESS, *words)
    kept = []
    for enough in (1, 5, 12):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if (tmp_path / "run.json").exists() and len(identities(tmp_path)[0]) >= enough:
                break
            time.sleep(0.05)
        process.kill()
        process.communicate()
        assert identities(tmp_path)[1][: len(kept)] == kept
        kept = identities(tmp_path)[1]
        process = bench("run", "--resume", tmp_path)
    code, _, err = finished(process)
    assert carried_out(code, err), err
    steps, records = identities(tmp_path)
    assert records[: len(kept)] == kept
    # 2 rounds × 2 sweeps × 2 scenarios × 2 contenders, and the null server twice for each scenario
    spare = [step for step in steps if json.loads(step)["sweep"] > 2]
    assert len(steps) - len(spare) == len(set(steps) - set(spare)) == 16 + 4
    assert summary_of(tmp_path)["partial"] is False
    code, _, err = finished(bench("run", "--resume", tmp_path))
    assert (code, "nothing to resume" in err) == (2, True)
    assert left_running(tmp_path) == []


@pytest.mark.slow
def test_a_second_run_is_refused_while_one_measures(tmp_path):
    process = bench("run", "smoke", *PROCESS, "--contender", "stdlib", "--out", tmp_path / "one")
    started_measuring(process, tmp_path / "one")
    code, _, err = finished(
        bench("run", "smoke", *PROCESS, "--contender", "stdlib", "--out", tmp_path / "two")
    )
    assert (code, "is measuring on this machine" in err) == (3, True)
    assert not (tmp_path / "two").exists()
    code, _, err = finished(process)
    assert carried_out(code, err), err


@pytest.mark.slow
def test_a_load_child_that_hangs_ends_the_run_with_exit_3(tmp_path):
    process = bench("run", "smoke", *PROCESS, "--contender", "stdlib", "--out", tmp_path)
    started_measuring(process, tmp_path)
    (asker,) = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "bench.load.child" in child.cmdline()
    ]
    asker.suspend()
    code, _, err = finished(process)
    assert (code, "the load generator did not answer within" in err) == (3, True)
    assert summary_of(tmp_path)["partial"] is True
    assert left_running(tmp_path) == []


@pytest.mark.slow
def test_a_killed_server_is_published_as_failures_and_the_run_goes_on(tmp_path):
    process = bench(
        "run", "smoke", *PROCESS, "--contender", "flask", "--contender", "django", "--out", tmp_path
    )
    started_measuring(process, tmp_path)
    victims = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "gthread" in str(child.cmdline())
    ]
    os.kill(victims[0].pid, signal.SIGKILL)
    code, out, err = finished(process)
    assert carried_out(code, err), err
    assert "killed by signal 9" in (tmp_path / "report.md").read_text() + out


@pytest.mark.slow
def test_a_killed_database_ends_the_run_with_exit_3_and_keeps_what_was_measured(tmp_path):
    process = bench(
        "run", "smoke", *PROCESS, "--contender", "flask", "--scenario", "users-crud", "--out", tmp_path
    )
    started_measuring(process, tmp_path)
    for child in psutil.Process(process.pid).children(recursive=True):
        if child.name() == "postgres":
            child.kill()
            break
    code, _, err = finished(process)
    assert code == 3
    assert "PostgreSQL" in err
    assert "Traceback" not in err
    assert summary_of(tmp_path)["partial"] is True
    assert left_running(tmp_path) == []


@pytest.mark.slow
def test_every_contender_keeps_the_contract():
    code, out, err = finished(bench("verify", *PROCESS, "--json"), timeout=900)  # others run beside it
    assert code == 0, out + err
    outcomes = json.loads(out)
    lacking = {outcome["contender"] for outcome in outcomes if outcome["outcome"] == "skipped"}
    assert lacking <= {"django-next"}  # a Python of its own, which a machine may not have
    assert all(one["outcome"] == "passed" for one in outcomes if one["contender"] not in lacking)
    assert {outcome["contender"] for outcome in outcomes} == set(contenders.declared(ROOT))


@pytest.mark.slow
def test_serve_answers_until_it_is_interrupted():
    process = bench("serve", "flask")
    url = process.stdout.readline().split()[1]
    assert httpx.get(f"{url}users/7").json() == {"id": 7, "name": "User 7", "email": "user7@example.com"}
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    assert code == 0, err
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
