"""The report of a profile: two pages, and per contender and scenario a flame graph and a speedscope file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.files import to_json, write_atomically
from bench.profile import layer_bars, words
from bench.profile.flames import flame_graph
from bench.profile.layer_bars import LAYER_LOOKS
from bench.profile.layers import LAYERS, file_of
from bench.profile.record import Profile, Profiling
from bench.profile.words import LayeredProfile, shown
from bench.report.charts.svg import css
from bench.report.details import facts, facts_table
from bench.report.markdown import joined, listed, quoted, table_text
from bench.report.webpage import environment


def speedscope(profile: Profile) -> dict[str, Any]:
    """Return *profile* as one sampled profile, as a JSON document: weights are seconds of CPU."""
    places: dict[str, int] = {}
    samples = [
        [places.setdefault(frame, len(places)) for frame in stack.split(";")]
        for stack in profile.sampled.stacks
    ]
    weights = [count * profile.sampled.period_s for count in profile.sampled.stacks.values()]
    name = f"{profile.contender}, {profile.scenario}"
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "exporter": "bench profile",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in places]},
        "profiles": [
            {
                "type": "sampled",
                "name": name,
                "unit": "seconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        ],
    }


def _frame(frame: str) -> dict[str, str]:
    file = file_of(frame)
    return {"name": frame.removesuffix(f" ({file})"), "file": file} if file else {"name": frame}


PAGE, TEXT = "report.html", "report.md"


def write_profile_report(profiling: Profiling, folder: Path) -> Path:
    scenarios = shown(profiling)
    charts = {}
    for scenario, many in scenarios.items():
        charts[scenario] = f"{_slug(scenario)}-layers.svg"
        write_atomically(folder / charts[scenario], layer_bars.layers_svg(scenario, many).encode())
    files = {one.title: _slug(one.title) for many in scenarios.values() for one in many}
    for many in scenarios.values():
        for one in many:
            _write_flames(one, folder / files[one.title])
    write_atomically(folder / TEXT, _text(profiling, scenarios, charts, files).encode())
    content = {
        "profiling": profiling,
        "scenarios": scenarios,
        "layers": LAYERS,
        "files": files,
        "words": words,
        "caveats": [line for many in scenarios.values() for one in many for line in words.caveats(one)],
        "fingerprint": facts(profiling.fingerprint),
        "found_itself_on": facts_table(profiling.fingerprint),
    }
    write_atomically(folder / PAGE, _page(content, scenarios).encode())
    return folder / PAGE


def _text(
    profiling: Profiling,
    scenarios: Mapping[str, Sequence[LayeredProfile]],
    charts: Mapping[str, str],
    files: Mapping[str, str],
) -> str:
    blocks = ["# Where the CPU time goes"]
    blocks += [f"> {line}" for many in scenarios.values() for one in many for line in words.caveats(one)]
    for scenario, many in scenarios.items():
        blocks += [
            f"## {scenario}",
            words.answer(scenario, many),
            listed(map(words.sentence, many)),
            f"![CPU per request by layer in {scenario}]({charts[scenario]})",
            "µs of CPU per request:",
            table_text(words.table(many)),
            listed(_linked(one, files[one.title]) for one in many),
        ]
    return joined([*blocks, "## How it was profiled", listed(words.method(profiling))])


def _linked(one: LayeredProfile, stem: str) -> str:
    most = ", ".join(f"{quoted(function)} {us} µs" for _, function, us, _ in words.functions(one)[:3])
    graph = f"[flame graph]({stem}.svg), [for speedscope]({stem}.speedscope.json)"
    return f"{one.profile.contender}: {graph}; most in {most}"


def _page(content: Mapping[str, object], scenarios: Mapping[str, Sequence[LayeredProfile]]) -> str:
    drawings = {scenario: layer_bars.layers_drawing(scenario, many) for scenario, many in scenarios.items()}
    return (
        environment()
        .get_template("profile.html.j2")
        .render(content, looks=LAYER_LOOKS, drawings=drawings, swatch=_swatch, nbsp="\u00a0")
    )


def _swatch(layer: str) -> str:
    look = LAYER_LOOKS[layer]
    return (
        '<svg viewBox="0 0 12 12" aria-hidden="true" focusable="false"><path d="M1 1h10v10h-10z" '
        f'style="fill: {css(look, look.white)}; stroke: {css(look)}"/></svg>'
    )


def _write_flames(one: LayeredProfile, stem: Path) -> None:
    counts = sum(one.profile.sampled.stacks.values())
    us_per_count = sum(one.spent.functions.values()) / counts if counts else 0.0
    write_atomically(stem.with_name(f"{stem.name}.svg"), flame_graph(one.profile, us_per_count).encode())
    write_atomically(stem.with_name(f"{stem.name}.speedscope.json"), to_json(speedscope(one.profile)))


def _slug(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.=-]+", "-", title)
