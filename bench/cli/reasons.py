"""Why contenders were not timed."""

from collections.abc import Sequence

from bench.records import Verification
from bench.run import verification


def by_reason(outcomes: Sequence[Verification]) -> str:
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.outcome == "failed":
            found.setdefault(verification.reason(outcome), []).append(outcome.contender)
    return "; ".join(f"{reason}: {', '.join(names)}" for reason, names in found.items())
