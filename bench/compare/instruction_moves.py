"""In which layers and C functions a head executes more instructions than its base."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.model.contender import Contender
from bench.model.scenario import Scenario
from bench.profile import layers
from bench.profile.callgrind_profile import by_function, by_layer, read_costs
from bench.profile.record import Files
from bench.records import Instructions
from bench.run.instruction_counts import count, plainest, profile_name
from bench.run.lab import Lab

SEED = 0  # one is enough: where a change adds instructions does not depend on it
Moves = Mapping[str, float]  # layer or function → instructions per request more than in the base
CountAnew = Callable[[tuple[Contender, Contender], Scenario, Lab, Path], Iterable[Instructions]]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionMoves:
    """A contender in a scenario. *why*: the reason where nothing was counted."""

    contender: str  # without a revision
    of: str
    base: float = 0.0  # instructions per request
    head: float = 0.0
    layers: Moves = field(default_factory=dict)  # what grew most first
    functions: Moves = field(default_factory=dict)
    why: str = ""


def counted_anew(
    sides: tuple[Contender, Contender], scenario: Scenario, lab: Lab, profiles: Path
) -> Iterable[Instructions]:
    """Count both once more: of a side that was remembered there is no profile."""
    wanted = [(one, scenario) for one in sides]
    return count(wanted, lab.runtime, lab.progress, seeds=(SEED,), profiles=profiles)


def instruction_moves(
    name: str,
    sides: tuple[Contender, Contender],
    scenario: Scenario,
    lab: Lab,
    counted: CountAnew = counted_anew,
) -> InstructionMoves:
    """Return where the second of *sides* executes more than the first. *name* has no revision."""
    with TemporaryDirectory(prefix="bench-callgrind-") as folder:
        found = {one.contender: one for one in counted(sides, scenario, lab, Path(folder))}
        if whys := [one.why for one in found.values() if not one.windows]:
            return InstructionMoves(contender=name, of=scenario.name, why=whys[0])
        files = layers.declared(sides[1].place)
        before, after = (_spent(found[one.name], Path(folder), files) for one in sides)
    return InstructionMoves(
        contender=name,
        of=scenario.name,
        base=sum(before[0].values()),
        head=sum(after[0].values()),
        layers=_more(before[0], after[0]),
        functions=_more(before[1], after[1]),
    )


def _spent(one: Instructions, folder: Path, files: Files) -> tuple[Moves, Moves]:
    """Return the instructions per request by layer and by function, in the window of *one* that was kept."""
    costs = read_costs(sorted(folder.glob(f"callgrind.out.{profile_name(one.contender, one.scenario)}.*")))
    (windows,) = one.windows.values()
    kept = plainest(windows)
    scale = (kept.usual + (kept.collections or 0.0)) / (sum(costs.values()) or 1)
    return (
        {layer: own * scale for layer, own in by_layer(costs, files).items()},
        {function: own * scale for function, own in by_function(costs).items()},
    )


def _more(before: Moves, after: Moves) -> Moves:
    found = {what: after.get(what, 0.0) - before.get(what, 0.0) for what in {**before, **after}}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
