"""What each practice is worth: a contender beside itself with it switched off, as before → after."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.analysis import Analysis, Comparison, Estimate, Row, Verdict
from bench.model import ITSELF, SAME_AGAIN, Cell
from bench.report.answer import abouts
from bench.report.statements import per_request
from bench.report.wording import NOTHING, at_least, both, point

HEADINGS = (
    "practice",
    "stack",
    "without, req/s",
    "with, req/s",
    "with / without",
    "SQL per request",
    "verdict",
)
SWITCHED = re.compile(r"[^:@~]+:(?P<switches>[^@~]+)")
OFF = "=off"  # what takes a practice away; any other value adds something
OPPOSITE: Mapping[Verdict, Verdict] = {"slower": "faster", "faster": "slower"}
# What is judged is the contender without it, relative to the one with it.
WORTH: Mapping[Verdict, str] = {
    "slower": "pays",
    "faster": "costs",
    "equivalent": "worth nothing here",
    "inconclusive": "cannot tell",
    "invalid": "cannot tell",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """One practice in one scenario, for one contender."""

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
    def line(self) -> tuple[str, ...]:
        """It as a line of the table (`HEADINGS`)."""
        told = both(self.ratio, of_ratio=True)
        practice = f"{self.switch}: {self.about}"
        return practice, self.stack, self.without, self.with_it, told, self.statements, self.worth


def gains(analysis: Analysis) -> tuple[Gain, ...]:
    """Return what each switch of the plan is worth by throughput; none where one is the reference of all."""
    if analysis.run.plan.reference != ITSELF:
        return ()
    return tuple(
        _gain(analysis, comparison, found)
        for comparison in analysis.comparisons
        if comparison.metric == "throughput_rps"
        and not comparison.cell.contender.endswith(SAME_AGAIN)
        and (found := SWITCHED.fullmatch(comparison.cell.contender))
    )


def notes(told: tuple[Gain, ...]) -> Iterator[str]:
    """Yield how to read the table."""
    if told:
        yield (
            "With / without: throughput, both measured side by side; above 1 the practice pays. Verdicts by "
            "the plan's margin, one interval each."
        )
    if idle := dict.fromkeys(
        f"{one.switch} ({one.contender})" for one in told if one.worth == WORTH["equivalent"]
    ):
        yield f"Worth nothing here: {', '.join(idle)}."


def _gain(analysis: Analysis, comparison: Comparison, found: re.Match[str]) -> Gain:
    """Return what switches are worth: `pool=off` takes a practice away, `middleware=stock` adds something."""
    run, cell = analysis.run, comparison.cell
    rows = {row.cell: row for row in analysis.rows}
    plain = Cell(contender=comparison.reference, scenario=cell.scenario, load=cell.load)
    switches = found["switches"].split(",")
    adds = not all(switch.endswith(OFF) for switch in switches)
    verdict = comparison.verdict if not adds else OPPOSITE.get(comparison.verdict, comparison.verdict)
    without, having = (plain, cell) if adds else (cell, plain)
    return Gain(
        switch=", ".join(switch.removesuffix(OFF).removesuffix("=on") for switch in switches),
        about=abouts(run).get(cell.scenario, cell.scenario),
        stack=" → ".join(dict.fromkeys((rows[without].stack, rows[having].stack))),
        contender=comparison.reference,
        without=_told(rows[without]),
        with_it=_told(rows[having]),
        ratio=comparison.ratio if adds else _inverse(comparison.ratio),
        statements=f"{_statements(analysis, without)} → {_statements(analysis, having)}",
        worth=WORTH["invalid" if analysis.invalid else verdict],
    )


def _told(row: Row) -> str:
    return at_least(row.throughput_rps) if row.client_limit else point(row.throughput_rps)


def _inverse(ratio: Estimate | None) -> Estimate | None:
    if ratio is None:
        return None
    low, high = (1 / ratio.high if ratio.high else None), (1 / ratio.low if ratio.low else None)
    return Estimate(estimate=1 / ratio.estimate, low=low, high=high, level=ratio.level)


def _statements(analysis: Analysis, cell: Cell) -> str:
    """Return the statements of a request of the scenario, where it is of one exchange."""
    scenario = next(one for one in analysis.run.scenarios if one.name == cell.scenario)
    counts = [
        queries.per_request
        for queries in analysis.run.queries
        if queries.contender == cell.contender
        and queries.exchange in {one.name for one in scenario.exchanges}
    ]
    return per_request(counts[0]) if len(counts) == 1 else NOTHING
