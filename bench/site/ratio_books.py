"""Whether the rounds of a submission give the estimates, ratios, verdicts and ranks that it states."""

from collections.abc import Iterator

from bench.analysis.comparisons import Comparison, judged
from bench.analysis.measures import METRICS
from bench.analysis.statistics import Estimate
from bench.model.plan import Plan
from bench.site.books import named, near, place_of, plan_of
from bench.site.recomputed import Recomputed, unfit
from bench.site.submission import Figures, StatedRatio

EXACT = 1e-6  # relative


def wrong_estimates(one: Recomputed) -> Iterator[str]:
    for number, cell in enumerate(one.submission.cells):
        where = named(one.submission, cell)
        for metric in METRICS:
            if not _same(getattr(cell, metric), one.estimate(number, metric)):
                yield f"{where}: {metric}: the rounds do not give {_shown(getattr(cell, metric))}"
        for name in (*METRICS, "database_us", "client_us"):
            if (figures := getattr(cell, name)) and not _is_estimate(figures):
                yield f"{where}: {name}: {_shown(figures)} is no estimate"


def wrong_ratios(one: Recomputed) -> Iterator[str]:
    """Yield stated ratios, verdicts and ranks that the rounds do not give, and those that are missing."""
    plan = plan_of(one.submission)
    if isinstance(plan, str):
        return
    floors = tuple(_comparison(one, stated) for stated in one.submission.noise_floors)
    for stated, floor in zip(one.submission.noise_floors, floors, strict=True):
        yield from _wrong_ratio(one, stated, floor, "noise floor")
    for stated in one.submission.ratios:
        yield from _wrong_ratio(one, stated, judged(_comparison(one, stated), floors, plan.margins), "ratio")
    yield from _wrong_set(one, plan)
    for number, cell in enumerate(one.submission.cells):
        if (right := one.rank(number)) != cell.rank:
            yield f"{named(one.submission, cell)}: rank: {cell.rank}, and its rounds give {right}"


def _wrong_ratio(one: Recomputed, stated: StatedRatio, right: Comparison, what: str) -> Iterator[str]:
    where = f"{named(one.submission, one.submission.cells[stated.cell])}: {stated.metric}, {what}"
    if not _same(stated.ratio, right.ratio):
        yield f"{where}: the rounds give {_shown(_figures(right.ratio))}, not {_shown(stated.ratio)}"
    if (stated.pairs, stated.dropped, stated.rounds) != (right.pairs, right.dropped, right.rounds):
        yield (
            f"{where}: {right.pairs} pairs, {right.dropped} dropped, {right.rounds} rounds, "
            f"not {stated.pairs}, {stated.dropped}, {stated.rounds}"
        )
    if what == "ratio" and (stated.verdict, stated.blocked) != (right.verdict, right.blocked):
        yield f"{where}: its interval says {right.verdict}, not {stated.verdict}"
    if bool(stated.withheld) != bool(right.withheld):
        yield f"{where}: withheld differs from its cells"


def _wrong_set(one: Recomputed, plan: Plan) -> Iterator[str]:
    """Yield ratios that the plan wants and that are missing, so that none is left out by choice."""
    found = one.submission
    stated = {(known.cell, known.metric): found.contenders[known.reference].name for known in found.ratios}
    for number, cell in enumerate(found.cells):
        name = found.contenders[cell.contender].name
        try:
            reference = plan.reference_of(name)
        except (StopIteration, ValueError):  # on no ladder
            continue
        beside = {found.contenders[found.cells[other].contender].name for other in one.beside(number)}
        for metric in found.loads[cell.load].metrics:
            wanted = reference if reference != name and reference in beside else None
            if stated.get((number, metric)) != wanted:
                yield f"{named(found, cell)}: {metric}: its ratio should be to {wanted or 'nothing'}"


def _comparison(one: Recomputed, stated: StatedRatio) -> Comparison:
    found = one.submission
    other = one.of_contender(stated.reference, stated.cell)
    place, reference = place_of(found, found.cells[stated.cell]), found.contenders[stated.reference].name
    if other is None:
        return Comparison(
            cell=place, reference=reference, metric=stated.metric, ratio=None, pairs=0, dropped=0, rounds=0
        )
    pairing = one.pairing(stated.cell, other, stated.metric)
    withheld = unfit(found.cells[stated.cell]) or unfit(found.cells[other]) or ""
    return Comparison(
        cell=place,
        reference=reference,
        metric=stated.metric,
        ratio=None if withheld else one.ratio(stated.cell, other, stated.metric),
        pairs=pairing.pairs,
        dropped=pairing.dropped,
        rounds=len(pairing.log_ratios),
        withheld=withheld,
    )


def _is_estimate(figures: Figures) -> bool:
    estimate, low, high, level = figures
    if low is None or high is None or level is None:
        return estimate >= 0 and low is None and high is None and level is None
    return 0 <= low <= estimate <= high and 0 < level < 1


def _figures(found: Estimate | None) -> Figures | None:
    return None if found is None else (found.estimate, found.low, found.high, found.level)


def _same(stated: Figures | None, right: Estimate | None) -> bool:
    other = _figures(right)
    if stated is None or other is None:
        return stated is None and other is None
    return all(
        (one is None and two is None) or (one is not None and two is not None and near(one, two, EXACT))
        for one, two in zip(stated, other, strict=True)
    )


def _shown(figures: Figures | None) -> str:
    if figures is None:
        return "nothing"
    estimate, low, high, _ = figures
    return f"{estimate:.5g}" if low is None or high is None else f"{estimate:.5g} ({low:.5g}–{high:.5g})"
