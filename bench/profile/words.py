"""What a profile shows: in words, as tables on the terminal, and for machines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from bench.profile.layers import LAYERS, Spent, spent
from bench.profile.record import Profile, Profiling
from bench.report.document import Column, Table, TableCell, name_column
from bench.report.terminal import WARNING, say, table_of
from bench.report.wording import NOTHING, figure, percent, rounded

FEW, MANY = 0.7, 1.1  # samples over CPU seconds: a system call is in none, a wait for a core in too many
TORN = 0.05  # share of samples that could not be read
TOP = 8  # functions


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredProfile:
    """A profile with the CPU of its layers."""

    profile: Profile
    spent: Spent

    @property
    def title(self) -> str:
        return f"{self.profile.contender}, {self.profile.scenario}"


def shown(profiling: Profiling) -> Mapping[str, Sequence[LayeredProfile]]:
    found: dict[str, list[LayeredProfile]] = {}
    for profile in profiling.profiles:
        found.setdefault(profile.scenario, []).append(LayeredProfile(profile=profile, spent=spent(profile)))
    return found


def used(many: Sequence[LayeredProfile]) -> tuple[str, ...]:
    return tuple(layer for layer in LAYERS if any(one.spent.layers[layer] for one in many))


def cell(one: LayeredProfile, layer: str) -> TableCell:
    us, total = one.spent.layers[layer], one.spent.total_us
    return TableCell(figure(us), percent(us / total)) if us else TableCell(NOTHING)


def table(many: Sequence[LayeredProfile]) -> Table:
    """Return the CPU of each layer, and what else was measured, by contender."""
    return Table(
        columns=(name_column("layer"), *(Column(heading=one.profile.contender) for one in many)),
        rows=(
            *((TableCell(LAYERS[layer]), *(cell(one, layer) for one in many)) for layer in used(many)),
            *((TableCell(heading), *map(TableCell, values)) for heading, values in _measured(many, OF_PAGES)),
        ),
    )


def page_table(scenario: str, many: Sequence[LayeredProfile]) -> Table:
    """Return the same, with a row for each contender."""
    measured = [*_measured(many, OF_PAGES)]
    return Table(
        caption=f"{scenario}: µs of CPU per request; below it the share",
        columns=(
            name_column("contender"),
            *(Column(heading=LAYERS[layer]) for layer in used(many)),
            *(Column(heading=heading) for heading, _ in measured),
        ),
        rows=tuple(
            (
                TableCell(one.profile.contender, one.profile.stack),
                *(cell(one, layer) for layer in used(many)),
                *(TableCell(values[place]) for _, values in measured),
            )
            for place, one in enumerate(many)
        ),
    )


def functions_table(one: LayeredProfile) -> Table:
    return Table(
        columns=(
            Column(heading="µs"),
            Column(heading="share"),
            Column(heading="layer", kind="text"),
            Column(heading="function, with the C code and standard library that it calls", kind="code"),
        ),
        rows=tuple(
            tuple(map(TableCell, (us, share, layer, function)))
            for layer, function, us, share in functions(one)
        ),
        style="",
    )


def sentence(one: LayeredProfile) -> str:
    total = one.spent.total_us
    most = sorted(one.spent.layers.items(), key=lambda layer: -layer[1])[:3]
    parts = ", ".join(f"{percent(us / total)} in {LAYERS[layer]}" for layer, us in most if us)
    return f"{one.profile.stack}: {figure(total)} µs of CPU per request, {parts}."


def answer(scenario: str, many: Sequence[LayeredProfile]) -> str:
    ranked = sorted(many, key=lambda one: one.spent.total_us)
    least, most = ranked[0], ranked[-1]
    if least is most:
        return f"{scenario}: {sentence(least)}"
    more = {layer: us - least.spent.layers[layer] for layer, us in most.spent.layers.items()}
    where = sorted((layer for layer in more if more[layer] > 0), key=lambda layer: -more[layer])[:2]
    parts = " and ".join(f"{figure(more[layer])} µs more in {LAYERS[layer]}" for layer in where)
    return (
        f"{scenario}: {least.profile.stack} takes least CPU per request, {figure(least.spent.total_us)} µs; "
        f"{most.profile.stack} takes most, {figure(most.spent.total_us)} µs{f': {parts}' if parts else ''}."
    )


def functions(one: LayeredProfile) -> list[tuple[str, str, str, str]]:
    total = one.spent.total_us or 1.0
    return [
        (LAYERS[layer], function, figure(us), percent(us / total))
        for (layer, function), us in list(one.spent.functions.items())[:TOP]
    ]


def lost(one: LayeredProfile) -> str:
    return percent(one.profile.lost).replace("-", "−")


def method(profiling: Profiling) -> Iterator[str]:
    how = {
        "py-spy": (
            "py-spy looked from outside at the thread that held the interpreter's lock, on the one core "
            "that a server had; CPU outside the lock (system calls, threads of C or Rust) is the rest's"
        ),
        "cprofile": (
            "cProfile timed every call in the server, in CPU time of the thread; what calls cost shows most "
            "where there are many, so compare layers rather than functions"
        ),
    }
    connections = f"{profiling.load.connections} connections in flight"
    yield f"{how[profiling.profiler]} ({profiling.profiler} {profiling.version}, {connections})."
    yield (
        "Contenders took turns. Shares come from the profiled windows; they are scaled to the CPU per "
        "request of windows around them, without a profiler. C code counts for the Python function that "
        "calls it."
    )


def caveats(one: LayeredProfile) -> Iterator[str]:
    sampled = one.profile.sampled
    if sampled.coverage is not None and not FEW <= sampled.coverage <= MANY:
        why = "others were on the server's core" if sampled.coverage > 1 else "the difference is in the rest"
        yield (
            f"{one.title}: samples are {figure(sampled.sampled_s)} s, CPU {figure(sampled.cpu_s)} s "
            f"({figure(sampled.coverage)}): {why}"
        )
    count = sum(sampled.stacks.values())
    if sampled.errors > TORN * (count + sampled.errors):
        torn = percent(sampled.errors / (count + sampled.errors))
        yield f"{one.title}: {torn} of the samples could not be read"
    if wrong := sum(window.failed for window in (*one.profile.beside, one.profile.during)):
        yield f"{one.title}: {wrong:,} wrong answers"
    if not one.profile.files or set(one.profile.files) == {"./"}:
        yield f"{one.title}: its app has no layers.toml: all but its own files is the rest's"


def print_profiling(profiling: Profiling, console: Console) -> None:
    for scenario, many in shown(profiling).items():
        printed = table_of(Text(f"{scenario}: CPU per request by layer, µs", style="bold"))
        printed.add_column("layer")
        for one in many:
            printed.add_column(Text(one.profile.contender), justify="right")
        for layer in used(many):
            cells = (cell(one, layer) for one in many)
            printed.add_row(
                LAYERS[layer], *(" · ".join(filter(None, (one.text, one.detail))) for one in cells)
            )
        printed.add_section()
        for heading, values in _measured(many, OF_TERMINAL):
            printed.add_row(heading, *values)
        console.print(printed)
        for one in many:
            say(console, sentence(one))
        for one in many:
            for caveat in caveats(one):
                say(console, f"! {caveat}", style=WARNING)
        console.print()
    for line in method(profiling):
        say(console, line, style="dim")


OF_PAGES = ("all", "req/s, not profiled", "lost to profiling", "samples / CPU")
OF_TERMINAL = ("all", "req/s without profiler", "lost to profiling", "samples in s / CPU s")


def _measured(many: Sequence[LayeredProfile], headings: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    profiles = [one.profile for one in many]
    values = (
        [figure(one.spent.total_us) for one in many],
        [figure(one.throughput_rps) for one in profiles],
        [lost(one) for one in many],
        [figure(one.sampled.coverage) for one in profiles],
    )
    return zip(headings, values, strict=True)


MOST = 20  # functions of a profile


def document(profiling: Profiling) -> dict[str, Any]:
    return {
        "schema": profiling.schema,
        "profiler": {"name": profiling.profiler, "version": profiling.version},
        "runtime": profiling.runtime,
        "connections": profiling.load.connections,
        "profiles": [_profile(one) for one in profiling.profiles],
    }


def _profile(one: Profile) -> dict[str, Any]:
    cpu = spent(one)
    functions = list(cpu.functions.items())[:MOST]
    return {
        "contender": one.contender,
        "scenario": one.scenario,
        "throughput_rps": rounded(one.throughput_rps),
        "service_demand_us": rounded(one.demand_us),
        "lost": rounded(one.lost),
        "samples": sum(one.sampled.stacks.values()),
        "sampled_s": rounded(one.sampled.sampled_s),
        "cpu_s": rounded(one.sampled.cpu_s),
        "coverage": rounded(one.sampled.coverage),
        "errors": one.sampled.errors,
        "layers_us": {layer: rounded(us) for layer, us in cpu.layers.items()},
        "functions": [
            {"layer": layer, "function": function, "us": rounded(us)} for (layer, function), us in functions
        ],
    }
