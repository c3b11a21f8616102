"""What a run would measure, how long that takes and how precise it is, before it begins."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import sqrt
from pathlib import Path

from bench.analysis.comparisons import half_width
from bench.errors import UsageError
from bench.model.plan import Plan
from bench.observe.comparable import differences, facts_of
from bench.project.heats import Group, groups
from bench.records import Run
from bench.run import schedule, store, windows

LOOKED_AT = 5  # how many of the last runs in a folder are considered


def preview(begun: Run, results: Path) -> str:
    """Return what *begun* would measure, and about how long that takes, as text.

    The expected width of intervals comes from the last complete run of this machine below *results* with the
    same groups.
    """
    swept = groups(begun.plan, {contender.name: contender for contender in begun.contenders})
    steps = list(schedule.schedule(begun.plan, swept))
    latest = list(_latest(begun, results))
    starts = [start for _, run in latest for start in run.starts]
    minutes = schedule.duration_s(steps, swept, starts) / 60
    auto = begun.plan.budget_s
    more = f", as a pilot; then as many as it requires, {auto / 60:.1f} min in all at most" if auto else ""
    lines = [f"{group.scenario}, {group.load.title}: {', '.join(group.contenders)}" for group in swept]
    lines.append(
        f"{sum(len(group.contenders) for group in swept)} cells × {begun.plan.rounds} rounds "
        f"× {begun.plan.sweeps} sweeps = {len(steps)} slices with warm-ups, pilots and ceilings, "
        f"about {minutes:.1f} min{more}"
    )
    if windows.is_probed(begun.plan):
        lines.append(_after_the_probe(begun.plan))
    lines += [event.what for event in begun.events]
    lines += _slow_to_start(begun, schedule.ready_s(starts))
    lines.append(_expected(begun, swept, latest))
    return "\n".join(lines)


def _after_the_probe(plan: Plan) -> str:
    longest_s = plan.longest_window_s
    chosen = f"windows of {plan.window_s:g} s" + (
        f", up to {longest_s:g} s where answers take long" if longest_s is not None else ", as the plan says"
    )
    fewer = f", on {plan.fewer_connections} connections where they take very long"
    return f"a probe before the first round settles how long that takes: {chosen}" + (
        fewer if plan.fewer_connections is not None else ""
    )


def _slow_to_start(begun: Run, known: Mapping[str, float]) -> Iterator[str]:
    for contender in begun.timed:
        limit_s = contender.ready.seconds
        if limit_s and contender.name not in known:
            yield f"{contender.name} may take {limit_s:g} s to start, in each round: that comes on top"


def _expected(begun: Run, swept: tuple[Group, ...], latest: Sequence[tuple[str, Run]]) -> str:
    widths = _widths(begun, swept, latest)
    if first := next(widths, None):
        name, width = first
        return f"ratios to about ±{width * 100:.1f} %, as {name} had them"
    return "how wide the intervals will be is not known: no run of this machine has measured the same"


def _widths(
    begun: Run, swept: tuple[Group, ...], latest: Sequence[tuple[str, Run]]
) -> Iterator[tuple[str, float]]:
    """Yield name and half-width, scaled to the rounds of *begun*, of the *latest* runs that compare.

    A half-width shrinks with the square root of the rounds.
    """
    for name, run in latest:
        same = set(groups(run.plan, {contender.name: contender for contender in run.contenders}))
        if run.ended == "complete" and same >= set(swept) and (width := half_width(run)):
            yield name, width * sqrt(run.rounds / begun.plan.rounds)


def _latest(begun: Run, results: Path) -> Iterator[tuple[str, Run]]:
    files = sorted(results.glob(f"*/{store.FILE}"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in islice(files, LOOKED_AT):
        try:
            run = store.load(file)
        except UsageError:
            continue  # damaged, or of another version
        if not any(found.kind == "machine" for found in differences(facts_of(run), facts_of(begun))):
            yield file.parent.name, run
