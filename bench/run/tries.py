"""The first second of a run: each exchange once of each contender, on servers that are not timed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from bench.errors import BenchError, CannotMeasure
from bench.model.contender import Contender
from bench.model.plan import Plan
from bench.model.scenario import Scenario
from bench.project.heats import groups
from bench.records import Try
from bench.run.field_queries import queried_on
from bench.run.lab import Once
from bench.runtime import Runtime

TOGETHER = 6  # contenders whose servers run at the same time, as for the checks
Asking = Sequence[tuple[Contender, Sequence[Scenario]]]  # the scenarios that each contender serves
# Messages of a package index that cannot be reached: then the cause of the failure is unknown.
UNREACHABLE = (
    "dns error",
    "error sending request",
    "tcp connect",
    "timed out",
    "refused",
    "network",
)


def tries(wanted: Asking, runtime: Runtime, once: Once, *, apart: bool = False) -> Iterator[Try]:
    """Yield the result of each exchange of each contender, in the order of *wanted*.

    *apart*: a contender whose server does not start counts as wrong, and the others go on. Without it, raises
    CannotMeasure if a server does not start. Raises CannotMeasure if a service dies.
    """
    for first in range(0, len(wanted), TOGETHER):
        together = [one for one in wanted[first : first + TOGETHER] if one[1]]
        try:
            yield from _together(together, runtime, once)
        except _NotUp as why:
            if not apart:
                raise why.error from why.error.__cause__
            for one in together:
                yield from _alone(one, runtime, once)


def requests_of(plan: Plan, contenders: Sequence[Contender], scenarios: Sequence[Scenario]) -> Asking:
    swept = groups(plan, {one.name: one for one in contenders})
    there = {
        one.name: {group.scenario for group in swept if one.name in group.contenders} for one in contenders
    }
    return [(one, [each for each in scenarios if each.name in there[one.name]]) for one in contenders]


def prepared(contenders: Sequence[Contender], runtime: Runtime) -> Mapping[str, str]:
    """Prepare *contenders*, one by one if all together fail. Return by name why one cannot be prepared.

    Raises the error if it is not the fault of single contenders.
    """
    try:
        runtime.prepare(contenders)
    except BenchError as error:
        failed: dict[str, str] = {}
        for one in contenders:
            try:
                runtime.prepare([one])
            except BenchError as own:
                failed[one.name] = str(own)
        reached = not any(sign in why.lower() for why in failed.values() for sign in UNREACHABLE)
        if reached and 0 < len(failed) < len(contenders):
            return failed
        raise error from error.__cause__
    return {}


def not_served(contender: str, why: str) -> Try:
    return Try(contender=contender, exchange="", wrong=why)


class _NotUp(Exception):
    def __init__(self, error: CannotMeasure) -> None:
        super().__init__(str(error))
        self.error = error


def _together(wanted: Asking, runtime: Runtime, once: Once) -> Iterator[Try]:
    if not wanted:
        return
    with ExitStack() as stack:
        try:
            up = stack.enter_context(runtime.serve([one for one, _ in wanted], hash_seed=0, timed=False))
        except CannotMeasure as error:
            raise _NotUp(error) from error
        for contender, scenarios in wanted:
            server = up[contender.name]
            for one in once(contender.name, server.address, queried_on([server], scenarios)):
                how = server.ended() if one.wrong and one.status is None else None
                yield _ended(one, how, server.log_tail()) if how else one
        runtime.check()


def _alone(one: tuple[Contender, Sequence[Scenario]], runtime: Runtime, once: Once) -> Iterator[Try]:
    try:
        yield from _together([one], runtime, once)
    except _NotUp as why:
        runtime.check()
        yield not_served(one[0].name, str(why))


def _ended(one: Try, how: str, log: str) -> Try:
    last = log.strip().splitlines()[-1:]
    last_line = f" ({last[0].strip()})" if last else ""
    return replace(one, wrong=f"{one.wrong}: its server {how}{last_line}")
