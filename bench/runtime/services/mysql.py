"""MySQL for one run: MariaDB's or MySQL's own programs, as they are installed on this machine."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import CannotMeasure
from bench.runtime.children import Children, Running
from bench.runtime.launch import launched
from bench.runtime.leftovers import FOLDER_PREFIX
from bench.runtime.ports import HOST, free_ports, listens
from bench.runtime.services.copies import copies
from bench.runtime.services.mysql_client import USER, MySQLClient
from bench.runtime.services.mysql_databases import MySQLDatabases
from bench.runtime.services.service import (
    DATABASE_PLACEHOLDERS,
    ProcessPlace,
    ServiceFacts,
    ServiceKind,
    unprivileged,
)

# Debian has the server in /usr/sbin, which an ordinary user's PATH lacks.
PLACES = ("/usr/local/sbin", "/usr/sbin", "/usr/local/mysql/bin", "/usr/libexec", "/opt/homebrew/bin")
SERVERS, CLIENTS = ("mariadbd", "mysqld"), ("mariadb", "mysql")
INSTALLERS = ("mariadb-install-db", "mysql_install_db")  # MySQL itself needs none
REMEDY = "install MariaDB (Debian, Ubuntu: apt install mariadb-server)"
TOO_NEW = 9  # MySQL from here on has no way to log in that every driver knows without TLS
APPARMOR = Path("/etc/apparmor.d/usr.sbin.mysqld")  # Ubuntu's, for MySQL alone
START_TIMEOUT_S = 60.0
LOG = "mysql.log"
# The same for every contender. The data live for one run, so nothing is made durable. Background work on a
# timer (statistics, events, dumps of the buffer) is off. `loose` ones are known to only one of the two.
SETTINGS = {
    "bind-address": HOST,
    "skip-name-resolve": "ON",
    "max-connections": "2000",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
    "event-scheduler": "OFF",
    "skip-log-bin": "",
    "loose-mysqlx": "OFF",
    "loose-mysql-native-password": "ON",
    "loose-query-cache-type": "OFF",
    "loose-sync-frm": "OFF",
    "innodb-buffer-pool-size": "256M",
    "innodb-log-file-size": "512M",
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-flush-method": "nosync",
    "innodb-doublewrite": "OFF",
    "innodb-stats-auto-recalc": "OFF",
    "innodb-buffer-pool-dump-at-shutdown": "OFF",
    "innodb-buffer-pool-load-at-startup": "OFF",
    # Statements are counted by their digests, writes by table. Nothing is timed.
    "performance-schema": "ON",
    "performance-schema-digests-size": "20000",
    "performance-schema-consumer-statements-digest": "ON",
}
INSTRUMENTS = ("%=OFF", "statement/%=COUNTED", "wait/io/table/sql/handler=COUNTED")
ONCE = ("--innodb-flush-method=nosync", "--innodb-doublewrite=OFF", "--innodb-log-file-size=16M")
VERSION = re.compile(r"\bVer (\d+)\.[\w.]+")
GRAVE = re.compile(r"\[ERROR\] (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What is installed."""

    server: str
    client: str
    installer: str | None  # None: the server makes its own data folder, as MySQL does
    title: str

    @property
    def identified(self) -> str:
        return "IDENTIFIED BY" if self.installer else "IDENTIFIED WITH mysql_native_password BY"


def programs(path: str | None = None) -> Programs | str:
    """Return the programs on *path* (by default PATH and usual places), or why they are not enough."""
    searched = os.pathsep.join((os.environ.get("PATH", os.defpath), *PLACES)) if path is None else path
    server, client = _first(SERVERS, searched), _first(CLIENTS, searched)
    if server is None:
        return f"neither {' nor '.join(SERVERS)} is on PATH or in /usr/sbin"
    if client is None:
        return f"neither {' nor '.join(CLIENTS)} is on PATH, the client of {server}"
    message = _output([server, "--no-defaults", "--version"])
    if "MariaDB" in message:
        if (installer := _first(INSTALLERS, searched)) is None:
            return f"{INSTALLERS[0]} is not on PATH, which makes the data folder of {server}"
        return Programs(server=server, client=client, installer=installer, title="MariaDB")
    version = VERSION.search(message)
    if version is None:
        return f"{server} does not print its version ({message.strip()[:100] or 'no output'})"
    if int(version[1]) >= TOO_NEW:
        return f"{server} is MySQL {version[1]}, without the log-in mysql_native_password that drivers share"
    return Programs(server=server, client=client, installer=None, title="MySQL")


def _first(names: tuple[str, ...], path: str) -> str | None:
    return next(filter(None, (shutil.which(name, path=path) for name in names)), None)


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout + done.stderr


