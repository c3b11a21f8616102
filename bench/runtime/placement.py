"""Which cores serve, which ask and which hold the data."""

import os
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Cores by what runs on them; None where processes cannot be pinned."""

    server: tuple[int, ...] | None
    client: tuple[int, ...] | None
    database: tuple[int, ...] | None
    caveats: tuple[str, ...] = ()


def available_cores() -> frozenset[int] | None:
    """Return the cores this process may use (ask before pinning it); None where there is no affinity."""
    affinity = getattr(os, "sched_getaffinity", None)
    return frozenset(affinity(0)) if affinity else None


def placed(cores: Iterable[int] | None) -> Placement:
    """Give servers every core but one for the client and one for the database, as far as they go."""
    if cores is None:
        caveat = "this system cannot pin processes: servers, client and database compete for cores"
        return Placement(server=None, client=None, database=None, caveats=(caveat,))
    match tuple(sorted(cores)):
        case (only,):
            caveat = "servers, client and database share the only core"
            return Placement(server=(only,), client=(only,), database=(only,), caveats=(caveat,))
        case (server, rest):
            caveat = "client and database share a core"
            return Placement(server=(server,), client=(rest,), database=(rest,), caveats=(caveat,))
        case (*servers, client, database):
            return Placement(server=tuple(servers), client=(client,), database=(database,))
        case _:
            raise ValueError("no cores")
