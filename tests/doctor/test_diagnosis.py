"""The doctor on machines made up, and its instruments on this one."""

import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from bench.cli import commands
from bench.doctor import Instruments, examine, machine, supplies
from bench.doctor.ceilings import BUSY, ceiling
from bench.doctor.diagnosis import GeneratorReading, print_diagnosis
from bench.doctor.machine import Company, Facts, look_around
from bench.doctor.supplies import Disk, EngineFound, Supplies, disk, engine
from bench.errors import CannotMeasure
from bench.load.null.server import HELLO, null_server
from bench.load.peers import Turn, stock_users, wrk, wrk_is_installed
from bench.observe import system
from bench.observe.cores import Core
from bench.observe.hyperthreads import Neighbours
from bench.observe.local_ports import Ports, ports
from bench.project import scenarios
from bench.runtime.placement import Placement, placed
from tests.support.fakes import FakeLoad, FakeNullServers, FakeObserver, FakeProgress
from tests.support.projects import make_project

ROOT = Path(__file__).parents[2]
CRUD = scenarios.declared(ROOT)["users-crud"]
SHOWN = ["bench", "Locust", "Locust", "wrk"]


class BusyLoad(FakeLoad):
    def finish(self):
        sample = super().finish()
        return replace(sample, client_cpu_s=sample.window_s)


@dataclass
class Clinic:
    """Instruments that write down what they were used for."""

    placement: Placement = field(default_factory=lambda: placed([0, 1, 2]))
    facts: Facts = field(default_factory=Facts)
    supplies: Supplies = field(default_factory=Supplies)
    database_error: str = ""
    load_error: str = ""
    cores: list[dict[str, Core]] = field(default_factory=lambda: [{}, {}])
    diary: list[str] = field(default_factory=list)

    def instruments(self) -> Instruments:
        return Instruments(
            placement=self.placement,
            look=lambda: self.facts,
            take_stock=lambda: self.supplies,
            cores=lambda: self.cores.pop(0),
            trials={"PostgreSQL": self.database},
            load=self.load,
            observer=FakeObserver(),
            null_server=FakeNullServers(self.diary),
            peers={"fast": self.peer("fast"), "wrk": self.peer("wrk")},
        )

    @contextmanager
    def database(self):
        if self.database_error:
            raise CannotMeasure(self.database_error)
        self.diary.append("PostgreSQL")
        yield

    @contextmanager
    def load(self):
        if self.load_error:
            raise CannotMeasure(self.load_error)
        yield BusyLoad(self.diary)

    def peer(self, name):
        @contextmanager
        def started(address, scenario):
            self.diary.append(f"{name} starts, {scenario.name}")
            yield self.asker(name)

        return started

    def asker(self, name):
        def ask(seconds):
            self.diary.append(name)
            return Turn(requests=10, failures=0, elapsed_s=1.0, cpu_s=0.001)

        return ask


def examined(clinic: Clinic):
    return examine(clinic.instruments(), scenarios.declared(ROOT).values(), FakeProgress())


def found(checks, name):
    (check,) = [check for check in checks if check.name == name]
    return check


def test_load_generators_take_turns_and_begin_at_a_different_one_each_time():
    clinic = Clinic()
    examined(clinic)
    ours = "ceiling hello null-server"
    asked = [entry for entry in clinic.diary if entry in (ours, "fast", "wrk")]
    assert asked[:6] == [ours, "fast", "wrk", "fast", "wrk", ours]
    assert clinic.diary[:5] == [
        "PostgreSQL",
        "null server of hello, 0 bytes",
        "aim at null-server",
        "fast starts, hello",
        "wrk starts, hello",
    ]
    assert "null server of users-crud, 0 bytes" in clinic.diary
    assert "wrk starts, users-crud" not in clinic.diary


