"""Each server compared with itself, from its first slice of a scenario to its last."""

from collections.abc import Iterable, Iterator

from bench.analysis.steadiness import first_answers
from bench.records import Run
from bench.report.panels import Panel
from bench.report.wording import both, change, figure, percent

HEADINGS = ("contender", "scenario", "state", "change of speed", "within s", "slices' deviation")


def lines(panels: Iterable[Panel]) -> tuple[tuple[str, ...], ...]:
    """Return the lines of the table, in the order of *panels*; a row that knows nothing of it has none."""
    return tuple(
        (
            row.cell.contender,
            panel.title,
            seen.state or "too few rounds to tell",
            change(seen.change),
            figure(seen.span_s),
            percent(seen.deviation),
        )
        for panel in panels
        for row in panel.rows
        if (seen := row.steadiness)
    )


def notes(run: Run) -> Iterator[str]:
    """Yield what the table is about, and how long servers took to their first answer."""
    yield (
        "Each server is compared with itself: the change is from its first slice of a scenario to its last, "
        'over rounds. Anything but "flat" is a caveat of the row.'
    )
    if first := first_answers(run):
        told = ", ".join(f"{name} {both(estimate)} s" for name, estimate in first.items())
        yield f"From start to the first 200, on all cores and beside the others that start: {told}."
