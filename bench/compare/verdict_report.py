"""The verdict of `bench diff`: for people, for machines, and as test results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from bench.analysis import Analysis
from bench.analysis.faults import Fault
from bench.compare.changes import CountChange, TimeChange
from bench.compare.explained_report import Why, explained_document, explained_lines
from bench.compare.two_runs_report import METRICS, WORDS
from bench.compare.verdict import Conclusion, is_empty, place
from bench.files import to_json, write_atomically
from bench.model.contender import name_of
from bench.project.sources import listed, shown
from bench.records import Run, Try
from bench.report.markdown import cell
from bench.report.wording import (
    both,
    change,
    mebibytes,
    percent_more,
    plain_estimate,
    plural,
    rounded,
)

# Format history
# 1  first
SCHEMA = 1
JSON, MARKDOWN, JUNIT = "verdict.json", "verdict.md", "verdict.xml"

COUNTED = {
    "statements": "SQL statements",
    "instructions": "instructions",
    "response_bytes": "response bytes",
    "memory_bytes": "memory",
}
KINDS = COUNTED | {"statements": "SQL per request"}
SAYS = {
    "BROKEN": "the head answers wrongly where the base answers rightly",
    "REGRESSED": "it got slower",
    "IMPROVED": "it got faster",
    "EQUIVALENT": "nothing changed by more than its margin",
    "INCONCLUSIVE": "not everything could be settled",
    "INVALID": "it could not be judged",
}


def write_verdict(
    analysis: Analysis, conclusion: Conclusion, folder: Path, exit_code: int, explained: Why = None
) -> Path:
    """Write verdict.md, verdict.json and verdict.xml (JUnit) into *folder*; return the first."""
    write_atomically(folder / JSON, to_json(document(analysis, conclusion, exit_code, explained)))
    write_atomically(folder / JUNIT, junit(conclusion))
    write_atomically(folder / MARKDOWN, text(analysis, conclusion, explained).encode())
    return folder / MARKDOWN


def document(
    analysis: Analysis, conclusion: Conclusion, exit_code: int, explained: Why = None
) -> dict[str, Any]:
    """Return verdict.json as a document; *exit_code* is that of the process."""
    run = analysis.run
    reasons = {place(one): waiver.reason for one, waiver in conclusion.waived}
    return {
        "schema": SCHEMA,
        "verdict": conclusion.overall,
        "exit_code": exit_code,
        "base": run.plan.baseline,
        **({"urls": _urls(run)} if run.runtime == "external" else {}),
        "rounds": run.rounds,
        "partial": analysis.partial,
        "machine": run.fingerprint.get("machine", {}).get("class"),
        "noise_floor": [
            {"contender": one.reference, "metric": one.metric, "ratio": plain_estimate(one.ratio)}
            for one in analysis.noise_floors
        ],
        "times": [
            {
                **_placed(one),
                "ratio": plain_estimate(one.comparison.ratio),
                "margin": one.margin,
                "adjusted_p": rounded(one.adjusted_p),
                "verdict": WORDS[one.verdict],
                "why": one.why or None,
                "waived": reasons.get(place(one)),
            }
            for one in conclusion.times
        ],
        "counts": [
            {
                **_placed(one),
                "base": rounded(one.base),
                "head": rounded(one.head),
                "appeared": dict(one.appeared),
                "gone": dict(one.gone),
                "verdict": WORDS[one.verdict],
                "why": one.why or None,
                "waived": reasons.get(place(one)),
            }
            for one in conclusion.counts
        ],
        "broken": [_fault(one) for one in conclusion.broken],
        "invalid": list(conclusion.invalid),
        "tries": [_try(one) for one in run.tries if one.wrong],
        "notes": list(conclusion.notes),
        **({"moved": [asdict(one) for one in conclusion.moved]} if conclusion.moved else {}),
        **({} if explained is None else {"explained": explained_document(explained)}),
    }


def _urls(run: Run) -> dict[str, str]:
    return {name_of(one.name).revision: one.stack for one in run.contenders}


def _fault(one: Fault) -> dict[str, Any]:
    return {
        "contender": one.contender,
        "side": one.whose,
        "where": one.where,
        "of": one.of or None,
        "request": one.request or None,
        "expected": one.expected or None,
        "got": one.got,
        "status": one.status,
        "share": rounded(one.share),
    }


def _try(one: Try) -> dict[str, Any]:
    return {
        "contender": one.contender,
        "exchange": one.exchange or None,
        "request": one.request or None,
        "body": one.body or None,
        "wrong": one.wrong,
        "status": one.status,
        "answer": one.answer or None,
        "right_again": one.right_again,
    }


def _placed(one: TimeChange | CountChange) -> dict[str, str]:
    contender, of, metric = place(one)
    return {"contender": contender, "of": of, "metric": metric}


def text(analysis: Analysis, conclusion: Conclusion, explained: Why = None) -> str:
    return "\n".join((*_lines(analysis, conclusion, explained), ""))


def _lines(analysis: Analysis, conclusion: Conclusion, why: Why) -> Iterator[str]:
    apart = ", apart from what is accepted" if conclusion.waived else ""
    says = "there is nothing to compare" if is_empty(analysis.run) else _says(conclusion)
    yield f"**{conclusion.overall}**: {says}{apart}."
    yield ""
    yield from (f"- {_escaped(one)}" for one in conclusion.broken)
    yield from (f"- {reason}".replace("<", "&lt;") for reason in conclusion.invalid)
    for one in conclusion.regressed:
        yield from _regression_lines(one)
    yield from explained_lines(why or ())
    for one, waiver in conclusion.waived:
        yield from _regression_lines(one, f"accepted until {waiver.until} ({waiver.reason}): ")
    if conclusion.times:
        yield ""
        yield "| contender | scenario | | change | verdict |"
        yield "|---|---|---|--:|---|"
        for time in conclusion.times:
            contender, of, _ = place(time)
            metric = f"{METRICS[time.comparison.metric]}, margin {time.margin * 100:g} %"
            doubt = f" ({cell(time.why)})" if time.why else ""
            yield (
                f"| {cell(contender)} | {cell(of)} | {metric} | {change(time.comparison.ratio)} "
                f"| {WORDS[time.verdict]}{doubt} |"
            )
        yield ""
    known = (*conclusion.regressed, *(one for one, _ in conclusion.waived))
    for counted in conclusion.counts:
        if counted not in known and (counted.verdict != "equivalent" or counted.appeared or counted.gone):
            yield from _regression_lines(counted)
    yield from (f"- {note}" for note in _notes(analysis, conclusion))


def _says(conclusion: Conclusion) -> str:
    slower = any(isinstance(one, TimeChange) for one in conclusion.regressed)
    if conclusion.overall == "REGRESSED" and not slower:
        return "a request takes more than it did"
    if conclusion.overall == "IMPROVED" and not conclusion.times:
        return "a request takes less than it did"
    return SAYS[conclusion.overall]


def _escaped(one: Fault) -> str:
    """Return *one* in a sentence that Markdown does not interpret: an app's answer may be a page."""
    return one.in_contrast.replace("<", "&lt;")


