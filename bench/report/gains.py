"""What each practice brings: a contender without it and with it, as before → after."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from bench.analysis import Analysis
from bench.analysis.comparisons import Comparison, Verdict
from bench.analysis.statistics import Estimate
from bench.model.cell import Cell
from bench.model.contender import name_of
from bench.model.plan import ITSELF, PREVIOUS
from bench.report.details import per_request, statements_of
from bench.report.document import Column, Section, Table, TableCell, name_column
from bench.report.wording import abouts, measured, plural, throughput

COLUMNS = (
    name_column("practice", detail="stack"),
    Column(heading="without, req/s"),
    Column(heading="with, req/s"),
    Column(heading="with / without"),
    Column(heading="SQL per request"),
    Column(heading="verdict", kind="verdict"),
)
CAPTION = (
    "Each contender beside itself without the practice, in the scenario that it is for. Below a ratio: its "
    "interval over rounds"
)
ALL = "all of them"
NAMED = 3  # practices in a sentence
OFF = "=off"  # takes a practice away; any other value adds one
OPPOSITE: Mapping[Verdict, Verdict] = {"slower": "faster", "faster": "slower"}
# The contender with the practice is judged, relative to the one without it.
WORTH: Mapping[Verdict, str] = {
    "faster": "pays",
    "slower": "costs",
    "equivalent": "worth nothing here",
    "inconclusive": "cannot tell",
    "invalid": "cannot tell",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    switch: str
    about: str  # the scenario
    stack: str
    contender: str
    without: str
    with_it: str
    ratio: Estimate | None  # with it, relative to without
    statements: str
    worth: str

    @property
    def line(self) -> tuple[TableCell, ...]:
        return (
            TableCell(f"{self.switch}: {self.about}", self.stack),
            TableCell(self.without),
            TableCell(self.with_it),
            measured(self.ratio, of_ratio=True),
            TableCell(self.statements),
            TableCell(self.worth),
        )


def section(analysis: Analysis) -> Section | None:
    found = gains(analysis)
    if not found:
        return None
    rows = tuple(gain.line for gain in found)
    return Section(
        title="What each practice is worth",
        anchor="practices",
        short="Practices",
        tables=(Table(caption=CAPTION, columns=COLUMNS, rows=rows, style="sortable claims"),),
        notes=tuple(notes(found)),
    )


def gains(analysis: Analysis) -> tuple[Gain, ...]:
    """Return the gains in throughput. Empty if one contender is the reference of all.

    Of a ladder: each step in turn, then all steps together.
    """
    plan = analysis.run.plan
    if plan.reference not in (ITSELF, PREVIOUS):
        return ()
    switched = [
        one
        for one in analysis.comparisons
        if one.metric == "throughput_rps" and not name_of(one.cell.contender).is_twin
    ]
    steps = [_gain(analysis, one) for one in switched]
    if plan.reference == ITSELF:
        return tuple(steps)
    climbs = [replace(_gain(analysis, one), switch=ALL) for one in analysis.climbs]
    ladders = dict.fromkeys((one.contender, one.about) for one in steps)
    return tuple(
        one for ladder in ladders for one in (*steps, *climbs) if (one.contender, one.about) == ladder
    )


def sentences(analysis: Analysis) -> Iterator[str]:
    """Yield how many practices pay, and which do most and which cost most. Nothing if none was judged."""
    found = [gain for gain in gains(analysis) if gain.switch != ALL] if analysis.valid else []
    if not any(gain.ratio for gain in found):
        return
    counts = Counter(gain.worth for gain in found)
    worths = ", ".join(f"{counts[worth]} {worth}" for worth in dict.fromkeys(WORTH.values()))
    yield f"Of {plural(len(found), 'comparison')} with and without a practice: {worths}."
    paying = _by_size(gain for gain in found if gain.worth == WORTH["faster"])
    costing = _by_size(gain for gain in found if gain.worth == WORTH["slower"])
    if paying:
        yield f"Most is gained by {'; '.join(map(_with_it, reversed(paying[-NAMED:])))}."
    if costing:
        yield f"Most is lost by {'; '.join(map(_with_it, costing[:NAMED]))}."


def _by_size(found: Iterable[Gain]) -> list[Gain]:
    return sorted(found, key=lambda gain: gain.ratio.estimate if gain.ratio else 1.0)


def _with_it(gain: Gain) -> str:
    cell = measured(gain.ratio, of_ratio=True)
    return f"{gain.switch} at {gain.about} ({gain.contender}), {replace(cell, text=f'{cell.text} ×').line}"


def notes(gains: tuple[Gain, ...]) -> Iterator[str]:
    if gains:
        yield (
            "With / without: throughput, both measured side by side; above 1 the practice pays. Verdicts by "
            "the plan's margin, one interval each."
        )
    if idle := dict.fromkeys(
        f"{one.switch} ({one.contender})" for one in gains if one.worth == WORTH["equivalent"]
    ):
        yield f"Worth nothing here: {', '.join(idle)}."


def _gain(analysis: Analysis, comparison: Comparison) -> Gain:
    """Return the gain of switches: `pool=off` takes a practice away, `middleware=stock` adds one."""
    run, cell = analysis.run, comparison.cell
    rows = {row.cell: row for row in analysis.rows}
    other = Cell(contender=comparison.reference, scenario=cell.scenario, load=cell.load)
    own, others = name_of(cell.contender).switches, name_of(other.contender).switches
    differ = [switch for switch in (*others, *own) if (switch in own) != (switch in others)]
    takes = all(switch in own and switch.endswith(OFF) for switch in differ)
    verdict = OPPOSITE.get(comparison.verdict, comparison.verdict) if takes else comparison.verdict
    without, having = (cell, other) if takes else (other, cell)
    return Gain(
        switch=", ".join(switch.removesuffix(OFF).removesuffix("=on") for switch in differ),
        about=abouts(run).get(cell.scenario, cell.scenario),
        stack=" → ".join(dict.fromkeys((rows[without].stack, rows[having].stack))),
        contender=name_of(cell.contender).base,
        without=throughput(rows[without].throughput_rps, rows[without].client_limit),
        with_it=throughput(rows[having].throughput_rps, rows[having].client_limit),
        ratio=_inverse(comparison.ratio) if takes else comparison.ratio,
        statements=f"{_statements(analysis, without)} → {_statements(analysis, having)}",
        worth=WORTH["invalid" if analysis.invalid else verdict],
    )


def _inverse(ratio: Estimate | None) -> Estimate | None:
    if ratio is None:
        return None
    low, high = (1 / ratio.high if ratio.high else None), (1 / ratio.low if ratio.low else None)
    return Estimate(estimate=1 / ratio.estimate, low=low, high=high, level=ratio.level)


def _statements(analysis: Analysis, cell: Cell) -> str:
    return per_request(statements_of(analysis.run, cell.contender, cell.scenario))
