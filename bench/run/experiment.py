"""The experiment: verify the contenders, then measure rounds of heats on fresh servers, in short slices."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from time import monotonic

from bench.analysis import analyse
from bench.analysis.comparisons import half_width
from bench.analysis.faults import Fault, of_checks, of_load, of_tries, pairs, sentence
from bench.analysis.instruction_changes import doubtful
from bench.analysis.wrong import hopeless, wrong_answers
from bench.errors import Broken, CannotMeasure, UsageError
from bench.model.cell import Slice
from bench.model.contender import Contender, name_of
from bench.project.heats import Group, groups
from bench.records import Event, Run, Start
from bench.run import fewer_connections, instruction_counts, schedule, windows
from bench.run.field_queries import are_queried, queried
from bench.run.lab import Lab
from bench.run.probes import gather
from bench.run.resets import Resets
from bench.run.shared_scenarios import narrowed, without
from bench.run.slices import aim, look_after, take, take_ceiling
from bench.run.statement_counts import count
from bench.run.store import Journal
from bench.run.tries import not_served, prepared, requests_of, tries
from bench.run.verification import servable, verify
from bench.runtime import Server

EXTERNAL = "external"  # the runtime of servers that we did not start
SEE = "; `bench try` shows every request and answer"
COUNTING = 0.5  # of a budget, beside the time that is measured
MOSTLY = 0.5  # a head with a larger share of wrong answers in the first round is not measured further


def carry_out(journal: Journal, lab: Lab) -> None:
    """Carry out the journal's plan. The journal keeps every measurement as it is made.

    Raises CannotMeasure if an exchange gets a wrong answer before anything is timed, if no contender is left,
    or if a service or the load generator dies. Raises Broken if a diff's head causes it. The journal keeps
    what was measured until then.
    """
    lab.progress.phase("preparing environments and services")
    unserved = _prepare(journal, lab)
    journal.learned(lab.runtime.facts())
    _query_fields(journal, lab, unserved)
    _try(journal, lab, unserved)
    equal = _verified(journal, lab) if journal.run.plan.blocks else {}
    plan = journal.run.plan
    swept = groups(plan, equal)
    timed = [equal[name] for name in dict.fromkeys(name for group in swept for name in group.contenders)]
    _count_queries(journal, lab, swept, {one.name: one for one in timed})
    _count_instructions(journal, lab, swept, {one.name: one for one in timed})
    _look_for_evidence(journal, lab, equal)
    if not plan.timed:
        return
    journal.measuring_begins()
    while step := schedule.upcoming(plan, swept, journal.run.records):
        if step.round == windows.PROBE_ROUND:
            lab.progress.phase("probing how long answers take")
        elif step.round == 1 and windows.is_probed(plan):
            if _has_fewer_connections(journal, lab, swept):
                plan, swept = journal.run.plan, groups(journal.run.plan, equal)
                continue  # the probe of those comes next
            _settle(journal, lab, swept)
        elif step.round != 2 or not _look_again(journal, lab, swept):
            _stop_where_all_is_wrong(journal.run, swept, step.round)
        heat = schedule.heat_of(step, swept)
        starting = [equal[name] for name in schedule.start_order(plan, heat, step.round)]
        with lab.runtime.serve(starting, hash_seed=schedule.hash_seed(plan, step.round)) as servers:
            _heat(journal, lab, swept, servers, step.round)
            lab.load.prepare({}, ())  # closes its connections: gunicorn lingers 2 s while some are open


def _prepare(journal: Journal, lab: Lab) -> set[str]:
    """Prepare all contenders that can be served. Return those of a diff that cannot be prepared."""
    able = servable(journal.run.contenders, lab.runtime)
    if journal.run.plan.baseline is None:
        lab.runtime.prepare(able)
        return set()
    unserved = prepared(able, lab.runtime)
    for name, why in unserved.items():
        journal.tried(not_served(name, why))
    return set(unserved)


def _query_fields(journal: Journal, lab: Lab, unserved: Collection[str]) -> None:
    """Take values of fields from the databases. Raises CannotMeasure if contenders have other ones."""
    run = journal.run
    if are_queried(run.scenarios):
        lab.progress.phase("querying values of fields")
        able = [one for one in servable(run.timed, lab.runtime) if one.name not in unserved]
        wanted = requests_of(run.plan, able, run.scenarios)
        journal.narrowed(run.plan, queried(wanted, run.scenarios, lab.runtime))


def _try(journal: Journal, lab: Lab, unserved: Collection[str]) -> None:
    """Request each exchange once of each contender. Raises CannotMeasure, or Broken, at a wrong answer."""
    run = journal.run
    lab.progress.phase("requesting each exchange once")
    able = [one for one in servable(run.timed, lab.runtime) if one.name not in unserved]
    if run.runtime == EXTERNAL and (written := [one.name for one in run.scenarios if one.writes]):
        lab.progress.note(f"it is written to, and nothing puts that back: {', '.join(written)}")
    requests = requests_of(run.plan, [one for one in able if not name_of(one.name).is_twin], run.scenarios)
    for one in tries(requests, lab.runtime, lab.once, apart=run.plan.baseline is not None):
        journal.tried(one)
    if run.plan.baseline is not None:
        _weigh(journal, lab)
    elif wrong := next((one for one in journal.run.tries if one.wrong and one.sent), None):
        raise CannotMeasure(f"{wrong.contender} answers wrongly, {sentence(wrong)}; nothing was timed{SEE}")


def _weigh(journal: Journal, lab: Lab) -> None:
    """Leave out of a diff what its base answers wrongly and its head does not. Raise at any other fault."""
    run = journal.run
    for one in run.tries:
        if one.right_again:
            _remark(journal, lab, f"{one.contender} answers wrongly now and then, {sentence(one)}")
    found = of_tries(run)
    _raise(found)
    outdated = {one.of for one in found if one.where == "try" and one.of in run.plan.changed}
    left_out: dict[str, set[str]] = {}  # contender → scenarios
    for fault in found:
        if fault.where == "try" and fault.of in outdated:
            what = f"{fault.of} changed, and the base does not answer it as the head's scenario expects"
            note = f"{what}: compared with nothing ({fault.request}: {fault.expected}, got {fault.got})"
        else:
            note = f"{fault.in_contrast}: compared with nothing"
            left_out.setdefault(fault.contender, set()).update(
                scenario.name
                for scenario in run.scenarios
                if not fault.of or fault.of in {exchange.name for exchange in scenario.exchanges}
            )
        _remark(journal, lab, note)
    if found:
        kept = tuple(without(scenario, outdated) for scenario in run.scenarios)
        journal.narrowed(
            narrowed(run.plan, kept, left_out), tuple(scenario for scenario in kept if scenario.exchanges)
        )


def _raise(found: Iterable[Fault]) -> None:
    """Raise Broken if only the head is at fault, CannotMeasure if the base has the same fault."""
    faults = [one for one in found if one.whose != "base"]
    broken = [one for one in faults if one.is_broken]
    for first, *others in filter(None, (broken, faults)):
        more = f"; and {len(others)} more" if others else ""
        if first.is_broken:
            raise Broken(f"{first.in_contrast}{more}")
        raise CannotMeasure(f"{first}{more}")


def _remark(journal: Journal, lab: Lab, what: str) -> None:
    lab.progress.note(what)
    journal.happened(Event(at_s=journal.elapsed_s(), what=what))


def _verified(journal: Journal, lab: Lab) -> dict[str, Contender]:
    """Run the checks on every contender. Return those that may be timed; of a diff, only complete pairs."""
    run = journal.run
    looked_at = {name for inquiry in run.plan.inquiries for name in inquiry.contenders}
    named = {one.name for one in run.timed} | looked_at
    equal = {contender.name: contender for contender in run.contenders if contender.name in named}
    lab.progress.phase("verifying that every contender answers alike")
    reasons = []
    for verification in verify([*equal.values()], lab.runtime, lab.memory):
        journal.verified(verification)
        if not verification.may_be_timed:
            del equal[verification.contender]
            reasons.append(f"{verification.contender}: not timed: {verification.differences[0]}")
            lab.progress.note(reasons[-1])
    for base, head in pairs(run):
        if not {base, head} <= equal.keys():  # the base's twin is useless then
            equal = {name: equal[name] for name in equal if name_of(name).original not in (base, head)}
    if not any(one.name in equal for one in run.timed):
        faults = of_checks(journal.run)
        _raise(faults)
        if not faults:
            raise CannotMeasure(f"no contender is left: {'; '.join(reasons[:1])}; `bench verify` shows more")
        journal.narrowed(replace(run.plan, blocks=()), run.scenarios)
    return equal


def _stop_where_all_is_wrong(run: Run, swept: Sequence[Group], number: int) -> None:
    """Raise if the round before *number* shows that there is nothing to measure."""
    if number == 2 and all(record.slice.round < number for record in run.records):
        _stop_after_the_first(run)
    if reason := hopeless(run.plan, swept, run.records, number - 1):
        raise CannotMeasure(reason)


def _stop_after_the_first(run: Run) -> None:
    analysis = analyse(run)
    wrong = next((row for row in analysis.rows if row.failed), None)
    if wrong and not any(row.right for row in analysis.rows):
        what = f"{wrong.cell.contender}, {wrong.cell.scenario}: {wrong_answers(wrong)}"
        wrong_all = f"no contender gave a right answer in the first round: {what}"
        raise CannotMeasure("; ".join([*analysis.ended, wrong_all]))
    heads = [row for row in analysis.rows if row.cell.contender in {head for _, head in pairs(run)}]
    faults = [one for one in of_load(analysis) if one.is_broken and (one.share or 0.0) > MOSTLY]
    if heads and len(faults) == len(heads):
        _raise(faults)


def _count_queries(
    journal: Journal, lab: Lab, swept: Sequence[Group], equal: Mapping[str, Contender]
) -> None:
    lab.progress.phase("counting SQL statements per request")
    scenarios = {scenario.name: scenario for scenario in journal.run.scenarios}
    counted = {
        name: (contender, [scenarios[group.scenario] for group in swept if name in group.contenders])
        for name, contender in equal.items()
    }
    for queries in count(list(counted.values()), lab.runtime, lab.load, lab.memory / "queries"):
        journal.counted(queries)


def _count_instructions(
    journal: Journal, lab: Lab, swept: Sequence[Group], equal: Mapping[str, Contender]
) -> None:
    plan = journal.run.plan
    if not plan.count:
        return
    scenarios = {scenario.name: scenario for scenario in journal.run.scenarios}
    places = dict.fromkeys((group.scenario, name) for group in swept for name in group.contenders)
    wanted = [
        (equal[name], scenarios[scenario])
        for scenario, name in places
        if name in equal and not name_of(name).is_twin
    ]
    until_s = inf if plan.budget_s is None or not plan.timed else monotonic() + COUNTING * plan.budget_s
    for found in instruction_counts.count_until_clear(
        wanted,
        lab.runtime,
        lab.progress,
        doubtful=partial(doubtful, plan),
        memory=lab.memory / "instructions",
        until_s=until_s,
        profiles=journal.folder / "callgrind" if plan.baseline else None,
    ):
        journal.executed(found)


def _look_for_evidence(journal: Journal, lab: Lab, equal: Mapping[str, Contender]) -> None:
    if journal.run.plan.inquiries:
        lab.progress.phase("looking for evidence of what each framework brings")
        skipped = {one.contender for one in journal.run.verifications if one.outcome == "skipped"}
        for evidence in gather(journal.run.plan.inquiries, equal, lab.runtime, skipped=skipped):
            journal.saw(evidence)


def _has_fewer_connections(journal: Journal, lab: Lab, swept: Sequence[Group]) -> bool:
    """Lower the connections of the plan where the probe shows that answers take long: whether it did."""
    run = journal.run
    plan = fewer_connections.lowered(run.plan, swept, run.records)
    for remark in fewer_connections.remarks(run.plan, swept, run.records):
        _remark(journal, lab, remark)
    journal.narrowed(plan, run.scenarios)
    return plan is not run.plan


def _settle(journal: Journal, lab: Lab, swept: Sequence[Group]) -> None:
    """Record what the probe changed in the plan. Raises UsageError if the plan does not fit."""
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


def _look_again(journal: Journal, lab: Lab, swept: Sequence[Group]) -> bool:
    """Record which windows are longer from round 2 on, because round 1 requires it: whether any are."""
    known = {event.what for event in journal.run.events}
    remarks = [*windows.second_look(journal.run.plan, swept, journal.run.records)]
    for remark in remarks:
        if remark not in known:
            _remark(journal, lab, remark)
    return bool(remarks)


def _heat(
    journal: Journal, lab: Lab, swept: Sequence[Group], servers: Mapping[str, Server], number: int
) -> None:
    for name, server in servers.items() if number != windows.PROBE_ROUND else ():
        journal.started(Start(contender=name, round=number, ready_s=server.ready_s))
    _note_gil(journal, servers)
    aim(journal, lab, servers)
    data = Resets(journal, servers, lab.load.forget)
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
    _note_gil(journal, servers)
    journal.save()


def _note_gil(journal: Journal, servers: Mapping[str, Server]) -> None:
    """Record, once for each contender, that the lock is on in a free-threaded Python."""
    known = {(event.contender, event.what) for event in journal.run.events}
    for name, server in servers.items():
        why = server.gil_on()
        if why and (name, why) not in known:
            journal.happened(Event(at_s=journal.elapsed_s(), what=why, contender=name))


def _warn_of_windows(journal: Journal, lab: Lab, swept: Sequence[Group], warmed_up: Slice) -> None:
    plan = journal.run.plan
    (group,) = [known for known in swept if warmed_up.cell in map(known.cell, known.contenders)]
    if not windows.is_probed(plan):
        for remark in windows.too_short(plan, group, journal.run.records):
            lab.progress.note(remark)


def _steps_on(
    journal: Journal, lab: Lab, swept: Sequence[Group], servers: Mapping[str, Server], number: int
) -> Iterator[Slice]:
    """Yield the slices of round *number* that are for *servers*, and report progress of each.

    The servers are fresh: if a heat is resumed in the middle, warm-ups come first.
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
        left_s = max(left_s, step_s)  # spare sweeps are not in the planned time
        lab.progress.measuring(step, planned_s=max(planned_s, left_s), left_s=left_s, half_width=width)
        yield step
        left_s -= step_s
