"""A profile for machines: what `bench profile --json` prints."""

from typing import Any

from bench.profile.record import Profile, Profiling
from bench.profile.split import spent
from bench.report.wording import rounded

MOST = 20  # functions of a profile


def document(profiling: Profiling) -> dict[str, Any]:
    """Return *profiling* in µs per request, ready for JSON."""
    return {
        "schema": profiling.schema,
        "profiler": {"name": profiling.profiler, "version": profiling.version},
        "runtime": profiling.runtime,
        "connections": profiling.load.connections,
        "profiles": [_profile(one) for one in profiling.profiles],
    }


def _profile(one: Profile) -> dict[str, Any]:
    told = spent(one)
    functions = list(told.functions.items())[:MOST]
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
        "layers_us": {layer: rounded(us) for layer, us in told.layers.items()},
        "functions": [
            {"layer": layer, "function": function, "us": rounded(us)} for (layer, function), us in functions
        ],
    }
