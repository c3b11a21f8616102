"""From a run to what can be said of it. Only this face of the room is known outside it."""

from dataclasses import dataclass, replace

from bench.analysis.caveats import caveats_of
from bench.analysis.comparisons import Comparison, comparisons, noise_floors
from bench.analysis.estimates import SAME_AGAIN, Latency, Row, Utilisation, rows
from bench.analysis.measures import client_us, database_us, server_us
from bench.analysis.stats import Estimate
from bench.records import Run

__all__ = [
    "SAME_AGAIN",
    "Analysis",
    "Comparison",
    "Estimate",
    "Latency",
    "Row",
    "Utilisation",
    "analyse",
    "client_us",
    "database_us",
    "server_us",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A run with its rows (caveats filled in), comparisons with the reference, and noise floors."""

    run: Run
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    noise_floors: tuple[Comparison, ...]

    @property
    def partial(self) -> bool:
        """Whether less was measured than planned."""
        return self.run.ended != "complete"

    @property
    def valid(self) -> bool:
        """Whether there is a number to use: the harness held, and someone answered correctly."""
        return self.run.ended != "failed" and any(row.requests for row in self.rows)


def analyse(run: Run) -> Analysis:
    """Return everything that reports show of *run*."""
    return Analysis(
        run=run,
        rows=tuple(replace(row, caveats=caveats_of(run, row)) for row in rows(run)),
        comparisons=comparisons(run),
        noise_floors=noise_floors(run),
    )
