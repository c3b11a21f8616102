"""Layers on the terminal: a table per scenario."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from bench.profile.layers import LAYERS
from bench.profile.record import Profiling
from bench.profile.words import Shown, caveats, cell, lost, method, sentence, shown, used
from bench.report.terminal import WARNING, say, table_of
from bench.report.wording import figure


def print_profiling(profiling: Profiling, console: Console) -> None:
    """Print the layers of *profiling* side by side, in µs per request, and what the profiler cost."""
    for scenario, many in shown(profiling).items():
        table = table_of(Text(f"{scenario}: CPU per request by layer, µs", style="bold"))
        table.add_column("layer")
        for one in many:
            table.add_column(Text(one.profile.contender), justify="right")
        for layer in used(many):
            table.add_row(LAYERS[layer], *(" · ".join(filter(None, cell(one, layer))) for one in many))
        table.add_section()
        for heading, told in _measured(many):
            table.add_row(heading, *told)
        console.print(table)
        for one in many:
            say(console, sentence(one))
        for one in many:
            for caveat in caveats(one):
                say(console, f"! {caveat}", style=WARNING)
        console.print()
    for line in method(profiling):
        say(console, line, style="dim")


def _measured(many: Sequence[Shown]) -> list[tuple[str, list[str]]]:
    profiles = [one.profile for one in many]
    return [
        ("all", [figure(one.spent.total_us) for one in many]),
        ("req/s without profiler", [figure(one.throughput_rps) for one in profiles]),
        ("lost to profiling", [lost(one) for one in many]),
        ("samples in s / CPU s", [figure(one.sampled.coverage) for one in profiles]),
    ]
