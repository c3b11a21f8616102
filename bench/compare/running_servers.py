"""Two servers that somebody started, as base and head of one run: the plan for that, and its notes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.compare.diff import CONNECTIONS, NAME, PLAIN, Selection, closed_first
from bench.errors import UsageError
from bench.files import check_known
from bench.loads import Closed
from bench.model.contender import Contender, name_of
from bench.model.plan import Block, Plan
from bench.model.scenario import Scenario
from bench.project import plans, scenarios
from bench.runtime import external
from bench.runtime.external import SERVICE, unseen
from bench.runtime.listeners import Listener

BASE, HEAD = "base", "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Base, head, and the base once more: three contenders at two addresses, or at one."""

    base: Contender
    head: Contender

    @property
    def again(self) -> Contender:
        return replace(self.base, name=name_of(self.base.name).twin)

    @property
    def all(self) -> tuple[Contender, ...]:
        return (self.base, self.head, self.again)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What is requested of them, and the plan whose blocks and windows are used."""

    scenarios: Mapping[str, Scenario]
    pattern: Plan


def servers(base_url: str, head_url: str) -> Servers:
    """Return the contenders at two addresses; raises UsageError if one is no http://HOST:PORT."""
    return Servers(
        base=external.target(base_url, name=f"{SERVICE}@{BASE}", option="--base-url"),
        head=external.target(head_url, name=f"{SERVICE}@{HEAD}", option="--head-url"),
    )


def requests(root: Path | None, file: Path | None) -> Requests:
    """Return the scenarios in *file*, or those of the project at *root* with its plan `ci`.

    Raises UsageError if there is neither, or if they are wrong.
    """
    if file is not None:
        return _plain(scenarios.read((root or file.parent).resolve(), file))
    if root is None:
        raise UsageError(
            "no bench.toml and no apps/scenarios.toml with scenarios here or above: name a file with "
            "[exchanges] and [scenarios] with --scenarios"
        )
    found = scenarios.declared(root)
    if NAME not in plans.names(root):
        return _plain(found)
    return Requests(scenarios=found, pattern=plans.read(root, NAME))


def _plain(found: Mapping[str, Scenario]) -> Requests:
    load = Closed(connections=CONNECTIONS)
    block = Block(contenders=(SERVICE,), scenarios=tuple(found), loads=(load,))
    return Requests(scenarios=found, pattern=replace(PLAIN, blocks=(block,)))


def planned(requests: Requests, compared: Servers, wanted: Selection) -> Plan:
    """Return the plan that compares the two servers. Raises UsageError if a requested scenario is unknown."""
    pattern = requests.pattern
    known = list(dict.fromkeys(name for block in pattern.blocks for name in block.scenarios))
    for name in wanted.scenarios:
        check_known(name, known, f"unknown scenario {name}")
    chosen = wanted.scenarios or tuple(known)
    names = (compared.base.name, compared.head.name)
    blocks = dict.fromkeys(
        Block(contenders=names, scenarios=there, loads=block.loads)
        for block in pattern.blocks
        if (there := tuple(name for name in block.scenarios if name in chosen))
    )
    return replace(
        pattern,
        name="diff",
        about=f"{compared.head.stack} against {compared.base.stack}: is it slower?",
        blocks=(*blocks, *_twins(requests, tuple(blocks), compared, wanted)),
        reference=compared.base.name,
        rounds=plans.AUTO_PILOT,
        budget_s=wanted.budget_s,
        longest_window_s=max(plans.LONGEST_WINDOW_S, pattern.window_s),
        baseline=BASE,
        claims=(),
        inquiries=(),
        choices=(),
    )


def _twins(
    requests: Requests, blocks: Sequence[Block], compared: Servers, wanted: Selection
) -> Iterator[Block]:
    """Yield the base beside itself: in every cell, or in one, which writes nothing if there is such a one."""
    beside = (compared.base.name, compared.again.name)
    if wanted.twins == "all":
        yield from (replace(block, contenders=beside) for block in blocks)
    elif blocks:
        block = min(blocks, key=lambda one: not closed_first(one.loads)[0].compares_throughput)
        quiet = sorted(block.scenarios, key=lambda name: requests.scenarios[name].writes)
        yield Block(contenders=beside, scenarios=tuple(quiet[:1]), loads=closed_first(block.loads)[:1])


def notes(compared: Servers, requested: Sequence[Scenario], found: Mapping[str, Listener]) -> Iterator[str]:
    """Yield what was compared, and what cannot be known of servers that we did not start."""
    base, head = compared.base.stack, compared.head.stack
    yield f"compared: base {base}, head {head}"
    if base == head:
        yield "base and head are the same server: every difference is noise"
    yield "its servers were not started anew: rounds are minutes of one life"
    if written := [one.name for one in requested if one.writes]:
        yield (
            f"written to, and nothing puts the data back: {', '.join(written)}; answers that grow with "
            "the data are slower later"
        )
    if unknown := [*unseen(found)]:
        yield from unknown
        yield "CPU is not compared: throughput and response bytes are"
        return
    programs = ", ".join(f"{one.program} at {url}" for url, one in found.items())
    yield f"CPU is that of {programs}, with its child processes: not of what they call"
