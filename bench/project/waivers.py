"""Accepted regressions, each with a reason and a last day: `waivers.toml` of a project."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Required  # pydantic needs this one below Python 3.12

from pydantic import with_config
from typing_extensions import TypedDict

from bench.errors import UsageError
from bench.files import STRICT, read_toml

FILE = "waivers.toml"
METRICS = ("throughput_rps", "service_demand_us", "statements", "response_bytes", "memory_bytes")


@with_config(STRICT)
class WaiverForm(TypedDict, total=False):
    """One [[waiver]]."""

    contender: Required[str]
    of: Required[str]
    metric: str
    size: Required[float]
    reason: Required[str]
    until: Required[date]


@with_config(STRICT)
class WaiversForm(TypedDict, total=False):
    waiver: list[WaiverForm]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A regression of one contender in one scenario (of statements: exchange), up to a size, until a day."""

    contender: str
    of: str
    metric: str | None  # None: any
    size: float  # 0.1: worse by 10 % at most
    reason: str
    until: date

    def covers(self, contender: str, of: str, metric: str, worse_by: float, today: date) -> bool:
        """Return whether a regression is the accepted one, and no larger."""
        same = (contender, of) == (self.contender, self.of) and self.metric in (None, metric)
        return same and worse_by <= self.size and today <= self.until

    @property
    def spoken(self) -> str:
        return f"{self.contender}, {self.of}{f', {self.metric}' if self.metric else ''}: {self.reason}"


def read_waivers(root: Path) -> tuple[Waiver, ...]:
    """Return the waivers of the project at *root*, none without a file; raises UsageError."""
    file = root / FILE
    if not file.is_file():
        return ()
    return tuple(
        _waiver(f"{file}: waiver.{number}", form)
        for number, form in enumerate(read_toml(file, WaiversForm).get("waiver", []))
    )


def _waiver(where: str, form: WaiverForm) -> Waiver:
    if not form["reason"].strip():
        raise UsageError(f"{where}.reason: must not be empty: why is it accepted?")
    if form["size"] <= 0:
        raise UsageError(f"{where}.size: must be more than 0; 0.1 is 10 %")
    if form.get("metric", METRICS[0]) not in METRICS:
        raise UsageError(f"{where}.metric: one of {', '.join(METRICS)}")
    return Waiver(
        contender=form["contender"],
        of=form["of"],
        metric=form.get("metric"),
        size=form["size"],
        reason=form["reason"],
        until=form["until"],
    )


def leftover(waivers: Sequence[Waiver], used: Sequence[Waiver], today: date) -> Iterator[str]:
    for one in waivers:
        if today > one.until:
            yield f"waiver expired on {one.until}: {one.spoken}"
        elif one not in used:
            yield f"waiver not needed: {one.spoken}"