def test_the_machines_form_has_every_load_generator_and_null_for_those_that_are_not_there():
    diagnosis = examined(Clinic())
    document = json.loads(json.dumps(diagnosis.document()))
    assert list(document) == ["fit", "checks", "ceiling_rps", "client_us_per_request", "noise"]
    assert document["noise"] is None
    assert document["fit"] is True
    assert all(list(check) == ["name", "status", "detail", "remedy"] for check in document["checks"])
    # FakeLoad has two responses in a window of 0.8 s, and BusyLoad was busy all the time.
    assert document["ceiling_rps"] == {"engine": pytest.approx(2.5), "fast": 10, "http": None, "wrk": 10}
    assert document["client_us_per_request"] == {
        "engine": pytest.approx(400_000),
        "fast": pytest.approx(100),
        "http": None,
        "wrk": pytest.approx(100),
    }


@pytest.mark.parametrize(
    ("trouble", "name"),
    [
        ({"database_error": "PostgreSQL could not: no space"}, "PostgreSQL"),
        ({"load_error": "the load generator has ended"}, "ceiling"),
        ({"placement": placed([3])}, "cores"),
        ({"facts": Facts(cpu_quota=0.5)}, "CPU limit"),
        (
            {"facts": Facts(company=Company(busy={"0": 0.9}, programs=(("stress (7)", 0.9),)))},
            "other programs",
        ),
        ({"supplies": Supplies(ports=Ports(requested=16, opened=3))}, "ports"),
        ({"supplies": Supplies(disks={"results": "/results: Read-only file system"})}, "disk for results"),
        (
            {"supplies": Supplies(disks={"databases": Disk(free_bytes=10**8, sync_s=0.0)})},
            "disk for databases",
        ),
    ],
)
def test_what_makes_measuring_pointless_is_not_fit_and_has_a_remedy(trouble, name):
    diagnosis = examined(Clinic(**trouble))
    assert not diagnosis.fit
    (unfit,) = [check for check in diagnosis.checks if check.status == "not fit"]
    assert unfit.name == name
    assert unfit.remedy


def test_a_machine_that_tells_nothing_bad_needs_no_caution():
    found = [*machine.checks(Facts(), placed([0, 1, 2])), *supplies.checks(Supplies())]
    assert {(check.status, check.remedy) for check in found} == {("ok", None)}


@pytest.mark.parametrize(
    ("facts", "placement", "name", "said"),
    [
        (Facts(client_first=False), placed([0, 1]), "priority", "real time is not allowed"),
        (Facts(), placed([0, 1]), "placement", "server on 0, client on 1, database on 1; client and"),
        (Facts(), placed(None), "placement", "cannot pin processes"),
        (Facts(cpu_quota=2.5), placed(range(8)), "CPU limit", "2.5 cores' worth of time for 8 cores"),
        (Facts(load_average=1.6), placed([0, 1, 2]), "load average", "1.60 programs over the last minute"),
        (
            Facts(neighbours=Neighbours(cores=(0, 1), slowdown=0.38)),
            placed([0, 1, 2]),
            "hyperthreads",
            "core 0 is 38 % slower while core 1 is busy",
        ),
        (
            Facts(governors=frozenset({"powersave", "performance"})),
            placed([0, 1, 2]),
            "governor",
            "powersave: frequencies follow load",
        ),
        (Facts(turbo=True), placed([0, 1, 2]), "turbo", "on: frequencies follow heat"),
        (Facts(clock_step_ns=2_500, clock_source="hpet"), placed([0, 1, 2]), "clock", "2,500 ns, from hpet"),
        (Facts(wake_up_late_s=0.004), placed([0, 1, 2]), "clock", "4,000 µs late"),
        (
            Facts(company=Company(busy={"0": 0.01, "1": 0.2}, programs=(("make (12)", 0.2),))),
            placed([0, 1, 2]),
            "other programs",
            "20% busy without us: make (12) 20%",
        ),
    ],
)
def test_a_machine_that_makes_measuring_worse_gets_a_caution_with_a_remedy(facts, placement, name, said):
    check = found(machine.checks(facts, placement), name)
    assert check.status == "caution"
    assert said in check.detail
    assert check.remedy


