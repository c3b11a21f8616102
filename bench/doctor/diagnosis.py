"""What the doctor finds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bench.doctor.noise import Noise

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
class Reading:
    """The results of one load generator on a null server: medians over its turns."""

    rps: float
    us_per_request: float | None  # CPU time of the load generator; None: there was no request
    client_busy: float  # CPU seconds per second
    server_busy: float | None  # of the null server; None where the system does not report it
    failures: int  # of all turns


def graded(value: float, caution: float, not_fit: float) -> Status:
    """Return the status of *value*; a larger value is worse."""
    return "not fit" if value >= not_fit else "caution" if value >= caution else "ok"


Readings = Mapping[str, Reading]  # by load generator: engine, fast, http, wrk


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
