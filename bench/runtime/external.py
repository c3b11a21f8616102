"""A server that we did not start: it gets requests, and nothing else is known of it."""

import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial

from bench.errors import CannotMeasure
from bench.model.contender import Contender, name_of
from bench.project.addresses import address_of_url, format_address
from bench.runtime import Counting
from bench.runtime.children import descendants
from bench.runtime.listeners import Listener, listener
from bench.runtime.placement import Placement, moved
from bench.runtime.statements import StatementSource

NAME, SERVICE = "target", "service"  # one that is measured alone; one that is there as base and as head
CAVEAT = "a server we did not start: no checks, no CPU, no reset"
CAVEATS = (
    "servers we did not start: no checks, no reset",
    "its servers were not started anew: rounds are minutes of one life",
)
TIMEOUT_S = 5.0


def target(url: str, *, name: str = NAME, option: str = "--target") -> Contender:
    """Return the contender of the server at *url*. Raises UsageError if it is no http://HOST:PORT."""
    host_and_port = format_address(address_of_url(url, option=option))
    return Contender(
        name=name,
        base=name_of(name).base,
        app="",
        root=os.devnull,  # no checks are found there
        stack=f"http://{host_and_port}",
        interface="http",
        server="unknown",
        command="",
    )


def check_listens(contender: Contender, option: str = "--target") -> None:
    """Raise CannotMeasure if nothing listens at the address of *contender*."""
    try:
        socket.create_connection(address_of_url(contender.stack), timeout=TIMEOUT_S).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise CannotMeasure(
            f"nothing listens at {contender.stack} ({why}): start it, or correct {option}"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalServer:
    """Implements `bench.runtime.Server` as far as possible from outside."""

    contender: Contender
    address: tuple[str, int]
    ready_s: float = 0.0
    environment: str = ""
    path: str = ""
    packages: None = None
    instructions: None = None
    calls: None = None
    processes: tuple[int, ...] = ()  # whose CPU is watched; none if they are not known

    def pids(self) -> tuple[int, ...]:
        return self.processes

    def reset_data(self) -> str:
        return "bench did not start its server"

    def data_version(self) -> None: ...

    def query(self, sql: str, most: int) -> Sequence[Sequence[object]]:
        raise CannotMeasure("bench did not start its server: write values = […] instead of a query")

    def statements(self) -> Mapping[str, int]:
        return {}

    def statement_source(self) -> StatementSource:
        return StatementSource(by=None, why="a server we did not start")

    def ended(self) -> str | None:
        """Return None: only its answers, or their absence, show whether it runs."""
        return None

    def log_tail(self) -> str:
        return ""

    def gil_on(self) -> None: ...


class ExternalRuntime:
    """Implements `bench.runtime.Runtime` for contenders made by `target`."""

    name = "external"

    def __init__(self, *, placement: Placement) -> None:
        self._placement = placement  # of the client, and of the null server
        self._listeners: Mapping[str, Listener] = {}  # of a diff, by address

    def lacks(self, contender: Contender) -> str | None:
        return None

    @staticmethod
    def uncounted() -> str:
        return "instructions are counted of servers that bench starts"

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Raise CannotMeasure if nothing listens at its address. Find the processes of a diff's servers."""
        for contender in contenders:
            check_listens(contender)
        self._listeners = listeners([one for one in contenders if one.base == SERVICE])

    @contextmanager
    def serve(
        self,
        contenders: Sequence[Contender],
        *,
        hash_seed: int,
        timed: bool = True,
        counting: Counting | None = None,
    ) -> Iterator[Mapping[str, ExternalServer]]:
        """Yield the servers that are there already, with whatever *hash_seed* they have.

        Servers whose processes are known stay off the client's cores meanwhile: otherwise both wait for one
        another, and the slice is void.
        """
        with ExitStack() as held:
            tops = {pid for one in contenders for pid in self._pids(one)}
            if timed and tops and self._placement.server:
                held.enter_context(moved(partial(_trees, tops), self._placement.server))
            yield {
                one.name: ExternalServer(
                    contender=one, address=address_of_url(one.stack), processes=self._pids(one)
                )
                for one in contenders
            }

    def serve_counted(
        self, seeded: Sequence[tuple[Contender, int]]
    ) -> AbstractContextManager[Sequence[ExternalServer]]:
        raise CannotMeasure(self.uncounted())

    def check(self) -> None: ...

    def database_pids(self) -> tuple[int, ...]:
        return ()

    def facts(self) -> Mapping[str, object]:
        caveats = (*CAVEATS, *unseen(self._listeners)) if self._listeners else (CAVEAT,)
        return {"placement": asdict(replace(self._placement, database=None, caveats=caveats))}

    def _pids(self, contender: Contender) -> tuple[int, ...]:
        """Return whose CPU is watched: none, unless those of base and head are both known."""
        if not self._listeners or any(unseen(self._listeners)):
            return ()
        return self._listeners[contender.stack].pids


def _trees(tops: Iterable[int]) -> Iterator[int]:
    for top in tops:
        yield from (top, *descendants(top))


def listeners(contenders: Sequence[Contender]) -> Mapping[str, Listener]:
    urls = dict.fromkeys(one.stack for one in contenders)
    return {url: listener(address_of_url(url)) for url in urls}


def unseen(found: Mapping[str, Listener]) -> Iterator[str]:
    """Yield why the CPU of a server is not known; nothing if all are."""
    for url, one in found.items():
        if not one.pids:
            yield f"CPU of {url} is not known: {one.why}"
