"""A flame graph as one SVG without other files: callers below, what they call on top of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

from bench.profile.layer_bars import LAYER_LOOKS
from bench.profile.layers import LAYERS, REST, file_of, layer_of
from bench.profile.record import Files, Profile
from bench.report.wording import figure

WIDTH, ROW, HEAD, EDGE = 1200.0, 17, 62, 10
LETTER = 6.4  # pixels, of 11 px type
NARROW = 1.0  # pixels: narrower boxes are not drawn, nor what they call

STYLE = """
svg { --paper: #ffffff; --ink: #222222; --faint: #5f6368; background: var(--paper);
  font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
text { fill: var(--ink); pointer-events: none }
.faint { fill: var(--faint) }
rect { stroke: var(--paper); stroke-width: .5 }
g:hover > rect { stroke: var(--ink); stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  svg { --paper: #15181c; --ink: #e6e8eb; --faint: #a4abb3 }
}
"""


@dataclass(slots=True)
class _Node:
    """A function at one place of a call, with all that it calls."""

    count: int = 0
    called: dict[str, "_Node"] = field(default_factory=dict)


def flame_graph(profile: Profile, us_per_count: float) -> str:
    """Return the flame graph of *profile* as SVG. A count of its stacks is so many µs per request."""
    root = _tree(profile.sampled.stacks)
    boxes = list(_boxes(root, profile.files, us_per_count))
    deepest = max((box.depth for box in boxes), default=0)
    height = HEAD + (deepest + 1) * ROW + EDGE
    title = f"{profile.contender}, {profile.scenario}"
    total = figure(root.count * us_per_count)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" height="{height}" '
        f'viewBox="0 0 {WIDTH:.0f} {height}" role="img" aria-label="Flame graph of {escape(title)}">',
        f"<style>{STYLE}{_colours()}</style>",
        f'<text x="{EDGE}" y="20" font-size="14" font-weight="600">{escape(title)}</text>',
        f'<text x="{EDGE}" y="36" class="faint">{total} µs of CPU per request in {root.count:,} samples; '
        "hover for a function's own</text>",
        *_legend({box.layer for box in boxes}),
        *(_drawn(box, height) for box in boxes),
        "</svg>\n",
    ]
    return "\n".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    left: float
    width: float
    depth: int
    layer: str
    frame: str
    title: str


def _tree(stacks: Mapping[str, int]) -> _Node:
    root = _Node()
    for stack, count in stacks.items():
        root.count += count
        node = root
        for frame in stack.split(";"):
            node = node.called.setdefault(frame, _Node())
            node.count += count
    return root


def _boxes(root: _Node, files: Files, us_per_count: float) -> Iterator[_Box]:
    scale = (WIDTH - 2 * EDGE) / root.count if root.count else 0.0
    open_ = [(root, 0, float(EDGE), REST)]
    while open_:
        node, depth, left, layer = open_.pop()
        for frame, called in sorted(node.called.items()):
            width = called.count * scale
            if width >= NARROW:
                own = layer_of(file_of(frame), files) or layer  # C and the standard library: the caller's
                share = called.count / root.count * 100
                title = f"{frame}: {figure(called.count * us_per_count)} µs, {share:.1f} %, {LAYERS[own]}"
                yield _Box(left=left, width=width, depth=depth, layer=own, frame=frame, title=title)
                open_.append((called, depth + 1, left, own))
            left += width


def _drawn(box: _Box, height: int) -> str:
    top = height - EDGE - (box.depth + 1) * ROW
    letters = int((box.width - 6) / LETTER)
    name = box.frame.removesuffix(f" ({file_of(box.frame)})")
    shown = name if len(name) <= letters else f"{name[: letters - 1]}…"
    label = f'<text x="{box.left + 3:.1f}" y="{top + 12}">{escape(shown)}</text>' if letters > 2 else ""
    return (
        f'<g><title>{escape(box.title)}</title><rect class="{box.layer}" x="{box.left:.1f}" y="{top}" '
        f'width="{box.width:.1f}" height="{ROW - 1}"/>{label}</g>'
    )


def _legend(layers: set[str]) -> Iterator[str]:
    left = float(EDGE)
    for layer in LAYERS:
        if layer in layers:
            yield f'<rect class="{layer}" x="{left:.0f}" y="45" width="11" height="11"/>'
            yield f'<text x="{left + 15:.0f}" y="54">{escape(LAYERS[layer])}</text>'
            left += 30 + len(LAYERS[layer]) * LETTER


def _colours() -> str:
    return "\n".join(
        f".{layer} {{ fill: color-mix(in srgb, {look.colour} 55%, var(--paper)) }}"
        for layer, look in LAYER_LOOKS.items()
    )
