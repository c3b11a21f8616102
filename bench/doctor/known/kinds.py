"""The servers of known arithmetic of `bench doctor --latency`: what each does, and what follows from that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat

from bench.doctor.known import theory
from bench.doctor.known.behaviours import Batches, Behaviour, Fixed, Queue, Stall, exponential
from bench.doctor.known.theory import Beyond

_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKind:
    about: str
    rate_rps: float  # of Poisson arrivals
    behaviour: Callable[[int], Behaviour]  # by a seed
    beyond: Beyond


KINDS: Mapping[str, ServerKind] = {
    "fixed": ServerKind(
        about="2 ms each",
        rate_rps=1_000,
        behaviour=lambda seed: Fixed(2 * _MS),
        beyond=theory.fixed(2),
    ),
    "M/D/1": ServerKind(
        about="a queue, 1 ms each, 70 % busy",
        rate_rps=700,
        behaviour=lambda seed: Queue(repeat(_MS)),
        beyond=theory.md1(0.7, 1),
    ),
    "M/M/1": ServerKind(
        about="a queue, 1 ms on average, 70 % busy",
        rate_rps=700,
        behaviour=lambda seed: Queue(exponential(_MS, seed)),
        beyond=theory.mm1(0.7, 1),
    ),
    "stall": ServerKind(
        about="2 ms each, and 40 ms of nothing twice a second",
        rate_rps=1_000,
        behaviour=lambda seed: Stall(2 * _MS, 500 * _MS, 40 * _MS),
        beyond=theory.stalled(2, 500, 40),
    ),
    "batches": ServerKind(
        about="2 ms each, answered when four have come",
        rate_rps=1_000,
        behaviour=lambda seed: Batches(2 * _MS, 4),
        beyond=theory.batched(1, 2, 4),
    ),
}
