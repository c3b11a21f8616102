"""What was written to a server's data, and what that means for response bytes."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from bench.model.cell import Cell
from bench.records import Record, Run

WRITTEN_S = 0.5  # of load with writes: then a server's data are put back, which takes an eighth of a second


def not_put_back(run: Run, cell: Cell) -> tuple[str, ...]:
    """Return why slices of *cell* met rows that earlier slices wrote; empty if none did.

    Servers are fresh in every round. A server that we did not start keeps its data.
    """
    begun = [(record.slice.round, record.started_s) for record in run.records if record.slice.cell == cell]
    goes_on = run.runtime == "external"
    return tuple(
        dict.fromkeys(
            one.left
            for one in run.written
            if one.left
            and one.contender == cell.contender
            and any(at_s >= one.at_s and (number == one.round or goes_on) for number, at_s in begun)
        )
    )


def wrote(run: Run, cell: Cell) -> bool:
    declared = any(one.writes for one in run.scenarios if one.name == cell.scenario)
    return declared or any(
        (one.contender, one.scenario) == (cell.contender, cell.scenario) for one in run.written
    )


def written_no_more(ours: Sequence[Record], theirs: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """Yield the slices of each sweep in which *ours* cannot have met more rows than *theirs*.

    Both start from the same data, and are put back in the same sweeps. So ours met no more rows if it had
    sent no more requests since then, in any sweep.
    """
    other = {(one.slice.round, one.slice.sweep): one for one in theirs}
    rounds: dict[int, list[tuple[Record, Record]]] = {}
    for one in sorted(ours, key=lambda record: (record.slice.round, record.slice.sweep)):
        if pair := other.get((one.slice.round, one.slice.sweep)):
            rounds.setdefault(one.slice.round, []).append((one, pair))
    for pairs in rounds.values():
        more = [_requests(one) - _requests(pair) for one, pair in pairs]
        for place, (one, pair) in enumerate(pairs):
            since = more[max(0, place - _sweeps(one)) : place + 1]
            if max(accumulate(reversed(since))) <= 0:
                yield one, pair


def _sweeps(record: Record) -> int:
    return round(WRITTEN_S / (record.slice.lead_in_s + record.slice.window_s)) + 1


def _requests(record: Record) -> int:
    return record.sample.slice_requests or record.sample.requests
