"""How a layer looks in every chart: a colour, and a hatch for readers who cannot see the colour."""

from collections.abc import Mapping, Sequence
from io import StringIO

from bench.profile.layers import LAYERS, REST
from bench.profile.words import LayeredProfile, used
from bench.report.charts.sheet import FILE, SCREEN, Sheet, frame_bars, headed, style
from bench.report.charts.style import DATABASE_GREY, INK, PAPER, Look
from bench.report.charts.svg import Drawing, inlined
from bench.report.wording import figure

# Okabe & Ito, "Color Universal Design" (2008), lightened where text is on them in both schemes.
_HUES = {
    "server": ("#56b4e9", ""),
    "framework": ("#0072b2", "////"),
    "validation": ("#e69f00", ""),
    "orm": ("#009e73", "...."),
    "driver": ("#cc79a7", ""),
    "template": ("#a6761d", "||||"),
    "handler": ("#d55e00", "xxxx"),
    REST: (DATABASE_GREY, "\\\\\\\\"),
}

LAYER_LOOKS: Mapping[str, Look] = {
    layer: Look(colour=_HUES[layer][0], white=0.35, hatch=_HUES[layer][1], line="-", marker="o", hollow=False)
    for layer in LAYERS
}


ROW_IN, BAR = 0.5, 0.42
HEAD_IN, FOOT_IN = 0.83, 0.42
LEGEND_IN = 0.22  # a line of it


def layers_svg(scenario: str, many: Sequence[LayeredProfile], sheet: Sheet = FILE) -> str:
    """Return the chart of one scenario as SVG.

    The page around it explains the colours; a file has a legend.
    """
    layers = used(many)
    legend_in = LEGEND_IN * len(layers) if sheet.whole else 0.0
    bars_in = ROW_IN * len(many)
    height_in = sheet.head_in(HEAD_IN) + bars_in + FOOT_IN + legend_in
    with style("path" if sheet.whole else "none", scenario, hatch_pt=0.5):
        drawn = sheet.figure(height_in)
        axes = drawn.add_axes((0.02, (FOOT_IN + legend_in) / height_in, 0.93, bars_in / height_in))
        headed(drawn, sheet, f"{scenario} · CPU per request by layer", "µs per request, shorter is better")
        for place, one in enumerate(many):
            left = 0.0
            for layer in layers:
                us, look = one.spent.layers[layer], LAYER_LOOKS[layer]
                axes.barh(
                    place,
                    us,
                    left=left,
                    height=BAR,
                    color=look.fill,
                    edgecolor=look.colour,
                    hatch=look.hatch,
                    linewidth=0.6,
                    label=LAYERS[layer] if place == 0 else None,
                )
                left += us
            axes.annotate(
                f"{figure(left)} µs",
                (left, place),
                (5, 0),
                textcoords="offset points",
                va="center",
                size=9.5,
                color=INK,
            )
            axes.text(
                0.004,
                place - BAR / 2 - 0.05,
                one.profile.contender,
                va="bottom",
                size=10,
                color=INK,
                transform=axes.get_yaxis_transform(),
            )
        axes.set_xlim(0, max(one.spent.total_us for one in many) * 1.2 or 1)
        axes.set_ylim(len(many) - 0.6, -0.6)
        frame_bars(axes)
        if sheet.whole:
            drawn.legend(loc="lower left", ncols=1, frameon=False, fontsize=9, labelcolor=INK)
        drawn.set_facecolor(PAPER)
        out = StringIO()
        drawn.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def layers_drawing(scenario: str, many: Sequence[LayeredProfile]) -> Drawing:
    amounts = "; ".join(
        f"{one.profile.contender}: "
        + ", ".join(f"{LAYERS[layer]} {figure(one.spent.layers[layer])}" for layer in used([one]))
        for one in many
    )
    return Drawing(
        what="CPU per request by layer",
        caption="µs of CPU per verified response, in windows without a profiler; shorter is better",
        alternative=f"CPU per request by layer in {scenario}, µs: {amounts}.",
        svg=inlined(layers_svg(scenario, many, SCREEN), LAYER_LOOKS.values()),
    )
