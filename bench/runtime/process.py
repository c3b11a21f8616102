"""Contenders as processes of this machine, with services from wheels: no container engine needed."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import CannotMeasure
from bench.files import working_folder
from bench.model.contender import Contender
from bench.runtime import Counting, environments, leftovers, preparing, servers
from bench.runtime.callgrind import REMEDY, SLOWER, Callgrind, under_callgrind, version
from bench.runtime.children import Children, interrupts_held, log_name
from bench.runtime.folders import Folders, OwnFolder
from bench.runtime.gil import GilWatch, is_free_threaded
from bench.runtime.hooks import hook
from bench.runtime.placement import Placement, pinned
from bench.runtime.ports import HOST, free_ports
from bench.runtime.python_calls import PythonCalls
from bench.runtime.readiness import ready
from bench.runtime.servers import ProcessServer
from bench.runtime.services.own import KINDS, OwnServices, known_services, lack, opened
from bench.runtime.services.service import ProcessPlace
from bench.runtime.statements import DriverStatements
from bench.runtime.written_files import OwnFiles

# Servers get a stop signal, and are killed later. Work after that is useless: Python takes 0.5 s of CPU to
# shut down.
GRACE_S = 0.3
ENVIRONMENTS_AT_ONCE = 2  # uv fills every core by itself, but not all the time


class ProcessRuntime:
    """Implements `bench.runtime.Runtime`. Leaving its context ends all that it has started.

    `scratch` holds what lives as long as a run, `logs` keeps a log of each server and service.
    """

    name = "process"

    def __init__(
        self,
        *,
        project: Path,
        placement: Placement,
        scratch: Path,
        logs: Path,
    ) -> None:
        self._venvs = project / ".venvs"
        self._placement = placement
        self._scratch = scratch
        self._logs = logs
        self._ledger = leftovers.Ledger(scratch)
        self._running = ExitStack()
        self._environments: dict[str, environments.Environment] = {}
        place = ProcessPlace(ledger=self._ledger, scratch=scratch, logs=logs, cores=placement.database)
        self._opened = opened({name: kind.processes(place) for name, kind in KINDS.items()})
        self._folders = Folders(scratch, self._ledger)
        self._prepared: set[str] = set()  # contenders whose commands have run
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        working_folder(self._scratch)
        self._logs.mkdir(parents=True, exist_ok=True)
        leftovers.clear(self._scratch)
        self._running.callback(self._ledger.close)
        self._running.enter_context(self._folders)
        self._services = self._running.enter_context(self._opened)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with interrupts_held():
            self._running.close()

    def lacks(self, contender: Contender) -> str | None:
        return lack(contender) or environments.missing_python(contender)

    @staticmethod
    def uncounted() -> str | None:
        return None if version() else f"valgrind is not installed: {REMEDY}"

    def prepare(self, contenders: Sequence[Contender]) -> None:
        for contender in contenders:
            known_services(contender)
        with ThreadPoolExecutor(ENVIRONMENTS_AT_ONCE) as builders:
            made = [builders.submit(environments.environment, one, self._venvs) for one in contenders]
            for contender in contenders:
                self._services.prepare(contender)
        for contender, environment in zip(contenders, made, strict=True):
            self._environments[contender.name] = environment.result()
            self._folders.prepare(contender, environment.result().programs / "python")
            if (contender.build or contender.prepare) and contender.name not in self._prepared:
                self._carry_out(contender)
                self._prepared.add(contender.name)

    @contextmanager
    def serve(
        self,
        contenders: Sequence[Contender],
        *,
        hash_seed: int,
        timed: bool = True,
        counting: Counting | None = None,
    ) -> Iterator[Mapping[str, ProcessServer]]:
        """Start a fresh server for each contender in its own folder. On exit stop and remove all.

        All run at the same time. If nothing is *timed*, they may use every core. *counting*: statements are
        counted by drivers where no service does; calls of functions by Python itself.
        """
        seeded = [(one, hash_seed) for one in contenders]
        with self._served(seeded, timed=timed, counting=counting) as up:
            yield {server.contender.name: server for server in up}

    @contextmanager
    def serve_counted(self, seeded: Sequence[tuple[Contender, int]]) -> Iterator[Sequence[ProcessServer]]:
        """Start a fresh server for each contender and hash seed under valgrind, where it starts slowly."""
        with self._served(seeded, timed=False, emulated=True) as up:
            yield up

    @contextmanager
    def _served(
        self,
        seeded: Sequence[tuple[Contender, int]],
        *,
        timed: bool,
        counting: Counting | None = None,
        emulated: bool = False,
    ) -> Iterator[Sequence[ProcessServer]]:
        contenders = [one for one, _ in seeded]
        with (
            ExitStack() as held,
            ThreadPoolExecutor(max(1, len(contenders))) as waiting,
            self._services.given(contenders) as given,
            Children(self._ledger, grace_s=GRACE_S) as children,
        ):
            answers = []
            slow = emulated or counting == "calls"
            # A database is copied while earlier servers import: neither needs a whole core.
            ports = free_ports(len(contenders))
            for (contender, hash_seed), port, services in zip(seeded, ports, given, strict=True):
                folder = held.enter_context(self._folders.given(contender))
                hooked: DriverStatements | PythonCalls | GilWatch | None = None
                if counting == "statements" and services.counting_part is None:
                    hooked = DriverStatements(held.enter_context(hook("bench_statements", self._scratch)))
                elif counting == "calls":
                    hooked = PythonCalls(held.enter_context(hook("bench_calls", self._scratch)))
                elif counting is None and not emulated and is_free_threaded(contender):
                    hooked = GilWatch(held.enter_context(hook("bench_gil", self._scratch)))
                callgrind = held.enter_context(under_callgrind(self._scratch)) if emulated else None
                server = self._start(
                    contender, port, hash_seed, services, children, folder, hooked, callgrind
                )
                answers.append(waiting.submit(ready, server, slower=SLOWER if slow else 1.0))
            for answer in as_completed(answers):
                server = answer.result()
                if timed:
                    self._pin(server)
                server.keep_data()
            yield [answer.result() for answer in answers]

    def check(self) -> None:
        self._services.check()

    def database_pids(self) -> tuple[int, ...]:
        return self._services.pids()

    def facts(self) -> Mapping[str, object]:
        return {
            "placement": asdict(self._placement),
            "services": self._services.facts(),
            "environments": {
                made.folder.name: {
                    "python": made.python,
                    "built": made.built,
                    "packages": made.packages(),
                }
                for made in self._environments.values()
            },
            "environment_of": {name: made.folder.name for name, made in self._environments.items()},
            "unlocked": environments.unlocked(self._environments),
        }

    def _carry_out(self, contender: Contender) -> None:
        """Run the commands of a contender that come before its servers. Raises CannotMeasure."""
        environment = self._environments[contender.name]
        with (
            self._services.preparing(contender) as services,
            self._folders.preparing(contender) as folder,
            Children(self._ledger) as children,
        ):
            values = servers.values(
                contender,
                port=free_ports(1)[0],
                services=services,
                folder=folder.at(contender.at),
                data_dir=folder.data,
            )
            env = servers.environment(
                contender,
                values,
                programs=environment.programs,
                home=folder.home,
                hash_seed=0,
                services=services,
                folder=folder,
                sources=environment.sources,
            )
            for key in ("build", "prepare"):
                preparing.carry_out(
                    key,
                    [folder.own(one) for one in servers.commands(contender, key, values)],
                    children,
                    whose=contender.name,
                    folder=folder.at(contender.at),
                    env=env,
                    log=self._logs / log_name(f"{contender.name}-{key}", next(self._numbers)),
                    remedy=services.remedy,
                )

    def _start(
        self,
        contender: Contender,
        port: int,
        hash_seed: int,
        services: OwnServices,
        children: Children,
        folder: OwnFolder,
        hooked: DriverStatements | PythonCalls | GilWatch | None,
        callgrind: Callgrind | None,
    ) -> ProcessServer:
        environment = self._environments[contender.name]
        values = servers.values(
            contender, port=port, services=services, folder=folder.at(contender.at), data_dir=folder.data
        )
        env = servers.environment(
            contender,
            values,
            programs=environment.programs,
            home=folder.home,
            hash_seed=hash_seed,
            services=services,
            folder=folder,
            sources=environment.sources,
        )
        command = [folder.own(word) for word in servers.command(contender, values)]
        child = children.start(
            callgrind.command(command) if callgrind else command,
            folder=folder.at(contender.at),
            log=self._logs / log_name(contender.name, next(self._numbers)),
            env=hooked.environment(env) if hooked else env,
            cores=None,  # all of them until it is ready
        )
        address = (HOST, port)
        return ProcessServer(
            contender=contender,
            address=address,
            child=child,
            services=services,
            environment=environment.folder.name,
            path=contender.root,
            packages=environment.libraries,
            drivers=hooked if isinstance(hooked, DriverStatements) else None,
            calls=hooked if isinstance(hooked, PythonCalls) else None,
            gil=hooked if isinstance(hooked, GilWatch) else None,
            instructions=callgrind,
            files=OwnFiles(folder=folder, at=contender.at, pids=child.pids),
        )

    def _pin(self, server: ProcessServer) -> None:
        if self._placement.server and not pinned(server.pids, self._placement.server):
            raise CannotMeasure(
                f"{server.contender.name} does not stay on the cores it is given: "
                "start it with an option that leaves placement to others"
            )
