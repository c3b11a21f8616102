"""PostgreSQL for one run, from its public image, with the settings of the one from the wheel."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.runtime.docker.containers import Containers, on_cores
from bench.runtime.ports import free_ports
from bench.runtime.services.databases import MAINTENANCE, USER, Databases
from bench.runtime.services.postgresql import SETTINGS, PostgreSQL, wait_for

SERVICE = "database"  # of docker-compose.yml
# The image fills its cluster through a socket, by a server that has these settings, too.
NOT_HERE = "unix_socket_directories"
INITDB = (
    "--no-sync --auth=scram-sha-256 --encoding=UTF8 "
    "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
)


@contextmanager
def contained_postgresql(
    group: Containers, *, log: Path, cores: tuple[int, ...] | None
) -> Iterator[PostgreSQL]:
    """Start a server on a fresh volume; both are gone afterwards. Raises CannotMeasure."""
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
    said = {"command": ["postgres", *words], "environment": environment} | on_cores(cores)
    with group:
        up = group.start(SERVICE, {"postgres": said}, {"postgres": log})["postgres"]
        server = PostgreSQL(child=up, databases=databases, source=up.image, version="", settings=settings)
        wait_for(server)
        yield replace(server, version=databases.version())
