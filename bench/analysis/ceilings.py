"""What the load generator reaches where the server is no limit, and whether that was shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.analysis.utilisation import cores_of
from bench.model import Cell, Load
from bench.project.loads import ceiling_load
from bench.records import Record, Run

BUSY = 0.95  # of a core: the client has to be at least so busy, the null server must not be


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The lower of what the null server gave before and after; or why that is no ceiling.

    Where it is none the client can do *reached_rps* at least (0.0: nothing is known).
    """

    rps: float | None = None
    reached_rps: float = 0.0
    missing: str = ""


Ceilings = Mapping[tuple[str, Load], Ceiling]


def ceilings(run: Run) -> Ceilings:
    """Return the ceiling of each scenario and load under which the null server was asked."""
    asked: dict[tuple[str, Load], list[Record]] = {}
    for record in run.records:
        if record.slice.role == "ceiling":
            asked.setdefault((record.slice.cell.scenario, record.slice.cell.load), []).append(record)
    usable = cores_of(run).usable_by_client
    return {under: _ceiling(records, usable) for under, records in asked.items()}


def ceiling_of(cell: Cell, known: Ceilings) -> Ceiling:
    """Return what holds for *cell*."""
    never = Ceiling(missing="no ceiling: the null server was not asked")
    return known.get((cell.scenario, ceiling_load(cell.load)), never)


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
    """Return what keeps *record* from showing the client's limit on *usable* cores; nothing where it does."""
    client = record.sample.client_cpu_s / record.sample.window_s / usable
    server_cpu_s = record.usage.server_cpu_s
    if record.void is not None:
        return record.void
    if record.sample.failed:
        return f"the null server gave {record.sample.failed:,} wrong answers"
    if client < BUSY:
        return f"the null server kept the client {client * 100:.0f} % busy, {BUSY * 100:.0f} % are needed"
    if server_cpu_s is None:
        return "this system does not tell how busy the null server was"
    server = server_cpu_s / record.usage.elapsed_s
    return f"the null server was busy {server * 100:.0f} % itself" if server >= BUSY else ""
