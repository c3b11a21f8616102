"""How a layer looks in every chart: a colour, and a hatch for whoever does not see that."""

from collections.abc import Mapping

from bench.profile.layers import LAYERS, REST
from bench.report.charts.style import DATABASE_GREY, Look

# Okabe & Ito, "Color Universal Design" (2008), lightened where text stands on them in both schemes.
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
