"""The tables of a plan's source in their own shape: each cell as claimed, and as found here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis import Analysis
from bench.analysis.rows import Row
from bench.analysis.statistics import Estimate
from bench.model.claim import CHOICES, RATIO, ClaimedFigure, ClaimPlace
from bench.report.claims import Audited, audited, notes
from bench.report.document import Column, Section, Table, TableCell, name_column
from bench.report.wording import NOTHING, at_least, both, edge, figure, measured

TITLE = "Claimed, and found here"
HERE = "Each cell as claimed, and as found here"
RATES, LATENCIES = "requests/s", "latency"
FIRST = "1, the reference"
Cells = Mapping[tuple[str, str], TableCell]  # by row and column


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A claimed figure beside the one measured here."""

    subject: str
    contender: str
    claimed_rps: float
    found_rps: Estimate | None
    is_bound: bool  # the client may have been the limit
    claimed_ms: float | None
    found_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The claims that stand in tables of their source."""

    tables: tuple[Table, ...]
    bars: tuple[Bar, ...]

    title = TITLE
    slug = "claims"


def audit(analysis: Analysis) -> Audit | None:
    """Return the audit of a plan's source. None if no claim has a place in a table."""
    placed = _placed(analysis)
    if not placed:
        return None
    names = dict.fromkeys(place.table for place, _ in placed)
    return Audit(
        tables=tuple(_table(analysis, name, placed) for name in names),
        bars=tuple(_bar(place, one, one.claim.figure) for place, one in placed if one.claim.figure),
    )


def section(analysis: Analysis) -> Section | None:
    found = audit(analysis)
    if found is None:
        return None
    return Section(
        title=TITLE,
        anchor="audit",
        charts=TITLE if found.bars else "",
        tables=found.tables,
        notes=(
            "Absolute figures belong to their machine, so verdicts are on ratios. Cannot tell: no machine "
            "can, or not this one, or not with so few rounds. The reason of each is among the claims.",
        ),
    )


def sentences(analysis: Analysis) -> Iterator[str]:
    """Yield how the claims came out, and how each figure compares. Nothing without such tables."""
    placed = _placed(analysis)
    if not placed:
        return
    yield next(notes(audited(analysis)))
    compared = [
        f"{place.row} {_ratio_claimed(one)} claimed, {_times(ratio)} here, {one.verdict}"
        for place, one in placed
        if one.claim.figure and (ratio := _ratio(one))
    ]
    if compared and analysis.valid:
        yield f"Requests per second relative to {_reference(placed)}: {'; '.join(compared)}."


Placed = Sequence[tuple[ClaimPlace, Audited]]


def _placed(analysis: Analysis) -> Placed:
    return tuple((one.claim.at, one) for one in audited(analysis) if one.claim.at)


def _table(analysis: Analysis, name: str, everything: Placed) -> Table:
    placed = [(place, one) for place, one in everything if place.table == name]
    named = tuple(dict.fromkeys(place.column for place, _ in placed if place.column))
    cells: dict[tuple[str, str], TableCell] = {}
    for place, one in placed:
        cells |= _cells(analysis, place, one, named, everything)
    columns = dict.fromkeys(column for _, column in cells)
    rows = dict.fromkeys(row for row, _ in cells)
    return Table(
        caption=f"{name}. {HERE}",
        captioned=True,
        columns=(name_column("as in the source"), *(Column(heading=one, kind="claimed") for one in columns)),
        rows=tuple(
            (TableCell(row), *(cells.get((row, column), TableCell(NOTHING)) for column in columns))
            for row in rows
        ),
        style="audit",
    )


def _cells(
    analysis: Analysis, place: ClaimPlace, one: Audited, columns: Iterable[str], everything: Placed
) -> Cells:
    if one.claim.figure:
        return _of_figure(place, one, one.claim.figure, everything)
    if one.claim.needs:
        each = (place.column,) if place.column else tuple(columns)
        return {
            (place.row, column): _cell(place.cell, _instead(analysis, place, column, everything), one.verdict)
            for column in each
        }
    evidence = one.finding.evidence
    found = evidence.outcome if evidence else one.ratio_measured.line
    said = place.cell or (one.claim.evidence.outcome if one.claim.evidence else one.ratio_claimed)
    why = _plain(one.why) if one.finding.reason else found
    return {(place.row, place.column): _cell(said, why, one.verdict)}


