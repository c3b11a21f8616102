"""Containers that outlive a call: started together, removed together, never left behind."""

import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from bench.errors import CannotMeasure
from bench.runtime import leftovers
from bench.runtime.children import descendants, interrupts_held, runs, tail_of, telling_line
from bench.runtime.docker.engine import INSTEAD, Engine, reason

GROUPS = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")


def memory_kills(pid: int, *, processes: Path = PROCESSES, groups: Path = GROUPS) -> int:
    """Return the number of out-of-memory kills in the cgroup of *pid*; 0 if the system does not report them.

    Version 1 counts them in memory.oom_control, version 2 in memory.events
    (Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst).
    """
    with suppress(OSError):
        own = (processes / str(pid) / "cgroup").read_text()
        if found := re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:/(.*)$", own, re.MULTILINE):
            return _kills(groups / "memory" / found[1] / "memory.oom_control")
        if found := re.search(r"^0::/(.*)$", own, re.MULTILINE):
            return _kills(groups / found[1] / "memory.events")
    return 0


def _kills(file: Path) -> int:
    found = re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


LABEL = "webframework-bench.harness"  # on every container that we start: the process that started it
SIGNALLED = 128  # an init, like a shell, adds the signal's number to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container, with the log that it leaves; implements `bench.runtime.children.Running`."""

    engine: Engine = field(repr=False)
    name: str
    log: Path
    image: str
    started: float  # perf_counter
    memory_limit_bytes: int
    init: psutil.Process | None  # its process on this machine; None: it ended at once

    def pids(self) -> tuple[int, ...]:
        """Return every process in it except its init, which serves no requests; empty once it has ended."""
        return tuple(descendants(self.init.pid)) if self.init and runs(self.init) else ()

    def ended(self) -> str | None:
        """Return how it ended, or that its memory limit killed a process; None otherwise."""
        out_of_memory = f"killed: out of the {self.memory_limit_bytes / 2**20:,.0f} MiB a container has"
        if self.init and runs(self.init):
            return out_of_memory if memory_kills(self.init.pid) else None
        try:
            state = self.engine.inspected([self.name])[0]["State"]
        except CannotMeasure:
            return "was removed by someone else"
        if state["OOMKilled"]:
            return out_of_memory
        status, signal = state["ExitCode"], state["ExitCode"] - SIGNALLED
        return f"killed by signal {signal}" if signal > 0 else f"ended with exit status {status}"

    def left(self) -> tuple[int, ...]:
        """Return nothing: all processes of a container end with its first one."""
        return ()

    def log_tail(self, lines: int = 20) -> str:
        if not self.log.exists():
            self.save_log()
            text = tail_of(self.log, lines)
            self.log.unlink()  # the log is not complete yet
            return text
        return tail_of(self.log, lines)

    def telling_line(self) -> str:
        return telling_line(self.log_tail(200))

    def save_log(self) -> None:
        answer = self.engine.docker_result("logs", self.name)
        self.log.write_text(answer.output + answer.errors)  # stdout comes first


class Containers:
    """A group of containers of one project. Leaving its context removes them all, and their volumes.

    `scratch` holds compose's files, secrets included: only this user may have access.
    """

    def __init__(self, engine: Engine, *, project: str, source: Path, scratch: Path) -> None:
        self._engine = engine
        self._project = project
        self._source = source
        self._scratch = scratch
        self._names: list[str] = []
        self._started: list[Container] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with interrupts_held():
            for container in self._started:
                container.save_log()
            _remove(self._engine, self._names)

    def named(self, name: str) -> str:
        """Return how the engine names the container of the service *name*."""
        return f"{self._project}-{name}"

    def start(
        self, service: str, services: Mapping[str, Mapping[str, Any]], logs: Mapping[str, Path]
    ) -> dict[str, Container]:
        """Start containers as *service* of `source` describes, with other settings for each in *services*.

        Raises CannotMeasure if one cannot be created, or if its processes are not visible on this machine.
        """
        names = {name: self.named(name) for name in services}
        ours = {
            name: {"container_name": names[name], "labels": {LABEL: leftovers.signature()}, **settings}
            for name, settings in services.items()
        }
        file = described(self._scratch, self._source, service, ours)
        with interrupts_held():  # a container in creation could not be removed
            self._names += names.values()
            started = time.perf_counter()
            answer = self._engine.compose(self._project, file, "up", "--detach", "--no-build", *services)
            if answer.status:
                raise CannotMeasure(f"containers cannot be started: {reason(answer)}")
            facts = dict(zip(names, self._engine.inspected([*names.values()]), strict=True))
            up = {name: self._container(facts[name], logs[name], started) for name in names}
            self._started += up.values()
        return up

    def pin(self, cores: Iterable[int]) -> None:
        """Keep all of them, with every thread and new process, on *cores* from now on."""
        names = [container.name for container in self._started]
        self._engine.docker("update", "--cpuset-cpus", ",".join(map(str, cores)), *names)

    def _container(self, facts: Mapping[str, Any], log: Path, started: float) -> Container:
        pid, init = facts["State"]["Pid"], None
        if pid:
            with suppress(psutil.NoSuchProcess):
                init = psutil.Process(pid)
            if facts["State"]["Running"] and init and not self._engine.host.is_init(pid):
                raise CannotMeasure(
                    "processes of containers are not visible from here, as where containers run in a virtual "
                    f"machine or bench runs in a container: run it beside the engine, {INSTEAD}"
                )
        return Container(
            engine=self._engine,
            name=facts["Name"].removeprefix("/"),
            log=log,
            image=facts["Config"]["Image"],
            started=started,
            memory_limit_bytes=facts["HostConfig"]["Memory"],
            init=init,
        )


def described(scratch: Path, source: Path, service: str, services: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a compose file, for this user alone: each of *services* extends *service* of *source*."""
    whole = {
        name: {"extends": {"file": str(source), "service": service}} | dict(settings)
        for name, settings in services.items()
    }
    file = scratch / f"{service}-{secrets.token_hex(4)}.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"services": _literal(whole)}))
    return file


def on_cores(cores: Iterable[int] | None) -> dict[str, str]:
    return {"cpuset": ",".join(map(str, cores))} if cores else {}


def as_this_user() -> dict[str, str]:
    """Return compose's settings that let us read memory and sockets of a container's processes.

    Root may read those of every user, and a container should not run as root.
    """
    return {"user": f"{os.getuid()}:{os.getgid()}"} if os.getuid() else {}


def cleared(engine: Engine) -> None:
    """Remove what dead runs have left. Networks are never made, and volumes are removed with containers."""
    form = f'{{{{.Names}}}} {{{{.Label "{LABEL}"}}}}'
    lines = engine.docker("ps", "--all", "--filter", f"label={LABEL}", "--format", form).splitlines()
    entries = [line.split() for line in lines if line.strip()]
    _remove(engine, [name for name, signature in entries if leftovers.is_dead(signature)])


def _remove(engine: Engine, names: Sequence[str]) -> None:
    if names:
        engine.docker_result("rm", "--force", "--volumes", *names)


def _literal(value: Any) -> Any:
    """Double every dollar sign: compose fills in variables of the shell."""
    match value:
        case str():
            return value.replace("$", "$$")
        case dict():
            return {key: _literal(one) for key, one in value.items()}
        case list() | tuple():
            return [_literal(one) for one in value]
    return value
