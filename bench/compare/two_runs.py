"""Two finished runs, baseline and candidate: whether they compare, and what changed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

from bench.analysis import Analysis, analyse
from bench.analysis.comparisons import Comparison, log_ratios
from bench.analysis.rows import Row
from bench.compare import kept_counts
from bench.compare.kept_counts import CountMove
from bench.compare.run_changes import Change, change_of, judged_together
from bench.errors import CannotMeasure, UsageError
from bench.model.cell import Cell
from bench.model.contender import name_of
from bench.model.plan import MARGINS
from bench.observe.comparable import differences, facts_of
from bench.records import Run

PLANNED = ("sweeps", "lead_in_s", "window_s", "warm_up_s", "load_workers", "margins")  # same, or shown


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoRuns:
    """A baseline and a candidate, and the change of every contender relative to their reference."""

    baseline: Analysis
    candidate: Analysis
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]  # what else differs; "here" is the baseline, "there" the candidate
    moves: tuple[CountMove, ...] = ()  # of instructions

    @property
    def reference(self) -> str:
        return self.baseline.run.plan.reference

    @property
    def only_in_baseline(self) -> tuple[Cell, ...]:
        return _missing(self.baseline, self.candidate)

    @property
    def only_in_candidate(self) -> tuple[Cell, ...]:
        return _missing(self.candidate, self.baseline)

    @property
    def rows(self) -> tuple[tuple[Row, Row], ...]:
        there = {row.cell: row for row in self.candidate.rows}
        return tuple((row, there[row.cell]) for row in self.baseline.rows if row.cell in there)

    @property
    def references(self) -> tuple[tuple[Row, Row], ...]:
        """The reference's own rows. They have no verdict: their figures also show changes of the machine."""
        return tuple(pair for pair in self.rows if pair[0].cell.contender == self.reference)

    @property
    def regressed(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.verdict == "slower")

    @property
    def takes_more(self) -> bool:
        """Whether a request takes more instructions somewhere."""
        return any(one.moved and one.ratio is not None and one.ratio > 1 for one in self.moves)

    @property
    def broken(self) -> tuple[str, ...]:
        """Contenders that answered correctly in the baseline, and not everywhere in the candidate."""
        answered = {row.cell for row in self.baseline.rows if row.right and not row.withheld}
        silent = {
            row.cell for row in self.candidate.rows if row.is_wrong or (row.slices and not row.requests)
        }
        unequal = {one.contender for one in self.candidate.run.verifications if one.outcome == "failed"}
        return tuple(
            sorted({cell.contender for cell in answered if cell in silent or cell.contender in unequal})
        )


def compare(baseline: Run, candidate: Run) -> TwoRuns:
    """Return what changed from *baseline* to *candidate*.

    Instructions compare across machines, and without a reference. If there are none, raises UsageError
    where machine, runtime or reference differ, or nothing is shared. Raises CannotMeasure if one of them is
    partial, or its times are not valid.
    """
    one, other = analyse(baseline), analyse(candidate)
    sides = ("baseline", one), ("candidate", other)
    for which, analysis in sides:
        if analysis.partial:
            raise _unfit(which, analysis)
    moves = tuple(_moves(baseline, candidate))
    try:
        _refuse_unlike(baseline, candidate)
        for which, analysis in sides:
            if analysis.invalid:
                raise _unfit(which, analysis)
        changes = _shared_changes(one, other)
    except UsageError as error:
        if not any(move.ratio for move in moves):
            raise
        return TwoRuns(baseline=one, candidate=other, changes=(), warnings=(str(error),), moves=moves)
    return TwoRuns(
        baseline=one,
        candidate=other,
        changes=judged_together(changes, (one.noise_floors, other.noise_floors)),
        warnings=tuple(_warnings(baseline, candidate)),
        moves=moves,
    )


def _moves(baseline: Run, candidate: Run) -> Iterator[CountMove]:
    """Yield the counts of both, and those that one of them tried in vain."""
    margin = baseline.plan.margins.get("instructions", MARGINS["instructions"])
    before, now = kept_counts.of_run(baseline), kept_counts.of_run(candidate)
    yield from kept_counts.moves(before, now, margin)
    for which, run, other in (("baseline", baseline, now), ("candidate", candidate, before)):
        for one in run.instructions:
            if not one.windows and (one.contender, one.scenario) in other.counts:
                why = f"not counted in the {which}: {one.why}"
                yield CountMove(contender=one.contender, scenario=one.scenario, why=why)


