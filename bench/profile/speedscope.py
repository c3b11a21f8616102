"""A profile for speedscope: https://www.speedscope.app/file-format-schema.json"""

from typing import Any

from bench.profile.record import Profile
from bench.profile.split import file_of


def speedscope(profile: Profile) -> dict[str, Any]:
    """Return *profile* as one sampled profile, ready for JSON: weights are seconds of CPU."""
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
