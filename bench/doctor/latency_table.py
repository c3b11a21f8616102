"""The table of the self-test of latency."""

from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.doctor.latency import PERCENTS, WITHIN_MS, WITHIN_SHARE, Reading
from bench.report.wording import NOTHING


def print_readings(found: Sequence[Reading], console: Console) -> None:
    table = Table(
        title=Text("Latency against arithmetic, in ms"),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("server")
    table.add_column("")
    for percent in PERCENTS:
        table.add_column(f"p{percent:g}", justify="right", no_wrap=True)
    table.add_column("")
    for reading in found:
        for line in _lines(reading):
            table.add_row(*line)
    console.print(table)
    for sentence in _sentences(found):
        console.print(sentence, highlight=False)


def _sentences(found: Iterable[Reading]) -> Iterator[str]:
    yield (
        f"A percentile fits within {WITHIN_SHARE:.0%} or {WITHIN_MS * 1e3:.0f} µs of what is due and how "
        "late the server was, by its own clock. Due is the arithmetic of the drawn arrivals. Theory differs "
        "from it by the luck of the draw."
    )
    ours_us = [one.client_late_ms * 1e3 for reading in found if reading.is_ours for one in reading.points]
    if ours_us:
        yield (
            f"Latency here is {min(ours_us):.0f}–{max(ours_us):.0f} µs too long: so late our client sends "
            "and reads, by its clock and the server's. Without that it would fit."
        )


def _lines(reading: Reading) -> Iterator[list[str]]:
    points = reading.points
    yield [reading.kind, "theory", *(_ms(point.theory_ms) for point in points), ""]
    yield [reading.about, "due", *(_ms(point.due_ms) for point in points), ""]
    yield ["", "+ server late", *(_ms(point.server_late_ms) for point in points), ""]
    yield ["", "+ client late", *(_ms(point.client_late_ms) for point in points), ""]
    measured = [_ms(point.measured_ms) for point in points]
    yield [f"{reading.requests:,} requests", "measured", *measured, _judged(reading)]
    yield ["", "off by", *(NOTHING if one.off is None else f"{one.off:+.1%}" for one in points), ""]
    lates = {
        "we sent late": reading.client_late,
        "we read late": reading.client_wake,
        "it woke late": reading.server_wake,
    }
    for what, late in lates.items():
        yield ["", what, *(_ms(late.percentile_ms(percent)) for percent in PERCENTS), ""]


def _judged(reading: Reading) -> str:
    if reading.fits:
        return "fits"
    return f"off{' by ours' * reading.is_ours}{' (disturbed)' * reading.is_disturbed}"


def _ms(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"
