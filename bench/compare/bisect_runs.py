"""The runs of a bisect: GOOD beside BAD, then GOOD beside each commit. Each is a diff of one cell."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.analysis import analyse
from bench.compare import diff as revisions
from bench.compare.bisect import BisectOptions, Search, around
from bench.compare.bisect_reading import LOOKS, CommitReading, of_counts, of_time, rounds_at, rounds_of
from bench.compare.bisect_target import APART, BisectTarget, Followed, scenario_of
from bench.compare.bisection import BisectAnswer, Commit, steps_for
from bench.compare.checkouts import SHORT
from bench.compare.sides import Sides, laid_out
from bench.compare.verdict import Conclusion, concluded
from bench.errors import BenchError, Broken, CannotMeasure, UsageError
from bench.model.contender import Contender, name_of
from bench.model.plan import Block, Plan
from bench.model.scenario import Scenario
from bench.records import Run
from bench.run import execution, store
from bench.run.execution import Opening
from bench.run.field_queries import UnusableValues
from bench.run.store import Journal

STEPS = "steps"  # the folder of the runs of commits, in that of the bisect
FAIR_SWEEPS = 4  # of a round that is only for response bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """GOOD beside BAD. Without a run nothing was compared: *nothing* has the conclusion, and why."""

    run: Run | None
    conclusion: Conclusion | None
    folder: str = ""  # below that of the bisect
    notes: tuple[str, ...] = ()
    nothing: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Measures revisions of the project at *root*, each run in a folder of its own."""

    root: Path
    folder: Path
    opened_by: Opening
    turn: Callable[[], AbstractContextManager[None]]  # held while something is timed

    def compared(self, wanted: BisectOptions, metrics: Sequence[Followed]) -> Compared:
        """Compare GOOD with BAD in *metrics*. Raises CannotMeasure, also if BAD is broken."""
        selection = revisions.Selection(
            contenders=() if wanted.contender is None else (wanted.contender,),
            scenarios=() if wanted.scenario is None else (wanted.scenario,),
            budget_s=wanted.budget_s,
            count="instructions" in metrics,
            timed=not set(metrics) <= set(APART),
        )
        with (
            self.turn(),
            laid_out(self.root, wanted.good, wanted.bad) as sides,
        ):
            made, notes = revisions.planned(sides, selection)
            if not made.blocks:
                return Compared(
                    run=None, conclusion=None, notes=notes, nothing=revisions.why_nothing(sides, made)
                )
            plan = replace(_for_bytes(made) if [*metrics] == ["response_bytes"] else made, name="bisect")
            requested = revisions.requested_scenarios(sides, plan)
            _check_counted(plan, requested)
            folder = self.folder / ("good-bad-timed" if plan.timed else "good-bad")
            try:
                run = self._measured(plan, sides, revisions.served(sides, plan), requested, wanted, folder)
            except Broken as error:
                raise CannotMeasure(
                    f"BAD is broken, and a bisect follows what became slower: {error}"
                ) from error
        if [*metrics] == ["response_bytes"]:
            run = with_disturbed(run)
        conclusion = concluded(analyse(run), notes=notes, today=datetime.now(UTC).date())
        return Compared(run=run, conclusion=conclusion, folder=folder.name, notes=notes)

    def measure(self, search: Search, commit: Commit) -> tuple[CommitReading, float]:
        """Return the reading of *commit*, and the seconds that it took. Raises what stops the search."""
        assert search.target
        ends = store.load(self.folder / search.compared_in)
        began = time.monotonic()
        with self.turn():
            reading = self._read(search, search.target, ends, commit)
        return reading, time.monotonic() - began

    @contextmanager
    def culprit(self, search: Search, answer: BisectAnswer) -> Iterator[Run]:
        """Yield a run that has not begun, of the first bad commit beside the last good one before it.

        Raises UsageError where one of them cannot be laid out any more.
        """
        assert search.target
        ends = store.load(self.folder / search.compared_in)
        before, culprit = around(search, answer)
        with self.turn(), laid_out(self.root, before, culprit) as sides:
            plan = step_plan(ends.plan, search.target, sides.base.label, sides.head.label)
            scenario = store.placed(scenario_of(ends, search.target), str(sides.head.folder))
            served = revisions.served(sides, plan)
            yield execution.begin_with(self.root, plan, search.wanted.runtime, served, (scenario,))

    def _read(self, search: Search, target: BisectTarget, ends: Run, commit: Commit) -> CommitReading:
        with ExitStack() as stack:
            try:
                sides = stack.enter_context(laid_out(self.root, search.wanted.good, commit.sha))
                plan = step_plan(ends.plan, target, sides.base.label, sides.head.label)
                served = revisions.served(sides, plan)
            except UsageError as error:  # it cannot be laid out, or has no such contender
                return CommitReading(outcome="skip", why=_line(error))
            scenario = store.placed(scenario_of(ends, target), str(sides.head.folder))
            steps = steps_for(len(search.commits))
            return self._looked_at(plan, sides, served, scenario, search.wanted, target, commit, steps)

    def _looked_at(
        self,
        plan: Plan,
        sides: Sides,
        served: tuple[Contender, ...],
        scenario: Scenario,
        wanted: BisectOptions,
        target: BisectTarget,
        commit: Commit,
        steps: int,
    ) -> CommitReading:
        """Measure once by counts, and by time until the rounds tell, `LOOKS` times at most."""
        runs: list[Run] = []
        reading, invalid = CommitReading(outcome=None), ""
        for look in range(1 if target.metric != "time" else LOOKS):
            folder = self.folder / STEPS / f"{commit.sha[:SHORT]}{f'-{look + 1}' if look else ''}"
            rounds = rounds_at(look, steps)
            planned = replace(plan, rounds=rounds, seed=plan.seed + look) if target.metric == "time" else plan
            try:
                run = self._measured(planned, sides, served, (scenario,), wanted, folder)
            except Broken as error:
                return CommitReading(outcome="skip", why=_line(error))
            except UnusableValues as error:
                if name_of(error.contender).revision == plan.baseline:
                    raise  # GOOD's values are others now, which is no fault of the commit
                return CommitReading(outcome="skip", why=_line(error))
            if target.metric == "response_bytes":
                run = with_disturbed(run)
            analysis = analyse(run)
            conclusion = concluded(analysis, today=datetime.now(UTC).date())
            if conclusion.broken:
                return CommitReading(outcome="skip", why=str(conclusion.broken[0]))
            if target.metric != "time":
                return of_counts(run, target)
            if analysis.invalid:  # the machine was not ours meanwhile
                invalid = analysis.invalid
                continue
            runs.append(run)
            reading = of_time(rounds_of(runs, target), target, steps=steps)
            if reading.outcome:
                return reading
        if not runs:
            raise CannotMeasure(f"{commit.sha[:SHORT]} cannot be measured now: {invalid}")
        return reading

    def _measured(
        self,
        plan: Plan,
        sides: Sides,
        served: tuple[Contender, ...],
        requested: tuple[Scenario, ...],
        wanted: BisectOptions,
        folder: Path,
    ) -> Run:
        """Carry out *plan* in *folder*. What a killed process left there is measured again."""
        shutil.rmtree(folder, ignore_errors=True)
        begun = execution.begin_with(self.root, plan, wanted.runtime, served, requested)
        journal: Journal = execution.open_journal(begun, self.folder, folder)
        execution.measure(self.root, journal, self.opened_by, plain=sides.plain)
        return journal.run