def _shared_changes(one: Analysis, other: Analysis) -> list[Change]:
    """Return the change of each cell of both. Raises UsageError if there is none."""
    there = {(found.cell, found.metric): found for found in other.comparisons}
    shared = [
        (found, there[place]) for found in one.comparisons if (place := (found.cell, found.metric)) in there
    ]
    changes = [_change(one.run, other.run, *pair) for pair in shared if _is_comparable(pair)]
    if not changes:
        raise UsageError(
            f"the runs share no cell beside {one.run.plan.reference}, their reference: "
            "compare runs that measured the same"
        )
    return changes


def _unfit(which: str, analysis: Analysis) -> CannotMeasure:
    why = f"not valid: {analysis.invalid}" if analysis.invalid else _unfinished(analysis.run)
    return CannotMeasure(f"the {which} is {why}; measure it again")


def _unfinished(run: Run) -> str:
    return f"partial: {run.ended or 'still going, or killed'}"


def _refuse_unlike(baseline: Run, candidate: Run) -> None:
    machine = [
        found for found in differences(facts_of(baseline), facts_of(candidate)) if found.kind == "machine"
    ]
    if machine:
        raise UsageError(
            f"the runs do not compare: {machine[0].text} (here is the baseline): "
            "measure both on one machine under one runtime"
        )
    for name in sorted({one.name for one in baseline.timed} & {one.name for one in candidate.timed}):
        here, there = (run.plan.reference_of(name) for run in (baseline, candidate))
        if here != there:
            raise UsageError(
                f"the runs do not compare: ratios to {here} in the baseline, to {there} in the candidate: "
                "measure both with one reference"
            )


def _is_comparable(pair: tuple[Comparison, Comparison]) -> bool:
    return not name_of(pair[0].cell.contender).is_twin and any(one.pairs or one.dropped for one in pair)


def _change(baseline: Run, candidate: Run, one: Comparison, other: Comparison) -> Change:
    beside = Cell(contender=one.reference, scenario=one.cell.scenario, load=one.cell.load)
    logs = [log_ratios(run.records, one.cell, beside, one.metric).values() for run in (baseline, candidate)]
    requested = [
        next((known for known in run.scenarios if known.name == one.cell.scenario), None)
        for run in (baseline, candidate)
    ]
    same = requested[0] == requested[1]
    unlike = "" if same else f"scenario {one.cell.scenario} is not the same in both runs"
    return change_of(one, other, (logs[0], logs[1]), baseline.plan.margins[one.metric], unlike=unlike)


def _missing(there: Analysis, here: Analysis) -> tuple[Cell, ...]:
    known = {row.cell for row in here.rows}
    return tuple(row.cell for row in there.rows if row.cell not in known)


def _warnings(baseline: Run, candidate: Run) -> Iterator[str]:
    found = differences(facts_of(baseline), facts_of(candidate))
    redefined = _redefined(baseline, candidate)
    if _reference_differs(baseline, [*redefined, *(difference.fact for difference in found)]):
        yield (
            f"{baseline.plan.reference}, the reference, is not the same in both: "
            "what changed in it shows in every ratio, turned round"
        )
    for name in redefined:
        yield f"contender {name} is started or set up in another way"
    for key in PLANNED:
        here, there = getattr(baseline.plan, key), getattr(candidate.plan, key)
        if here != there:
            yield f"plan, {key}: {here} here, {there} there"
    for difference in found:
        yield f"{difference.kind}, {difference.text}"


def _reference_differs(run: Run, differing: Collection[str]) -> bool:
    """Return whether *differing*, contenders and facts of the fingerprint, concern the reference."""
    reference = next((one for one in run.contenders if one.name == run.plan.reference), None)
    if reference is None:  # each is relative to itself
        return False
    return any(
        what in (reference.name, f"content.apps.{reference.app}")
        or what.startswith(f"environments.{reference.app}-")
        for what in differing
    )


def _redefined(baseline: Run, candidate: Run) -> Sequence[str]:
    """Return the contenders that both define differently. The place of the checkout does not count."""
    here, there = (
        {one.name: {**asdict(one), "root": None} for one in run.contenders} for run in (baseline, candidate)
    )
    return [name for name, definition in here.items() if name in there and there[name] != definition]
