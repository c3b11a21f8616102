"""Loads as plans write them, and their names."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from bench.model import Load

MOST_IN_FLIGHT = 256  # of an open load without a limit of its own
PILOT = Load(kind="closed", connections=32)  # defines capacity, and gives open rows their ceiling


def _with_defaults(written: Any) -> Any:
    is_open = isinstance(written, dict) and written.get("kind") == "open"
    return {"connections": MOST_IN_FLIGHT, "arrivals": "poisson", **written} if is_open else written


def _possible(load: Load) -> Load:
    levels = {"rate": load.rate, "fraction": load.fraction}
    if load.kind == "closed":
        for key, value in {**levels, "of": load.of, "arrivals": load.arrivals}.items():
            if value is not None:
                raise ValueError(key, "belongs to an open load")
    elif (load.rate is None) == (load.fraction is None):
        raise ValueError("an open load needs rate (requests per second) or fraction (of capacity)")
    elif load.of and load.rate is not None:
        raise ValueError("of", 'a fraction may be of = "slowest", or of each contender\'s own capacity')
    return load


# A load of a plan: closed with so many connections, or open at a rate or a fraction of capacity.
WrittenLoad = Annotated[Load, BeforeValidator(_with_defaults), AfterValidator(_possible)]


def ceiling_load(load: Load) -> Load:
    """Return the load under which the null server shows what the client could do under *load*."""
    return load if load.kind == "closed" else PILOT


def spoken(load: Load) -> str:
    if load.kind == "closed":
        return f"{load.connections:,} connection{'s' * (load.connections != 1)}"
    uniform = ", evenly spaced" * (load.arrivals == "uniform")
    if load.rate is not None:
        return f"{load.rate:,.10g} requests/s{uniform}"
    whose = "the slowest one's capacity" if load.of else "its capacity"
    return f"{(load.fraction or 0) * 100:.10g} % of {whose}{uniform}"


def slug(load: Load) -> str:
    """Return the load as a part of a file's name, different for different loads of a plan."""
    if load.kind == "closed":
        return str(load.connections)
    level = f"{load.rate:.10g}" if load.rate is not None else f"{(load.fraction or 0) * 100:.10g}pc"
    parts = ["open", level, load.of, "uniform" if load.arrivals == "uniform" else None]
    if load.connections != MOST_IN_FLIGHT:
        parts.append(f"c{load.connections}")
    return "-".join(part for part in parts if part)
