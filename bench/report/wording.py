"""The format of numbers and facts, the same in every form of the report."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from bench.analysis.statistics import Estimate
from bench.loads import Load
from bench.model.cell import Cell
from bench.records import Run
from bench.report.document import TableCell

NOTHING = "–"
MEBIBYTE = 2**20


def abouts(run: Run) -> Mapping[str, str]:
    """Return the words for each scenario in a sentence, by the scenario's name."""
    return {scenario.name: scenario.about or scenario.name for scenario in run.scenarios}


def figure(value: float | None, like: float | None = None) -> str:
    """Return *value* with about three digits.

    It has as many decimals as *like* would have (default: itself).
    """
    if not value:
        return NOTHING if value is None else "0"
    size = abs(value if like is None else like)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2}f}"


def ratio(value: float | None, like: float | None = None) -> str:
    """Return a ratio as text. Below 2 it has three decimals."""
    if value is None:
        return NOTHING
    return f"{value:.3f}" if (value if like is None else like) < 2 else figure(value, like)


def mebibytes(size: int | None) -> str:
    return NOTHING if size is None else f"{size / MEBIBYTE:,.0f}"


def point(estimate: Estimate | None, *, of_ratio: bool = False) -> str:
    write = ratio if of_ratio else figure
    return write(estimate.estimate) if estimate else NOTHING


def interval(estimate: Estimate | None, *, of_ratio: bool = False) -> str:
    """Return "low–high". Empty if there is no interval."""
    write = ratio if of_ratio else figure
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{write(estimate.low, estimate.estimate)}–{write(estimate.high, estimate.estimate)}"


def measured(estimate: Estimate | None, *, of_ratio: bool = False) -> TableCell:
    """Return the estimate, with its interval as the detail."""
    return TableCell(point(estimate, of_ratio=of_ratio), interval(estimate, of_ratio=of_ratio))


def both(estimate: Estimate | None, *, of_ratio: bool = False) -> str:
    """Return the estimate, with its interval in brackets if it has one."""
    return measured(estimate, of_ratio=of_ratio).line


def changed(estimate: Estimate | None) -> TableCell:
    """Return a ratio as a change in percent, "−2.1 %", with its interval, "−3.0 to −1.1", as the detail."""
    if estimate is None:
        return TableCell(NOTHING)
    where = ""
    if estimate.low is not None and estimate.high is not None:
        where = f"{_signed(estimate.low, 1)} to {_signed(estimate.high, 1)}"
    return TableCell(percent_more(estimate.estimate), where)


def change(estimate: Estimate | None) -> str:
    """Return a ratio as a change in percent with its interval: "−2.1 % (−3.0 to −1.1)"."""
    return changed(estimate).line


def throughput(estimate: Estimate | None, limit: str | None) -> str:
    """Return a throughput, as a lower bound where the client was the *limit*."""
    return at_least(estimate) if limit else point(estimate)


def levels(estimates: Iterable[Estimate | None]) -> str:
    """Return the confidence levels of the intervals ("96.1 %"). Empty if there is no interval."""
    reached = sorted({estimate.level for estimate in estimates if estimate and estimate.level is not None})
    return " or ".join(f"{level * 100:.1f} %" for level in reached)


def scaled(estimate: Estimate | None, factor: float) -> Estimate | None:
    if estimate is None or estimate.low is None or estimate.high is None:
        return estimate and replace(estimate, estimate=estimate.estimate * factor)
    return replace(
        estimate,
        estimate=estimate.estimate * factor,
        low=estimate.low * factor,
        high=estimate.high * factor,
    )


def at_least(estimate: Estimate | None) -> str:
    """Return the estimate as a lower bound, for a client-limited row."""
    return f"≥ {point(estimate)}"


def edge(value: float | None) -> str:
    """Return a number that was not measured as text: three digits at most, without trailing zeros."""
    return NOTHING if value is None else f"{float(f'{value:.3g}'):,.10g}"


def percent(share: float | None) -> str:
    """Return a share (0 to 1) in whole percent."""
    return NOTHING if share is None else f"{share * 100:.0f} %"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent_more(ratio: float, decimals: int = 1) -> str:
    """Return a ratio as a change in percent: "−2.1 %". What rounds to nothing is "+0.0 %"."""
    return f"{_signed(ratio, decimals)} %"


def _signed(ratio: float, decimals: int) -> str:
    return f"{ratio * 100 - 100:+z.{decimals}f}".replace("-", "−")


def rounded(value: float | None) -> float | None:
    """Return *value* to six digits. Further digits come from arithmetic, not from measurement."""
    return None if value is None else float(f"{value:.6g}")


def finite(value: float | None) -> float | None:
    """Return *value* to six digits. None if it is infinite, which JSON cannot represent."""
    return None if value is None or math.isinf(value) else rounded(value)


def plain_estimate(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    return {name: rounded(value) for name, value in asdict(estimate).items()}


def plain_load(load: Load) -> dict[str, Any]:
    return {name: value for name, value in asdict(load).items() if value is not None}


def plain_cell(cell: Cell) -> dict[str, Any]:
    return {"contender": cell.contender, "scenario": cell.scenario, "load": plain_load(cell.load)}
