"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from bench.model.cell import Slice


class Progress(Protocol):
    """Reports each step. It never shows a result, so that nobody stops a run when it looks good."""

    def phase(self, what: str) -> None: ...

    def note(self, what: str) -> None: ...

    def measuring(self, step: Slice, *, planned_s: float, left_s: float, half_width: float | None) -> None:
        """Report the slice that is measured.

        *planned_s* and *left_s* are seconds, of the whole run and of what remains. *half_width* is the median
        half-width of the ratios' intervals so far (0.05: 5 %); None while there is none.
        """


class PlainLines:
    """A line per phase and one per round."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pace = RemainingTime()
        self._round = 0

    def phase(self, what: str) -> None:
        self.note(what)

    def note(self, what: str) -> None:
        self._console.print(what, highlight=False, markup=False, soft_wrap=True)

    def measuring(self, step: Slice, *, planned_s: float, left_s: float, half_width: float | None) -> None:
        done, eta_s = self._pace.of(planned_s, left_s)
        if step.round != self._round and step.role != "probe":
            self._round = step.round
            left = f"about {_format_duration(eta_s)} left{_sure(half_width)}"
            self.phase(f"round {step.round}: {done:.0%} done, {left}")


class LiveBar:
    """A bar with the step, the elapsed time and the remaining time."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._pace = RemainingTime()
        self._task = bar.add_task("starting", total=1.0, left="")

    def phase(self, what: str) -> None:
        self._bar.update(self._task, description=what)

    def note(self, what: str) -> None:
        self._bar.console.print(what, highlight=False, markup=False, soft_wrap=True)

    def measuring(self, step: Slice, *, planned_s: float, left_s: float, half_width: float | None) -> None:
        done, eta_s = self._pace.of(planned_s, left_s)
        left = f"about {_format_duration(eta_s)} left{_sure(half_width)}"
        where = "probe" if step.role == "probe" else f"round {step.round}"
        what = f"{where} · {step.cell.scenario} · {step.cell.contender}"
        self._bar.update(self._task, description=what, completed=done, left=left)


class RemainingTime:
    """Estimates the remaining time from the pace of the schedule since its first slice."""

    def __init__(self) -> None:
        self._began: float | None = None

    def of(self, planned_s: float, left_s: float) -> tuple[float, float]:
        """Return the share done (0 to 1) and the remaining time in seconds.

        Until a twentieth is done, both come from the planned durations.
        """
        self._began = time.monotonic() if self._began is None else self._began
        done = 1 - left_s / planned_s if planned_s else 1.0
        if done < 0.05:
            return done, left_s
        return done, (time.monotonic() - self._began) * (1 - done) / done


@contextmanager
def shown() -> Iterator[Progress]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainLines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        yield LiveBar(bar)


def _sure(half_width: float | None) -> str:
    return f", ratios to ±{half_width:.1%} so far" if half_width else ""


def _format_duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
