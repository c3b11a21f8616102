"""What limited a row: which cores were busy, and what the client can reach. The rule: docs/methodology.md."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.loads import Load
from bench.model.cell import Cell
from bench.records import Record, Run, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Cores by what runs on them, with the names of `Usage.busy_s`; empty where nothing is pinned."""

    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    database: tuple[str, ...] = ()
    askers: int = 1  # processes that send requests

    @property
    def usable_by_client(self) -> int:
        return min(self.askers, len(self.client) or self.askers)

    @property
    def all(self) -> frozenset[str]:
        return frozenset((*self.server, *self.client, *self.database))

    @property
    def shared(self) -> bool:
        return bool(set(self.client) & set(self.database))


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """What was used while windows were open; None where the system does not report it.

    server, client, database: CPU seconds per second of their processes, in cores. client_core, database_core:
    busy share (0 to 1) of the cores that are theirs, whatever used them, soft interrupts included.
    client_wait: share of the time in which the client could have run, and did not.
    """

    server: float | None = None
    client: float | None = None
    database: float | None = None
    client_core: float | None = None
    database_core: float | None = None
    client_wait: float | None = None


def cores_of(run: Run) -> Cores:
    placement = run.fingerprint.get("placement")
    askers = run.plan.load_workers
    if not isinstance(placement, Mapping):
        return Cores(askers=askers)
    placed = {who: tuple(map(str, placement.get(who) or ())) for who in ("server", "client", "database")}
    return Cores(server=placed["server"], client=placed["client"], database=placed["database"], askers=askers)


def utilisation_of(records: Sequence[Record], cores: Cores) -> Utilisation:
    """Return the mean over *records*, weighted by how long each was watched."""
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
    complete = [usage for usage in usages if cores and usage.busy_s.keys() >= set(cores)]
    share = _rate(
        (sum(usage.busy_s[core] for core in cores) / len(cores), usage.elapsed_s) for usage in complete
    )
    # The system counts in ticks of 10 ms, so a short window may seem busier than 100 %.
    return None if share is None else min(share, 1.0)


def _rate(spent: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(spent_s, watched_s) for spent_s, watched_s in spent if spent_s is not None]
    watched_s = sum(watched_s for _, watched_s in known)
    return sum(spent_s for spent_s, _ in known) / watched_s if watched_s else None


Bound = Literal["server", "client", "database", "nothing"]

SATURATED = 0.85  # of what it can use; above this, queueing shows in the measurements
NEAR_CEILING = 0.80  # of what the client reaches on a null server
HELD_BACK = 0.05  # what a database may lose to the client on a core they share: the margin for throughput


def client_limit(
    throughput_rps: float, ceiling_rps: float | None, used: Utilisation, cores: Cores
) -> str | None:
    if ceiling_rps and throughput_rps > NEAR_CEILING * ceiling_rps:
        share = throughput_rps / ceiling_rps
        return f"client-limited: {share * 100:.0f} % of the ceiling of {ceiling_rps:,.0f} req/s"
    share = _client(used, cores)
    if share < SATURATED or _is_the_databases(used, cores):
        return None
    where = "the core that client and database share" if cores.shared else "the client's core"
    return f"client-limited: {where} was {share * 100:.0f} % busy"


def bound_by(used: Utilisation, cores: Cores, *, workers: int, client_limited: bool) -> Bound | None:
    """Return the busiest of what was saturated; a Python worker process can use one core at most.

    A core that client and database share counts for the one that used more of it. None if the server's use is
    unknown and nothing else was saturated.
    """
    client, database = _client(used, cores), _database(used, cores)
    if cores.shared and (used.client or 0.0) >= (used.database or 0.0):
        database = 0.0
    elif cores.shared:
        client = 0.0
    usable = min(workers, len(cores.server) or workers)
    shares: dict[Bound, float] = {
        "server": (used.server or 0.0) / usable,
        "client": client,
        "database": database,
    }
    busiest = max(shares, key=lambda who: shares[who])
    if shares[busiest] >= SATURATED:
        return busiest
    if client_limited:
        return "client"
    return None if used.server is None else "nothing"


def _is_the_databases(used: Utilisation, cores: Cores) -> bool:
    """Return whether the core that client and database share is nearly all used by the database.

    With a core of its own it would gain what the client uses here. So throughput would rise by that share at
    most.
    """
    client, database = used.client or 0.0, (used.database or 0.0) / (len(cores.database) or 1)
    return cores.shared and database >= SATURATED - HELD_BACK and client <= HELD_BACK * database


def _client(used: Utilisation, cores: Cores) -> float:
    """Return the share of the client's cores in use, by it or by others.

    The time that the client waited for a core counts as used.
    """
    there = cores.usable_by_client
    wanted = ((used.client or 0.0) + (used.client_wait or 0.0)) / there
    beside = ((used.client or 0.0) + (used.database or 0.0)) / there if cores.shared else 0.0
    return max(used.client_core or 0.0, wanted, beside)


def _database(used: Utilisation, cores: Cores) -> float:
    there = len(cores.database) or 1
    return max(used.database_core or 0.0, (used.database or 0.0) / there)


BUSY = 0.95  # of a core: the client must be at least this busy, the null server must be less busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The lower throughput of the null server before and after, or why that is no ceiling.

    Without a ceiling the client can do at least *reached_rps* (0.0: nothing is known).
    """

    rps: float | None = None
    reached_rps: float = 0.0
    missing: str = ""


Ceilings = Mapping[tuple[str, Load], Ceiling]


def ceilings(run: Run) -> Ceilings:
    by_load: dict[tuple[str, Load], list[Record]] = {}
    for record in run.records:
        if record.slice.role == "ceiling":
            by_load.setdefault((record.slice.cell.scenario, record.slice.cell.load), []).append(record)
    usable = cores_of(run).usable_by_client
    return {under: _ceiling(records, usable) for under, records in by_load.items()}


def ceiling_of(cell: Cell, known: Ceilings) -> Ceiling:
    never = Ceiling(missing="no ceiling: the null server was not measured")
    return known.get((cell.scenario, cell.load.ceiling_load), never)


def _ceiling(records: list[Record], usable: int) -> Ceiling:
    valid = [record.sample.throughput_rps for record in records if not _doubt(record, usable)]
    if valid:
        return Ceiling(rps=min(valid))
    sound = [record.sample for record in records if record.void is None and not record.sample.failed]
    return Ceiling(
        reached_rps=min((sample.throughput_rps for sample in sound), default=0.0),
        missing=f"no ceiling: {_doubt(records[0], usable)}",
    )


def _doubt(record: Record, usable: int) -> str:
    client = record.sample.client_cpu_s / record.sample.window_s / usable
    server_cpu_s = record.usage.server_cpu_s
    if record.void is not None:
        return record.void
    if record.sample.failed:
        return f"the null server gave {record.sample.failed:,} wrong answers"
    if client < BUSY:
        return f"the null server kept the client {client * 100:.0f} % busy, {BUSY * 100:.0f} % are needed"
    if server_cpu_s is None:
        return "this system does not report how busy the null server was"
    server = server_cpu_s / record.usage.elapsed_s
    return f"the null server was busy {server * 100:.0f} % itself" if server >= BUSY else ""
