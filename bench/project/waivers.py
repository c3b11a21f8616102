"""Accepted regressions, each with a reason and a last day: `waivers.toml` of a project."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Gt
from pydantic import AfterValidator

from bench.files import read_toml

FILE = "waivers.toml"
Metric = Literal[
    "throughput_rps", "service_demand_us", "statements", "instructions", "response_bytes", "memory_bytes"
]


def _reason(written: str) -> str:
    if not written.strip():
        raise ValueError("why is it accepted?")
    return written


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A regression of one contender in one scenario (of statements: exchange), up to a size, until a day."""

    contender: str
    of: str
    metric: Metric | None = None  # None: any
    size: Annotated[float, Gt(0)]  # 0.1: worse by 10 % at most
    reason: Annotated[str, AfterValidator(_reason)]
    until: date

    def covers(self, contender: str, of: str, metric: str, worse_by: float, today: date) -> bool:
        """Return whether a regression is the accepted one, and no larger."""
        same = (contender, of) == (self.contender, self.of) and self.metric in (None, metric)
        return same and worse_by <= self.size and today <= self.until

    @property
    def text(self) -> str:
        return f"{self.contender}, {self.of}{f', {self.metric}' if self.metric else ''}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _WaiversFile:
    waiver: tuple[Waiver, ...] = ()


def read_waivers(root: Path) -> tuple[Waiver, ...]:
    """Return the waivers of the project at *root*, none without a file; raises UsageError."""
    file = root / FILE
    return read_toml(file, _WaiversFile).waiver if file.is_file() else ()


def leftover(waivers: Sequence[Waiver], used: Sequence[Waiver], today: date) -> Iterator[str]:
    for one in waivers:
        if today > one.until:
            yield f"waiver expired on {one.until}: {one.text}"
        elif one not in used:
            yield f"waiver not needed: {one.text}"
