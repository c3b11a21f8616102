"""One contender's server: how it is started, when it is ready, how it is asked about."""

import os
import re
import shlex
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.errors import CannotMeasure, UsageError
from bench.model import Contender
from bench.runtime.children import Running
from bench.runtime.files import Found, OwnFiles, open_databases
from bench.runtime.folders import OwnFolder
from bench.runtime.ports import HOST, listens
from bench.runtime.services import OwnServices

READY_PATH = "/health"
POLL_S = 0.02
UNKNOWN = "bench knows none of them: no service of ours, no file that it wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessServer:
    """A contender's server as a tree of processes; implements `bench.runtime.Server`."""

    contender: Contender
    address: tuple[str, int]
    child: Running
    ready_s: float = float("nan")
    services: OwnServices = field(default_factory=OwnServices)
    packages: Path | None = None
    files: OwnFiles | None = None  # None: in a container, whose file system is read-only as a rule

    def pids(self) -> tuple[int, ...]:
        """Return every process of the tree; empty once it has ended."""
        return self.child.pids()

    def keep_data(self) -> None:
        """Keep its data as they are now, once it is ready: what it made at its start is put back later."""
        self.services.keep()
        if self.files:
            self.files.keep()

    def reset_data(self) -> str | None:
        """Put its data back as they were when it was ready; return why not, where they are not."""
        left = [self.services.reset()]
        if self.files:
            found = self.files.put_back()
        else:
            inside = [f"{name} lies in its container" for name in open_databases(self.pids())]
            found = Found(known=bool(inside), left=tuple(inside))
        left += found.left
        if not (self.services.known or found.known):
            left.append(UNKNOWN)
        return next(filter(None, left), None)

    def data_version(self) -> object:
        """Return what its data are at: unequal where something was written meanwhile."""
        return self.services.version(), self.files.version() if self.files else None

    def statements(self) -> Mapping[str, int]:
        """Return how often its database has run each SQL statement so far; nothing where it has none."""
        return self.services.database.statements() if self.services.database else {}

    def ended(self) -> str | None:
        """Return how it ended, or None while it runs."""
        return self.child.ended()

    def log_tail(self) -> str:
        """Return the last 20 lines of its log."""
        return self.child.log_tail()


def command(contender: Contender, *, port: int) -> list[str]:
    """Return the argv of a contender's server. Raises UsageError for a placeholder that is not known."""
    try:
        words = shlex.split(contender.command)
    except ValueError as error:
        raise UsageError(f"{contender.name}: its command cannot be split into words: {error}") from error
    return [_filled(contender, word, port) for word in words]


def environment(
    contender: Contender,
    *,
    port: int,
    programs: Path,
    home: Path,
    hash_seed: int,
    services: OwnServices,
    folder: OwnFolder | None = None,
) -> dict[str, str]:
    """Return all that a server sees of the environment: nothing of the user's shell reaches it."""
    ours = {
        "PATH": f"{programs}{os.pathsep}{os.defpath}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOST": HOST,
        "PORT": str(port),
        "WORKERS": str(contender.workers),
        "THREADS": str(contender.threads),
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONUNBUFFERED": "1",
    }
    ours |= services.environment()
    theirs = {name: _filled(contender, value, port) for name, value in contender.env.items()}
    return ours | {name: folder.own(value) if folder else value for name, value in theirs.items()}


def ready(server: ProcessServer, timeout_s: float) -> ProcessServer:
    """Wait until it answers, and return it with the time it took. Raises CannotMeasure."""
    name, log = server.contender.name, server.child.log
    seen = "nothing answered"
    while (passed_s := time.perf_counter() - server.child.started) < timeout_s:
        if ended := server.ended():
            line = server.child.telling_line()
            raise CannotMeasure(
                f"{name} {ended} before it was ready ({line}){_advice(server, line)}: see {log}"
            )
        with suppress(OSError, HTTPException):
            status = _status(server.address, timeout_s - passed_s)
            ready_s = time.perf_counter() - server.child.started
            seen = f"GET {READY_PATH} answered {status}"
            if status == 200:
                if listens(server.pids(), server.address[1]):
                    return replace(server, ready_s=ready_s)
                seen = "another process answers on its port"
        time.sleep(POLL_S)
    line = server.child.telling_line()
    raise CannotMeasure(f"{name} was not ready within {timeout_s:.0f} s: {seen} ({line}): see {log}")


def _advice(server: ProcessServer, line: str) -> str:
    """Return what to do about a port that was free when it was chosen; a retry gets another one."""
    taken = re.search("already in use", line, re.IGNORECASE)
    return f"; port {server.address[1]} was taken meanwhile, run again" if taken else ""


def _status(address: tuple[str, int], timeout_s: float) -> int:
    """Ask on a connection that is not kept: a server would wait for it when it stops."""
    with closing(HTTPConnection(*address, timeout=timeout_s)) as connection:
        connection.request("GET", READY_PATH, headers={"Connection": "close"})
        return connection.getresponse().status


def _filled(contender: Contender, template: str, port: int) -> str:
    try:
        return template.format(host=HOST, port=port, workers=contender.workers, threads=contender.threads)
    except (KeyError, IndexError, ValueError) as error:
        raise UsageError(
            f"{contender.name}: {template!r} cannot be filled in ({error!r}): "
            "{host} {port} {workers} {threads} are known; a brace is written twice"
        ) from error
