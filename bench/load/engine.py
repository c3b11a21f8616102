"""From a slice to the loop that carries it out."""

from bench.errors import UsageError
from bench.load.arrivals import Share, due_offsets
from bench.load.closed import ClosedLoop
from bench.load.loop import Loop
from bench.load.open import OpenLoop
from bench.load.targets import Target
from bench.load.templates import Mix
from bench.model import Slice

__all__ = ["Loop", "loop_of"]


def loop_of(step: Slice, target: Target, mix: Mix, *, share: Share, timeout_s: float) -> Loop:
    """Return one process's *share* of *step*, ready to be run: all that is slow is done. Raises UsageError.

    Closed: what a connection asks follows from the seed and its number in the whole slice, so that several
    processes ask what one would. Open: requests follow from the seed and the share, in order of arrival. What
    was saved is a connection's own in both: on it, no request can overtake the one that it builds on.
    """
    load = step.cell.load
    numbers = share.part(range(load.connections))
    connections = target.take(len(numbers))
    for connection in connections:
        connection.saved = {}  # afresh: what was saved may be gone with the data of an earlier slice
    if load.kind == "closed":
        for number, connection in zip(numbers, connections, strict=True):
            connection.next = mix.requests(step.seed, number, connection.saved).__next__
        return ClosedLoop(target, connections, timeout_s=timeout_s)
    if not connections:
        raise UsageError(
            f"{share.of} processes cannot share {load.connections} connections of an open load: allow more"
        )
    if step.rate_rps is None or load.arrivals is None:
        raise ValueError(f"an open load needs its rate and its arrivals before it is begun: {step}")
    offsets_ns = due_offsets(
        load.arrivals,
        step.rate_rps,
        seed=step.seed,
        lead_in_s=step.lead_in_s,
        window_s=step.window_s,
    )
    draw = mix.drawing(step.seed, share.index)
    return OpenLoop(target, connections, share.part(offsets_ns), draw, timeout_s=timeout_s)
