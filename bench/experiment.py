"""The experiment: verify, then rounds of heats: fresh servers side by side, swept over in short slices."""

from collections.abc import Iterator, Mapping, Sequence

from bench import schedule, windows
from bench.analysis import half_width
from bench.errors import CannotMeasure, UsageError
from bench.evidence import gather
from bench.heats import Group, groups
from bench.instruments import Lab
from bench.model import Contender, Slice
from bench.queries import count
from bench.records import Event, Start
from bench.restoring import Restoring
from bench.runtime import Server
from bench.settled import hopeless
from bench.slices import aim, look_after, take, take_ceiling
from bench.store import Journal
from bench.verification import servable, verify


def carry_out(journal: Journal, lab: Lab) -> None:
    """Carry out the journal's plan, keeping everything measured in it as it goes.

    Raises CannotMeasure where no contender is left, or a service or the load generator dies; what
    was measured until then is in the journal.
    """
    plan = journal.run.plan
    lab.progress.phase("preparing environments and services")
    lab.runtime.prepare(servable(journal.run.contenders, lab.runtime))
    journal.learned(lab.runtime.facts())
    equal = _verified(journal, lab)
    swept = groups(plan, equal)
    timed = [equal[name] for name in dict.fromkeys(name for group in swept for name in group.contenders)]
    _count_queries(journal, lab, swept, {one.name: one for one in timed})
    _look_for_evidence(journal, lab, equal)
    journal.measuring_begins()
    while step := schedule.upcoming(plan, swept, journal.run.records):
        if step.round == windows.PROBE_ROUND:
            lab.progress.phase("probing how long answers take")
        elif step.round == 1 and windows.is_probed(plan):
            _settle(journal, lab, swept)
        elif reason := hopeless(plan, swept, journal.run.records, step.round - 1):
            raise CannotMeasure(reason)
        heat = schedule.heat_of(step, swept)
        starting = [equal[name] for name in schedule.start_order(plan, heat, step.round)]
        with lab.runtime.serve(starting, hash_seed=schedule.hash_seed(plan, step.round)) as servers:
            _heat(journal, lab, swept, servers, step.round)
            lab.load.prepare({}, ())  # lets go of its connections: gunicorn lingers 2 s where some are open


def _verified(journal: Journal, lab: Lab) -> dict[str, Contender]:
    """Hold every contender against the checks; return those that may be timed."""
    equal = {contender.name: contender for contender in journal.run.contenders}
    lab.progress.phase("verifying that every contender answers alike")
    reasons = []
    for verification in verify(journal.run.contenders, lab.runtime, lab.memory):
        journal.verified(verification)
        if not verification.may_be_timed:
            del equal[verification.contender]
            reasons.append(f"{verification.contender}: not timed: {verification.differences[0]}")
            lab.progress.note(reasons[-1])
    if not any(one.name in equal for one in journal.run.timed):
        raise CannotMeasure(f"no contender is left: {'; '.join(reasons[:1])}; `bench verify` says more")
    return equal


def _count_queries(
    journal: Journal, lab: Lab, swept: Sequence[Group], equal: Mapping[str, Contender]
) -> None:
    """Have the database count what each contender asks of it, on servers that are not timed."""
    lab.progress.phase("counting SQL statements per request")
    scenarios = {scenario.name: scenario for scenario in journal.run.scenarios}
    asked = {
        name: (contender, [scenarios[group.scenario] for group in swept if name in group.contenders])
        for name, contender in equal.items()
    }
    for queries in count(list(asked.values()), lab.runtime, lab.load, lab.memory / "queries"):
        journal.counted(queries)


def _look_for_evidence(journal: Journal, lab: Lab, equal: Mapping[str, Contender]) -> None:
    """Have the probes beside the apps look at what the plan asks of them."""
    if journal.run.plan.inquiries:
        lab.progress.phase("looking for evidence of what each framework brings")
        skipped = {one.contender for one in journal.run.verifications if one.outcome == "skipped"}
        for seen in gather(journal.run.plan.inquiries, equal, lab.runtime, skipped=skipped):
            journal.saw(seen)


