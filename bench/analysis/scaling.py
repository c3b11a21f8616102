"""What more workers bring: a contender relative to itself with fewer workers, in one run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.comparisons import between
from bench.analysis.rows import Row, unfit
from bench.analysis.statistics import Estimate
from bench.loads import Load
from bench.model.contender import Contender
from bench.records import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """A row with its number of workers, relative to the row of the same contender with the fewest."""

    row: Row
    workers: int
    base: str  # the contender with the fewest workers
    base_workers: int
    ratio: Estimate | None  # of throughput, both from the same sweeps; 1 for the base itself
    withheld: str = ""  # why there is no ratio though both were measured

    @property
    def efficiency(self) -> Estimate | None:
        """The ratio divided by the factor of workers.

        It is 1 where each further worker brings as much as the first.
        """
        if self.ratio is None:
            return None
        factor = self.workers / self.base_workers
        low, high = (None if edge is None else edge / factor for edge in (self.ratio.low, self.ratio.high))
        return replace(self.ratio, estimate=self.ratio.estimate / factor, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Contenders in one scenario under one load, each with several numbers of workers."""

    scenario: str
    load: Load
    contenders: Mapping[str, tuple[Scaled, ...]]  # base → from fewest workers to most

    @property
    def all(self) -> tuple[Scaled, ...]:
        return tuple(one for scaled in self.contenders.values() for one in scaled)


def scalings(run: Run, rows: Sequence[Row]) -> tuple[Scaling, ...]:
    places = dict.fromkeys((row.cell.scenario, row.cell.load) for row in rows)
    found = []
    for scenario, load in places:
        here = [row for row in rows if (row.cell.scenario, row.cell.load) == (scenario, load)]
        if load.compares_throughput and (alike := _alike(run, here)):
            contenders = {alike_rows[0][1].name: _scaled(run, alike_rows) for alike_rows in alike}
            found.append(Scaling(scenario=scenario, load=load, contenders=contenders))
    return tuple(found)


def _alike(run: Run, rows: Iterable[Row]) -> list[list[tuple[Row, Contender]]]:
    """Return the rows of contenders that differ only in workers, fewest first; not those with one number."""
    known = {one.name: one for one in run.contenders}
    grouped: dict[str, list[tuple[Row, Contender]]] = {}
    for row in rows:
        contender = known[row.cell.contender]
        if not row.is_control:
            likeness = repr(replace(contender, name="", stack="", workers=0))
            grouped.setdefault(likeness, []).append((row, contender))
    return [
        sorted(alike, key=lambda pair: pair[1].workers)
        for alike in grouped.values()
        if len({contender.workers for _, contender in alike}) > 1
    ]


def _scaled(run: Run, alike: Sequence[tuple[Row, Contender]]) -> tuple[Scaled, ...]:
    kept_out = unfit(row for row, _ in alike)
    first, base = alike[0]
    own = None if first.unfit or not first.requests else Estimate(estimate=1.0)
    scaled = [Scaled(row=first, workers=base.workers, base=base.name, base_workers=base.workers, ratio=own)]
    for row, contender in alike[1:]:
        comparison = between(run, row.cell, base.name, "throughput_rps", kept_out)
        scaled.append(
            Scaled(
                row=row,
                workers=contender.workers,
                base=base.name,
                base_workers=base.workers,
                ratio=comparison.ratio if comparison else None,
                withheld=comparison.withheld if comparison else "",
            )
        )
    return tuple(scaled)
