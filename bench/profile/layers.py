"""Layers, as the apps declare them in apps/*/layers.toml, and the samples of a profile by layer."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.files import near_miss, read_toml
from bench.profile.record import Files, Profile

FILE = "layers.toml"
REST = "rest"
# In the order of a request's way through a stack, with their names in a report.
LAYERS = {
    "server": "server and event loop",
    "framework": "framework",
    "validation": "validation and serialisation",
    "orm": "ORM",
    "driver": "database driver",
    "template": "templates",
    "handler": "our handlers",
    REST: "interpreter and kernel (rest)",
}
OURS = "./"  # starts the path of a file of the app itself
UNDECLARED = {OURS: "handler"}  # of an app without layers.toml


def declared(app: Path) -> Files:
    """Return path → layer for the app in the folder *app*. The longest path that fits a file decides.

    Raises UsageError for an unknown layer, and for a path that two layers claim.
    """
    file = app / FILE
    if not file.is_file():
        return UNDECLARED
    found: dict[str, str] = {}
    for layer, paths in read_toml(file, dict[str, list[str]]).items():
        if layer not in LAYERS or layer == REST:
            known = [name for name in LAYERS if name != REST]
            raise UsageError(f"{file}: {layer}: unknown layer{near_miss(layer, known)}")
        for path in paths:
            if found.setdefault(path, layer) != layer:
                raise UsageError(f"{file}: {layer}: {path} is claimed by {found[path]} as well")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """CPU per request, in µs: of every layer (in their order), and of the functions in them."""

    layers: Mapping[str, float]
    functions: Mapping[tuple[str, str], float]  # layer and "function (file)" → µs, most first

    @property
    def total_us(self) -> float:
        return sum(self.layers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The change of a layer's CPU from base to head, in µs per request."""

    layer: str
    base_us: float
    head_us: float
    functions: Mapping[str, float]  # those that changed most the same way → µs

    @property
    def by_us(self) -> float:
        """Above 0: the head takes more."""
        return self.head_us - self.base_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A contender in a scenario, profiled at two revisions beside each other."""

    contender: str  # without a revision
    scenario: str
    base: Spent
    head: Spent

    @property
    def moved(self) -> tuple[Moved, ...]:
        return moved(self.base, self.head)


def layer_of(file: str, files: Files) -> str | None:
    """Return the layer of *file*: the longest path that it lies at or below; None if there is none."""
    parts = file.split("/")
    paths = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    named = next((path for path in paths if path in files), None)
    if named is None and file.startswith("./"):
        named = "./" if "./" in files else None
    if named is None and file.endswith(".py"):
        named = file.removesuffix(".py") if file.removesuffix(".py") in files else None
    return files[named] if named else None


def owner(stack: str, files: Files) -> tuple[str, str]:
    """Return the layer of a stack, and the function that represents it.

    That is the innermost function in a file with a layer. Its calls of the standard library or of C belong to
    it. If no file has a layer, the stack belongs to the rest, with its innermost function.
    """
    frames = stack.split(";")
    for frame in reversed(frames):
        if layer := layer_of(file_of(frame), files):
            return layer, frame
    return REST, frames[-1]


def file_of(frame: str) -> str:
    return frame[frame.rfind("(") + 1 : -1] if frame.endswith(")") else ""


def spent(profile: Profile) -> Spent:
    """Return the CPU that a request takes in each layer.

    Counts are shares of the CPU that the server took meanwhile. They are scaled to the CPU per request
    measured without the profiler, so no profiler has slowed it. CPU without a sample belongs to the rest. If
    there are more samples than CPU (the server waited for its core), they are shares of each other.
    """
    counts = Counter[tuple[str, str]]()
    for stack, count in profile.sampled.stacks.items():
        counts[owner(stack, profile.files)] += count
    sampled = counts.total()
    of_cpu = (profile.sampled.cpu_s or 0.0) / profile.sampled.period_s
    all_of_it = max(sampled, of_cpu)
    demand_us = profile.demand_us or profile.during.demand_us or 0.0
    scale = demand_us / all_of_it if all_of_it else 0.0
    layers = dict.fromkeys(LAYERS, 0.0)
    for (layer, _), count in counts.items():
        layers[layer] += count * scale
    layers[REST] += (all_of_it - sampled) * scale
    return Spent(layers=layers, functions={which: count * scale for which, count in counts.most_common()})


def moved(base: Spent, head: Spent, most: int = 3) -> tuple[Moved, ...]:
    """Return the change of each layer from *base* to *head*.

    The order of layers that take more follows the function that takes most more. A change of code shows in
    few functions, noise slightly in all.
    """
    changes = (_moved(layer, base, head, most) for layer in LAYERS)
    return tuple(sorted(changes, key=_by_function))


def _by_function(one: Moved) -> tuple[bool, float]:
    takes_more = one.by_us > 0
    return not takes_more, -max(one.functions.values(), default=0.0) if takes_more else -one.by_us


def _moved(layer: str, base: Spent, head: Spent, most: int) -> Moved:
    by_us = head.layers[layer] - base.layers[layer]
    named = dict(_differences(layer, base, head))
    same_way = sorted(
        (name for name, us in named.items() if us * by_us > 0), key=lambda name: -abs(named[name])
    )
    return Moved(
        layer=layer,
        base_us=base.layers[layer],
        head_us=head.layers[layer],
        functions={name: named[name] for name in same_way[:most]},
    )


def _differences(layer: str, base: Spent, head: Spent) -> Iterator[tuple[str, float]]:
    for which in dict.fromkeys((*head.functions, *base.functions)):
        if which[0] == layer:
            yield which[1], head.functions.get(which, 0.0) - base.functions.get(which, 0.0)
