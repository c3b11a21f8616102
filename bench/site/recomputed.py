"""Ratios, estimates and ranks from the sweeps of a submission, by the rules that made them in a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.analysis.comparisons import proven_faster
from bench.analysis.statistics import (
    Estimate,
    Pairing,
    Sweep,
    estimate_of,
    medians_by_round,
    paired_log_ratios,
    ratio_of,
)
from bench.loads import Metric
from bench.site.submission import StatedCell, Submission

Values = dict[Sweep, float]
UNKNOWN = object()


@dataclass(frozen=True, kw_only=True)
class Recomputed:
    """A submission with the values of its sweeps. Each is computed once."""

    submission: Submission

    @cached_property
    def sweeps(self) -> tuple[Sweep, ...]:
        found = self.submission.sweeps
        return tuple(zip(found.round, found.sweep, strict=True))

    @cached_property
    def throughputs(self) -> tuple[Values, ...]:
        return tuple(self._values(cell, _throughputs) for cell in self.submission.cells)

    @cached_property
    def demands(self) -> tuple[Values, ...]:
        return tuple(self._values(cell, _demands) for cell in self.submission.cells)

    def values(self, cell: int, metric: Metric) -> Values:
        return (self.throughputs if metric == "throughput_rps" else self.demands)[cell]

    def estimate(self, cell: int, metric: Metric) -> Estimate | None:
        return estimate_of(medians_by_round(self.values(cell, metric)).values())

    def pairing(self, cell: int, reference: int, metric: Metric) -> Pairing:
        return paired_log_ratios(self.values(cell, metric), self.values(reference, metric))

    def ratio(self, cell: int, reference: int, metric: Metric) -> Estimate | None:
        """Return the ratio of two cells, without regard to whether it is withheld."""
        known = self._ratios
        if (found := known.get((cell, reference, metric), UNKNOWN)) is UNKNOWN:
            found = ratio_of(self.pairing(cell, reference, metric))
            known[cell, reference, metric] = found
            known[reference, cell, metric] = inverse(found)
        return found if isinstance(found, Estimate) else None

    @cached_property
    def _ratios(self) -> dict[tuple[int, int, Metric], Estimate | None]:
        return {}

    def beside(self, cell: int) -> tuple[int, ...]:
        """Return the cells of the same scenario and load, itself included."""
        own = self.submission.cells[cell]
        return tuple(
            number
            for number, other in enumerate(self.submission.cells)
            if (other.scenario, other.load) == (own.scenario, own.load)
        )

    def of_contender(self, contender: int, cell: int) -> int | None:
        """Return the cell of *contender* in the scenario and load of *cell*; None if it has none."""
        found = (one for one in self.beside(cell) if self.submission.cells[one].contender == contender)
        return next(found, None)

    def rank(self, cell: int) -> int | None:
        own = self.submission.cells[cell]
        if not self.is_ranked(own) or "throughput_rps" not in self.submission.loads[own.load].metrics:
            return None
        rivals = [
            one for one in self.beside(cell) if one != cell and self.is_ranked(self.submission.cells[one])
        ]
        ratios = [self.ratio(rival, cell, "throughput_rps") for rival in rivals]
        if any(ratio is None or ratio.low is None for ratio in ratios):
            return None
        return 1 + sum(proven_faster("throughput_rps", ratio) for ratio in ratios)

    def is_ranked(self, cell: StatedCell) -> bool:
        twin = self.submission.contenders[cell.contender].is_twin
        return bool(cell.requests) and not unfit(cell) and not twin

    def _values(self, cell: StatedCell, measure: Callable[[StatedCell], Sequence[float | None]]) -> Values:
        found = zip(self.sweeps, measure(cell), strict=True)
        return {sweep: value for sweep, value in found if value is not None}


def inverse(ratio: Estimate | None) -> Estimate | None:
    """Return the ratio the other way round. Medians and both intervals are the same from either side."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return ratio and Estimate(estimate=1 / ratio.estimate)
    return Estimate(estimate=1 / ratio.estimate, low=1 / ratio.high, high=1 / ratio.low, level=ratio.level)


def unfit(cell: StatedCell) -> str | None:
    """Return why *cell* has no ratio and no rank; None if it may have them."""
    return cell.withheld or cell.client_limit or cell.paced or cell.coarse


def windows_of(cell: StatedCell) -> tuple[float | None, ...]:
    return (cell.window_s,) * len(cell.right) if isinstance(cell.window_s, float | int) else cell.window_s


def _throughputs(cell: StatedCell) -> Sequence[float | None]:
    return [
        None if right is None or not window_s else right / window_s
        for right, window_s in zip(cell.right, windows_of(cell), strict=True)
    ]


def _demands(cell: StatedCell) -> Sequence[float | None]:
    return cell.cpu_us
