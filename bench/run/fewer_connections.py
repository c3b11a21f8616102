"""How many connections a built-in load has: fewer where the probe shows that answers take long. Pure.

A server that serves one request at a time makes the others wait. On 32 connections an answer then takes 32
times as long, and windows that hold enough answers take minutes. A service that does serve many at a time
loses nothing with fewer: windows that hold four answers of each connection hold enough (docs/adr/0013).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bench.analysis.resolution import duration, pace_of
from bench.loads import Closed, Load
from bench.model.plan import Block, Plan
from bench.project.heats import Group
from bench.records import Record

DECIDES = 2  # the number of the probe: the first one finds servers cold
LONG_S = 0.5  # an answer on all connections


def lowered(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Plan:
    """Return *plan* with fewer connections in each of its groups in which some contender's answers take long.

    All contenders of a group get the same number. It depends on the probe alone, so a resumed run gives the
    same result.
    """
    kept = list(records)
    slow = [group for group in groups if takes_long(plan, group, kept)]
    if plan.fewer_connections is None or not slow:
        return plan
    fewer = Closed(connections=plan.fewer_connections)
    return replace(plan, blocks=tuple(part for block in plan.blocks for part in _parts(block, slow, fewer)))


def remarks(plan: Plan, groups: Sequence[Group], records: Iterable[Record]) -> Iterator[str]:
    kept = list(records)
    for group in groups:
        if takes_long(plan, group, kept):
            answer_s = max(_answers_s(group, kept))
            yield (
                f"{group.scenario}, {group.load.title}: an answer takes {duration(answer_s)} or longer: "
                f"measured with {plan.fewer_connections} connections instead, for all contenders alike"
            )


def takes_long(plan: Plan, group: Group, records: Iterable[Record]) -> bool:
    """Whether the probe, as far as it is in *records*, shows that *group* is to have fewer connections."""
    if plan.fewer_connections is None or not group.load.keeps_busy:
        return False
    if group.load.connections <= plan.fewer_connections:
        return False
    return max(_answers_s(group, records), default=0.0) >= LONG_S


def _answers_s(group: Group, records: Iterable[Record]) -> Iterator[float]:
    cells = set(map(group.cell, group.contenders))
    for record in records:
        step = record.slice
        decides = step.role == "probe" and step.sweep == DECIDES and step.cell in cells
        if decides and (pace := pace_of([record])):
            yield pace.answer_s


def _parts(block: Block, slow: Sequence[Group], fewer: Closed) -> Iterator[Block]:
    """Yield *block* with *fewer* in place of loads that are *slow*: in parts, if only some scenarios are."""
    loads: dict[tuple[Load, ...], list[str]] = {}
    for scenario in block.scenarios:
        replaced = {
            group.load
            for group in slow
            if group.scenario == scenario and set(block.contenders) & set(group.contenders)
        }
        kept = (fewer if load in replaced else load for load in block.loads)
        loads.setdefault(tuple(dict.fromkeys(kept)), []).append(scenario)
    for own, scenarios in loads.items():
        yield replace(block, scenarios=tuple(scenarios), loads=own)
