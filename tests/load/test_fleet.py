"""Several processes that ask as one: our own, those started by hand, and those that are lost on the way."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import msgpack
import psutil
import pytest
import zmq

from bench.errors import CannotMeasure
from bench.load.child.generator_versions import unlike, versions
from bench.load.driver import LocustLoad, Workers
from bench.loads import Closed, Open
from bench.model.cell import Cell, Slice
from bench.model.scenario import Exchange, Expect, Scenario
from tests.support.waiting import waiting_server

HELLO = Scenario(
    name="hello",
    exchanges=(
        Exchange(name="hello", method="GET", path="/", expect=Expect(json={"message": "Hello, World!"})),
    ),
    weights=(1,),
)
WORKER = [sys.executable, "-P", "-m", "bench", "load-worker", "--master"]
RATE_RPS = 200.0


@pytest.fixture(scope="module")
def address():
    """A server that takes 5 ms for every answer."""
    with waiting_server(5) as address:
        yield address


@pytest.fixture(scope="module")
def alone():
    with LocustLoad() as load:
        yield load


@pytest.fixture(scope="module")
def two():
    with LocustLoad(workers=Workers(count=2)) as load:
        yield load


@pytest.fixture(scope="module")
def three():
    """Some tests take a worker out of it: two are left, and one, where all of them have run."""
    with LocustLoad(workers=Workers(count=3)) as load:
        yield load


@pytest.fixture
def bind():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[:2]


def closed(connections):
    return _step(Closed(connections=connections), None)


def uniform(rate_rps=RATE_RPS, *, window_s=0.5, seed=1):
    load = Open(connections=64, rate=rate_rps, arrivals="uniform")
    return _step(load, rate_rps, window_s=window_s, seed=seed)


def _step(load, rate_rps, *, window_s=0.5, seed=1):
    return Slice(
        cell=Cell(contender="t", scenario="hello", load=load),
        role="measure",
        round=1,
        sweep=1,
        seed=seed,
        lead_in_s=0.1,
        window_s=window_s,
        rate_rps=rate_rps,
    )


def asked(load, step):
    load.begin(step)
    return load.finish()


@contextmanager
def by_hand(bind, count, *options):
    """Start load workers as a user does."""
    command = [*WORKER, f"127.0.0.1:{bind[1]}", *options]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def gone(pids, within_s=10.0):
    """Wait until none of *pids* runs; return whether that came to be."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and _runs(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.mark.parametrize(("fleet", "count"), [("alone", 1), ("two", 2), ("three", 3)])
def test_an_open_loop_asks_exactly_what_is_due_however_many_processes_share_it(
    address, fleet, count, request
):
    load = request.getfixturevalue(fleet)
    load.prepare({"t": address}, [HELLO])
    sample = asked(load, uniform())
    assert len(load.pids()) == count
    assert sample.due == sample.requests == RATE_RPS * 0.5
    assert sample.locust_requests == sample.slice_requests
    assert sample.latency.count == sample.service.count
    assert not sample.failed
    assert not sample.unfinished
    assert not sample.lost_workers
    assert sample.latency.percentile_ms(50) >= 5


@pytest.mark.parametrize("connections", [1, 5])
def test_a_closed_loop_has_its_connections_however_many_processes_share_them(address, two, connections):
    two.prepare({}, [])
    two.prepare({"t": address}, [HELLO])
    sample = asked(two, closed(connections))
    assert sample.connects == connections
    assert sample.requests > 0
    assert not sample.failed
    assert sample.occupied_s == pytest.approx(connections * 0.5, rel=0.01)


@pytest.mark.parametrize("fleet", ["alone", "two"])
def test_connections_to_who_is_named_again_stay_open(address, fleet, request):
    load = request.getfixturevalue(fleet)
    load.prepare({}, [])
    load.prepare({"t": address}, [HELLO])
    first = asked(load, closed(4))
    load.prepare({"t": address, "other": address}, [HELLO])
    second = asked(load, closed(4))
    load.prepare({"other": address}, [HELLO])
    load.prepare({"t": address}, [HELLO])
    third = asked(load, closed(4))
    assert [sample.connects for sample in (first, second, third)] == [4, 0, 4]


def test_a_lost_worker_voids_its_slice_and_the_others_take_over_its_share(address, three):
    three.prepare({"t": address}, [HELLO])
    three.begin(uniform())
    lost = three.pids()[1]
    os.kill(lost, signal.SIGKILL)
    broken = three.finish()
    (who,) = broken.lost_workers
    assert f"process {lost}) has ended" in who
    assert broken.due < RATE_RPS * 0.5
    whole = asked(three, uniform())
    assert len(three.pids()) == 2
    assert whole.due == whole.requests == RATE_RPS * 0.5
    assert not whole.lost_workers


def test_one_that_falls_silent_is_lost_and_what_it_says_later_is_in_no_sum(address, three):
    three.prepare({"t": address}, [HELLO])
    three.begin(uniform())
    silent = three.pids()[0]
    os.kill(silent, signal.SIGSTOP)
    broken = three.finish()
    assert "has not been heard of for some seconds" in broken.lost_workers[0]
    os.kill(silent, signal.SIGCONT)
    for _ in range(3):
        whole = asked(three, uniform())
        assert whole.due == whole.requests == RATE_RPS * 0.5
    assert gone([silent])