def step_plan(plan: Plan, target: BisectTarget, base: str, head: str) -> Plan:
    """Return the plan of a diff of GOOD and a commit, from that of GOOD and BAD: the target's cell alone."""
    of_it = next(
        one
        for one in plan.blocks
        if name_of(one.contenders[0]).unrevised == target.contender and target.scenario in one.scenarios
    )
    loads = (target.load,) if target.load else of_it.loads[:1]
    block = Block(
        contenders=(f"{target.contender}@{base}", f"{target.contender}@{head}"),
        scenarios=(target.scenario,),
        loads=loads,
    )
    made = replace(
        plan,
        blocks=(block,),
        reference=block.contenders[0],
        baseline=base,
        about=f"{head} against {base}: as good, or as bad?",
        count=target.metric == "instructions",
        timed=target.metric not in APART,
        budget_s=None,
    )
    return _for_bytes(made) if target.metric == "response_bytes" else made


def _for_bytes(plan: Plan) -> Plan:
    """Return *plan* as one short round: lengths of answers hardly vary."""
    return replace(plan, rounds=1, sweeps=FAIR_SWEEPS, spare_sweeps=FAIR_SWEEPS, budget_s=None, count=False)


def with_disturbed(run: Run) -> Run:
    """Return *run* with the slices that others disturbed: for lengths of answers, these are as good."""
    return replace(
        run,
        records=tuple(
            replace(one, void=None) if one.void and not one.sample.broken else one for one in run.records
        ),
    )


def _check_counted(plan: Plan, requested: Sequence[Scenario]) -> None:
    users = [one.name for one in requested if one.locustfile]
    if users and len(users) == len(requested):
        raise UsageError(
            f"{', '.join(users)}: a locustfile's users are not followed, as each commit has its own file: "
            "name another scenario with --scenario"
        )


def _line(error: BenchError) -> str:
    """Return why a commit is skipped, in one line, without the path of a log that `steps/` holds."""
    return str(error).partition("\n")[0].partition(": see ")[0]
