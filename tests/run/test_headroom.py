"""What a machine has no room for is said before anything starts."""

import resource
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.cli import wiring
from bench.errors import CannotMeasure
from bench.loads import Closed
from bench.model.contender import Contender
from bench.model.plan import Block, Plan
from bench.observe import system
from bench.observe.local_ports import local_ports
from bench.project import plans
from bench.run import execution, headroom, store
from bench.run.headroom import Client, Room
from bench.run.preview import preview
from bench.runtime.placement import available_cores
from tests.support.projects import PLAN, make_project
from tests.support.synthetic import synthetic_run

HERE = Client()
FEW, MANY = (Closed(connections=count) for count in (8, 400))


def contender(name, **changes):
    facts = {
        "base": name,
        "app": "app",
        "root": "",
        "stack": "",
        "interface": "",
        "server": "",
        "command": "",
    }
    return Contender(**(facts | {"name": name} | changes))


def planned(*loads, names=("shop",)):
    block = Block(contenders=names, scenarios=("front",), loads=loads)
    return Plan(
        name="p", blocks=(block,), reference=names[0], rounds=2, sweeps=2, lead_in_s=0.1, window_s=0.2,
        warm_up_s=0.1, seed=1,
    )  # fmt: skip


def served(*names, **changes):
    return {name: contender(name, **changes) for name in names or ("shop",)}


def test_a_load_that_needs_more_descriptors_than_there_may_be_is_left_out_and_the_others_stay():
    fits, left_out = headroom.fitting(planned(FEW, MANY), served(), Room(open_files=128), HERE)
    assert [block.loads for block in fits.blocks] == [(FEW,)]
    (line,) = left_out
    assert line.startswith("left out: 400 connections (front) need ")
    assert "the limit is 128: ulimit -n 8" in line


def test_a_plan_that_fits_is_left_as_it_is():
    made = planned(FEW, MANY)
    assert headroom.fitting(made, served(), Room(), HERE) == (made, ())
    assert headroom.fitting(made, served(), Room(open_files=20_000, local_ports=28_232), HERE) == (made, ())


def test_connections_to_all_servers_that_are_up_together_count():
    both, room = ("shop", "shop-old"), Room(open_files=1_000)
    assert headroom.fitting(planned(MANY), served(), room, HERE)[1] == ()
    (line,) = headroom.fitting(planned(MANY, names=both), served(*both), room, HERE)[1]
    assert "400 connections to each of 2 servers" in line
    # Each of three processes has its third of them; a server may have all of its own.
    assert headroom.fitting(planned(MANY, names=both), served(*both), room, Client(processes=3))[1] == ()
    assert headroom.fitting(planned(MANY), served(), Room(open_files=400), Client(processes=99))[1] != ()


def test_what_is_on_other_machines_needs_nothing_here():
    room = Room(open_files=128, local_ports=100)
    assert headroom.fitting(planned(MANY), served(), room, Client(is_here=False, serves_here=False))[1] == ()
    assert headroom.refusal(planned(FEW), served(), Room(cores=1), Client(serves_here=False)) is None
    assert headroom.refusal(planned(FEW), served(), Room(cpu_quota=1.2), Client(is_here=False)) is None


def test_more_connections_than_local_ports_are_left_out_with_the_range():
    two_hundred = Closed(connections=200)
    fits, (line,) = headroom.fitting(planned(FEW, two_hundred), served(), Room(local_ports=100), HERE)
    assert [block.loads for block in fits.blocks] == [(FEW,)]
    assert "200 connections" in line
    assert "there are 100: " in line
    assert "net.ipv4.ip_local_port_range" in line


def test_where_nothing_would_be_left_the_plan_is_refused_with_the_number():
    made, room = planned(MANY), Room(open_files=128)
    assert headroom.fitting(made, served(), room, HERE)[0] == made
    assert "the limit is 128: ulimit -n" in headroom.refusal(made, served(), room, HERE)


def test_few_ports_are_named_where_each_request_opens_a_connection():
    old = served("old", keep_alive=False)
    (line,) = headroom.warnings(planned(FEW, names=("old",)), old, Room(local_ports=100))
    assert line.startswith("100 local ports for old with a connection for each request")
    assert not [*headroom.warnings(planned(FEW, names=("old",)), old, Room(local_ports=28_232))]
    assert not [*headroom.warnings(planned(FEW), served(), Room(local_ports=100))]


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (Room(cores=1), "there is one core, two are needed"),
        (Room(cores=4, cpu_quota=1.2), "1.2 cores' worth of CPU time are allowed, 2 are needed"),
        (Room(cores=2, cpu_quota=0.5), "0.5 cores' worth of CPU time are allowed, 2 are needed"),
        (Room(cores=2), None),
        (Room(cores=8, cpu_quota=2.0), None),
        (Room(), None),
    ],
)
def test_too_few_cores_or_too_little_of_their_time_is_refused_with_the_number(room, said):
    why = headroom.refusal(planned(FEW), served(), room, HERE)
    assert why is None if said is None else why.startswith(said)


