"""Contenders as containers of this machine's engine: docker-compose.yml sets what each may do."""

import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import UsageError
from bench.files import working_folder
from bench.model.contender import Contender
from bench.runtime import Counting, leftovers, servers
from bench.runtime.callgrind import SLOWER, Callgrind, under_callgrind
from bench.runtime.children import interrupts_held, log_name
from bench.runtime.docker import containers, images
from bench.runtime.docker.containers import Containers, as_this_user, on_cores
from bench.runtime.docker.engine import INSTEAD, Engine
from bench.runtime.docker.images import CountedImage, Image
from bench.runtime.gil import FREE
from bench.runtime.placement import Placement, available_cores
from bench.runtime.ports import HOST, free_ports
from bench.runtime.readiness import ready
from bench.runtime.servers import ProcessServer
from bench.runtime.services.own import KINDS, UNCOUNTED, OwnServices, known_services, opened, uncontained
from bench.runtime.services.service import ContainerPlace

FILE = "docker-compose.yml"
COUNTED_MEMORY = "4g"  # valgrind keeps its translation of the code that runs


class ComposeRuntime:
    """Implements `bench.runtime.Runtime`. Leaving its context removes all that it has started.

    `scratch` holds what lives as long as a run, `logs` keeps a log of each server and service. Images stay:
    their names show what is in them.
    """

    name = "compose"

    def __init__(
        self,
        *,
        engine: Engine,
        project: Path,
        placement: Placement,
        scratch: Path,
        logs: Path,
    ) -> None:
        self._engine = engine
        self._source = project / FILE
        self._placement = placement
        self._scratch = scratch
        self._logs = logs
        self._name = f"bench-{os.getpid()}-{secrets.token_hex(3)}"  # compose's project: only this run has it
        self._ledger = leftovers.Ledger(scratch)
        self._running = ExitStack()
        place = ContainerPlace(group=self._containers, logs=logs, cores=placement.database)
        self._opened = opened(
            {name: kind.containers(place) for name, kind in KINDS.items() if kind.containers}
        )
        self._images: dict[str, Image] = {}
        self._counted: dict[str, CountedImage] = {}  # by the tag of the image that is timed
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        working_folder(self._scratch)
        self._logs.mkdir(parents=True, exist_ok=True)
        leftovers.clear(self._scratch)
        containers.cleared(self._engine)
        self._running.callback(self._ledger.close)
        self._secret = Path(tempfile.mkdtemp(prefix=f"{leftovers.FOLDER_PREFIX}compose-"))
        self._running.callback(shutil.rmtree, self._secret, ignore_errors=True)
        self._ledger.note_folder(self._secret)
        self._services = self._running.enter_context(self._opened)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with interrupts_held():
            self._running.close()

    def lacks(self, contender: Contender) -> str | None:
        if (contender.python or "").endswith(FREE):
            return f"no image has Python {contender.python}: add --runtime process"
        return uncontained(contender)

    @staticmethod
    def uncounted() -> None:
        return None

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Build images, and make ready what the services of each server are made from.

        Raises UsageError if the project lacks what containers are made from, CannotMeasure if something
        fails.
        """
        if not self._source.is_file():
            raise UsageError(f"there is no {self._source}: copy the one of webframework-bench, {INSTEAD}")
        for contender in contenders:
            known_services(contender)
        made: dict[str, Image] = {}
        for contender in contenders:
            tag = images.tag_of(contender)
            if tag not in made:
                made[tag] = images.image(
                    contender, self._engine, source=self._source, scratch=self._secret, logs=self._logs
                )
            self._images[contender.name] = made[tag]
            self._services.prepare(contender)

    @contextmanager
    def serve(
        self,
        contenders: Sequence[Contender],
        *,
        hash_seed: int,
        timed: bool = True,
        counting: Counting | None = None,
    ) -> Iterator[Mapping[str, ProcessServer]]:
        """Start a fresh container for each contender, all at once. On exit remove them and their services.

        If nothing is *timed*, they may use every core. *counting* needs a service that counts: drivers in
        images are not counted, nor are calls.
        """
        seeded = [(one, hash_seed) for one in contenders]
        with self._served(seeded, timed=timed) as up:
            yield {server.contender.name: server for server in up}

    @contextmanager
    def serve_counted(self, seeded: Sequence[tuple[Contender, int]]) -> Iterator[Sequence[ProcessServer]]:
        """Start a fresh container for each contender and hash seed, from an image with valgrind."""
        for contender, _ in seeded:
            made = self._images[contender.name]
            if made.tag not in self._counted:
                self._counted[made.tag] = images.counted_image(
                    made, self._engine, scratch=self._secret, logs=self._logs
                )
        with self._served(seeded, timed=False, emulated=True) as up:
            yield up

    @contextmanager
    def _served(
        self, seeded: Sequence[tuple[Contender, int]], *, timed: bool, emulated: bool = False
    ) -> Iterator[Sequence[ProcessServer]]:
        with (
            ExitStack() as held,
            ThreadPoolExecutor(max(1, len(seeded))) as waiting,
            self._services.given([contender for contender, _ in seeded]) as given,
            self._containers() as group,
        ):
            started = self._start(seeded, [*given], group, held if emulated else None)
            slower = SLOWER if emulated else 1.0
            answers = [waiting.submit(ready, server, slower=slower) for server in started]
            for answer in as_completed(answers):
                answer.result()  # the first failure is raised at once
            up = [answer.result() for answer in answers]
            for server in up:
                server.keep_data()
            if timed and self._placement.server:
                group.pin(self._placement.server)
            yield up

    def check(self) -> None:
        self._services.check()

    def database_pids(self) -> tuple[int, ...]:
        return self._services.pids()

    def facts(self) -> Mapping[str, object]:
        return {
            "placement": asdict(self._placement),
            "services": self._services.facts(),
            "environments": {one.tag: one.content() for one in self._images.values()},
            "environment_of": {name: one.tag for name, one in self._images.items()},
            "engine": {"docker": self._engine.version, "compose": self._engine.compose_version},
        }

    def _containers(self) -> Containers:
        return Containers(self._engine, project=self._name, source=self._source, scratch=self._secret)

    def _start(
        self,
        seeded: Sequence[tuple[Contender, int]],
        given: Sequence[OwnServices],
        group: Containers,
        counting: ExitStack | None,
    ) -> list[ProcessServer]:
        """Start a container for each. *counting* holds the counters of instructions; None: none."""
        ports = free_ports(len(seeded))
        settings: dict[str, Mapping[str, object]] = {}
        logs: dict[str, Path] = {}
        counters: list[Callgrind | None] = []
        for (contender, hash_seed), port, services in zip(seeded, ports, given, strict=True):
            number = next(self._numbers)
            name = f"{contender.base}-{number}"
            counters.append(
                counting.enter_context(self._counter(contender, group.named(name))) if counting else None
            )
            settings[name] = self._settings(contender, port, hash_seed, services, counters[-1])
            logs[name] = self._logs / log_name(contender.name, number)
        up = group.start(images.SERVICE, settings, logs)
        return [
            ProcessServer(
                contender=contender,
                address=(HOST, port),
                child=child,
                services=services,
                environment=self._images[contender.name].tag,
                path=str(images.APPS),
                instructions=callgrind,
                uncounted=UNCOUNTED,
            )
            for (contender, _), port, child, services, callgrind in zip(
                seeded, ports, up.values(), given, counters, strict=True
            )
        ]

    def _counter(self, contender: Contender, container: str) -> AbstractContextManager[Callgrind]:
        counted = self._counted[self._images[contender.name].tag]
        beside = ("docker", "exec", container)
        return under_callgrind(self._scratch.absolute(), beside=beside, release=counted.valgrind)

    def _settings(
        self,
        contender: Contender,
        port: int,
        hash_seed: int,
        services: OwnServices,
        callgrind: Callgrind | None,
    ) -> dict[str, object]:
        """Return compose's settings of a contender; all others are in docker-compose.yml."""
        values = servers.values(
            contender,
            port=port,
            services=services,
            folder=images.APPS / contender.app,
            data_dir=images.HOME,
        )
        environment = servers.environment(
            contender,
            values,
            programs=images.PROGRAMS,
            home=images.HOME,
            hash_seed=hash_seed,
            services=services,
        )
        image, command = self._images[contender.name].tag, servers.command(contender, values)
        settings: dict[str, object] = {
            "image": image,
            "command": command,
            "environment": environment,
            **as_this_user(),
            **on_cores(available_cores()),
        }
        if callgrind is None:
            return settings
        shared = {"type": "bind", "source": str(callgrind.folder), "target": str(callgrind.folder)}
        return {
            **settings,
            "image": self._counted[image].tag,
            "command": callgrind.command(command),
            "volumes": [shared],
            "mem_limit": COUNTED_MEMORY,
        }
