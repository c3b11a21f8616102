"""Which cores belong to whom, and how busy they were."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.records import Record, Run, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Cores by what runs on them, named as in `Usage.busy_s`; empty where nothing is pinned."""

    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    database: tuple[str, ...] = ()
    askers: int = 1  # processes that ask

    @property
    def usable_by_client(self) -> int:
        """How many cores the client can keep busy: one with each process, where there are so many."""
        return min(self.askers, len(self.client) or self.askers)

    @property
    def all(self) -> frozenset[str]:
        """Every core that is used."""
        return frozenset((*self.server, *self.client, *self.database))

    @property
    def shared(self) -> bool:
        """Whether client and database have a core in common, as far as is known."""
        return bool(set(self.client) & set(self.database))


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """What was used while windows were open; None where the system does not tell.

    server, client, database: CPU seconds per second of their processes, in cores. client_core,
    database_core: busy share (0 to 1) of the cores that are theirs, whoever used them, soft interrupts
    included. client_wait: share of the time in which the client could have run, and did not.
    """

    server: float | None = None
    client: float | None = None
    database: float | None = None
    client_core: float | None = None
    database_core: float | None = None
    client_wait: float | None = None


def cores_of(run: Run) -> Cores:
    """Return where things ran, from the run's fingerprint."""
    placement = run.fingerprint.get("placement")
    askers = run.plan.load_workers
    if not isinstance(placement, Mapping):
        return Cores(askers=askers)
    placed = {who: tuple(map(str, placement.get(who) or ())) for who in ("server", "client", "database")}
    return Cores(server=placed["server"], client=placed["client"], database=placed["database"], askers=askers)


def utilisation_of(records: Sequence[Record], cores: Cores) -> Utilisation:
    """Return the mean over *records*, each weighed by how long it was watched."""
    usages = [record.usage for record in records]
    return Utilisation(
        server=_rate((usage.server_cpu_s, usage.elapsed_s) for usage in usages),
        client=_rate((record.sample.client_cpu_s, record.sample.window_s) for record in records),
        database=_rate((usage.database_cpu_s, usage.elapsed_s) for usage in usages),
        client_core=_busy_share(usages, cores.client),
        database_core=_busy_share(usages, cores.database),
        client_wait=_rate((usage.client_wait_s, usage.elapsed_s) for usage in usages),
    )


def _busy_share(usages: Sequence[Usage], cores: Sequence[str]) -> float | None:
    """Return the mean over *cores*; None where nothing is pinned or known."""
    told = [usage for usage in usages if cores and usage.busy_s.keys() >= set(cores)]
    share = _rate((sum(usage.busy_s[core] for core in cores) / len(cores), usage.elapsed_s) for usage in told)
    # The system counts in ticks of 10 ms, so that a short window may seem to hold more than it does.
    return None if share is None else min(share, 1.0)


def _rate(spent: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(spent_s, watched_s) for spent_s, watched_s in spent if spent_s is not None]
    watched_s = sum(watched_s for _, watched_s in known)
    return sum(spent_s for spent_s, _ in known) / watched_s if watched_s else None
