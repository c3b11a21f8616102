"""Processes that did the work, held against the workers that are declared."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import analyse
from bench.analysis.processes import process_changes
from bench.project import contenders
from bench.records import ENDED
from tests.support.synthetic import synthetic_run, with_records

ROOT = Path(__file__).parents[2]
MASTER = 0.0004  # cores: what a supervisor uses, generously
TRACKER = 0.0  # of multiprocessing, which lives beside spawned workers
BASE, HEAD = "flask@aaaaaaaa", "flask@worktree"


def served(used, *, workers=1, name="flask", connections=32, rounds=6):
    """Return a run of a server whose processes use so much of a core each; a function is given the slice."""
    run = synthetic_run({name: 4_000.0}, rounds=rounds, connections=connections)
    return with_processes(
        replace(run, contenders=tuple(replace(one, workers=workers) for one in run.contenders)), used
    )


def with_processes(run, used, only=None):
    def change(record):
        if only and record.slice.cell.contender != only:
            return record
        told = used(record.slice) if callable(used) else used
        by_process = {str(pid): cores * record.usage.elapsed_s for pid, cores in told.items()}
        usage = replace(record.usage, by_process_s=by_process, server_cpu_s=sum(by_process.values()))
        return replace(record, usage=usage)

    return with_records(run, change)


def odd(run):
    """Return the caveats about processes."""
    words = ("did its work", "that ended", "SIGCHLD")
    (row,) = analyse(run).rows
    return [caveat for caveat in row.caveats if any(word in caveat for word in words)]


PREFORKED = {1: MASTER, 2: 0.2, 3: 0.21, 4: 0.19, 5: 0.2, 6: 0.18}
SHELL = {1: 0.0, 2: 0.9}
RELOADER = {1: 0.015, 2: 0.9}  # looks at a thousand files a second
SPAWNED = {1: MASTER, 2: TRACKER, 3: 0.5, 4: 0.45}


@pytest.mark.parametrize(
    ("used", "workers", "said"),
    [
        (PREFORKED, 1, "5 processes did its work, workers = 1 is declared: its numbers are of 5"),
        (PREFORKED, 5, None),
        ({1: MASTER, 2: 0.9}, 1, None),
        ({1: MASTER, 2: 0.9}, 4, "1 process did its work, workers = 4 is declared: its numbers are of 1"),
        ({1: MASTER, 2: 0.9}, 2, "1 process did its work, workers = 2 is declared: its numbers are of 1"),
        ({1: 0.9}, 1, None),
        (SHELL, 1, None),
        ({1: 0.0, 2: 0.0, 3: MASTER, 4: 0.9}, 1, None),  # sh, poetry run, gunicorn, its worker
        (RELOADER, 1, None),
        (SPAWNED, 2, None),
        (SPAWNED, 1, "2 processes did its work, workers = 1 is declared: its numbers are of 2"),
    ],
)
def test_processes_that_did_the_work_are_held_against_the_declared_workers(used, workers, said):
    assert odd(served(used, workers=workers)) == ([said] if said else [])


@pytest.mark.parametrize(
    "used",
    [
        {1: MASTER, 2: 0.004},  # twenty requests a second
        {1: 0.0001, 2: 0.0001},
        {1: 0.0, 2: 0.0},
    ],
)
def test_a_server_that_idles_is_no_server_of_two(used):
    assert odd(served(used)) == []


def test_a_reloader_that_looks_at_files_now_and_then_is_no_worker():
    def looking(step):
        return {1: 0.07 if step.sweep == 1 and step.round % 2 else 0.0, 2: 0.3}

    assert odd(served(looking)) == []


def test_workers_that_few_connections_leave_idle_are_there_all_the_same():
    idle = {1: MASTER, 2: 0.5, 3: 0.0, 4: 0.0, 5: 0.0}
    assert odd(served(idle, workers=4, connections=2)) == []


def test_with_few_connections_too_workers_that_are_not_there_are_missed():
    run = served({1: MASTER, 2: 0.5}, workers=4, connections=2)
    assert odd(run) == ["1 process did its work, workers = 4 is declared: its numbers are of 1"]


def test_workers_that_share_unevenly_count_all():
    run = served(lambda step: {1: MASTER, 2: 0.6, 3: 0.3, 4: 0.2, 5: 0.1, 6: 0.08 if step.sweep else 0.0})
    assert odd(run) == ["5 processes did its work, workers = 1 is declared: its numbers are of 5"]


def test_processes_for_each_request_are_named_and_not_counted_as_workers():
    def forking(step):
        return {1: 0.3, ENDED: 0.6, 100 + step.sweep: 0.05}

    (said,) = odd(served(forking))
    assert said.startswith("63 % of its CPU is of processes that ended while it served")
    assert said.endswith("workers = 1 is declared, and their CPU is known in steps of 10 ms")


def test_recycled_workers_beyond_those_declared_are_named():
    def recycled(step):
        return {1: MASTER, ENDED: 0.6} | {10 * step.sweep + one: 0.07 for one in range(5)}

    (said,) = odd(served(recycled))
    assert "(forked for a request, or recycled), up to 6 were there at once: workers = 1 is declared" in said


def test_cpu_that_is_in_no_clock_is_no_cpu_and_says_why():
    run = with_records(
        served({1: 0.3}), lambda one: replace(one, usage=replace(one.usage, server_cpu_s=None))
    )
    (said,) = odd(run)
    assert said.startswith("no CPU: a process of its server ignores SIGCHLD")


def compared(base, head):
    run = synthetic_run({BASE: 4_000.0, HEAD: 4_000.0, f"{BASE}~aa": 4_000.0}, reference=BASE, rounds=6)
    run = replace(run, plan=replace(run.plan, baseline="aaaaaaaa"))
    return with_processes(with_processes(run, base), head, only=HEAD)


@pytest.mark.parametrize(
    ("base", "head", "said"),
    [
        ({1: MASTER, 2: 0.9}, {1: MASTER, 3: 0.9}, None),
        ({1: MASTER, 2: 0.9}, PREFORKED, "flask: 1 process did the work in the base, 5 in the head"),
        (PREFORKED, {1: 0.9}, "flask: 5 processes did the work in the base, 1 in the head"),
        ({1: 0.9}, {1: 0.2, ENDED: 0.7}, "flask: in the head its processes end while it serves"),
        # Four or five of five, as chance has it: no change.
        (PREFORKED, lambda step: PREFORKED | ({6: 0.0} if step.sweep % 2 else {}), None),
    ],
)
def test_another_number_of_processes_is_a_note_of_the_diff(base, head, said):
    notes = list(process_changes(compared(base, head)))
    assert [note.startswith(said or "") for note in notes] == ([True] if said else [])


def tree(contender):
    """Return what a server of ours looks like under full load: its parents beside its workers."""
    workers = {str(100 + number): 0.9 - number / 20 for number in range(contender.workers)}
    match contender.server:
        case "gunicorn" | "granian" | "hypercorn":
            return {"1": MASTER, "2": TRACKER, **workers}
        case "uvicorn" if contender.workers > 1:
            return {"1": MASTER, "2": TRACKER, **workers}
        case _:
            return workers


def test_no_contender_of_ours_has_such_a_caveat():
    tables = contenders.declared(ROOT)
    for name in tables:
        for workers in ("", ":workers=2", ":workers=4"):
            if workers and "workers" not in contenders.resolve(name, tables).command:
                continue
            one = contenders.resolve(f"{name}{workers}", tables)
            run = served(tree(one), workers=one.workers)
            assert odd(run) == [], one.name
