"""A server that we did not start: it gets requests, and nothing else is known of it."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from bench.errors import CannotMeasure
from bench.model import Contender
from bench.project.addresses import address_of_url, format_address
from bench.runtime.placement import Placement
from bench.runtime.statements import StatementSource

NAME = "target"
CAVEAT = "a server we did not start: no checks, no CPU, no reset"
TIMEOUT_S = 5.0


def target(url: str) -> Contender:
    """Return the contender of the server at *url*. Raises UsageError if it is no http://HOST:PORT."""
    host_and_port = format_address(address_of_url(url))
    return Contender(
        name=NAME,
        base=NAME,
        app="",
        root=os.devnull,  # no checks are found there
        stack=f"http://{host_and_port}",
        interface="http",
        server="unknown",
        command="",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalServer:
    """Implements `bench.runtime.Server` as far as possible from outside."""

    contender: Contender
    address: tuple[str, int]
    ready_s: float = 0.0
    packages: None = None

    def pids(self) -> tuple[int, ...]:
        return ()

    def reset_data(self) -> str:
        return "bench did not start its server"

    def data_version(self) -> None: ...

    def statements(self) -> Mapping[str, int]:
        return {}

    def statement_source(self) -> StatementSource:
        return StatementSource(by=None, why="a server we did not start")

    def ended(self) -> str | None:
        """Return None: only its answers, or their absence, show whether it runs."""
        return None

    def log_tail(self) -> str:
        return ""


class ExternalRuntime:
    """Implements `bench.runtime.Runtime` for contenders made by `target`."""

    name = "external"

    def __init__(self, *, placement: Placement) -> None:
        self._placement = placement  # of the client, and of the null server

    def lacks(self, contender: Contender) -> str | None:
        return None

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Raise CannotMeasure if nothing listens at its address."""
        for contender in contenders:
            try:
                socket.create_connection(address_of_url(contender.stack), timeout=TIMEOUT_S).close()
            except OSError as error:
                why = error.strerror or str(error)
                raise CannotMeasure(
                    f"nothing listens at {contender.stack} ({why}): start it, or correct --target"
                ) from error

    @contextmanager
    def serve(
        self,
        contenders: Sequence[Contender],
        *,
        hash_seed: int,
        timed: bool = True,
        counting: bool = False,
    ) -> Iterator[Mapping[str, ExternalServer]]:
        """Yield the servers that are there already, with whatever *hash_seed* they have."""
        yield {
            one.name: ExternalServer(contender=one, address=address_of_url(one.stack)) for one in contenders
        }

    def check(self) -> None: ...

    def database_pids(self) -> tuple[int, ...]:
        return ()

    def facts(self) -> Mapping[str, object]:
        return {"placement": asdict(replace(self._placement, database=None, caveats=(CAVEAT,)))}
