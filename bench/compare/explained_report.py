"""Why a head is slower, for people and for machines: layers from profiles, and calls of functions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.compare.call_changes import CallChange, CallsExplained
from bench.compare.instruction_moves import InstructionMoves
from bench.profile.callgrind_profile import OBJECT_LAYERS
from bench.profile.layers import LAYERS, Explained
from bench.report.wording import figure, plural, rounded

Explanation = Explained | InstructionMoves | CallsExplained
Why = Sequence[Explanation] | None  # None: not requested, so nothing is shown

SMALL = 0.1  # of the total change: a layer or a function that changed by less is not named
MOST_LAYERS, MOST_CALLS = 3, 10


def explained_lines(explained: Sequence[Explanation]) -> Iterator[str]:
    """Yield a bullet of Markdown for each, and for calls the functions below it."""
    for one in explained:
        contender, of = _place(one)
        if isinstance(one, Explained):
            yield f"- {contender}, {of}: {where(one)}"
            continue
        if isinstance(one, InstructionMoves):
            yield f"- {contender}, {of}: {in_instructions(one)}"
            continue
        yield f"- {contender}, {of}: {_calls_in_short(one)}"
        yield from (f"  - {call_sentence(change)}" for change in one.changes[:MOST_CALLS])
        if more := one.changes[MOST_CALLS:]:
            yield f"  - and {plural(len(more), 'more function')}"


def explained_document(explained: Sequence[Explanation]) -> list[dict[str, Any]]:
    """Return one object for each contender and scenario (or exchange): profiles and calls together."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in explained:
        contender, of = _place(one)
        known = found.setdefault((contender, of), {"contender": contender, "scenario": of})
        match one:
            case Explained():
                known |= plain(one)
            case InstructionMoves():
                known |= plain_instructions(one)
            case CallsExplained():
                known |= plain_calls(one)
    return list(found.values())


def where(one: Explained) -> str:
    least_us = SMALL * abs(one.head.total_us - one.base.total_us)
    named = [moved for moved in one.moved if moved.by_us > 0 and moved.by_us >= least_us]
    parts = [
        f"{_more(moved.by_us)} in {LAYERS[moved.layer]}{_in(moved.functions, least_us)}"
        for moved in named[:MOST_LAYERS]
    ]
    layers = "; ".join(parts) or "no layer takes more"
    total = f"{figure(one.base.total_us)} → {figure(one.head.total_us)} µs of CPU per request"
    return f"where, by profiles of both: {layers} (all: {total})"


def in_instructions(one: InstructionMoves) -> str:
    if one.why:
        return f"instructions by function are not known: {one.why}".replace("<", "&lt;")
    least = SMALL * abs(one.head - one.base)
    layers = [f"{OBJECT_LAYERS[layer]} {by:+,.0f}" for layer, by in one.layers.items() if by >= least > 0]
    functions = [f"`{function}` {by:+,.0f}" for function, by in one.functions.items() if by >= least > 0]
    total = f"{one.base:,.0f} → {one.head:,.0f} instructions per request"
    parts = [
        f"where, by instructions of both: {', '.join(layers[:MOST_LAYERS]) or 'no layer takes more'}",
        *([f"in C functions {', '.join(functions[:MOST_CALLS])}"] if functions else []),
    ]
    return f"{'; '.join(parts)} (all: {total})"


def plain_instructions(one: InstructionMoves) -> dict[str, Any]:
    functions = [*one.functions.items()][:MOST_CALLS]
    return {
        "instructions": {
            "base": rounded(one.base),
            "head": rounded(one.head),
            "layers": {layer: rounded(by) for layer, by in one.layers.items() if by},
            "functions": {name: rounded(by) for name, by in functions},
            "why": one.why or None,
        }
    }


def plain(one: Explained) -> dict[str, Any]:
    return {
        "layers": [
            {
                "layer": moved.layer,
                "base_us": rounded(moved.base_us),
                "head_us": rounded(moved.head_us),
                "functions": {name: rounded(us) for name, us in moved.functions.items()},
            }
            for moved in one.moved
        ],
    }


def call_sentence(one: CallChange) -> str:
    calls = f"{_times(one.base)} → {_times(one.head)} times a request"
    new_or_gone = " (new)" if not one.base else " (gone)" if not one.head else ""
    layer = f", {LAYERS[one.layer]}" if one.layer else ""
    return f"`{one.named}` called {calls}{new_or_gone}{layer}"


def plain_calls(one: CallsExplained) -> dict[str, Any]:
    return {
        "calls": [
            {
                "function": change.function,
                "file": change.file,
                "layer": change.layer,
                "base": rounded(change.base),
                "head": rounded(change.head),
            }
            for change in one.changes[:MOST_CALLS]
        ],
        "more_calls": len(one.changes[MOST_CALLS:]),
        "calls_unknown": one.why or None,
    }


def _place(one: Explanation) -> tuple[str, str]:
    return one.contender, one.scenario if isinstance(one, Explained) else one.of


def _in(functions: Mapping[str, float], least_us: float) -> str:
    changes = ", ".join(f"`{name}` {_more(us)}" for name, us in functions.items() if us >= least_us)
    return f" ({changes})" if changes else ""


def _more(us: float) -> str:
    return f"{'+' if us > 0 else '−'}{figure(abs(us))} µs"


def _calls_in_short(one: CallsExplained) -> str:
    if one.why:
        return one.why.replace("<", "&lt;")
    if not one.changes:
        return "every Python function is called as often as in the base"
    return f"{plural(len(one.changes), 'Python function')} called more or less often than in the base:"


def _times(per_request: float) -> str:
    if per_request.is_integer():
        return f"{per_request:,.0f}"
    return f"{per_request:,.2f}" if per_request >= SMALL else f"{per_request:.2g}"