def _settle(journal: Journal, lab: Lab, swept: Sequence[Group]) -> None:
    """Record what the probe changed of the plan; raises UsageError where that does not fit."""
    plan, records = journal.run.plan, journal.run.records
    course = windows.course(plan, swept, records)
    if course.refusal:
        raise UsageError(course.refusal)
    known = {event.what for event in journal.run.events}
    for remark in windows.remarks(plan, swept, records):
        if remark not in known:
            lab.progress.note(remark)
            journal.happened(Event(at_s=journal.elapsed_s(), what=remark))
    if plan.budget_s is not None and "probe" in {record.slice.role for record in records[-1:]}:
        set_up_s = journal.elapsed_s() - course.probe_s
        lab.progress.note(
            f"set-up took {set_up_s:.0f} s, the probe {course.probe_s:.0f} s; to come: "
            f"{course.rounds} rounds or more of about {course.round_s:.0f} s, within {plan.budget_s:.0f} s"
        )


def _heat(
    journal: Journal, lab: Lab, swept: Sequence[Group], servers: Mapping[str, Server], number: int
) -> None:
    """Measure what is left of a heat of round *number* on its *servers*, one slice after another."""
    for name, server in servers.items() if number != windows.PROBE_ROUND else ():
        journal.started(Start(contender=name, round=number, ready_s=server.ready_s))
    aim(journal, lab, servers)
    data = Restoring(journal, servers, lab.load.forget)
    last: Slice | None = None
    for step in _steps_on(journal, lab, swept, servers, number):
        if last and (last.cell.scenario, last.sweep) != (step.cell.scenario, step.sweep):
            journal.save()
        if last and last.role == "warm-up" and step.role != "warm-up" and number == 1:
            _warn_of_windows(journal, lab, swept, last)
        last = step
        if step.role == "ceiling":
            journal.measured(take_ceiling(journal, lab, servers, step))
            continue
        server = servers[step.cell.contender]
        data.before(step)
        record = take(journal, lab, server, step)
        journal.measured(record)
        look_after(journal, lab, server, record)
        data.after(record)
    data.finish()
    journal.save()


def _warn_of_windows(journal: Journal, lab: Lab, swept: Sequence[Group], warmed_up: Slice) -> None:
    """Note before a group's first sweep that its windows are too short, where no probe did."""
    plan = journal.run.plan
    (group,) = [known for known in swept if warmed_up.cell in map(known.cell, known.contenders)]
    if not windows.is_probed(plan):
        for remark in windows.too_short(plan, group, journal.run.records):
            lab.progress.note(remark)


def _steps_on(
    journal: Journal, lab: Lab, swept: Sequence[Group], servers: Mapping[str, Server], number: int
) -> Iterator[Slice]:
    """Yield the slices of round *number* that are for *servers*, telling progress of each.

    They are fresh: where a heat is taken up again in the middle, they are warmed up first.
    """
    plan, records = journal.run.plan, journal.run.records
    starts = journal.run.starts
    left_s = schedule.duration_s(schedule.remaining(plan, swept, records), swept, starts)
    planned_s = left_s + schedule.duration_s((record.slice for record in records), swept, starts)
    width = half_width(journal.run)
    yield from schedule.warm_up_again(plan, swept, records)
    while step := schedule.upcoming(plan, swept, journal.run.records):
        if step.round != number or servers.keys() != set(schedule.heat_of(step, swept)):
            return
        step_s = step.lead_in_s + step.window_s + windows.PER_SLICE_S
        left_s = max(left_s, step_s)  # spare sweeps come on top
        lab.progress.measuring(step, planned_s=max(planned_s, left_s), left_s=left_s, half_width=width)
        yield step
        left_s -= step_s
