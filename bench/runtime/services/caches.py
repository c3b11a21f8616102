"""Caches: what Valkey and Memcached are told, how each is spoken to, and one that is up."""

import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self

from bench.errors import CannotMeasure
from bench.model import Contender
from bench.runtime.children import Running
from bench.runtime.logs import log_name
from bench.runtime.ports import HOST, listens

START_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 5.0  # either takes less than a millisecond, also to throw 64 MB away
POLL_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A line that a cache understands, and what its answer must show."""

    line: bytes
    answer: re.Pattern[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A cache that contenders may ask for."""

    name: str  # in a contender's services
    spoken: str
    program: str
    settings: Mapping[str, str]  # the same for every contender, written as its command line has them
    port_option: str
    variable: str  # of the environment, tells its app where it is
    address: str
    version: Question
    flush: Question

    def command(self, port: int) -> list[str]:
        """Return the words that start it, its program first."""
        return [self.program, self.port_option, str(port), *chain.from_iterable(self.settings.items())]


VALKEY = Kind(
    name="valkey",
    spoken="Valkey",
    program="valkey-server",
    settings={
        "--bind": HOST,
        "--save": "",  # nothing is kept, so nothing is written behind anyone's back
        "--appendonly": "no",
        "--maxmemory": "64mb",
        "--maxmemory-policy": "allkeys-lru",
        "--io-threads": "1",
    },
    port_option="--port",
    variable="VALKEY_URL",
    address=f"redis://{HOST}:{{port}}/0",
    version=Question(line=b"INFO server\r\n", answer=re.compile(rb"valkey_version:(\S+)")),
    # SYNC: or what it held is freed in the slice that follows.
    flush=Question(line=b"FLUSHALL SYNC\r\n", answer=re.compile(rb"\+OK\r\n")),
)
MEMCACHED = Kind(
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
class Wanted:
    """A cache that is to be started for one server."""

    kind: Kind
    contender: Contender
    port: int
    number: int  # its own among all of a run

    @property
    def label(self) -> str:
        """What its container is called."""
        return f"{self.contender.base[:40]}-{self.kind.name}-{self.number}"

    @property
    def log_name(self) -> str:
        """What its log is called."""
        return log_name(f"{self.contender.name}-{self.kind.name}", self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """One that was started, of one server."""

    wanted: Wanted
    child: Running
    source: str  # the wheel or image it comes from
    version: str = ""

    def environment(self) -> dict[str, str]:
        """Return the variable that tells its app where it is."""
        kind = self.wanted.kind
        return {kind.variable: kind.address.format(port=self.wanted.port)}

    def check(self) -> None:
        """Raise CannotMeasure where it has died."""
        if ended := self.child.ended():
            raise CannotMeasure(
                f"{self._name} {ended} ({self.child.telling_line()}): see {self.child.log}",
                log=self.child.log_tail(),
            )

    def reset(self) -> None:
        """Empty it, whoever is connected; raises CannotMeasure."""
        self.check()
        try:
            self._asked(self.wanted.kind.flush)
        except OSError as error:
            self.check()
            raise CannotMeasure(f"{self._name} was not emptied ({error}): see {self.child.log}") from error

    def facts(self) -> dict[str, object]:
        """Return what the fingerprint should know."""
        return {"version": self.version, "from": self.source, "settings": self.wanted.kind.settings}

    def answering(self) -> Self:
        """Wait until it answers, and return it with its version; raises CannotMeasure."""
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
            time.sleep(POLL_S)  # someone else took its port: it is about to end
        raise CannotMeasure(
            f"{self._name} did not answer within {START_TIMEOUT_S:.0f} s: see {self.child.log}"
        )

    @property
    def _name(self) -> str:
        return f"{self.wanted.kind.spoken} of {self.wanted.contender.name}"

    def _asked(self, question: Question) -> re.Match[bytes]:
        """Return what it answers; raises OSError where that is not what it should be."""
        said = b""
        with socket.create_connection((HOST, self.wanted.port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.sendall(question.line)
            while not (found := question.answer.search(said)):
                part = connection.recv(4096)
                if not part:
                    raise ConnectionError(f"it hung up after {said!r}")
                said += part
        return found


# Starts caches of any kinds together; they are gone when the context is left.
Starts = Callable[[Sequence[Wanted]], AbstractContextManager[Sequence[Cache]]]
