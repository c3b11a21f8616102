"""How a run was measured and how far it reaches, in sentences that every form of the report has."""

from collections.abc import Iterator, Sequence

from bench.analysis import Analysis
from bench.project.loads import spoken
from bench.records import Run
from bench.report.panels import Panel
from bench.report.wording import plural

# What no run of ours tells: docs/methodology.md, "Threats to validity".
SCOPE = (
    "One machine: client, servers and database share its memory and caches; on two cores client and database "
    "share a core.",
    "Loopback: no TLS, no reverse proxy, no network; bodies are small.",
    "Absolute numbers travel badly to other machines. Ratios travel better, and not everywhere.",
    "A closed loop says how much a stack can do, not how it feels below that.",
    "Medians do not see what is rare: a pause in fewer than half of the slices shows in p99 and the maximum.",
    "Idiom is a judgement: each choice is cited beside the apps. Where yours differs, add it as a contender.",
)


def warnings(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Yield what must be known before anything else: what is wrong, and what follows."""
    if analysis.partial:
        ended = analysis.run.ended or "still going, or killed"
        yield f"Partial run: {ended}.", "Not all that was planned was measured."
    if not analysis.valid:
        yield f"Not valid: {analysis.invalid}.", "There is no number here to use."


def method(run: Run, panels: Sequence[Panel]) -> Iterator[str]:
    """Yield how the numbers of *panels* came about."""
    plan = run.plan
    settled = f", {run.rounds} after their spread, nothing else, was known" if plan.budget_s else ""
    yield (
        f"{plural(plan.rounds, 'round')} planned{settled}: each starts every server afresh and is one value "
        "of the statistics."
    )
    yield (
        f"In a round {plural(plan.sweeps, 'sweep')} over the contenders, in random order (seed {plan.seed}); "
        f"a slice is a lead-in of {plan.lead_in_s:g} s and a counted window of {plan.window_s:g} s."
    )
    yield from _chosen_windows(run)
    yield f"Warm-up of {plan.warm_up_s:g} s per contender, scenario and round: not counted."
    yield (
        "A slice is void where others used our cores, the client had to wait for its own, the hypervisor or "
        "a CPU limit took time: on nothing that looks at its result. Up to "
        f"{plural(plan.spare_sweeps, 'spare sweep')} a round make up for it."
    )
    if not all(panel.is_open for panel in panels):
        yield "Closed loop: a connection sends its next request when it has its answer."
    if any(panel.is_open for panel in panels):
        waits = "with no connection free it waits, and that counts"
        yield f"Open loop: a request is sent when it is due; {waits}."
    yield (
        "Throughput counts verified responses. A value is the median over rounds of the median over sweeps; "
        "its interval is exact and assumes no distribution."
    )
    yield '"≥": the client may have been the limit; such rows have no place in the order and no ratio.'
    yield (
        "Ratios come from slices of the same sweep, moments apart, paired; not from the throughputs above."
    )
    yield (
        "Percentiles are of all counted windows together, told where at least 20 requests lie beyond them. "
        "CPU is user and system time per verified response; memory is the highest seen."
    )
    yield f"Runtime {run.runtime}, started {run.started_at}."


def _chosen_windows(run: Run) -> Iterator[str]:
    """Yield the windows that the probe chose, where they are not the plan's."""
    chosen = dict.fromkeys(
        (step.cell.scenario, spoken(step.cell.load), step.window_s)
        for record in run.records
        if (step := record.slice).role in ("measure", "control") and step.window_s != run.plan.window_s
    )
    if chosen and run.plan.longest_window_s is not None:
        each = "; ".join(f"{scenario}, {load}: {window_s:g} s" for scenario, load, window_s in chosen)
        yield f"Where answers take long, a probe before round 1 chose longer windows, and fewer: {each}."
