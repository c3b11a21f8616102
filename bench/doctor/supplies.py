"""What a run needs beside cores: descriptors, ports, disk, caches; and whether there could be containers."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.doctor.diagnosis import Check, check
from bench.doctor.disk import Disk, disk
from bench.observe import limits
from bench.observe.containers import Engine, engine
from bench.observe.ports import Ports, ports
from bench.runtime.services.cache_programs import INSTEAD, missing
from bench.runtime.services.caches import KINDS

FILES = 1_024  # 256 connections, plan latency's most, to each of three contenders at once, and some more
SERVERS = 16  # listening at once: twice as many as plan quick starts
FREE_PORTS = 4_096  # 256 connections to each of eight contenders; those of a round linger into the next one
ROOM, LITTLE_ROOM = 5 * 10**9, 5 * 10**8  # bytes; PostgreSQL may keep 4 GB of its log
SLOW_SYNC_S = 0.05  # a run is saved after every sweep, beside servers that are up


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """What there is now."""

    open_files: int | None = None  # None: no limit
    ports: Ports = field(default_factory=Ports)
    disks: Mapping[str, Disk | str] = field(default_factory=dict)  # for what → its folder's, or why not
    caches: Mapping[str, tuple[str, str] | None] = field(default_factory=dict)  # spoken → why not, the remedy
    engine: Engine | None = None


def take_stock(results: Path) -> Supplies:
    """Look at what there is for a run whose folder is made below *results*."""
    there = next(folder for folder in (results, *results.parents) if folder.is_dir())
    return Supplies(
        open_files=limits.most_open_files(),
        ports=ports(SERVERS),
        disks={"results": _disk(there), "databases": _disk(Path(tempfile.gettempdir()))},
        caches={kind.spoken: missing(kind) for kind in KINDS.values()},
        engine=engine(),
    )


def checks(supplies: Supplies) -> Iterator[Check]:
    """Yield what *supplies* mean."""
    yield _files(supplies.open_files)
    yield _ports(supplies.ports)
    for purpose, found in supplies.disks.items():
        yield _room(f"disk for {purpose}", found)
    for name, why in supplies.caches.items():
        yield _cache(name, why)
    yield _engine(supplies.engine)


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
    if found.opened < found.asked:
        said = f"only {found.opened} of {found.asked} servers could listen on 127.0.0.1"
        return check("ports", "not fit", said, "end what holds them, and allow servers on loopback")
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
        f"{found.free_bytes / 1e9:,.1f} GB free; to write 64 kB for good takes {found.sync_s * 1e3:,.1f} ms",
        "; ".join(remedies),
    )


def _cache(name: str, missing: tuple[str, str] | None) -> Check:
    if missing is None:
        return check(name, "ok", "is there, for contenders that ask for it")
    why, remedy = missing
    return check(name, "caution", f"{why}: contenders that ask for it are left out", f"{remedy}, {INSTEAD}")


def _engine(found: Engine | None) -> Check:
    """Say what there is: nothing is wrong without containers."""
    if found is None:
        return check("Docker", "ok", "no engine answers: runs use the process runtime")
    if found.compose is None:
        return check("Docker", "ok", f"{found.version}, without compose: runs use the process runtime")
    return check("Docker", "ok", f"{found.version}, compose {found.compose}")
