"""A server that we did not start: it is asked, and nothing else is known of it."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from bench.addresses import address_of_url, spoken
from bench.errors import CannotMeasure
from bench.model import Contender
from bench.runtime.placement import Placement
from bench.runtime.statements import StatementSource

NAME = "target"
CAVEAT = "a server we did not start: no checks, no CPU, no reset"
TIMEOUT_S = 5.0


def target(url: str) -> Contender:
    """Return the contender that *url* stands for; raises UsageError where it is no http://HOST:PORT."""
    host_and_port = spoken(address_of_url(url))
    return Contender(
        name=NAME,
        base=NAME,
        app="",
        root=os.devnull,  # where no checks are found
        stack=f"http://{host_and_port}",
        interface="http",
        server="unknown",
        command="",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalServer:
    """Implements `bench.runtime.Server` as far as that goes from outside."""

    contender: Contender
    address: tuple[str, int]
    ready_s: float = 0.0
    packages: None = None

    def pids(self) -> tuple[int, ...]:
        """Return none: they are not known."""
        return ()

    def reset_data(self) -> str:
        """Leave the data as they are, and say why."""
        return "bench did not start its server"

    def data_version(self) -> None:
        """Return nothing: it is not known."""

    def statements(self) -> Mapping[str, int]:
        """Return none: they are not known."""
        return {}

    def statement_source(self) -> StatementSource:
        """Return that nobody counts."""
        return StatementSource(by=None, why="a server we did not start")

    def ended(self) -> str | None:
        """Return None: what it answers, or not, has to tell."""
        return None

    def log_tail(self) -> str:
        """Return nothing."""
        return ""


class ExternalRuntime:
    """Implements `bench.runtime.Runtime` for contenders made by `target`."""

    name = "external"

    def __init__(self, *, placement: Placement) -> None:
        self._placement = placement  # of the client, and of the null server

    def lacks(self, contender: Contender) -> str | None:
        """Return None: whoever started it saw to that."""
        return None

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Raise CannotMeasure where nobody listens."""
        for contender in contenders:
            try:
                socket.create_connection(address_of_url(contender.stack), timeout=TIMEOUT_S).close()
            except OSError as error:
                why = error.strerror or str(error)
                raise CannotMeasure(
                    f"nobody listens at {contender.stack} ({why}): start it, or correct --target"
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
        """Hand out what is there already, whatever *hash_seed* it has."""
        yield {
            one.name: ExternalServer(contender=one, address=address_of_url(one.stack)) for one in contenders
        }

    def check(self) -> None:
        """Find nothing to check."""

    def database_pids(self) -> tuple[int, ...]:
        """Return none: they are not known."""
        return ()

    def facts(self) -> Mapping[str, object]:
        """Return the placement, with what cannot be known as a caveat of every row."""
        return {"placement": asdict(replace(self._placement, database=None, caveats=(CAVEAT,)))}