def _regression_lines(one: TimeChange | CountChange, before: str = "") -> Iterator[str]:
    """Yield a change as a bullet, and below it the statements that were added or removed."""
    yield f"- {before}{sentence(one)}"
    if isinstance(one, CountChange):
        for sign, statements in (("+", one.appeared), ("−", one.gone)):
            for sql, calls in statements.items():
                yield f"  - {sign}{calls:g} × `{' '.join(sql.split()).replace('`', 'ˋ')}`"


def _notes(analysis: Analysis, conclusion: Conclusion) -> Iterator[str]:
    run = analysis.run
    if conclusion.times and run.rounds:
        yield (
            f"{plural(run.rounds, 'round')}, base and head side by side; REGRESSED holds for all "
            f"{plural(len(conclusion.times), 'cell')} together, 5 % false alarms at most; "
            "intervals are single."
        )
    if conclusion.counts:
        same = sum(one.verdict == "equivalent" for one in conclusion.counts)
        counted = {one.counted for one in conclusion.counts}
        kinds = ", ".join(KINDS[kind] for kind in KINDS if kind in counted)
        yield f"Counts ({kinds}): {same} of {len(conclusion.counts)} as they were."
    for floor in analysis.noise_floors:
        if floor.metric == "service_demand_us":
            ratio = both(floor.ratio, of_ratio=True)
            yield f"A/A, {floor.reference} against itself in {floor.cell.scenario}, CPU: {ratio}."
    if analysis.partial and conclusion.broken:
        yield "The run ended there: no time of the head has to be known."
    elif analysis.partial:
        yield f"The run was cut short ({run.ended or 'killed'})."
    yield f"Machine: {run.fingerprint.get('machine', {}).get('class', 'unknown')}."
    yield from conclusion.notes