@pytest.mark.parametrize(
    ("there", "name", "said"),
    [
        (Supplies(open_files=256), "open files", "256 for each process"),
        (Supplies(ports=Ports(ephemeral=28_232, taken=28_000)), "ports", "232 of 28,232 are free"),
        (
            Supplies(disks={"results": Disk(free_bytes=2 * 10**9, sync_s=0.001)}),
            "disk for results",
            "2.0 GB free",
        ),
        (
            Supplies(disks={"results": Disk(free_bytes=10**11, sync_s=0.12)}),
            "disk for results",
            "takes 120.0 ms",
        ),
        (
            Supplies(caches={"Memcached": ("memcached is not on PATH", "install it")}),
            "Memcached",
            "not on PATH: contenders that need it are left out",
        ),
    ],
)
def test_supplies_that_run_low_get_a_caution_with_a_remedy(there, name, said):
    check = found(supplies.checks(there), name)
    assert check.status == "caution"
    assert said in check.detail
    assert check.remedy


@pytest.mark.parametrize(
    ("facts", "name", "said"),
    [
        (
            Facts(neighbours=Neighbours(cores=(0, 2), slowdown=-0.01)),
            "hyperthreads",
            "0 loses 0.0% while core 2",
        ),
        (Facts(governors=frozenset({"performance"})), "governor", "performance"),
        (Facts(turbo=False), "turbo", "off"),
        (Facts(), "turbo", "the system does not report it"),
    ],
)
def test_what_is_well_is_told_too(facts, name, said):
    check = found(machine.checks(facts, placed([0, 1, 2])), name)
    assert check.status == "ok"
    assert said in check.detail


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (None, "no engine answers: runs use the process runtime"),
        (EngineFound(version="28.2", compose=None), "28.2, without compose: runs use the process runtime"),
        (EngineFound(version="28.2", compose="2.39.1"), "28.2, compose 2.39.1"),
    ],
)
def test_without_containers_nothing_is_wrong(answered, said):
    check = found(supplies.checks(Supplies(engine=answered)), "Docker")
    assert (check.status, check.detail) == ("ok", said)


def test_a_quota_for_all_cores_is_no_limit():
    assert found(machine.checks(Facts(cpu_quota=2.0), placed([0, 1])), "CPU limit").status == "ok"


def test_steal_is_a_share_of_the_time_that_a_core_wanted_to_run():
    idle = Core(busy_s=0.0, softirq_s=0.0, steal_s=0.0)
    robbed = Core(busy_s=9.7, softirq_s=0.0, steal_s=0.3)
    (check,) = machine.steal({"0": idle, "1": robbed})
    assert (check.status, check.detail[:24]) == ("caution", "the hypervisor took 3.0%")
    assert list(machine.steal({"0": idle})) == []
    assert list(machine.steal({})) == []


def reading(rps=100_000.0, client_busy=0.99, server_busy=0.7, failures=0):
    return GeneratorReading(
        rps=rps,
        us_per_request=None,
        client_busy=client_busy,
        server_busy=server_busy,
        failures=failures,
    )


@pytest.mark.parametrize(
    ("ours", "status", "said"),
    [
        (reading(), "ok", "100,000 requests/s, 10.0 × Locust FastHttpUser"),
        (reading(server_busy=None), "ok", "100,000 requests/s"),
        (reading(server_busy=BUSY), "caution", "at least: the null server was 95% busy"),
        (reading(client_busy=0.8), "caution", "at least: the client got only 80% of its core"),
        (reading(failures=3), "not fit", "3 wrong answers"),
    ],
)
def test_a_ceiling_is_one_where_the_client_was_the_limit(ours, status, said):
    check = ceiling("ceiling", {"engine": ours, "fast": reading(rps=10_000.0), "http": reading(rps=0.0)})
    assert check.status == status
    assert said in check.detail
    assert (check.remedy is None) == (status == "ok")


def test_a_comparison_with_one_whose_requests_failed_says_so():
    check = ceiling("ceiling", {"engine": reading(), "wrk": reading(failures=1_234)})
    assert check.detail.endswith("1.0 × wrk (1,234 of its requests failed)")


