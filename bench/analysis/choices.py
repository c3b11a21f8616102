"""Whether what a choice stands on was found."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.claims import Finding, evidence_for
from bench.model import Choice, Ground
from bench.records import Evidence, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounded:
    """A choice with what was seen for each of its grounds, and what became of its claims."""

    choice: Choice
    seen: tuple[tuple[Ground, Evidence | None], ...]
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether all of it was found as it is said to be."""
        return all(found and found.outcome == ground.outcome for ground, found in self.seen) and all(
            finding.verdict == "supported" for finding in self.findings
        )


def grounded(run: Run, findings: Sequence[Finding]) -> tuple[Grounded, ...]:
    """Return every choice of the plan of *run*, in its order, held against what was found."""
    return tuple(
        Grounded(
            choice=choice,
            seen=tuple((ground, evidence_for(run, ground)) for ground in choice.because),
            findings=tuple(one for one in findings if one.claim.says in choice.claims),
        )
        for choice in run.plan.choices
    )
