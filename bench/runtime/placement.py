"""Which cores are for servers, for the client and for the database."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

LOOKS = 500  # at a tree that keeps moving; one takes about a millisecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Cores by their use; None if processes cannot be pinned."""

    server: tuple[int, ...] | None
    client: tuple[int, ...] | None
    database: tuple[int, ...] | None
    caveats: tuple[str, ...] = ()


def available_cores() -> frozenset[int] | None:
    """Return the cores that this process may use, before it is pinned. None if there is no affinity."""
    affinity = getattr(os, "sched_getaffinity", None)
    return frozenset(affinity(0)) if affinity else None


def placed(cores: Iterable[int] | None, *, askers: int = 1) -> Placement:
    """Give servers every core except one for each of *askers* and one for the database, if there are enough.

    Without *askers* (they are on other machines) the client has no cores here.
    """
    if cores is None:
        caveat = "this system cannot pin processes: servers, client and database compete for cores"
        return Placement(server=None, client=None, database=None, caveats=(caveat,))
    match tuple(sorted(cores)):
        case (only,) if not askers:
            caveat = "servers and database share the only core"
            return Placement(server=(only,), client=(), database=(only,), caveats=(caveat,))
        case (*servers, database) if not askers and servers:
            return Placement(server=tuple(servers), client=(), database=(database,))
        case (only,):
            caveat = "servers, client and database share the only core"
            return Placement(server=(only,), client=(only,), database=(only,), caveats=(caveat,))
        case (server, rest):
            caveat = "client and database share a core"
            return Placement(server=(server,), client=(rest,), database=(rest,), caveats=(caveat,))
        case (*others, database) if len(others) > 1:
            first = max(1, len(others) - askers)
            return Placement(server=tuple(others[:first]), client=tuple(others[first:]), database=(database,))
        case _:
            raise ValueError("no cores")


def pinned(pids: Callable[[], Iterable[int]], cores: Iterable[int]) -> bool:
    """Pin every thread of a tree of processes to *cores*. Return whether all stay there (Linux only).

    A new thread or process starts on its maker's cores. So once none is elsewhere, no new one is. But a list
    may be cut short if a thread ends at that moment: hence two looks.
    """
    wanted = set(cores)
    calm = 0
    for _ in range(LOOKS):
        astray = [thread for thread in _threads(pids()) if _cores_of(thread) not in (wanted, None)]
        calm = 0 if astray else calm + 1
        if calm == 2:
            return True
        for thread in astray:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread, wanted)
    return False


@contextmanager
def moved(pids: Callable[[], Iterable[int]], cores: Iterable[int]) -> Iterator[bool]:
    """Pin a tree of processes that is not ours to *cores*, and put it back. Yield whether it stays there."""
    before = {thread: _cores_of(thread) for thread in _threads(pids())}
    try:
        try:
            stay = pinned(pids, cores)
        except PermissionError:
            stay = False
        yield stay
    finally:
        usual = next(filter(None, before.values()), None)
        for thread in _threads(pids()):
            if places := before.get(thread) or usual:
                with suppress(OSError):
                    os.sched_setaffinity(thread, places)


def _threads(pids: Iterable[int]) -> Iterator[int]:
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from map(int, os.listdir(f"/proc/{pid}/task"))


def _cores_of(thread: int) -> set[int] | None:
    with suppress(ProcessLookupError):
        return os.sched_getaffinity(thread)
    return None
