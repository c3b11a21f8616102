"""The answer of a run in two sentences: how much faster a contender is, and which is fastest at what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison
from bench.analysis.limits import cores_of
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.report import audit, cost_tables, gains, upgrades
from bench.report.panels import Panel, panels
from bench.report.sentences import headline
from bench.report.series import apart
from bench.report.wording import abouts, at_least, measured, plural, ratio

NAMED = 3  # scenarios named in a sentence; the others are given as a range


def answer(analysis: Analysis) -> tuple[str, ...]:
    """Return the first sentences of a report. Empty if there is no usable number.

    Where the plan's claims stand in tables of their source, its question is how they come out. Where it
    compares contenders with themselves, its question is what practices are worth.
    """
    if asked := tuple(audit.sentences(analysis)) or tuple(gains.sentences(analysis)):
        return asked
    if all(map(upgrades.is_upgrade, analysis.run.plan.blocks)) and (
        asked := tuple(upgrades.sentences(analysis))
    ):
        return asked
    if analysis.valid and (asked := tuple(cost_tables.sentences(analysis))):
        return asked
    shown = panels(analysis)
    if analysis.run.plan.own_references:
        return tuple(headline(panel) for panel in shown[:NAMED]) if analysis.valid else ()
    closed = [panel for panel in apart(shown) or shown if panel.contenders and panel.load.compares_throughput]
    words = abouts(analysis.run)
    row = _most_telling(closed) if analysis.valid else None
    if row is None:
        return tuple(headline(panel) for panel in shown[:2]) if analysis.valid else ()
    where = f"On this machine{_cores(analysis)}"
    return (
        f"{where}, {row.stack} is {_over(closed, row, words)}.",
        f"Fastest {_fastest(closed, words)}.",
    )


def _most_telling(closed: Sequence[Panel]) -> Row | None:
    """Return the best row of the first panel with a ratio, of the contenders that are in most panels."""
    counts: dict[str, int] = {}
    for panel in closed:
        for row in panel.contenders:
            counts[row.cell.contender] = counts.get(row.cell.contender, 0) + 1
    for row in closed[0].ranked if closed else ():
        name, panel = row.cell.contender, closed[0]
        if counts[name] == max(counts.values()) and name not in panel.references and panel.ratio_of(row):
            return row
    return None


def _over(closed: Sequence[Panel], row: Row, words: Mapping[str, str]) -> str:
    """Return how fast the contender of *row* is relative to the reference, for each scenario."""
    name, reference = row.cell.contender, closed[0].reference
    stack = next(other.stack for other in closed[0].rows if other.cell.contender == reference)
    there = [panel for panel in closed if any(other.cell.contender == name for other in panel.rows)]
    first, *rest = there
    tie = ", a tie" if first.is_tie(name) else ""
    parts = [f"{_ratio(first, name)} as fast as {stack} at {_at(first, there, words)}{tie}"]
    parts += [f"at {_at(panel, there, words)}, {_relative(panel, name)}" for panel in rest[: NAMED - 1]]
    if left := [
        one.ratio.estimate for panel in rest[NAMED - 1 :] if (one := panel.ratios.get(name)) and one.ratio
    ]:
        parts.append(f"at {len(left)} more, {ratio(min(left))} to {ratio(max(left))} ×")
    return "; ".join(parts)


def _at(panel: Panel, closed: Sequence[Panel], words: Mapping[str, str]) -> str:
    """Return the scenario in words, with its load if the panels differ in it."""
    loads = {other.load for other in closed}
    return words.get(panel.scenario, panel.scenario) if len(loads) == 1 else panel.title


def _relative(panel: Panel, name: str) -> str:
    """Return a ratio in words, or the reason why there is none."""
    comparison = panel.ratios.get(name)
    if comparison is None or comparison.ratio is None:
        bound = next((row for row in panel.limited if row.cell.contender == name), None)
        return f"{at_least(bound.throughput_rps)} req/s, client-limited" if bound else "no ratio"
    tie = "a tie, " if panel.is_tie(name) else ""
    return f"{tie}{_ratio(panel, name)}"


def _ratio(panel: Panel, name: str) -> str:
    comparison: Comparison = panel.ratios[name]
    estimate = comparison.ratio
    bare = estimate is None or estimate.low is None
    why = f" (no interval: {plural(comparison.rounds, 'round')})" if bare else ""
    return f"{_times(estimate)}{why}"


def _times(estimate: Estimate | None) -> str:
    cell = measured(estimate, of_ratio=True)
    return replace(cell, text=f"{cell.text} ×").line


def _fastest(closed: Sequence[Panel], words: Mapping[str, str]) -> str:
    """Return which contenders are fastest in which scenarios. Those that share a place are named together."""
    places: dict[str, list[str]] = {}
    for panel in closed:
        places.setdefault(" and ".join(_leaders(panel)), []).append(_at(panel, closed, words))
    return "; ".join(f"at {_listed(where)}: {who or 'no right answers'}" for who, where in places.items())


def _leaders(panel: Panel) -> Iterator[str]:
    if panel.limited:  # only a lower bound is known: it may be faster than the fastest one shown
        limited = _listed([row.stack for row in panel.limited])
        yield f"not known, as {limited} may be limited by the client"
        return
    if coarse := [row.stack for row in panel.ranked if row.coarse]:
        yield f"not known, as windows are too short for {_listed(coarse)}"
        return
    first = [row for row in panel.ranked if row.rank == 1]
    if not first and panel.ranked:
        yield f"{panel.ranked[0].stack}, though the rounds are too few to be sure"
    elif len(first) > 1:
        yield from (row.stack for row in first[:-1])
        yield f"{first[-1].stack}, tied"
    else:
        yield from (row.stack for row in first)


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _cores(analysis: Analysis) -> str:
    pinned = len(cores_of(analysis.run).server)
    return f", {'one core' if pinned == 1 else f'{pinned} cores'} each" if pinned else ""
