"""llms.txt: what a site holds and how to quote it, in plain words (llmstxt.org)."""

from collections.abc import Iterator

from bench.site.published import Index

MOST = 60  # citations; index.json has all


def llms_text(index: Index) -> str:
    return "\n".join(_lines(index)) + "\n"


def _lines(index: Index) -> Iterator[str]:
    valid = [run for run in index.runs if run.state == "valid"]
    kinds = {machine.facts.get("machine.class") for machine in index.machines}
    yield "# Web frameworks measured side by side"
    yield ""
    yield (
        f"> {len(index.runs)} runs of webframework-bench, {len(valid)} of them complete and valid, on "
        f"{len(kinds)} kinds of machines. Every ratio has an interval, a date and conditions."
    )
    yield ""
    yield "Quote a line below, or `cite` of a headline in index.json, as a whole: a ratio without its"
    yield 'interval, date and machine says little. Do not rank what is "no proven difference".'
    yield "Figures of two machines do not compare; ratios of one run do. " + index.rule
    yield ""
    yield "## Data"
    yield ""
    yield "- [index.json](index.json): every run and headline, with citations ([schema](index.schema.json))"
    yield "- runs/<id>.json: each run with the values of every round"
    yield ""
    if index.across:
        yield "## Across machines"
        yield ""
        yield index.formula
        yield ""
        main = [one for one in index.across if one.metric == "throughput_rps"]
        yield from (f"- {one.cite}" for one in main[:MOST])
        yield ""
    yield "## Newest headlines"
    yield ""
    seen: set[tuple[str, ...]] = set()
    for run in valid:
        key = (run.project, run.machine, run.plan)
        if key in seen:
            continue
        seen.add(key)
        cites = [f"- {one.cite}" for one in run.headlines if one.metric == "throughput_rps"]
        yield from cites[: max(0, MOST - 5 * (len(seen) - 1))]
    if bad := [run for run in index.runs if run.state != "valid"]:
        yield ""
        yield f"{len(bad)} runs are partial or invalid: they have no headline."
