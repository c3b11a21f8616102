"""PostgreSQL for one run: of a wheel (docs/adr/0002: why), of this machine, in a container, or running."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psycopg

from bench.errors import CannotMeasure
from bench.model.contender import Contender, PostgresOrigin
from bench.runtime.children import Children, Running
from bench.runtime.docker.containers import on_cores
from bench.runtime.launch import launched
from bench.runtime.leftovers import FOLDER_PREFIX
from bench.runtime.ports import free_ports
from bench.runtime.services.copies import DatabaseServer, copies
from bench.runtime.services.postgresql_databases import MAINTENANCE, USER, Databases
from bench.runtime.services.postgresql_extensions import remedy
from bench.runtime.services.postgresql_programs import (
    OF_POSTGRESQL,
    OF_SYSTEM,
    PostgresPrograms,
    installed,
    of_wheel,
)
from bench.runtime.services.running_postgresql import running_postgresql
from bench.runtime.services.service import (
    DATABASE_PLACEHOLDERS,
    ContainerPlace,
    ProcessPlace,
    ServiceFacts,
    ServiceKind,
    unprivileged,
)

START_TIMEOUT_S = 30.0
LOG = "postgresql.log"
# The same for every contender. The data live for one run, so nothing is made durable. Background work on a
# timer (vacuum, checkpoints) is off, so that it does not fall into one slice and not into another.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "2000",  # plan optimisations: 60 contenders with 16 to 32 connections
    "shared_buffers": "256MB",
    "shared_preload_libraries": "pg_stat_statements",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",  # wal_level requires it
    "jit": "off",  # the wheel is built without it; set so that every build of PostgreSQL behaves alike
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQL:
    """A running server."""

    child: Running
    databases: Databases
    source: str  # the wheel or image it comes from
    version: str
    settings: Mapping[str, str]

    def check(self) -> None:
        if ended := self.child.ended():
            why = f"{self.child.telling_line()}{_counts(self.child)}"
            raise CannotMeasure(
                f"PostgreSQL {ended} ({why}): see {self.child.log}", log=self.child.log_tail()
            )

    def pids(self) -> tuple[int, ...]:
        return self.child.pids()

    def facts(self) -> ServiceFacts:
        return {"version": self.version, "from": self.source, "settings": self.settings}


@contextmanager
def postgresql(place: ProcessPlace, bin: str | None = None) -> Iterator[PostgreSQL]:
    """Start a server on a fresh data folder; both are removed afterwards. Raises CannotMeasure.

    *bin*: the folder of its programs, or "PATH"; None: those of a wheel.
    """
    user = unprivileged("PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}postgres-"))
    try:
        place.ledger.note_folder(folder)
        if user:
            shutil.chown(folder, user)
        programs = installed(bin) if bin else of_wheel(folder, user)
        if isinstance(programs, str):
            raise CannotMeasure(programs)
        password = secrets.token_hex(16)
        _make_cluster(programs, folder, user, password)
        with Children(place.ledger) as children:
            databases = Databases(
                port=free_ports(1)[0],
                password=password,
                remedy=partial(remedy, major=programs.major if bin else None),
            )
            settings = SETTINGS | {"port": str(databases.port)}
            child = children.start(
                [
                    *(str(programs.folder / "postgres"), "-D", str(folder / "data")),
                    *(f"--{name}={value}" for name, value in settings.items()),
                ],
                folder=folder,
                log=place.logs / LOG,
                env=_environment(),
                cores=place.cores,
                user=user,
                stop_signal=signal.SIGQUIT,  # at once: the data are discarded
            )
            server = PostgreSQL(
                child=child,
                databases=databases,
                source=programs.source,
                version=programs.version,
                settings=SETTINGS,
            )
            wait_for(server)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        place.ledger.forget_folder(folder)


def _make_cluster(programs: PostgresPrograms, folder: Path, user: str | None, password: str) -> None:
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if user:
        shutil.chown(secret, user)
    initdb = [
        *(str(programs.folder / "initdb"), "-D", str(folder / "data"), "--no-sync", "--no-instructions"),
        *(f"--username={USER}", f"--pwfile={secret}", "--auth=scram-sha-256", *programs.locale),
    ]
    done = subprocess.run(
        launched(initdb, cores=None, user=user, death_signal=signal.SIGKILL),
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    secret.unlink()
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise CannotMeasure(f"PostgreSQL could not make its data folder in {folder.parent}: {lines[-1]}")


def wait_for(server: PostgreSQL) -> None:
    """Wait until it answers. Raises CannotMeasure."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        server.check()
        try:
            psycopg.connect(server.databases.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise CannotMeasure(f"PostgreSQL did not answer within {START_TIMEOUT_S:.0f} s: see {server.child.log}")


def _counts(child: Running) -> str:
    """Return the remedy where a module is missing that counts statements."""
    if "pg_stat_statements" not in child.log_tail():
        return ""
    return ": it lacks pg_stat_statements: install its contributed modules (postgresql-contrib)"


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


SERVICE = "database"  # of docker-compose.yml
# The image fills its cluster through a socket, with a temporary server that has these settings, too.
NOT_HERE = "unix_socket_directories"
INITDB = "--no-sync --auth=scram-sha-256"


@contextmanager
def contained_postgresql(place: ContainerPlace, image: str | None = None) -> Iterator[PostgreSQL]:
    """Start a server on a fresh volume; both are removed afterwards. Raises CannotMeasure.

    *image*: one of the user's, made from PostgreSQL's own; None: that of docker-compose.yml.
    """
    (port,) = free_ports(1)
    databases = Databases(
        port=port, password=secrets.token_hex(16), remedy=partial(remedy, image=image or "its image")
    )
    settings = {name: value for name, value in SETTINGS.items() if name != NOT_HERE}
    words = [f"--{name}={value}" for name, value in {**settings, "port": str(port)}.items()]
    environment = {
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": databases.password,
        "POSTGRES_DB": MAINTENANCE,
        "POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
        # An image of one's own may have an older version, without a locale of its own.
        "POSTGRES_INITDB_ARGS": f"{INITDB} {OF_SYSTEM if image else OF_POSTGRESQL}",
    }
    composed = {"command": ["postgres", *words], "environment": environment} | on_cores(place.cores)
    if image:
        composed["image"] = image
    with place.group() as group:
        up = group.start(SERVICE, {"postgres": composed}, {"postgres": place.logs / LOG})["postgres"]
        server = PostgreSQL(child=up, databases=databases, source=up.image, version="", settings=settings)
        wait_for(server)
        yield replace(server, version=databases.version())


def _process(place: ProcessPlace, origin: PostgresOrigin) -> AbstractContextManager[DatabaseServer]:
    return running_postgresql(origin) if origin.url else postgresql(place, origin.bin)


def _container(place: ContainerPlace, origin: PostgresOrigin) -> AbstractContextManager[DatabaseServer]:
    return running_postgresql(origin) if origin.url else contained_postgresql(place, origin.image)


def lacking_process(contender: Contender) -> str | None:
    """Return why the PostgreSQL that *contender* names cannot be a process, with the remedy."""
    origin = contender.postgres
    if origin.image and not origin.bin:
        return (
            f"its PostgreSQL is the image {origin.image}: use --runtime compose, or name one for processes "
            'too: postgres = { bin = "PATH" }'
        )
    found = installed(origin.bin) if origin.bin else None
    return found if isinstance(found, str) else None


def lacking_container(contender: Contender) -> str | None:
    """Return why the PostgreSQL that *contender* names cannot be a container, with the remedy."""
    origin = contender.postgres
    if origin.bin and not origin.image:
        return (
            "its PostgreSQL is that of this machine: use --runtime process, or name one for containers too: "
            'postgres = { image = "…" }'
        )
    return None


POSTGRESQL = ServiceKind(
    name="postgres",
    title="PostgreSQL",
    placeholders=DATABASE_PLACEHOLDERS,
    is_database=True,
    counts_statements=True,
    processes=lambda place: copies(partial(_process, place)),
    containers=lambda place: copies(partial(_container, place)),
    trial=postgresql,
)
