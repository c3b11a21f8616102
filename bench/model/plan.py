"""An experiment as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bench.loads import Load
from bench.model.claim import Choice, Claim, Inquiry
from bench.model.contender import name_of

# Changes too small to act on (0.05: 5 %), by metric. CPU per request is the steadier of the two.
MARGINS: Mapping[str, float] = MappingProxyType(
    {"throughput_rps": 0.05, "service_demand_us": 0.03, "instructions": 0.005}
)
ITSELF = "itself"  # for a plan's reference: each contender without its switches
PREVIOUS = "previous"  # likewise: the contender of the same base before it in its block


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Contenders × scenarios × loads that are measured side by side."""

    contenders: tuple[str, ...]
    scenarios: tuple[str, ...]
    loads: tuple[Load, ...]
    reference: str | None = None  # of its contenders; None: the plan's


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An experiment as data. Blocks share rounds; a cell of two blocks is measured once."""

    name: str
    blocks: tuple[Block, ...]
    reference: str
    rounds: int  # with a budget: the pilot that determines how many there are
    sweeps: int
    lead_in_s: float
    window_s: float
    warm_up_s: float  # per cell and round, before its first sweep; recorded, not counted
    seed: int
    budget_s: float | None = None  # of rounds = "auto"
    spare_sweeps: int = 2  # at most, in a round, in place of sweeps in which a slice was void
    # If answers take long, the probe chooses windows up to this length; None: always window_s.
    longest_window_s: float | None = None
    # If answers take long, the probe lowers closed loads to so many connections; None: they stay as written.
    fewer_connections: int | None = None
    load_workers: int = 1  # processes that send requests
    margins: Mapping[str, float] = field(default_factory=lambda: dict(MARGINS))
    slo_ms: float | None = None  # p99 that capacity under an objective must keep
    about: str = ""
    claims: tuple[Claim, ...] = ()
    inquiries: tuple[Inquiry, ...] = ()
    choices: tuple[Choice, ...] = ()
    baseline: str | None = None  # a revision: each contender is relative to itself there
    changed: tuple[str, ...] = ()  # exchanges of which the baseline has another version
    count: bool = False  # instructions per request too, where the runtime can
    timed: bool = True  # False: only what is counted, without a round

    @property
    def own_references(self) -> bool:
        of_a_block = any(block.reference for block in self.blocks)
        return self.baseline is not None or self.reference in (ITSELF, PREVIOUS) or of_a_block

    @property
    def ladders(self) -> tuple[tuple[str, ...], ...]:
        found: dict[tuple[int, str], list[str]] = {}
        for number, block in enumerate(self.blocks):
            for name in block.contenders:
                if not name_of(name).is_twin:
                    found.setdefault((number, name_of(name).base), []).append(name)
        return tuple(map(tuple, found.values()))

    def reference_of(self, contender: str) -> str:
        """Return what *contender* is relative to.

        It is the reference of its block, or the plan's. With a baseline it is the contender itself there. If
        the plan's reference is `itself`, it is the contender without switches. If it is `previous`, it is the
        step below on its ladder.
        """
        name = name_of(contender)
        if self.baseline and name.revision:
            return f"{name.unrevised}@{self.baseline}"
        for block in self.blocks:
            if block.reference and contender in block.contenders:
                return block.reference
        if self.reference == ITSELF:
            return name.base
        if self.reference == PREVIOUS:
            steps = next(ladder for ladder in self.ladders if name.original in ladder)
            return name.original if name.is_twin else steps[max(0, steps.index(contender) - 1)]
        return self.reference
