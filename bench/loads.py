"""How hard a server is loaded: each kind of load, with what is particular to it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt
from pydantic import AllowInfNan, Field, SerializerFunctionWrapHandler, WrapSerializer

Metric = Literal["throughput_rps", "service_demand_us"]
Arrivals = Literal["poisson", "uniform"]
Level = Annotated[float, Gt(0), AllowInfNan(False)]

MOST_IN_FLIGHT = 256  # of an open load without a limit of its own
LOWEST_RPS = 1.0  # of an open load whose pilot had no right answer: it shows that there is none


class Kind(ABC):
    """What the rest of the harness needs to know of a load. It asks for this, never for the kind."""

    __slots__ = ()
    called: ClassVar[str]  # in a sentence, with its article
    metrics: ClassVar[tuple[Metric, ...]]  # what can be compared, the main one first
    # Every connection always waits for an answer. Then Little's law ties throughput and latency to the
    # number of connections, and the probe can tell how long windows must be.
    keeps_busy: ClassVar[bool]
    # Requests are due at times of their own. Then they can be late, queued, or never answered.
    has_due_times: ClassVar[bool]
    # The rate is given, and the same during a window. Then it can be the capacity under an objective.
    has_one_rate: ClassVar[bool]

    @property
    def compares_throughput(self) -> bool:
        """Whether throughput is a result. Otherwise it is given."""
        return "throughput_rps" in self.metrics

    @property
    @abstractmethod
    def title(self) -> str:
        """The load in words."""

    @property
    @abstractmethod
    def slug(self) -> str:
        """The load as a part of a file's name, different for different loads of a plan."""

    @property
    @abstractmethod
    def family(self) -> str:
        """What the loads of one series have in common, as a part of a file's name."""

    @property
    @abstractmethod
    def strength(self) -> tuple[float, int]:
        """Its place among the loads of its family, weakest first."""

    @property
    @abstractmethod
    def level(self) -> str:
        """Its strength in words, without the unit."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of its family's levels: "8 to 128 connections"."""

    @property
    @abstractmethod
    def ceiling_load(self) -> "Load":
        """The load under which the null server shows what the client could do under this one."""

    @property
    def is_at_one_rate(self) -> bool:
        """Whether every contender of a group has the same rate."""
        return False

    def rate_depends_on(self, contender: str, group: Sequence[str]) -> Sequence[str]:
        """Return the contenders of *group* whose capacity determines the rate for *contender*."""
        return ()

    def rate_rps(self, capacities: Sequence[float]) -> float | None:
        """Return the rate in requests per second by the *capacities* of `rate_depends_on`. None: no rate."""
        return None

    def check(self) -> None:
        """Raise ValueError of a key, if there is one, and what was expected, if a plan cannot have it."""
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed(Kind):
    """Each of *connections* sends its next request when it has its answer."""

    kind: Literal["closed"] = "closed"
    connections: Annotated[int, Ge(1)]

    called = "a closed load"
    metrics = ("throughput_rps", "service_demand_us")
    keeps_busy = True
    has_due_times = False
    has_one_rate = False

    @property
    def title(self) -> str:
        return f"{self.level} connection{'s' * (self.connections != 1)}"

    @property
    def slug(self) -> str:
        return str(self.connections)

    @property
    def family(self) -> str:
        return "connections"

    @property
    def strength(self) -> tuple[float, int]:
        return 0.0, self.connections

    @property
    def level(self) -> str:
        return f"{self.connections:,}"

    @property
    def unit(self) -> str:
        return "connections"

    @property
    def ceiling_load(self) -> "Closed":
        return self


PILOT = Closed(connections=32)  # defines capacity, and gives loads with a given rate their ceiling


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Kind):
    """Requests are due at their own times, whatever the answers do.

    At most *connections* are in flight. The rate is *rate* (requests per second), or *fraction* of the
    capacity of the contender, or of the slowest one.
    """

    kind: Literal["open"] = "open"
    connections: Annotated[int, Ge(1)] = MOST_IN_FLIGHT
    rate: Level | None = None
    fraction: Level | None = None
    of: Literal["slowest"] | None = None
    arrivals: Arrivals = "poisson"

    called = "an open load"
    metrics = ("service_demand_us",)  # throughput is given
    keeps_busy = False
    has_due_times = True
    has_one_rate = True

    @property
    def title(self) -> str:
        uniform = ", evenly spaced" * (self.arrivals == "uniform")
        return f"{self.level} {self._unit('its')}{uniform}"

    @property
    def slug(self) -> str:
        level = f"{self.rate:.10g}" if self.rate is not None else f"{(self.fraction or 0) * 100:.10g}pc"
        in_flight = f"c{self.connections}" if self.connections != MOST_IN_FLIGHT else None
        return "-".join(filter(None, ("open", level, self.of, self._uniform, in_flight)))

    @property
    def family(self) -> str:
        level = "rates" if self.fraction is None else "fractions"
        return "-".join(filter(None, (level, self.of, self._uniform)))

    @property
    def strength(self) -> tuple[float, int]:
        return self.fraction or self.rate or 0.0, self.connections

    @property
    def level(self) -> str:
        return f"{self.rate or 0:,.10g}" if self.fraction is None else f"{self.fraction * 100:.10g}"

    @property
    def unit(self) -> str:
        return self._unit("each one's")

    @property
    def ceiling_load(self) -> Closed:
        return PILOT

    @property
    def is_at_one_rate(self) -> bool:
        return self.rate is not None or self.of is not None

    def rate_depends_on(self, contender: str, group: Sequence[str]) -> Sequence[str]:
        if self.fraction is None:
            return ()
        return group if self.of == "slowest" else (contender,)

    def rate_rps(self, capacities: Sequence[float]) -> float | None:
        if self.fraction is None:
            return self.rate
        # One that answers nothing must not stop all others.
        return max(LOWEST_RPS, self.fraction * min(filter(None, capacities), default=0.0))

    def check(self) -> None:
        if (self.rate is None) == (self.fraction is None):
            raise ValueError("an open load needs rate (requests per second) or fraction (of capacity)")
        if self.of and self.rate is not None:
            raise ValueError("of", 'a fraction may be of = "slowest", or of each contender\'s own capacity')

    def _unit(self, whose: str) -> str:
        if self.fraction is None:
            return "requests/s"
        owner = "the slowest one's" if self.of else whose
        return f"% of {owner} capacity"

    @property
    def _uniform(self) -> str | None:
        return self.arrivals if self.arrivals == "uniform" else None


# Every load of run.json has had these keys from its first schema, null where they do not belong to its kind.
_IN_EVERY_FILE = dict.fromkeys(("kind", "connections", "rate", "fraction", "of", "arrivals"))


def _with_every_key(load: Any, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
    return {**_IN_EVERY_FILE, **write(load)}


KINDS: Mapping[str, type[Closed] | type[Open]] = {"closed": Closed, "open": Open}
Load = Annotated[Closed | Open, Field(discriminator="kind"), WrapSerializer(_with_every_key)]
