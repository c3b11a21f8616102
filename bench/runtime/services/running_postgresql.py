"""PostgreSQL that runs already, by its URL: our databases in it are made, marked as ours, and dropped."""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.errors import CannotMeasure
from bench.model.contender import PostgresOrigin
from bench.project.addresses import format_address, is_loopback
from bench.project.postgres_origins import parts_of
from bench.runtime.children import descendants
from bench.runtime.leftovers import is_dead, signature
from bench.runtime.services.postgresql_databases import Databases
from bench.runtime.services.postgresql_extensions import remedy
from bench.runtime.services.postgresql_programs import OLDEST
from bench.runtime.services.service import ServiceFacts

PORT = 5432
MARK = "made by bench"  # then a word for each opened server, and the signature of the process that drops it
# What a server of our own has set, and this one has as its owner wants it.
SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "shared_buffers", "jit")
COUNTER = "pg_stat_statements"
ASKED = """
SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version'), rolsuper,
    rolsuper OR rolcreatedb, pg_backend_pid(),
    EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements')
FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPostgreSQL:
    """A server that somebody else has started."""

    databases: Databases
    version: str
    settings: Mapping[str, str]
    first: psutil.Process | None  # of its processes; None: they cannot be found

    @property
    def address(self) -> str:
        return format_address((self.databases.host, self.databases.port))

    def check(self) -> None:
        with self.databases.session() as session:
            session.execute("SELECT 1")

    def pids(self) -> tuple[int, ...]:
        if self.first is None or not self.first.is_running():
            return ()
        return (self.first.pid, *descendants(self.first.pid))

    def facts(self) -> ServiceFacts:
        return {"version": self.version, "from": self.address, "settings": self.settings}


@contextmanager
def running_postgresql(origin: PostgresOrigin) -> Iterator[RunningPostgreSQL]:
    """Use a server that runs already; what was made in it is dropped afterwards. Raises CannotMeasure."""
    databases, server = _looked_at(origin.url or "")
    databases.clear(_is_left)
    try:
        yield server
    finally:
        with suppress(CannotMeasure):  # it has died: nothing can be dropped
            databases.clear(databases.mark.__eq__)


def _is_left(mark: str) -> bool:
    try:
        return mark.startswith(MARK) and is_dead(mark.removeprefix(MARK).split()[-1])
    except (ValueError, IndexError):  # somebody else's words
        return False


def _looked_at(url: str) -> tuple[Databases, RunningPostgreSQL]:
    parts = parts_of(url)
    host, port = parts.hostname or "", parts.port or PORT
    where = f"PostgreSQL at {format_address((host, port))}"
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as session:
            major, version, is_super, may_create, pid, has_counts = _row(session, ASKED)
            # As long as this session lives, its backend does.
            first = _first_process(pid) if is_loopback((host, port)) else None
            settings = {name: str(_row(session, f"SHOW {name}")[0]) for name in SETTINGS}
            # Only a superuser may read it, or make the extension.
            counts = is_super and has_counts and COUNTER in _row(session, "SHOW shared_preload_libraries")[0]
            user, password, maintenance = session.info.user, session.info.password, session.info.dbname
    except psycopg.Error as error:
        raise CannotMeasure(f"{where}: {' '.join(str(error).split())}: does it run?") from error
    if major < OLDEST:
        raise CannotMeasure(f"{where} is version {version}: bench needs {OLDEST} or newer")
    if not may_create:
        raise CannotMeasure(
            f'{where}: its user {user} may not create databases: run ALTER ROLE "{user}" CREATEDB there, or '
            "name another user in url"
        )
    word = secrets.token_hex(4)
    databases = Databases(
        host=host,
        port=port,
        user=user,
        password=password,
        maintenance=maintenance,
        options=parts.query,
        prefix=f"bench-{word}-",
        mark=f"{MARK} {word} {signature()}",
        counts=counts,
        remedy=partial(remedy, at=format_address((host, port))),
    )
    return databases, RunningPostgreSQL(databases=databases, version=version, settings=settings, first=first)


def _row(session: psycopg.Connection, query: str) -> Any:
    return session.execute(query.encode()).fetchone()


def _first_process(backend: int) -> psutil.Process | None:
    """Return the parent of a backend, also where that runs in a container: proc(5), NSpid.

    None where processes of several containers have that number.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name().startswith("postgres") and _innermost(process.pid) == backend:
                found.append(process.parent())
    return found[0] if len(found) == 1 else None


def _innermost(pid: int) -> int:
    """Return the process id that a process has in its own namespace."""
    file = Path(f"/proc/{pid}/status")
    if not file.is_file():
        return pid
    found = re.search(r"^NSpid:.*?(\d+)$", file.read_text(), re.MULTILINE)
    return int(found[1]) if found else pid
