"""What a run needs beside cores: descriptors, ports, disk, caches; and whether containers are possible."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.doctor.diagnosis import Check, check
from bench.observe import system
from bench.observe.local_ports import Ports, ports
from bench.runtime import callgrind
from bench.runtime.services.own import KINDS, lacking

SYNCS = 5
CONTENT = b"\0" * 64 * 1024  # as much as a small run file


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The free space of a folder's file system, and the median time of an fsync of a small file."""

    free_bytes: int
    sync_s: float


def disk(folder: Path) -> Disk:
    """Write a few small files in *folder* and remove them; raises OSError if that fails."""
    return Disk(
        free_bytes=shutil.disk_usage(folder).free, sync_s=median(_sync_s(folder) for _ in range(SYNCS))
    )


def _sync_s(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(CONTENT)
        file.flush()
        began = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - began


TIMEOUT_S = 3.0  # an existing engine answers in a tenth of that
COMPOSE = (("docker", "compose"), ("docker-compose",))  # the second is version 1, or its replacement


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFound:
    """An engine that answered."""

    version: str
    compose: str | None  # its version; None: there is none


def engine(timeout_s: float = TIMEOUT_S, path: str | None = None) -> EngineFound | None:
    """Return Docker's engine; None without one, or if it does not answer in time.

    Its commands are searched on *path*, by default on PATH.
    """
    version = command_output(("docker", "version", "--format", "{{.Server.Version}}"), timeout_s, path)
    if not version:
        return None
    composes = (command_output((*command, "version", "--short"), timeout_s, path) for command in COMPOSE)
    return EngineFound(version=version, compose=next(filter(None, composes), None))


def command_output(command: Sequence[str], timeout_s: float, path: str | None) -> str | None:
    """Return what *command* prints; None if it fails. It is ended with every process that it started."""
    program = shutil.which(command[0], path=path)
    if program is None:
        return None
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    found_command = [program, *command[1:]]
    with subprocess.Popen(
        found_command, stdin=null, stdout=pipe, stderr=null, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # A process that Docker's command started (compose is one) would keep the pipe open.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    return output.decode(errors="replace").strip() if process.returncode == 0 else None


FILES = 1_024  # 256 connections, the most of plan latency, to each of three contenders at once, and some more
SERVERS = 16  # listening at once: twice as many as plan quick starts
FREE_PORTS = 4_096  # 256 connections to each of eight contenders; those of a round linger into the next one
ROOM, LITTLE_ROOM = 5 * 10**9, 5 * 10**8  # bytes; PostgreSQL may keep 4 GB of its log
SLOW_SYNC_S = 0.05  # a run is saved after every sweep, beside running servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """What is available now."""

    open_files: int | None = None  # None: no limit
    ports: Ports = field(default_factory=Ports)
    disks: Mapping[str, Disk | str] = field(default_factory=dict)  # purpose → disk of its folder, or why none
    caches: Mapping[str, tuple[str, str] | None] = field(default_factory=dict)  # address → why not, remedy
    engine: EngineFound | None = None
    valgrind: str | None = None  # its version


def take_stock(results: Path) -> Supplies:
    """Examine the supplies for a run whose folder is created below *results*."""
    there = next(folder for folder in (results, *results.parents) if folder.is_dir())
    return Supplies(
        open_files=system.most_open_files(),
        ports=ports(SERVERS),
        disks={"results": _disk(there), "databases": _disk(Path(tempfile.gettempdir()))},
        caches={kind.title: lacking(kind) for kind in KINDS.values() if not kind.trial},
        engine=engine(),
        valgrind=callgrind.version(),
    )


def checks(supplies: Supplies) -> Iterator[Check]:
    yield _files(supplies.open_files)
    yield _ports(supplies.ports)
    for purpose, found in supplies.disks.items():
        yield _room(f"disk for {purpose}", found)
    for name, why in supplies.caches.items():
        yield _cache(name, why)
    yield _engine(supplies.engine)
    yield _counter(supplies.valgrind)


def _disk(folder: Path) -> Disk | str:
    try:
        return disk(folder)
    except OSError as error:
        return f"{folder}: {error.strerror}"


def _files(limit: int | None) -> Check:
    return check(
        "open files",
        "ok" if limit is None or limit >= FILES else "caution",
        "no limit" if limit is None else f"{limit:,} for each process",
        f"raise the hard limit: ulimit -n {4 * FILES}, as root",
    )


def _ports(found: Ports) -> Check:
    if found.opened < found.requested:
        detail = f"only {found.opened} of {found.requested} servers could listen on 127.0.0.1"
        return check("ports", "not fit", detail, "end what holds them, and allow servers on loopback")
    if found.ephemeral is None or found.taken is None:
        return check("ports", "ok", f"{found.opened} servers can listen on loopback")
    free = found.ephemeral - found.taken
    return check(
        "ports",
        "ok" if free >= FREE_PORTS else "caution",
        f"{free:,} of {found.ephemeral:,} are free for connections",
        "wait a minute for ended ones, or widen: sysctl -w net.ipv4.ip_local_port_range='16384 60999'",
    )


def _room(name: str, found: Disk | str) -> Check:
    if isinstance(found, str):
        return check(name, "not fit", found, "make it writable, or name another: --out, TMPDIR")
    remedies = [
        *(["make room, or name another: --out, TMPDIR"] if found.free_bytes < ROOM else []),
        *(["use a disk that is faster, or not busy"] if found.sync_s > SLOW_SYNC_S else []),
    ]
    return check(
        name,
        "not fit" if found.free_bytes < LITTLE_ROOM else "caution" if remedies else "ok",
        f"{found.free_bytes / 1e9:,.1f} GB free; to write 64 kB to disk takes {found.sync_s * 1e3:,.1f} ms",
        "; ".join(remedies),
    )


def _cache(name: str, missing: tuple[str, str] | None) -> Check:
    if missing is None:
        return check(name, "ok", "is there, for contenders that need it")
    why, remedy = missing
    return check(name, "caution", f"{why}: contenders that need it are left out", remedy)


def _counter(version: str | None) -> Check:
    if version is None:
        return check("valgrind", "ok", f"is not installed: instructions are not counted; {callgrind.REMEDY}")
    return check("valgrind", "ok", f"{version}: instructions per request can be counted")


def _engine(found: EngineFound | None) -> Check:
    if found is None:
        return check("Docker", "ok", "no engine answers: runs use the process runtime")
    if found.compose is None:
        return check("Docker", "ok", f"{found.version}, without compose: runs use the process runtime")
    return check("Docker", "ok", f"{found.version}, compose {found.compose}")
