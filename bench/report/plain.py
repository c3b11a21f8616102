"""Facts as plain data, the same in every file that machines read."""

import math
from dataclasses import asdict
from typing import Any

from bench.analysis.statistics import Estimate
from bench.model import Cell, Load


def rounded(value: float | None) -> float | None:
    """Return *value* to six digits: beyond them is arithmetic, not measurement."""
    return None if value is None else float(f"{value:.6g}")


def finite(value: float | None) -> float | None:
    """Return *value* to six digits; None where it is infinite, which JSON cannot say."""
    return None if value is None or math.isinf(value) else rounded(value)


def plain_estimate(estimate: Estimate | None) -> dict[str, float | None] | None:
    """Return an estimate with its interval and level."""
    if estimate is None:
        return None
    return {name: rounded(value) for name, value in asdict(estimate).items()}


def plain_load(load: Load) -> dict[str, Any]:
    """Return only what makes up a load of its kind."""
    return {name: value for name, value in asdict(load).items() if value is not None}


def plain_cell(cell: Cell) -> dict[str, Any]:
    """Return what a cell is about."""
    return {"contender": cell.contender, "scenario": cell.scenario, "load": plain_load(cell.load)}