def test_the_table_has_every_load_generator_side_by_side():
    console = Console(width=100, record=True, force_terminal=False)
    with console.capture() as captured:
        print_diagnosis(examined(Clinic(placement=placed([0, 1]))), console)
    told = captured.get()
    assert "caution" in told
    assert "→ with three cores or more each has its own" in told
    assert "users-crud" in told
    rows = [words for line in told.splitlines() if (words := line.split()[:2]) and words[0] in SHOWN]
    assert [words[0] for words in rows] == SHOWN
    (http,) = [line.split() for line in told.splitlines() if line.split()[:2] == ["Locust", "HttpUser"]]
    assert http[2:] == ["–"] * 6


def test_a_project_without_writes_is_asked_for_a_greeting_only():
    clinic = Clinic()
    diagnosis = examine(clinic.instruments(), [HELLO], FakeProgress())
    assert diagnosis.writing_scenario is None
    assert diagnosis.writing == {}


def files(root: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("contents", "quota"),
    [
        ({"own": "0::/a/b", "a/b/cpu.max": "150000 100000"}, 1.5),
        ({"own": "0::/a/b", "a/b/cpu.max": "max 100000", "a/cpu.max": "400000 100000"}, 4.0),
        ({"own": "0::/", "cpu.max": "max 100000"}, None),
        (
            {
                "own": "4:memory:/x\n1:cpu,cpuacct:/x\n0::/",
                "cpu/x/cpu.cfs_quota_us": "50000",
                "cpu/x/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        (
            {
                "own": "1:cpu:/",
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
            },
            None,
        ),
        ({}, None),
    ],
)
def test_the_smallest_quota_of_any_group_holds(tmp_path, contents, quota):
    files(tmp_path, contents)
    assert system.cpu_quota(tmp_path / "own", tmp_path) == quota


def test_frequencies_are_read_where_the_system_tells(tmp_path):
    assert system.governors(tmp_path) == frozenset()
    assert system.turbo(tmp_path) is None
    governor = "cpufreq/scaling_governor"
    files(tmp_path, {f"cpu0/{governor}": "performance", f"cpu1/{governor}": "powersave"})
    assert system.governors(tmp_path) == {"performance", "powersave"}
    assert system.turbo(files(tmp_path / "amd", {"cpufreq/boost": "0"})) is False
    assert system.turbo(files(tmp_path / "intel", {"intel_pstate/no_turbo": "0"})) is True


def test_ports_that_are_in_use_are_counted_once(tmp_path):
    files(
        tmp_path,
        {
            "range": "32768\t60999",
            "tcp": "sl local_address rem_address st\n"
            "0: 0100007F:9C40 0100007F:0050 01\n"  # 40000 → 80, and its other end
            "1: 0100007F:0050 0100007F:9C40 01\n"
            "2: 0100007F:9C40 0100007F:0051 06",
            "tcp6": f"sl local_address rem_address st\n0: {'0' * 32}:8000 0:0 0A",  # 32768
        },
    )
    tables = (tmp_path / "tcp", tmp_path / "tcp6")
    assert ports(3, limits=tmp_path / "range", tables=tables) == Ports(
        ephemeral=28_232, taken=2, requested=3, opened=3
    )
    assert ports(0, limits=tmp_path / "absent") == Ports()


def test_a_disk_is_written_to_and_left_clean(tmp_path):
    found = disk(tmp_path)
    assert found.free_bytes > 0
    assert found.sync_s >= 0
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_is_not_there_yet_is_made_by_nobody(tmp_path):
    stock = supplies.take_stock(tmp_path / "results")
    assert isinstance(stock.disks["results"], Disk)
    assert stock.caches["Valkey"] is None
    assert list(tmp_path.iterdir()) == []


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("docker", "answered"),
    [
        pytest.param(None, None, id="not installed"),
        pytest.param("exit 1", None, id="no engine answers"),
        pytest.param("sleep 60", None, id="it hangs"),
        pytest.param(
            '[ "$1" = version ] && echo 28.2', EngineFound(version="28.2", compose=None), id="no compose"
        ),
        pytest.param(
            'case "$1" in version) echo 28.2;; compose) sleep 60;; esac',
            EngineFound(version="28.2", compose=None),
            id="compose hangs",
        ),
        pytest.param(
            'case "$1" in version) echo 28.2;; compose) echo 2.39;; esac',
            EngineFound(version="28.2", compose="2.39"),
            id="both",
        ),
    ],
)
def test_an_engine_is_asked_and_never_waited_for(tmp_path, docker, answered):
    if docker:
        program(tmp_path, "docker", docker)
    began = time.monotonic()
    assert engine(timeout_s=1.0, path=str(tmp_path)) == answered
    assert time.monotonic() - began < 30


