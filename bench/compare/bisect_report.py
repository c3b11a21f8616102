"""The result of a bisect: for people, for machines, and as git keeps its own log."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.compare.bisect import BisectStep, Ended, Search, around
from bench.compare.bisect_target import APART, BisectTarget
from bench.compare.bisection import BisectAnswer, Upcoming
from bench.compare.checkouts import SHORT
from bench.compare.explained_report import Why, explained_document, explained_lines
from bench.compare.significance import FALSE_ALARMS
from bench.report.wording import percent_more, plural

# Format history
# 1  first
SCHEMA = 1
NAMES = {
    "statements": "SQL statements",
    "instructions": "instructions",
    "response_bytes": "response bytes",
    "throughput_rps": "throughput",
    "service_demand_us": "CPU time",
}
ALL = 0.9  # of what grew, up to a commit: there is hardly anything after it
FEW = 0.75  # of what grew: a culprit with a smaller share is not alone


def named(search: Search, sha: str) -> str:
    """Return a commit as people know it: its digits and its subject."""
    if sha == search.wanted.good:
        return f"{sha[:SHORT]} (GOOD)"
    return f"{sha[:SHORT]} {search.commit(sha).subject}".rstrip()


def grew(target: BisectTarget, share: float | None) -> str:
    """Return by how much a commit is worse than GOOD: "+2.1 %"."""
    if share is None:
        return "not known"
    by = target.share_of(share)
    if by == float("inf"):
        return f"{share * target.bad:+.4g}"
    return percent_more(1 + by, 2)


def followed(target: BisectTarget) -> str:
    """Return what is followed, in one line."""
    where = f"{target.contender}, {target.scenario}"
    if target.of != target.scenario:
        where += f" ({target.of})"
    if target.timed_by:
        less = target.timed_by == "throughput_rps"
        how = f"{abs(1 - target.bad) * 100:.1f} % {'less' if less else 'more'} {NAMES[target.timed_by]}"
        return f"{where}: {how}"
    values = f"{target.good:,.10g} → {target.bad:,.10g}"
    return f"{where}: {grew(target, 1.0)} {NAMES[target.metric]} for each request ({values})"


def step_line(search: Search, step: BisectStep) -> str:
    """Return what a step found, and what is left."""
    found = "skipped: " + step.why if step.outcome == "skip" else step.outcome
    if step.share is not None and search.target:
        found += f" ({grew(search.target, step.share)})"
    now = search.now
    left = (
        f"; {now.suspects} commits left, about {plural(now.steps, 'step')}"
        if isinstance(now, Upcoming)
        else ""
    )
    return f"step {len(search.steps)}: {named(search, step.commit)}: {found}{left}"


def text(search: Search, answer: BisectAnswer, explained: Why = None) -> str:
    """Return the result in Markdown."""
    why = explained_lines(explained) if explained else how_to_explain(search, answer)
    return "\n".join((*_lines(search, answer), *why)) + "\n"


def _lines(search: Search, answer: BisectAnswer) -> Iterator[str]:
    target = search.target
    assert target
    before, last = around(search, answer)
    yield f"**REGRESSED**: {followed(target)}"
    yield ""
    if answer.culprit:
        yield f"The first bad commit is **{named(search, answer.culprit)}**."
    else:
        yield f"The first bad commit is one of these {len(answer.suspects)}."
        yield "All but the last could not be measured."
    yield ""
    yield "| commit | | worse than GOOD by |"
    yield "|---|---|--:|"
    yield _row(search, before, "good")
    for sha in answer.suspects[:-1]:
        yield _row(search, sha, "skipped")
    yield _row(search, last, "bad")
    if last != search.wanted.bad:
        yield _row(search, search.wanted.bad, "BAD")
    yield ""
    yield from _remarks(search, answer, before)


def _row(search: Search, sha: str, word: str) -> str:
    assert search.target
    subject = named(search, sha).replace("|", "\\|")
    return f"| {subject} | {word} | {grew(search.target, search.share(sha)) if word != 'skipped' else ''} |"


def _remarks(search: Search, answer: BisectAnswer, before: str) -> Iterator[str]:
    skipped = [one for one in search.steps if one.outcome == "skip"]
    took_s = sum(one.took_s for one in search.steps)
    measured = len(search.steps) - len(skipped)
    yield f"{measured} of {plural(len(search.commits), 'commit')} measured, in {took_s:.0f} s."
    for one in skipped:
        yield f"Skipped: {named(search, one.commit)}: {one.why}."
    if search.timed > search.due:
        yield (
            f"{search.timed} commits were timed, and {search.due} were due. So the chance of a wrong verdict "
            f"is up to {search.chance_of_error * 100:.1f} % instead of {FALSE_ALARMS * 100:.0f} %."
        )
    if answer.culprit:
        if search.commit(answer.culprit).is_merge:
            yield _of_a_merge(search, answer.culprit)
        share, start = search.share(answer.culprit), search.share(before)
        if share is not None and start is not None and share - start < FEW:
            brings = f"It brings {(share - start) * 100:.0f} % of what grew. Other commits bring the rest"
            all_parents = " --all-parents" * search.wanted.all_parents
            rest = f"{answer.culprit[:SHORT]} {search.wanted.bad[:SHORT]}{all_parents}"
            yield f"{brings}: `bench bisect {rest}` looks for them." if share < ALL else f"{brings}."
    if search.others:
        yield f"Regressed too, from GOOD to BAD: {'; '.join(search.others)}."


def how_to_explain(search: Search, answer: BisectAnswer) -> Iterator[str]:
    target = search.target
    assert target
    before, last = around(search, answer)
    how = " --only-count" if target.metric in APART else ""
    cell = f"--contender {target.contender} --scenario {target.scenario}"
    yield f"Why: `bench diff {before[:SHORT]} {last[:SHORT]} {cell}{how} --explain`"


def _of_a_merge(search: Search, culprit: str) -> str:
    if not search.wanted.all_parents:
        return "It is a merge. `--all-parents` looks into what it merged."
    sides = " or ".join(
        f"`bench diff {one[:SHORT]} {culprit[:SHORT]}`" for one in search.commit(culprit).parents
    )
    return (
        "It is a merge, and its parents are good: each branch brings a part, or one left before GOOD. "
        f"What a branch brings shows {sides}."
    )


def ended_text(ended: Ended) -> str:
    return f"**{ended.word}**: {ended.why}\n"


def ended_document(search: Search, ended: Ended) -> Mapping[str, Any]:
    """Return the result of a bisect that had nothing to search for."""
    return {
        "schema": SCHEMA,
        "verdict": ended.word,
        "exit_code": ended.exit_code,
        "good": search.wanted.good,
        "bad": search.wanted.bad,
        "why": ended.why,
        "culprit": None,
    }


def document(
    search: Search, answer: BisectAnswer, exit_code: int, explained: Why = None
) -> Mapping[str, Any]:
    """Return the result for machines."""
    target = search.target
    assert target
    before, last = around(search, answer)
    return {
        "schema": SCHEMA,
        "verdict": "REGRESSED",
        "exit_code": exit_code,
        "good": search.wanted.good,
        "bad": search.wanted.bad,
        "contender": target.contender,
        "scenario": target.scenario,
        "of": target.of,
        "metric": target.metric,
        "timed_by": target.timed_by,
        "base": target.good,
        "head": target.bad,
        "culprit": answer.culprit,
        "subject": search.commit(last).subject if answer.culprit else None,
        "suspects": list(answer.suspects),
        "before": {"commit": before, "worse_by": _by(search, before)},
        "after": {"commit": last, "worse_by": _by(search, last)},
        "commits": len(search.commits),
        "chance_of_error": search.chance_of_error,
        "steps": [
            {
                "commit": one.commit,
                "subject": search.commit(one.commit).subject,
                "outcome": one.outcome,
                "worse_by": _by(search, one.commit),
                "why": one.why,
                "took_s": round(one.took_s, 1),
            }
            for one in search.steps
        ],
        "others": list(search.others),
        **({} if explained is None else {"explained": explained_document(explained)}),
    }


def _by(search: Search, sha: str) -> float | None:
    share = search.share(sha)
    if share is None or search.target is None:
        return None
    by = search.target.share_of(share)
    return None if by == float("inf") else by  # more than none at all has no ratio


def log(search: Search) -> str:
    """Return the search as `git bisect log` prints one: `git bisect replay` reads it."""
    wanted = search.wanted
    lines = [
        f"# bad: [{wanted.bad}] {search.commit(wanted.bad).subject}",
        f"# good: [{wanted.good}]",
        f"git bisect start{'' if wanted.all_parents else ' --first-parent'} '{wanted.bad}' '{wanted.good}'",
    ]
    for one in search.steps:
        known = f" ({grew(search.target, one.share)})" if search.target and one.share is not None else ""
        lines.append(f"# {one.outcome}: [{one.commit}] {search.commit(one.commit).subject}{known}")
        lines.append(f"git bisect {one.outcome} {one.commit}")
    now = search.now
    if search.target and isinstance(now, BisectAnswer):
        what = "first bad commit" if now.culprit else "possible first bad commit"
        lines += [f"# {what}: [{sha}] {search.commit(sha).subject}" for sha in now.suspects]
    return "\n".join(lines) + "\n"
