"""Energy that the machine counts: RAPL by way of the kernel's powercap files.

A file `energy_uj` grows with what a package used, up to `max_energy_range_uj`, then starts from 0
(kernel documentation, "Power Capping Framework"). The count is of the whole machine, client included.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

POWERCAP = Path("/sys/class/powercap")
OVERLAPPING = "psys"  # the platform: packages are in it


@dataclass(frozen=True, slots=True)
class Counter:
    """A reading, in µJ, and where the count starts anew."""

    energy_uj: int
    range_uj: int


class EnergyMeter(Protocol):
    def read(self) -> Mapping[str, Counter]:
        """Return a reading of each package by its name; empty where none can be read."""


class Rapl:
    def __init__(self, powercap: Path = POWERCAP) -> None:
        self._powercap = powercap

    def read(self) -> Mapping[str, Counter]:
        try:
            return {package.name: _reading(package) for package in _packages(self._powercap)}
        except (OSError, ValueError):  # often only root may read it
            return {}


def joules(before: Mapping[str, Counter], after: Mapping[str, Counter]) -> float | None:
    """Return what all packages used between two readings, less than one turn of a counter apart."""
    if not before or before.keys() != after.keys():
        return None
    return sum(_grown_uj(before[name], after[name]) for name in before) / 1e6


def _grown_uj(before: Counter, after: Counter) -> int:
    grown = after.energy_uj - before.energy_uj
    return grown if grown >= 0 else grown + after.range_uj


def _packages(powercap: Path) -> Iterator[Path]:
    """Yield the folders of packages, as `intel-rapl:0`. Parts of one, as `intel-rapl:0:1`, are in it."""
    for folder in sorted(powercap.glob("intel-rapl:*")):
        if folder.name.count(":") == 1 and (folder / "name").read_text().strip() != OVERLAPPING:
            yield folder


def _reading(package: Path) -> Counter:
    return Counter(*(int((package / name).read_text()) for name in ("energy_uj", "max_energy_range_uj")))
