"""Where a regression takes more, in words and for machines."""

from collections.abc import Mapping
from typing import Any

from bench.profile.layers import LAYERS
from bench.profile.split import Explained
from bench.report.plain import rounded
from bench.report.wording import figure

Why = tuple[Explained, ...] | None  # None: nobody asked, and then nothing is said
Wheres = Mapping[tuple[str, str], str]  # contender and scenario → where

SMALL = 0.1  # of the change of all: a layer or a function that moved by less is not named
MOST = 3  # layers


def where(one: Explained) -> str:
    """Return which layers take more for a request, and which functions of them."""
    least_us = SMALL * abs(one.head.total_us - one.base.total_us)
    named = [moved for moved in one.moved if moved.by_us > 0 and moved.by_us >= least_us]
    parts = [
        f"{_more(moved.by_us)} in {LAYERS[moved.layer]}{_in(moved.functions, least_us)}"
        for moved in named[:MOST]
    ]
    told = "; ".join(parts) or "no layer takes more"
    total = f"{figure(one.base.total_us)} → {figure(one.head.total_us)} µs of CPU per request"
    return f"where, by profiles of both: {told} (all: {total})"


def plain(one: Explained) -> dict[str, Any]:
    """Return every layer of base and head, ready for JSON."""
    return {
        "contender": one.contender,
        "scenario": one.scenario,
        "layers": [
            {
                "layer": moved.layer,
                "base_us": rounded(moved.base_us),
                "head_us": rounded(moved.head_us),
                "functions": {name: rounded(us) for name, us in moved.functions.items()},
            }
            for moved in one.moved
        ],
    }


def wheres(explained: Why) -> Wheres:
    """Return where each of *explained* takes more."""
    return {(one.contender, one.scenario): where(one) for one in explained or ()}


def _in(functions: Mapping[str, float], least_us: float) -> str:
    told = ", ".join(f"`{name}` {_more(us)}" for name, us in functions.items() if us >= least_us)
    return f" ({told})" if told else ""


def _more(us: float) -> str:
    return f"{'+' if us > 0 else '−'}{figure(abs(us))} µs"
