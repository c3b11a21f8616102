"""Names at the ends of lines, none upon another."""

import math
from collections.abc import Mapping

LABEL_IN, LABEL_PT = 0.21, 9.0  # from one label to the next; their size
LEADER = {"arrowstyle": "-", "linestyle": ":", "linewidth": 1.2, "shrinkA": 4, "shrinkB": 0}


def spread_out(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """Return *heights* moved apart to at least *gap*, in their order, within 0 to 1 where that fits."""
    placed: dict[str, float] = {}
    below = -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        below = placed[name] = max(height, below + gap)
    above = max(1.0, (len(placed) - 1) * gap) + gap
    for name in reversed(placed):
        above = placed[name] = min(placed[name], above - gap)
    return placed
