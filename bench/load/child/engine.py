"""Builds the loop that carries out a slice."""

from collections.abc import Sequence
from random import Random

from bench.errors import UsageError
from bench.load.child.arrivals import Share, due_offsets
from bench.load.child.closed import ClosedLoop
from bench.load.child.connections import Connection, Target
from bench.load.child.loop import Loop
from bench.load.child.open import OpenLoop
from bench.load.child.setting_up import set_up
from bench.load.requests import Mix
from bench.model import Slice

__all__ = ["Loop", "loop_of"]


def loop_of(step: Slice, target: Target, mix: Mix, *, share: Share, timeout_s: float) -> Loop:
    """Return the loop for one process's *share* of *step*, ready to run. Raises UsageError.

    All slow work is done here. Closed: the requests of a connection depend on the seed and on its number in
    the whole slice, so several processes send what one would. Open: requests depend on the seed and the
    share, in order of arrival. In both, saved values belong to a connection: on it, no request can overtake
    the one that it depends on. What requests need and do not use up is fetched before the slice begins.
    """
    load = step.cell.load
    numbers = share.part(range(load.connections))
    connections = target.take(len(numbers))
    if not connections:
        raise UsageError(
            f"{share.of} processes cannot share {load.connections} connections of an open load: allow more"
        )
    for connection in connections:
        _begin(connection, step.cell.scenario, mix)
    is_open = load.kind == "open"
    numbered = dict(zip(connections, numbers, strict=True))
    scenario = step.cell.scenario
    fetched = set_up(
        target, numbered, mix, step.seed, is_open=is_open, timeout_s=timeout_s, scenario=scenario
    )
    loop = (_open if is_open else _closed)(step, target, mix, connections, share, timeout_s)
    if fetched is not None:
        loop.books.setup, loop.books.broken = fetched.setup, fetched.broken
    return loop


def _begin(connection: Connection, scenario: str, mix: Mix) -> None:
    """Give *connection* the values that it saved in earlier slices of *scenario* and that are still valid."""
    if connection.is_doubted:
        connection.kept.clear()
        connection.is_doubted = False
    connection.saved = connection.kept.setdefault(scenario, {})
    mix.keep(connection.saved)


def _closed(
    step: Slice, target: Target, mix: Mix, connections: Sequence[Connection], share: Share, timeout_s: float
) -> Loop:
    count = step.cell.load.connections
    numbers = share.part(range(count))
    for number, connection in zip(numbers, connections, strict=True):
        connection.next = mix.requests(step.seed, number, connection.saved).__next__
    starts = [(number + Random(f"{step.seed}/{number}/start").random()) / count for number in numbers]
    pace = step.cell.scenario, count
    return ClosedLoop(target, connections, starts, pace, timeout_s=timeout_s)


def _open(
    step: Slice, target: Target, mix: Mix, connections: Sequence[Connection], share: Share, timeout_s: float
) -> Loop:
    arrivals = step.cell.load.arrivals
    if step.rate_rps is None or arrivals is None:
        raise ValueError(f"an open load needs its rate and its arrivals before it is begun: {step}")
    offsets_ns = due_offsets(
        arrivals,
        step.rate_rps,
        seed=step.seed,
        lead_in_s=step.lead_in_s,
        window_s=step.window_s,
    )
    draw = mix.drawing(step.seed, share.index)
    return OpenLoop(target, connections, share.part(offsets_ns), draw, timeout_s=timeout_s)
