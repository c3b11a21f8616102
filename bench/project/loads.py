"""Loads as plans write them, and their names."""

from typing import Required  # pydantic needs this one below Python 3.12

from pydantic import with_config
from typing_extensions import TypedDict

from bench.errors import UsageError
from bench.files import STRICT
from bench.model import Load

MOST_IN_FLIGHT = 256  # of an open load without a limit of its own
PILOT = Load(kind="closed", connections=32)  # defines capacity, and gives open rows their ceiling


@with_config(STRICT)
class LoadForm(TypedDict, total=False):
    """A load: closed with so many connections, or open at a rate or a fraction of capacity."""

    kind: Required[str]
    connections: int
    rate: float
    fraction: float
    of: str
    arrivals: str


def read_load(where: str, form: LoadForm) -> Load:
    """Return the load of *form*; raises UsageError that begins with *where*."""
    match form["kind"]:
        case "closed":
            load = _closed(where, form)
        case "open":
            load = _open(where, form)
        case kind:
            raise UsageError(f'{where}: kind {kind!r} is unknown; there is "closed" and "open"')
    if load.connections < 1:
        raise UsageError(f"{where}: connections: at least 1")
    return load


def _closed(where: str, form: LoadForm) -> Load:
    if "connections" not in form:
        raise UsageError(f"{where}: a closed load needs connections")
    if strange := sorted(form.keys() - {"kind", "connections"}):
        raise UsageError(f"{where}: {strange[0]} belongs to an open load")
    return Load(kind="closed", connections=form["connections"])


def _open(where: str, form: LoadForm) -> Load:
    if ("rate" in form) == ("fraction" in form):
        raise UsageError(f"{where}: an open load needs rate (requests per second) or fraction (of capacity)")
    for key, level in (("rate", form.get("rate", 1)), ("fraction", form.get("fraction", 1))):
        if level <= 0:
            raise UsageError(f"{where}: {key}: must be more than 0")
    of, arrivals = form.get("of"), form.get("arrivals", "poisson")
    if of not in (None, "slowest") or (of and "rate" in form):
        raise UsageError(
            f'{where}: of: a fraction may be of = "slowest", or of each contender\'s own capacity'
        )
    if arrivals not in ("poisson", "uniform"):
        raise UsageError(f'{where}: arrivals {arrivals!r} is unknown; there is "poisson" and "uniform"')
    return Load(
        kind="open",
        connections=form.get("connections", MOST_IN_FLIGHT),
        rate=form.get("rate"),
        fraction=form.get("fraction"),
        of="slowest" if of else None,
        arrivals="poisson" if arrivals == "poisson" else "uniform",
    )


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