def test_version_1_of_compose_is_known_too(tmp_path):
    program(tmp_path, "docker", '[ "$1" = version ] && echo 20.10')
    program(tmp_path, "docker-compose", "echo 1.29.2")
    assert engine(path=str(tmp_path)) == EngineFound(version="20.10", compose="1.29.2")


def test_this_machine_can_be_looked_at():
    company = look_around(0.05)
    assert all(share >= 0 for share in company.busy.values())
    assert system.clock_step_ns() > 0
    assert system.wake_up_late_s(times=3) >= 0
    assert system.open_files() is None or system.open_files() > 0


def test_who_keeps_a_core_busy_is_named():
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as burner:
        try:
            company = look_around(0.5, shown=1_000)  # others may be greedier
        finally:
            burner.kill()
    assert any(f"({burner.pid})" in name for name, _ in company.programs)


@pytest.mark.parametrize(("kind", "asked"), [("fast", HELLO), ("http", HELLO), ("fast", CRUD)])
def test_stock_users_ask_what_we_ask_and_are_answered(kind, asked):
    with null_server(asked) as null, stock_users(kind, null.address, asked) as ask:
        for _ in range(2):
            turn = ask(0.3)
            assert turn.requests > 0
            assert turn.failures == 0
            assert turn.cpu_s > 0


def test_stock_users_that_cannot_start_are_an_error_in_one_line():
    said = r"Locust's slow users ended: `python -m bench\.load\.child\.stock_users` shows why"
    with pytest.raises(CannotMeasure, match=said), stock_users("slow", ("127.0.0.1", 9), HELLO):
        pass


@pytest.mark.skipif(not wrk_is_installed(), reason="there is no wrk")
def test_wrk_asks_too():
    with null_server(HELLO) as null, wrk(null.address, HELLO) as ask:
        turn = ask(0.5)
        assert turn.requests > 0
        assert turn.failures == 0
        assert turn.elapsed_s == pytest.approx(1, abs=0.5)
    with pytest.raises(CannotMeasure, match="wrk ended with an error"), wrk(null.address, HELLO) as ask:
        ask(0.5)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("place", [make_project, Path])
def test_the_command_has_a_form_for_machines_and_an_exit_code_that_agrees(tmp_path, monkeypatch, place):
    monkeypatch.chdir(place(tmp_path))
    before = set(tmp_path.rglob("*"))
    told = CliRunner().invoke(commands, ["doctor", "--json"])
    document = json.loads(told.stdout)
    assert told.exit_code == (0 if document["fit"] else 3)
    assert document["ceiling_rps"]["engine"] > document["ceiling_rps"]["fast"]
    assert "Traceback" not in told.stderr
    assert place is make_project or set(tmp_path.rglob("*")) == before


DYING = """
[dying]
stack = "One that ends at once"
interface = "wsgi"
server = "none"
command = "python -c pass"
"""


@pytest.mark.slow
def test_a_machine_whose_noise_cannot_be_measured_is_not_fit_and_says_why(tmp_path, monkeypatch):
    project = make_project(tmp_path, contenders=DYING)
    (project / "apps" / "one_app" / "requirements.txt").touch()
    monkeypatch.chdir(project)
    told = CliRunner().invoke(commands, ["doctor", "--noise", "--json"])
    document = json.loads(told.stdout)
    assert told.exit_code == 3
    assert document["noise"] is None
    (unfit,) = [check for check in document["checks"] if check["name"] == "noise"]
    assert unfit["status"] == "not fit"
    assert re.search(r"dying(~aa)? ended with exit status 0 before it was ready", unfit["detail"])
    assert "Traceback" not in told.stderr
