"""The analysis of a run: everything that reports show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.analysis.capacities import Capacity, capacities
from bench.analysis.caveats import ENDS, GIL, caveats_of, cut_off
from bench.analysis.comparisons import Comparison, climbs, comparisons, judged, noise_floors, ranks
from bench.analysis.costs import Cost, costs
from bench.analysis.findings import Finding, Grounded, findings, grounded
from bench.analysis.processes import processes_of
from bench.analysis.rows import Row, rows, unfit
from bench.analysis.scaling import Scaling, scalings
from bench.analysis.streams import StreamLadder, stream_ladders
from bench.analysis.voids import LIMITS
from bench.analysis.wrong import wrong_answers
from bench.records import Run

MOST_VOID = 0.25  # of the slices of a run: above this the rest may be the exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A run with its rows (caveats filled in), comparisons with the reference, noise floors, capacities."""

    run: Run
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    noise_floors: tuple[Comparison, ...]
    capacities: tuple[Capacity, ...]

    @property
    def partial(self) -> bool:
        return self.run.ended != "complete"

    @property
    def valid(self) -> bool:
        return self.invalid is None

    @property
    def invalid(self) -> str | None:
        """Why no number can be used; None if they can."""
        if self.run.ended == "failed":
            last = [event.what for event in self.run.events[-1:] if event.contender is None]
            return ": ".join(["the run failed", *last])
        if not self.run.plan.timed:
            return None
        ended = self.ended
        if (wrong := [row for row in self.rows if row.failed]) and not any(row.right for row in self.rows):
            return "; ".join([*ended, f"no contender gave a right answer: {wrong_answers(wrong[0])}"])
        broken = {record.sample.broken for record in self.run.records} - {""}  # they concern their cell alone
        voids = [(why, count) for row in self.rows for why, count in row.voids.items()]
        void = sum(count for why, count in voids if why not in broken)
        taken = void + sum(row.slices for row in self.rows)
        if void > MOST_VOID * taken:
            voided = f"{void:,} of {taken:,} slices are void: {_voided_by(self.run, self.rows)}"
            return "; ".join([*ended, voided])
        if not any(row.requests for row in self.rows):
            if broken:
                return f"no slice could be carried out: {min(broken)}"
            cut = None if ended else cut_off(self.rows)
            return "; ".join([*ended, cut or "no contender gave a right answer"])
        return None

    @property
    def climbs(self) -> tuple[Comparison, ...]:
        """The top of each ladder relative to its foot."""
        found = climbs(self.run, unfit(self.rows))
        return tuple(judged(one, self.noise_floors, self.run.plan.margins) for one in found)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return findings(self.run, self.rows, self.noise_floors, self.invalid)

    @property
    def ended(self) -> list[str]:
        """Which servers ended, and how. More may follow from that than from the machine."""
        ends = (event for event in self.run.events if event.contender and ENDS.match(event.what))
        return [f"{event.contender}: its server ended ({event.what})" for event in ends]

    @property
    def scalings(self) -> tuple[Scaling, ...]:
        return scalings(self.run, self.rows)

    @property
    def costs(self) -> tuple[Cost, ...]:
        return costs(self.run, self.rows, self.capacities)

    @property
    def stream_ladders(self) -> tuple[StreamLadder, ...]:
        return stream_ladders(self.run, self.rows)

    @property
    def choices(self) -> tuple[Grounded, ...]:
        return grounded(self.run, self.findings)


def _voided_by(run: Run, rows: Sequence[Row]) -> str:
    """Return the reason why most slices are void. A CPU limit of our own is not caused by others."""
    reasons = sum((Counter(row.voids) for row in rows), Counter[str]())
    [(reason, times)] = reasons.most_common(1)
    if reason == LIMITS["throttled"].why:
        quota = run.fingerprint.get("limits", {}).get("cpu_quota")
        return f"{reason} × {times:,}" + (
            f": {quota:g} cores' worth of CPU time are allowed" if quota else ""
        )
    remedy = "; `bench doctor` may say why" if reason == LIMITS["sent_late"].why else ""
    return f"the machine was not ours to measure on ({reason} × {times:,}){remedy}"


def analyse(run: Run) -> Analysis:
    """Return the analysis that all reports show."""
    found = rows(run)
    kept_out = unfit(found)
    locked = {event.contender for event in run.events if event.contender and GIL.search(event.what)}
    fit = [
        row.cell
        for row in found
        if row.requests and not (row.unfit or row.is_control or row.cell.contender in locked)
    ]
    places, floors = ranks(run, fit), noise_floors(run, kept_out)
    processes = {one.name: processes_of(run, one) for one in run.contenders}
    return Analysis(
        run=run,
        rows=tuple(
            replace(
                row,
                rank=places.get(row.cell),
                caveats=caveats_of(run, row, processes.get(row.cell.contender)),
            )
            for row in found
        ),
        comparisons=tuple(judged(one, floors, run.plan.margins) for one in comparisons(run, kept_out)),
        noise_floors=floors,
        capacities=capacities(run, found),
    )
