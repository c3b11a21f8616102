"""Whether a plan fits this machine's descriptors, local ports, cores and CPU time, before anything starts."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from math import ceil

from bench.loads import Load
from bench.model.contender import Contender
from bench.model.plan import Block, Plan
from bench.observe import system
from bench.observe.local_ports import local_ports
from bench.project.heats import Group, groups
from bench.runtime.placement import available_cores

OWN_FILES = 64  # descriptors of a process besides its connections: log, poller, libraries, database
FEW_PORTS = 4_096  # 256 connections to each of eight contenders, and closed ones that linger
WIDEN = "widen the range: sysctl -w net.ipv4.ip_local_port_range='16384 60999'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What this machine allows. None means no limit, or an unknown one."""

    open_files: int | None = None  # the most descriptors that a process may have
    local_ports: int | None = None  # for the client's ends of connections to one server
    cores: int | None = None
    cpu_quota: float | None = None  # in cores' worth of CPU time


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Where the load comes from, and where it goes."""

    is_here: bool = True  # False: its processes are on other machines
    serves_here: bool = True  # False: the server under load is not ours
    processes: int = 1

    @property
    def cores_needed(self) -> int:
        return max(1, self.is_here + self.serves_here)


def look() -> Room:
    cores = available_cores()
    return Room(
        open_files=system.most_open_files(),
        local_ports=local_ports(),
        cores=len(cores) if cores else os.cpu_count(),
        cpu_quota=system.cpu_quota(),
    )


def fitting(
    plan: Plan, served: Mapping[str, Contender], room: Room, client: Client
) -> tuple[Plan, tuple[str, ...]]:
    """Return *plan* without loads that need more than this machine has, and a line for each that is left out.

    If nothing of the plan would be left, it is returned whole.
    """
    too_large: dict[tuple[str, Load], str] = {}
    for group in groups(plan, served):
        if why := _too_large(group, room, client):
            too_large.update({(name, group.load): why for name in group.contenders})
    if not too_large:
        return plan, ()
    blocks = [replace(block, loads=tuple(_kept(block, too_large))) for block in plan.blocks]
    left = tuple(block for block in blocks if block.loads)
    lines = tuple(f"left out: {why}" for why in dict.fromkeys(too_large.values()))
    return (replace(plan, blocks=left) if left else plan), lines


def refusal(plan: Plan, served: Mapping[str, Contender], room: Room, client: Client) -> str | None:
    """Return why *plan* cannot be measured here, with the remedy; None if it can."""
    needed = client.cores_needed
    if room.cores is not None and room.cores < needed:
        return (
            "there is one core, two are needed, one for servers and one for the client: give it two "
            "(taskset -c, docker --cpuset-cpus)"
        )
    if room.cpu_quota is not None and room.cpu_quota < needed:
        return (
            f"{room.cpu_quota:g} cores' worth of CPU time are allowed, {needed} are needed: beyond its "
            "limit a process stands still for a while; raise it (cpu.max, docker --cpus), or name cores "
            "instead (docker --cpuset-cpus)"
        )
    too_large = (_too_large(group, room, client) for group in groups(plan, served))
    return next(filter(None, too_large), None)


def warnings(plan: Plan, served: Mapping[str, Contender], room: Room) -> Iterator[str]:
    named = {name for block in plan.blocks for name in block.contenders}
    closing = [name for name in named if name in served and not served[name].keep_alive]
    if room.local_ports is not None and room.local_ports < FEW_PORTS and closing:
        names = ", ".join(sorted(closing))
        yield (
            f"{room.local_ports:,} local ports for {names} with a connection for each request: "
            f"they may run out; {WIDEN}"
        )


def held_cores(room: Room, cores: frozenset[int] | None) -> frozenset[int] | None:
    """Return the cores to keep to if a quota allows less than all *cores*. None: use all of them."""
    if cores is None or room.cpu_quota is None or room.cpu_quota >= len(cores):
        return None
    return frozenset(sorted(cores)[: max(1, int(room.cpu_quota))])


def held_caveat(room: Room, cores: int, of: int) -> str:
    return (
        f"{room.cpu_quota:g} cores' worth of CPU time are allowed: all is held to {cores} of {of} cores, "
        "so that the limit stops no process"
    )


@contextmanager
def kept_to(cores: frozenset[int] | None) -> Iterator[None]:
    """Keep this thread, and all processes that it starts, on *cores*. None changes nothing."""
    before = available_cores() if cores else None
    if not cores or before is None:
        yield
        return
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)


def _too_large(group: Group, room: Room, client: Client) -> str | None:
    connections, needed = group.load.connections, files_needed(group, client)
    if room.open_files is not None and needed > room.open_files:
        servers = len(group.heat)
        of = f" to each of {servers} servers" if servers > 1 else ""
        return (
            f"{connections:,} connections{of} ({group.scenario}) need {needed:,} descriptors, the limit is "
            f"{room.open_files:,}: ulimit -n {needed}"
        )
    here = client.is_here and client.serves_here
    if here and room.local_ports is not None and connections > room.local_ports:
        return (
            f"{connections:,} connections to a server ({group.scenario}) need as many local ports, there are "
            f"{room.local_ports:,}: {WIDEN}"
        )
    return None


def files_needed(group: Group, client: Client) -> int:
    """Return the largest number of descriptors that one process needs for the load of *group*.

    A load worker keeps its connections to every server of the heat, and also connects to the null server. A
    server may have all connections in one process.
    """
    connections = group.load.connections
    kept = connections * len(group.heat) + group.load.ceiling_load.connections
    asks = ceil(kept / client.processes) if client.is_here else 0
    serves = connections if client.serves_here else 0
    return max(asks, serves) + OWN_FILES


def _kept(block: Block, too_large: Mapping[tuple[str, Load], str]) -> Iterator[Load]:
    for load in block.loads:
        if not any((name, load) in too_large for name in block.contenders):
            yield load