def sentence(one: TimeChange | CountChange) -> str:
    contender, of, _ = place(one)
    if isinstance(one, CountChange):
        in_memory = one.counted == "memory_bytes"
        base, head = (_size(one, size) for size in (one.base, one.head))
        unit = "MiB" if in_memory else "per request"
        if one.counted == "instructions":
            unit += f" ({percent_more(one.head / one.base, 2)})"
        doubt = f", no verdict: {one.why}" if one.why else ""
        return f"{contender}, {of}: {COUNTED[one.counted]} {base} → {head} {unit}{doubt}"
    metric = METRICS[one.comparison.metric]
    return f"{contender}, {of}: {metric} {change(one.comparison.ratio)}"


def _size(one: CountChange, size: float) -> str:
    if one.counted == "memory_bytes":
        return mebibytes(int(size))
    return f"{size:,.0f}" if one.counted == "instructions" else f"{size:g}"


def junit(conclusion: Conclusion) -> bytes:
    changes: tuple[TimeChange | CountChange, ...] = (*conclusion.times, *conclusion.counts)
    accepted = [one for one, _ in conclusion.waived]
    suite = ElementTree.Element(
        "testsuite",
        name="bench diff",
        tests=str(len(changes) + len(conclusion.broken) + len(conclusion.invalid)),
        errors=str(len(conclusion.invalid)),
    )
    for one in changes:
        contender, of, metric = place(one)
        case = ElementTree.SubElement(suite, "testcase", classname=f"{contender}.{of}", name=metric)
        if one.verdict == "slower" and one not in accepted:
            ElementTree.SubElement(case, "failure", message=sentence(one))
        elif one.verdict in ("inconclusive", "invalid"):
            why = getattr(one, "why", "") or WORDS[one.verdict]
            ElementTree.SubElement(case, "skipped", message=why)
    for fault in conclusion.broken:
        name = f"{fault.contender}.{fault.of or fault.where}"
        case = ElementTree.SubElement(suite, "testcase", classname=name, name="answers")
        ElementTree.SubElement(case, "failure", message=fault.in_contrast)
    suite.set("failures", str(len(conclusion.regressed) + len(conclusion.broken)))
    for why in conclusion.invalid:
        case = ElementTree.SubElement(suite, "testcase", classname="run", name="valid")
        ElementTree.SubElement(case, "error", message=why)
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


Word = Literal["EQUIVALENT", "NOT COMPARED"]


def uncompared_document(
    word: Word, base: str, why: str, left_out: Mapping[str, str], notes: Sequence[str]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "verdict": word,
        "exit_code": 0,
        "base": base,
        "notes": [why, *notes],
        "left_out": [{"file": shown(path), "why": reason} for path, reason in left_out.items()],
    }


def uncompared_text(word: Word, why: str, left_out: Mapping[str, str], notes: Sequence[str]) -> str:
    bullets = list(notes)
    by_reason = sorted(left_out, key=lambda path: (left_out[path], path))
    for reason, paths in groupby(by_reason, key=lambda path: left_out[path]):
        bullets.append(f"changed, and left out ({reason}): {listed(tuple(paths))}")
    return "\n".join([f"**{word}**: {why}", *([""] if bullets else []), *(f"- {one}" for one in bullets)])


def write_uncompared(folder: Path, written: str, facts: Mapping[str, Any]) -> None:
    """Write verdict.md and verdict.json into *folder*, where a workflow looks for them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / JSON, to_json(dict(facts)))
    write_atomically(folder / MARKDOWN, f"{written}\n".encode())
