"""What was saturated, and whether the client may have been the limit. The rule: docs/methodology.md."""

from typing import Literal

from bench.analysis.utilisation import Cores, Utilisation

Bound = Literal["server", "client", "database", "nothing"]

SATURATED = 0.85  # of what it can use; beyond it queueing shows in what is measured
NEAR_CEILING = 0.80  # of what the client reaches on a null server
HELD_BACK = 0.05  # what a database may lose to the client on a core they share: the margin for throughput


def client_limit(
    throughput_rps: float, ceiling_rps: float | None, used: Utilisation, cores: Cores
) -> str | None:
    """Return in words why the client may have been the limit; None where it was not."""
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

    The core that client and database share counts for the one that used more of it. None where the system
    does not tell what the server used, and nothing else was saturated.
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
    """Tell whether the core that client and database share is the database's, but for what limits nothing.

    On a core of its own it would have what the client uses of this one: throughput would be higher by that
    share at most.
    """
    client, database = used.client or 0.0, (used.database or 0.0) / (len(cores.database) or 1)
    return cores.shared and database >= SATURATED - HELD_BACK and client <= HELD_BACK * database


def _client(used: Utilisation, cores: Cores) -> float:
    """Return how much of its cores was gone for the client: in use by whomever, or by it and waited for."""
    there = cores.usable_by_client
    wanted = ((used.client or 0.0) + (used.client_wait or 0.0)) / there
    beside = ((used.client or 0.0) + (used.database or 0.0)) / there if cores.shared else 0.0
    return max(used.client_core or 0.0, wanted, beside)


def _database(used: Utilisation, cores: Cores) -> float:
    there = len(cores.database) or 1
    return max(used.database_core or 0.0, (used.database or 0.0) / there)
