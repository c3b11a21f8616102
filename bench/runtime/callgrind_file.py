"""Reads callgrind's output files.

Format: https://valgrind.org/docs/manual/cl-format.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.errors import CannotMeasure

EVENT = "Ir"
NAME = re.compile(r"\((\d+)\)(?: (.*))?")
RECURSION = re.compile(r"'\d+$")  # a function that calls itself is named apart: "f'2"
OBJECTS, FUNCTIONS = ("ob", "cob"), ("fn", "cfn")  # each pair shares its compressed names
POSITIONS = "0123456789+-*"  # a line of costs begins with one of these
UNNAMED = "???"


@dataclass(frozen=True, slots=True)
class InstructionCost:
    """Instructions of a function: in itself or, with a *callee*, in a call and all that it calls."""

    object: str
    function: str
    instructions: int
    callee: str = ""


@dataclass(slots=True)
class _ReaderState:
    """The state of a reader: where the next costs belong, and what compressed names stand for."""

    objects: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    object: str = UNNAMED
    function: str = UNNAMED
    callee: str = UNNAMED
    positions: int = 1  # numbers that come before the costs of a line
    event: int = 0  # the place of instructions among them
    total: int = 0


def costs(text: str, named: str = "the profile") -> Iterator[InstructionCost]:
    """Yield the costs in *text*, which may have several parts.

    Raises CannotMeasure, at its end, if what functions took in themselves does not add up to its totals.
    """
    state, added = _ReaderState(), 0
    is_calls_cost = False
    for line in text.splitlines():
        if line and line[0] in POSITIONS:
            numbers = line.split()
            at = state.positions + state.event
            found = int(numbers[at]) if len(numbers) > at else 0  # costs of 0 may be left out at the end
            if is_calls_cost:
                yield InstructionCost(state.object, state.function, found, state.callee)
            else:
                added += found
                yield InstructionCost(state.object, state.function, found)
            is_calls_cost = False
        elif line.startswith("calls="):
            is_calls_cost = True  # its next line has the costs of the callee
        else:
            _enter(state, line)
    if added != state.total:
        raise CannotMeasure(
            f"{named} does not add up: {added:,} of {state.total:,} instructions: it was cut short"
        )


def _enter(state: _ReaderState, line: str) -> None:
    key, equals, value = line.partition("=")
    if equals and key in OBJECTS:
        name = _named(value, state.objects)
        if key == "ob":
            state.object = name
    elif equals and key in FUNCTIONS:
        name = RECURSION.sub("", _named(value, state.functions))
        if key == "fn":
            state.function = name
        else:
            state.callee = name
    elif line.startswith("totals:"):
        state.total += int(line.split()[1 + state.event])
    elif line.startswith("positions:"):
        state.positions = len(line.split()) - 1
    elif line.startswith("events:"):
        events = line.split()[1:]
        if EVENT not in events:
            raise CannotMeasure(f"the profile counts no instructions, but {', '.join(events) or 'nothing'}")
        state.event = events.index(EVENT)


def _named(value: str, known: dict[str, str]) -> str:
    """Return the name that *value* stands for: "(12) name" gives 12 a name, "(12)" repeats it."""
    found = NAME.fullmatch(value)
    if not found:
        return value
    number, name = found.groups()
    if name is not None:
        known[number] = name
    return known.get(number, UNNAMED)
