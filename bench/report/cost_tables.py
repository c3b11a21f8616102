"""What it costs: CPU, memory and latency at equal rates, and what a rate takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis import Analysis
from bench.analysis.costs import POLLS, Cost, leaves_idle, rate_of, why_left_out
from bench.analysis.measures import PERCENTS
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.report.columns import percentile_cell
from bench.report.document import Column, Section, Table, TableCell, contender_cell, name_column
from bench.report.wording import NOTHING, abouts, figure, interval, measured, mebibytes, point, scaled

TITLE, ANCHOR = "What it costs at equal rates", "costs"
GIBIBYTE = 2**30
NO_OBJECTIVE = "What a rate costs was not computed: the plan has no objective. Set slo_ms, for p99."


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPicture:
    """What is drawn of the costs: CPU per request by rate."""

    costs: Mapping[str, Cost]  # by its label

    title: str = TITLE
    slug: str = ANCHOR

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for one in self.costs.values() for row in one.rows)


def cost_picture(analysis: Analysis) -> CostPicture | None:
    found = analysis.costs
    if not any(row.service_demand_us for one in found for row in one.rows):
        return None
    several = len({one.scenario for one in found}) > 1
    return CostPicture(costs={f"{one.contender}{f', {one.scenario}' * several}": one for one in found})


def sentences(analysis: Analysis) -> Iterator[str]:
    """Yield for each scenario which contender takes the fewest cores for a rate, and which the most."""
    words, stacks = abouts(analysis.run), {row.cell.contender: row.stack for row in analysis.rows}
    for scenario in dict.fromkeys(one.scenario for one in analysis.costs):
        of_it = [one for one in analysis.costs if one.scenario == scenario]
        rates = sorted(set.intersection(*({needed.rate_rps for needed in one.needed} for one in of_it)))
        if len(of_it) < 2 or not rates:
            continue
        rate = rates[len(rates) // 2]
        cores = {
            one.contender: needed.cores for one in of_it for needed in one.needed if needed.rate_rps == rate
        }
        with_database = {
            row.database_us is not None for one in of_it for row in one.rows if row.service_demand_us
        }
        if len(with_database) > 1:
            continue
        of = "database included" if with_database == {True} else "of the servers alone"
        least, *_, most = sorted(cores, key=lambda name: cores[name].estimate)
        yield (
            f"{rate:,.0f} requests/s of {words.get(scenario, scenario)} take {_cores(cores[least])} with "
            f"{stacks[least]}, and {_cores(cores[most])} with {stacks[most]}, {of}."
        )


def _cores(needed: Estimate) -> str:
    cell = measured(needed)
    return f"{cell.text} cores{f' ({cell.detail})' * bool(cell.detail)}"


def section(analysis: Analysis) -> Section | None:
    """Return its section; None for a run in which no server was left alone."""
    found = analysis.costs
    if not found:
        lacks = leaves_idle(analysis.run) and analysis.run.plan.slo_ms is None
        return Section(title=TITLE, anchor=ANCHOR, caveats=(NO_OBJECTIVE,)) if lacks else None
    return Section(
        title=TITLE,
        anchor=ANCHOR,
        intro=f"For p99 within {found[0].capacity.slo_ms:g} ms. Machines are servers like the measured ones.",
        charts=TITLE,
        tables=(_needs_table(found), _hours_table(found), _rates_table(found)),
        notes=(*warnings(analysis), *_how(found)),
    )


def _needs_table(found: Sequence[Cost]) -> Table:
    rates = sorted({needed.rate_rps for one in found for needed in one.needed})
    columns = (
        name_column("contender", term="contender"),
        Column(heading="scenario", kind="text", term="scenario"),
        *(Column(heading=f"for {rate:,.0f} req/s: cores, GiB, machines") for rate in rates),
        Column(heading="highest rate within the objective"),
        Column(heading="idle, % of a core"),
    )
    rows = tuple(
        (
            contender_cell(one.contender),
            TableCell(one.scenario),
            *(_needed(one, rate) for rate in rates),
            _capacity(one),
            _idle(one),
        )
        for one in found
    )
    return Table(caption="What a rate takes", captioned=True, columns=columns, rows=rows)


def short_table(found: Sequence[Cost], *, narrow: bool) -> Table:
    """Return what a rate takes, for a terminal. A *narrow* one has the two highest rates."""
    rates = sorted({needed.rate_rps for one in found for needed in one.needed})[-2 if narrow else 0 :]
    columns = (
        name_column("contender"),
        *(Column(heading=f"{rate:,.0f} req/s:\ncores, GiB,\nmachines") for rate in rates),
        Column(heading="highest\nreq/s in\nobjective"),
        Column(heading="idle,\n% of\na core"),
    )
    rows = tuple(
        (
            TableCell(one.contender, one.scenario),
            *(_needed(one, rate, in_short=True) for rate in rates),
            _capacity(one),
            _idle(one),
        )
        for one in found
    )
    return Table(columns=columns, rows=rows)


def _needed(one: Cost, rate_rps: float, *, in_short: bool = False) -> TableCell:
    """Where a higher rate may keep the objective, more of it fits a machine than is known."""
    needed = next((found for found in one.needed if found.rate_rps == rate_rps), None)
    if needed is None:
        return TableCell(NOTHING)
    machines = f"{'≤ ' * (one.capacity.at_least and needed.machines > 1)}{needed.machines:,}"
    priced = "" if in_short else f"as at {figure(needed.priced_at_rps)}/s"
    return TableCell(
        f"{point(needed.cores)}, {gibibytes(needed.memory_bytes)}, {machines}",
        ", ".join(filter(None, (interval(needed.cores), priced))),
    )


def _capacity(one: Cost) -> TableCell:
    if not one.capacity.rate_rps.estimate:
        return TableCell("none that was tried")
    cell = measured(one.capacity.rate_rps)
    return TableCell(f"{'≥ ' * one.capacity.at_least}{cell.text}", cell.detail)


def _idle(one: Cost) -> TableCell:
    return TableCell(NOTHING if one.idle_cores is None else figure(one.idle_cores * 100))


def _hours_table(found: Sequence[Cost]) -> Table:
    counted = _counts_energy(found)
    columns = (
        name_column("contender", term="contender"),
        Column(heading="scenario", kind="text", term="scenario"),
        Column(heading="req/s"),
        Column(heading="server core-hours"),
        Column(heading="database core-hours"),
        Column(heading="server GiB"),
        *((Column(heading="machine's joules"),) * counted),
    )
    rows = tuple(
        (
            contender_cell(one.contender),
            TableCell(one.scenario),
            TableCell(figure(row.arrivals.rate_rps if row.arrivals else None)),
            _core_hours(row.service_demand_us),
            _core_hours(row.database_us),
            TableCell(gibibytes(row.memory_peak_bytes)),
            *((measured(row.energy_uj),) * counted),  # a million of as many µJ
        )
        for one in found
        for row in one.rows
    )
    return Table(caption="What a million requests take", captioned=True, columns=columns, rows=rows)


def _counts_energy(found: Sequence[Cost]) -> bool:
    return any(row.energy_uj for one in found for row in one.rows)


def _core_hours(used_us: Estimate | None) -> TableCell:
    """Return the core-hours of a million requests of *used_us* each: as many seconds as µs."""
    hours = scaled(used_us, 1 / 3600)
    return measured(hours, of_ratio=True) if hours and hours.estimate else TableCell(point(hours))


def gibibytes(size: int | None) -> str:
    return NOTHING if size is None else f"{size / GIBIBYTE:,.2f}"


def _rates_table(found: Sequence[Cost]) -> Table:
    headings = ("req/s", "server µs/req", "database µs/req", "MiB", *(f"p{one:g} ms" for one in PERCENTS))
    columns = (
        name_column("contender", term="contender"),
        Column(heading="scenario", kind="text", term="scenario"),
        *(Column(heading=heading) for heading in headings),
    )
    rows = tuple(_line(one, row) for one in found for row in one.rows)
    return Table(caption="What was measured at each rate", captioned=True, columns=columns, rows=rows)


def _line(one: Cost, row: Row) -> tuple[TableCell, ...]:
    return (
        contender_cell(one.contender),
        TableCell(one.scenario),
        TableCell(figure(row.arrivals.rate_rps if row.arrivals else None)),
        measured(row.service_demand_us),
        measured(row.database_us),
        TableCell(mebibytes(row.memory_peak_bytes)),
        *(percentile_cell(row, percent) for percent in PERCENTS),
    )


def warnings(analysis: Analysis) -> Iterator[str]:
    """Yield what is unusual, or missing in the tables."""
    for one in analysis.costs:
        if one.polls:
            idle = figure((one.idle_cores or 0) * 100)
            yield (
                f"{one.contender} uses {idle} % of a core while nobody requests anything: it polls, or works "
                f"in the background (named from {POLLS:.1%} on)."
            )
        if one.capacity.rate_rps.estimate and not one.needed:
            few = "too few requests were sent at the highest rate that kept the objective to know p99 there"
            known = any(row.service_demand_us for row in one.rows)
            yield f"{one.contender}: no machines: {few if known else 'CPU of its server is not known'}."
        highest = one.capacity.rate_rps.estimate
        above = [rate for row in one.rows if (rate := rate_of(row)) > highest > 0]
        if above and not one.capacity.at_least:
            more = " and more" if len(above) > 1 else ""
            yield (
                f"{one.contender}: the objective was not kept at {figure(min(above))} requests/s{more}: "
                "figures there are of a server that falls behind."
            )
        if one.needed and not any(row.database_us for row in one.rows):
            yield f"{one.contender}: cores are of the server alone: no CPU of a database was measured."
    for row in analysis.rows:
        if (at := rate_of(row)) and (why := why_left_out(row)):
            yield f"{row.cell.contender}, {row.cell.scenario}: left out at {figure(at)} requests/s: {why}."


def _how(found: Sequence[Cost]) -> Iterator[str]:
    if _counts_energy(found):
        yield "Joules are of the whole machine (RAPL): the client and all else that runs are in them."
    else:
        yield "No joules: this machine counts no energy (RAPL), or only root may read it."
    yield (
        "Machines: the rate over the highest rate that was tried and kept the objective, rounded up. Cores: "
        "the rate times CPU per request of server and database, as at the measured rate nearest to one "
        "machine's share. GiB: the peak of one server's memory, times machines, without the database's."
    )
    yield (
        "A load balancer, failover, and growth are not in it. Machines share nothing: a database that all of "
        "them use has a limit of its own."
    )
