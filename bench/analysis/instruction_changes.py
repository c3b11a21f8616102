"""Instructions of a head beside those of its base, paired by hash seed. Pure."""

from collections.abc import Collection, Mapping, Sequence

from bench.analysis.comparisons import Verdict
from bench.model.plan import MARGINS, Plan
from bench.records import Instructions

# How far apart the middle half of the windows of a count may be; else it does not hold still. Of 238 sound
# counts of our apps, 16 had over 0.5 %, and the largest 0.63 %.
STEADY = 0.0075
ROBUST = 5  # seeds from which on one server on each side does not decide


def ratios(base: Mapping[int, float], head: Mapping[int, float]) -> tuple[float, ...]:
    """Return head / base for each hash seed of both, the least first."""
    return tuple(sorted(head[seed] / base[seed] for seed in base.keys() & head.keys()))


def verdict_of_seeds(by_seed: Sequence[float], margin: float) -> Verdict:
    """Return the verdict of ratios, the least first. *margin*: 0.005 is half a percent.

    It is inconclusive where they are on two sides of the margin. A server may lay its objects out otherwise
    than at its last start, and then takes up to 2 % more: so the outer two of many ratios do not decide.
    """
    inner = by_seed[1:-1] if len(by_seed) >= ROBUST else by_seed
    low, high = inner[0], inner[-1]
    if low > 1 + margin:
        return "slower"
    if high < 1 / (1 + margin):
        return "faster"
    return "equivalent" if 1 / (1 + margin) <= low and high <= 1 + margin else "inconclusive"


def unsteady(base: Instructions, head: Instructions) -> float | None:
    """Return how far apart the windows of one of them are, if that is too much for a verdict."""
    spread = max(base.spread or 0.0, head.spread or 0.0)
    return spread if spread > STEADY else None


def doubtful(plan: Plan, found: Sequence[Instructions]) -> Collection[tuple[str, str]]:
    """Return contender and scenario of a diff's counts whose seeds are on two sides of the margin."""
    margin = plan.margins.get("instructions", MARGINS["instructions"])
    counted = {(one.contender, one.scenario): one for one in found if one.windows}
    places: set[tuple[str, str]] = set()
    for (name, scenario), head in counted.items() if plan.baseline else ():
        base = counted.get((plan.reference_of(name), scenario))
        if base is None or base is head or unsteady(base, head):
            continue
        if verdict_of_seeds(ratios(base.usual, head.usual), margin) == "inconclusive":
            places |= {(base.contender, scenario), (name, scenario)}
    return places