@pytest.mark.parametrize(
    ("quota", "held"),
    [(None, None), (8.0, None), (9.0, None), (7.9, 7), (2.5, 2), (2.0, 2)],
)
def test_a_quota_that_is_enough_holds_all_to_as_many_cores_as_it_pays_for(quota, held):
    cores = headroom.held_cores(Room(cpu_quota=quota), frozenset(range(8)))
    assert cores == (None if held is None else frozenset(range(held)))


def test_what_is_held_to_cores_is_let_go_again():
    before = available_cores()
    if before is None or len(before) < 2:
        pytest.skip("there is one core")
    one = frozenset([min(before)])
    with headroom.kept_to(one):
        assert available_cores() == one
    assert available_cores() == before
    with headroom.kept_to(None):
        assert available_cores() == before


def test_the_soft_limit_of_descriptors_is_raised_as_far_as_the_hard_one_lets_it_and_children_have_it():
    program = (
        "import subprocess; from bench.observe import system; system.raise_open_files(500);"
        "print(system.open_files(), system.most_open_files(), flush=True);"
        "subprocess.run(['sh', '-c', 'ulimit -Sn'])"
    )
    for soft, hard, after in ((64, 400, 400), (64, 4_000, 500), (600, 4_000, 600)):

        def lowered(soft=soft, hard=hard):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, preexec_fn=lowered
        )
        assert done.stdout.split() == [str(after), str(hard), str(after)]


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"own": "0::/a/b\n", "a/cpu.max": "120000 100000", "a/b/cpu.max": "max 100000"}, 1.2),
        ({"own": "0::/a/b\n", "a/cpu.max": "300000 100000", "a/b/cpu.max": "50000 100000"}, 0.5),
        ({"own": "0::/../other\n", "cpu.max": "150000 100000"}, 1.5),
        (
            {
                "own": "1:cpu:/q\n0::/\n",
                "cpu/q/cpu.cfs_quota_us": "120000",
                "cpu/q/cpu.cfs_period_us": "100000",
            },
            1.2,
        ),
        (
            {
                "own": "4:cpu,cpuacct:/q\n",
                "cpu,cpuacct/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
                "cpu,cpuacct/q/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/q/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        ({"own": "1:cpuset:/q\n0::/\n"}, None),
    ],
)
def test_the_smallest_quota_on_the_way_to_the_root_holds_in_both_versions(tmp_path, files, quota):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert system.cpu_quota(tmp_path / "own", tmp_path) == quota


def test_local_ports_are_counted_with_both_ends(tmp_path):
    (tmp_path / "range").write_text("40000\t40099\n")
    assert local_ports(tmp_path / "range") == 100
    assert local_ports(tmp_path / "nothing") is None


@pytest.fixture
def root(tmp_path):
    loads = "loads = [{ kind = 'closed', connections = 4 }, { kind = 'closed', connections = 400 }]"
    return make_project(
        tmp_path / "project", plan=PLAN.replace('loads = [{ kind = "closed", connections = 4 }]', loads)
    )


def begun(root, room):
    run = execution.begin(root, plans.read(root, "tiny"))
    return execution.begin_with(root, run.plan, "process", run.contenders, run.scenarios, room=room)


def test_what_is_left_out_is_an_event_and_stands_in_the_preview(root, tmp_path):
    run = begun(root, Room(open_files=1_000))
    assert {load.connections for block in run.plan.blocks for load in block.loads} == {4}
    assert {event.what.partition(" need ")[0] for event in run.events} == {
        "left out: 400 connections to each of 4 servers (hello)",
        "left out: 400 connections to each of 4 servers (churn)",
    }
    assert all(event.what in preview(run, tmp_path) for event in run.events)


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (Room(cores=1), "there is one core, two are needed"),
        (Room(cores=2, cpu_quota=1.2), "1.2 cores' worth"),
        (Room(cores=2, open_files=100), "the limit is 100"),
    ],
)
def test_a_run_without_room_ends_before_anything_starts_and_its_file_says_why(root, tmp_path, room, said):
    (tmp_path / "run").mkdir()
    journal = store.Journal(begun(root, Room()), tmp_path / "run")
    with pytest.raises(CannotMeasure, match=said):
        execution.measure(root, journal, wiring.opened, room=room)
    kept = store.load(tmp_path / "run")
    assert kept.ended == "failed"
    assert kept.records == kept.starts == ()
    assert kept.events[-1].what.find(said) >= 0
    assert not execution.may_go_on(kept)
    assert not (root / ".venvs").exists()


@pytest.mark.parametrize(
    ("ended", "runtime", "baseline", "rounds", "may"),
    [
        ("interrupted", "process", None, 0, True),
        ("interrupted", "process", None, 3, True),
        ("failed", "process", None, 1, False),
        ("failed", "process", None, 2, True),
        (None, "process", None, 1, True),
        ("complete", "process", None, 2, False),
        ("interrupted", "external", None, 2, False),
        ("interrupted", "process", "abc", 2, False),
    ],
)
def test_going_on_is_offered_where_it_can_lead_further(ended, runtime, baseline, rounds, may):

    run = synthetic_run(rounds=max(rounds, 1))
    records = run.records if rounds else ()
    run = replace(
        run, ended=ended, runtime=runtime, plan=replace(run.plan, baseline=baseline), records=records
    )
    assert execution.may_go_on(run) is may