def test_without_any_worker_left_nothing_can_be_measured(address, three):
    three.prepare({"t": address}, [HELLO])
    three.begin(uniform())
    for pid in three.pids():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(CannotMeasure, match=r"no load worker is left: .*has ended[;:] .*start the run again"):
        three.finish()


def test_load_workers_started_by_hand_join_ask_and_end_with_the_run(address, bind):
    said = []
    with by_hand(bind, 2) as workers:
        with LocustLoad(workers=Workers(count=2, bind=bind), say=said.append) as load:
            load.prepare({"t": address}, [HELLO])
            sample = asked(load, uniform())
            assert load.pids() == ()  # they may be anywhere
        assert sample.due == sample.requests == RATE_RPS * 0.5
        assert (
            said[0] == f"waiting for load workers, 2 in all: `bench load-worker --master 127.0.0.1:{bind[1]}`"
        )
        assert [line.rpartition(": ")[2] for line in said[1:]] == ["1 of 2", "2 of 2"]
        assert [worker.wait(timeout=10) for worker in workers] == [0, 0]


def test_a_load_worker_that_is_interrupted_leaves_and_the_run_goes_on(address, bind):
    with by_hand(bind, 2) as workers, LocustLoad(workers=Workers(count=2, bind=bind)) as load:
        load.prepare({"t": address}, [HELLO])
        workers[0].send_signal(signal.SIGINT)
        assert workers[0].wait(timeout=10) == 130
        samples = [asked(load, uniform()) for _ in range(2)]
        assert [len(sample.lost_workers) for sample in samples] == [1, 0]
        assert samples[1].due == samples[1].requests == RATE_RPS * 0.5


def test_a_run_that_ends_by_force_leaves_no_worker(address, bind):
    program = (
        "import time; from bench.load.driver import LocustLoad, Workers\n"
        "with LocustLoad(workers=Workers(count=2)) as load:\n"
        "    print(load.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as run:
        child = int(run.stdout.readline())
        family = [child, *(one.pid for one in psutil.Process(child).children(recursive=True))]
        run.kill()
    assert len(family) == 3
    assert gone(family)


def test_a_master_that_is_killed_takes_its_workers_along(address, bind):
    with by_hand(bind, 1) as (worker,), LocustLoad(workers=Workers(count=1, bind=bind)) as load:
        os.kill(load.pid, signal.SIGKILL)
        assert worker.wait(timeout=10) == 0


def test_nobody_is_waited_for_for_ever(bind):
    load = LocustLoad(workers=Workers(count=2, bind=bind, within_s=0.3))
    with pytest.raises(CannotMeasure, match=r"2 of 2 load workers did not join .*or expect fewer"), load:
        pass


def test_a_port_that_is_taken_is_told_in_one_line(bind):
    with (
        socket.create_server(("127.0.0.1", bind[1])),
        pytest.raises(CannotMeasure, match=r"cannot listen on 127\.0\.0\.1:.*choose another --load-bind"),
        LocustLoad(workers=Workers(count=1, bind=bind)),
    ):
        pass


@pytest.mark.parametrize("name", ["bench", "Locust", "bench's code"])
def test_every_version_has_to_be_the_same(name):
    assert unlike(versions()) is None
    assert f"{name} is 0.0.1 there and" in unlike(versions() | {name: "0.0.1"})


def test_a_load_worker_of_another_version_is_refused_on_both_sides(bind):
    said = []
    why = "Locust is 2.0.0 there and"
    load = LocustLoad(workers=Workers(count=1, bind=bind, within_s=3.0), say=said.append)
    with Stranger(bind, versions() | {"Locust": "2.0.0"}) as stranger:
        with pytest.raises(CannotMeasure, match="1 of 1 load workers did not join"), load:
            pass
        assert why in stranger.answer()["why"]
    assert why in said[1]


class Stranger:
    """Speaks as a load worker does, without being one."""

    def __init__(self, master, versions):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, b"stranger")
        self._socket.connect(f"tcp://{master[0]}:{master[1]}")
        hello = {"is": "hello", "versions": versions, "host": "elsewhere", "pid": 1}
        self._socket.send(msgpack.dumps(("client_ready", versions["Locust"], "stranger")))
        self._socket.send(msgpack.dumps(("bench", hello, "stranger")))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._socket.close(linger=0)
        self._context.term()

    def answer(self):
        while self._socket.poll(5_000):
            kind, data, _ = msgpack.loads(self._socket.recv())
            if kind == "bench":
                return data
        raise AssertionError("no answer came")


@pytest.mark.parametrize(
    ("master", "exit_code", "said"),
    [
        ("127.0.0.1", 2, "--master 127.0.0.1: write it as HOST:PORT"),
        ("nowhere.invalid:5557", 2, "name a host that this machine can reach"),
    ],
)
def test_a_load_worker_says_in_one_line_what_is_wrong(master, exit_code, said):
    told = subprocess.run([*WORKER, master], capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == exit_code
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_load_worker_does_not_wait_for_ever(bind):
    command = [sys.executable, "-P", "-m", "bench.load.child.worker", "--master", f"127.0.0.1:{bind[1]}"]
    told = subprocess.run(
        [*command, "--within", "0.5"], capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 3
    assert "no master answers at" in told.stderr
    assert "bench run --load-bind" in told.stderr
    assert told.stderr.count("\n") == 1