def missing(path: str | None = None) -> tuple[str, str] | None:
    found = programs(path)
    return (found, REMEDY) if isinstance(found, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MySQL:
    """A running server."""

    child: Running
    databases: MySQLDatabases
    version: str

    def check(self) -> None:
        if ended := self.child.ended():
            raise CannotMeasure(
                f"{self.databases.title} {ended} ({_reason(self.child)}): see {self.child.log}",
                log=self.child.log_tail(),
            )

    def pids(self) -> tuple[int, ...]:
        return self.child.pids()

    def facts(self) -> ServiceFacts:
        return {"version": self.version, "from": "PATH", "settings": SETTINGS}


@contextmanager
def mysql(place: ProcessPlace, settings: Mapping[str, str] = SETTINGS) -> Iterator[MySQL]:
    """Start a server on a fresh data folder; both are removed afterwards. Raises CannotMeasure."""
    found = programs()
    if isinstance(found, str):
        raise CannotMeasure(f"{found}: {REMEDY}")
    user = unprivileged(found.title)
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}mysql-"))
    try:
        place.ledger.note_folder(folder)
        if user:
            shutil.chown(folder, user)
        password = secrets.token_hex(16)
        _make_data(found, folder, user)
        first = _first_statements(folder, user, f"{found.identified} '{password}'")
        (port,) = free_ports(1)
        databases = MySQLDatabases(
            port=port,
            password=password,
            client=MySQLClient(program=found.client, title=found.title, port=port, password=password),
            title=found.title,
            identified=found.identified,
        )
        with Children(place.ledger) as children:
            child = children.start(
                _command(found, folder, port, settings, first),
                folder=folder,
                log=place.logs / LOG,
                env=_environment(folder),
                cores=place.cores,
                user=user,
                stop_signal=signal.SIGKILL,  # at once: the data are discarded
            )
            version = _answered(MySQL(child=child, databases=databases, version=""))
            first.unlink()
            yield MySQL(child=child, databases=databases, version=version)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        place.ledger.forget_folder(folder)


def _command(found: Programs, folder: Path, port: int, settings: Mapping[str, str], first: Path) -> list[str]:
    return [
        *(found.server, "--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder}"),
        *(f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}", f"--init-file={first}"),
        *(f"--{name}{value and f'={value}'}" for name, value in {**settings, "port": str(port)}.items()),
        *(f"--performance-schema-instrument={one}" for one in INSTRUMENTS),
    ]


def _make_data(found: Programs, folder: Path, user: str | None) -> None:
    if found.installer:
        made = [
            found.installer,
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]
    else:
        made = [found.server, "--no-defaults", "--initialize-insecure"]
    done = subprocess.run(
        launched(
            [*made, f"--datadir={folder / 'data'}", f"--tmpdir={folder}", *ONCE],
            cores=None,
            user=user,
            death_signal=signal.SIGKILL,
        ),
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        output = done.stdout + done.stderr
        lines = GRAVE.findall(output) or output.split("\n\n")[0].splitlines() or ["no message"]
        raise CannotMeasure(
            f"{found.title} could not make its data folder in {folder.parent}: {lines[0]}{_confined(found)}"
        )


def _confined(found: Programs) -> str:
    if found.installer or not APPARMOR.exists():
        return ""
    return f"; AppArmor may keep it to /var/lib/mysql: {REMEDY}, or `sudo aa-complain {found.server}`"


def _first_statements(folder: Path, user: str | None, identified: str) -> Path:
    """Write what the server runs before it listens: it makes the user of the harness."""
    file = folder / "first.sql"
    file.touch(mode=0o600)
    file.write_text(
        f"CREATE USER '{USER}'@'{HOST}' {identified};\n"
        f"GRANT ALL ON *.* TO '{USER}'@'{HOST}' WITH GRANT OPTION;\n"
        "DROP USER IF EXISTS 'root'@'localhost', 'root'@'127.0.0.1', 'root'@'::1';\n"  # without a password
    )
    if user:
        shutil.chown(file, user)
    return file


def _answered(server: MySQL) -> str:
    """Wait until it answers, and return its version. Raises CannotMeasure."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        server.check()
        if listens(server.child.pids(), server.databases.port):
            return server.databases.version()
        time.sleep(0.02)
    name, log = server.databases.title, server.child.log
    raise CannotMeasure(f"{name} did not answer within {START_TIMEOUT_S:.0f} s: see {log}")


def _reason(child: Running) -> str:
    """Return its first grave line: the last one says that it gives up."""
    return next(iter(GRAVE.findall(child.log_tail())), child.telling_line())


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join((os.defpath, *PLACES))
    return {"PATH": path, "LC_ALL": "C", "TZ": "UTC", "HOME": str(folder)}


MYSQL = ServiceKind(
    name="mysql",
    title="MySQL",
    placeholders=DATABASE_PLACEHOLDERS,
    is_database=True,
    counts_statements=True,
    processes=lambda place: copies(lambda _: mysql(place)),
    containers=None,
    missing=missing,
)