def _usable(one: Audited) -> Row | None:
    row = one.finding.row
    return row if row and row.requests and not row.withheld else None


def _cell(claimed: str, found: str, verdict: str = "") -> TableCell:
    """Return a cell with what is claimed, and what was found *here*."""
    here = f"here: {found}" if found else ""
    return TableCell(f"claimed: {claimed}" if claimed else "", here, in_brackets=False, verdict=verdict)


def _of_figure(place: ClaimPlace, one: Audited, claimed: ClaimedFigure, everything: Placed) -> Cells:
    row = _usable(one)
    rate = at_least if row and row.client_limit else both
    mean = f"{figure(row.latency.mean_ms)} ms" if row else NOTHING
    said = f"{claimed.latency_ms:,.10g} ms" if claimed.latency_ms else NOTHING
    return {
        (place.row, RATES): _cell(
            f"{claimed.throughput_rps:,.10g}", rate(row.throughput_rps) if row else NOTHING
        ),
        (place.row, LATENCIES): _cell(said, mean),
        (place.row, f"relative to {_reference(everything)}"): _relative(one),
    }


def _relative(one: Audited) -> TableCell:
    if one.finding.ratio is None:
        return TableCell(FIRST)
    ratio = _ratio(one)
    return _cell(_ratio_claimed(one), _times(ratio) if ratio else _plain(one.why), one.verdict)


def _plain(sentence: str) -> str:
    """Return *sentence* as a part of another one."""
    return f"{sentence[:1].lower()}{sentence[1:].removesuffix('.')}"


def _ratio(one: Audited) -> Estimate | None:
    return one.finding.comparison.ratio if one.finding.comparison else None


def _ratio_claimed(one: Audited) -> str:
    ratio = one.finding.ratio
    return f"{edge(ratio.about)} ×" if ratio else NOTHING


def _times(ratio: Estimate) -> str:
    cell = measured(ratio, of_ratio=True)
    return replace(cell, text=f"{cell.text} ×").line


def _reference(placed: Placed) -> str:
    """Return the source's name of what figures are relative to."""
    ratios = (one.finding.ratio for _, one in placed if one.claim.figure)
    name = next((ratio.reference for ratio in ratios if ratio), "")
    return next(
        (place.row for place, one in placed if one.claim.figure and one.claim.figure.contender == name),
        "the reference",
    )


def _instead(analysis: Analysis, place: ClaimPlace, subject: str, everything: Placed) -> str:
    """Return what was found about *subject* where a claim is not one that is measured."""
    if place.found == RATIO:
        return next((_to_reference(one, everything) for one in _figures(subject, everything)), "")
    if place.found == CHOICES:
        stands = [one.choice.when for one in analysis.choices if one.holds and one.choice.choose == subject]
        return "; ".join(stands) or "nothing that was found speaks for it"
    known = {*_contenders(subject, everything)}
    topic = [one for one in analysis.run.evidence if one.topic == place.found and one.contender in known]
    return topic[0].shows.partition(",")[0] if topic else ""


def _to_reference(one: Audited, everything: Placed) -> str:
    ratio = _ratio(one)
    if ratio is None:
        return FIRST
    cell = measured(ratio, of_ratio=True)
    return replace(cell, text=f"{cell.text} × {_reference(everything)}").line


def _figures(subject: str, everything: Placed) -> Iterator[Audited]:
    return (one for place, one in everything if one.claim.figure and place.row == subject)


def _contenders(subject: str, everything: Placed) -> Iterator[str]:
    for place, one in everything:
        if one.claim.figure and place.row == subject:
            yield one.claim.figure.contender
        if one.claim.evidence and place.column == subject:
            yield one.claim.evidence.contender


def _bar(place: ClaimPlace, one: Audited, claimed: ClaimedFigure) -> Bar:
    row = _usable(one)
    return Bar(
        subject=place.row,
        contender=claimed.contender,
        claimed_rps=claimed.throughput_rps,
        found_rps=row.throughput_rps if row else None,
        is_bound=bool(row and row.client_limit),
        claimed_ms=claimed.latency_ms,
        found_ms=row.latency.mean_ms if row else None,
    )
