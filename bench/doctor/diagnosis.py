"""What the doctor finds: as facts, for machines, and on the terminal, a line per check."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.doctor.noise import Noise
from bench.report.wording import NOTHING, both, figure, levels, percent

# caution: numbers get worse for it; not fit: they would be worthless, or there would be none.
Status = Literal["ok", "caution", "not fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One checked property of the machine."""

    name: str
    status: Status
    detail: str
    remedy: str | None = None  # None: nothing is wrong


def check(name: str, status: Status, detail: str, remedy: str | None = None) -> Check:
    """Return a check; the *remedy* is dropped if it is ok."""
    return Check(name=name, status=status, detail=detail, remedy=None if status == "ok" else remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorReading:
    """The results of one load generator on a null server: medians over its turns."""

    rps: float
    us_per_request: float | None  # CPU time of the load generator; None: there was no request
    client_busy: float  # CPU seconds per second
    server_busy: float | None  # of the null server; None where the system does not report it
    failures: int  # of all turns


def graded(value: float, caution: float, not_fit: float) -> Status:
    """Return the status of *value*; a larger value is worse."""
    return "not fit" if value >= not_fit else "caution" if value >= caution else "ok"


Readings = Mapping[str, GeneratorReading]  # by load generator: engine, fast, http, wrk


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All results of the doctor."""

    checks: tuple[Check, ...]
    hello: Readings
    writing: Readings  # under the scenario below
    writing_scenario: str | None  # None: the project has none that writes
    noise: Noise | None = None  # None: not requested, or not known

    @property
    def fit(self) -> bool:
        return not any(check.status == "not fit" for check in self.checks)

    def document(self) -> dict[str, Any]:
        return {
            "fit": self.fit,
            "checks": [asdict(check) for check in self.checks],
            "ceiling_rps": {name: self._of(name, "rps") for name in LOAD_GENERATORS},
            "client_us_per_request": {name: self._of(name, "us_per_request") for name in LOAD_GENERATORS},
            "noise": asdict(self.noise) if self.noise else None,
        }

    def _of(self, name: str, what: str) -> float | None:
        return getattr(self.hello[name], what) if name in self.hello else None


LOAD_GENERATORS = {
    "engine": "bench",
    "fast": "Locust FastHttpUser",
    "http": "Locust HttpUser",
    "wrk": "wrk",
}


LONG_MINUTES = 120
STYLES = {"ok": "green", "caution": "yellow", "not fit": "red"}


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    checks = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for check in diagnosis.checks:
        detail = Text(check.detail)
        if check.remedy:
            detail.append(f"\n→ {check.remedy}", style="dim")
        checks.add_row(Text(check.status, style=STYLES[check.status]), check.name, detail)
    console.print(checks)
    if diagnosis.hello:
        console.print()
        console.print(_ceilings(diagnosis))
    if diagnosis.noise:
        console.print()
        for line in noise_lines(diagnosis.noise):
            console.print(line, highlight=False)


def noise_lines(noise: Noise) -> Iterator[str]:
    """Yield the ratios of a contender to itself, then what the machine resolves in how many minutes."""
    level = levels(floor.ratio for floor in noise.floors)
    yield f"{noise.contender} against itself, {noise.rounds} rounds" + (
        f", intervals of {level}" if level else ""
    )
    for floor in noise.floors:
        yield f"  {floor.scenario}: {both(floor.ratio, of_ratio=True)}"
    resolved = [f"{percent(one.half_width)} in {_lasting(one.minutes)}" for one in noise.resolves]
    yield f"This machine resolves {', '.join(resolved)}."


def _lasting(minutes: float) -> str:
    return f"{ceil(minutes)} min" if minutes <= LONG_MINUTES else f"{ceil(minutes / 60)} h"


def _ceilings(diagnosis: Diagnosis) -> Table:
    table = Table(
        title=Text("One core requests from a server that does nothing, 32 connections"),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("load generator")
    headings = ["hello\nreq/s", "CPU\nµs/req", "client\nbusy", "null server\nbusy"]
    if diagnosis.writing:
        headings += [f"{diagnosis.writing_scenario}\nreq/s", "CPU\nµs/req"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, title in LOAD_GENERATORS.items():
        cells = _figures(diagnosis.hello.get(name)) + _shares(diagnosis.hello.get(name))
        if diagnosis.writing:
            cells += _figures(diagnosis.writing.get(name))
        table.add_row(title, *cells)
    return table


def _figures(reading: GeneratorReading | None) -> list[str]:
    return [figure(reading.rps), figure(reading.us_per_request)] if reading else [NOTHING, NOTHING]


def _shares(reading: GeneratorReading | None) -> list[str]:
    shares = (reading.client_busy, reading.server_busy) if reading else (None, None)
    return [NOTHING if share is None else f"{share:.0%}" for share in shares]
