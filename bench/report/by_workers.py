"""What more workers bring: a table for each scenario and load, and a summary."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.analysis import Analysis
from bench.analysis.processes import UNEVEN, format_cores, server_cores
from bench.analysis.scaling import Scaled, Scaling
from bench.report.document import Column, Section, TableCell, lines_table
from bench.report.wording import (
    NOTHING,
    abouts,
    figure,
    measured,
    plain_cell,
    plain_estimate,
    plural,
    throughput,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTable:
    """Contenders in one scenario under one load, by their number of workers."""

    scaling: Scaling
    about: str  # the scenario's words in a sentence
    cores: int | None  # of the servers

    @property
    def scenario(self) -> str:
        return self.scaling.scenario

    @property
    def load_text(self) -> str:
        return self.scaling.load.title

    @property
    def title(self) -> str:
        return f"{self.scenario}, {self.load_text}, by workers"

    @property
    def slug(self) -> str:
        return f"{self.scenario}-{self.scaling.load.slug}-workers"

    @property
    def contenders(self) -> Mapping[str, tuple[Scaled, ...]]:
        """Contender with the fewest workers → all of its numbers, fewest workers first."""
        return self.scaling.contenders

    @property
    def columns(self) -> tuple[Column, ...]:
        fewest = {scaled[0].base_workers for scaled in self.contenders.values()}
        base = plural(fewest.pop(), "worker") if len(fewest) == 1 else "fewest workers"
        headings = ("workers", "req/s", f"× {base}", "efficiency", "busiest / least busy", "bound by")
        explained = ("efficiency", "bound by")
        return tuple(Column(heading=one, term=one if one in explained else "") for one in headings)

    @property
    def lines(self) -> Mapping[str, tuple[tuple[TableCell, ...], ...]]:
        return {name: tuple(map(_line, scaled)) for name, scaled in self.contenders.items()}

    @property
    def notes(self) -> Iterator[str]:
        yield from self._on_cores()
        yield (
            "Efficiency: throughput relative to the fewest workers, over the factor of workers; 1 where each "
            "further one brings as much as the first. Both sides are from the same sweeps."
        )
        yield (
            "Busiest / least busy: CPU of a server's worker processes in a round, the median over rounds. "
            f"More than {UNEVEN:g} is uneven: one of them held others up, or was left without work."
        )
        for scaled in self.contenders.values():
            yield from (
                f"No ratio for {one.row.cell.contender}: {one.withheld}." for one in scaled if one.withheld
            )

    @property
    def section(self) -> Section:
        caption = f"{self.title}. Below a ratio: its interval over rounds"
        return Section(
            title=self.title,
            about=self.about,
            charts=self.title,
            tables=(lines_table(caption, self.columns, self.lines),),
            notes=tuple(self.notes),
        )

    def _on_cores(self) -> Iterator[str]:
        most = max(one.workers for one in self.scaling.all)
        if self.cores is None:
            yield "How many cores the servers had is not known: it bounds what workers can bring."
        elif self.cores == 1:
            yield (
                "Scaling cannot be shown here: the servers had 1 core, on which workers take turns. What is "
                "left to see is what more of them cost."
            )
        elif self.cores < most:
            yield f"The servers had {format_cores(self.cores)}: more workers than that take turns."


def by_workers(analysis: Analysis) -> tuple[WorkerTable, ...]:
    """Return what more workers bring. Empty if no contender was measured with several numbers of workers."""
    words, cores = abouts(analysis.run), server_cores(analysis.run)
    return tuple(
        WorkerTable(scaling=one, about=words.get(one.scenario, one.scenario), cores=cores)
        for one in analysis.scalings
    )


def section(analysis: Analysis) -> Section | None:
    scaled = by_workers(analysis)
    if not scaled:
        return None
    return Section(
        title="What more workers bring",
        anchor="workers",
        short="Workers",
        parts=tuple(one.section for one in scaled),
    )


def plain_scalings(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the scalings as plain data, ready for JSON."""
    return [
        {
            **plain_cell(one.row.cell),
            "workers": one.workers,
            "reference": one.base,
            "reference_workers": one.base_workers,
            "ratio": plain_estimate(one.ratio),
            "efficiency": plain_estimate(one.efficiency),
        }
        for found in analysis.scalings
        for one in found.all
    ]


def _line(one: Scaled) -> tuple[TableCell, ...]:
    row = one.row
    return (
        TableCell(f"{one.workers}"),
        TableCell(throughput(row.throughput_rps, row.client_limit)),
        measured(one.ratio, of_ratio=True),
        measured(one.efficiency, of_ratio=True),
        TableCell(figure(row.imbalance)),
        TableCell(row.bound_by or NOTHING),
    )
