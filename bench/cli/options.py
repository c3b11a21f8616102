"""Options of several commands: `--runtime`, `--wait`, and durations."""

import re
from contextlib import AbstractContextManager
from math import isfinite
from typing import Any

import click

from bench.cli import wiring
from bench.runtime.machine_lock import turn

SECONDS = {"h": 3600, "m": 60, "s": 1}
PARTS = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in SECONDS))
ANY_TIME = "always"  # --wait without a duration


class Duration(click.ParamType[float]):
    """A duration such as "90s", "2m30s" or "1h", in seconds."""

    name = "duration"
    examples = "90s, 2m30s, 1h"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = PARTS.fullmatch(str(value))
        parts = found.groups(default="0") if found else ["0"] * len(SECONDS)
        seconds = sum(float(part) * unit for part, unit in zip(parts, SECONDS.values(), strict=True))
        if not seconds:
            self.fail(f"{value!r} is no duration: {self.examples}", param, ctx)
        return seconds


class Patience(Duration):
    """A duration in seconds. The option without a value means no limit."""

    examples = "90s, 2m30s, 1h; without one, --wait stands last"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if value == ANY_TIME:
            return float("inf")
        return super().convert(value, param, ctx)


class Percent(click.FloatRange):
    """A finite percentage above 0."""

    name = "percent"

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = float(super().convert(value, param, ctx))
        if not isfinite(found):
            self.fail(f"{value!r} is no percentage: 0.5", param, ctx)
        return found


def wait_option(command: Any) -> Any:
    """Add `--wait [DURATION]` to *command*: the argument `wait`, in seconds, None without it."""
    return click.option(
        "--wait",
        type=Patience(),
        is_flag=False,
        flag_value=ANY_TIME,
        metavar="[DURATION]",
        help="wait (for so long at most) while another process measures on this machine",
    )(command)


def machines_turn(wait_s: float | None) -> AbstractContextManager[None]:
    return turn(wait_s=wait_s or 0.0, say=lambda what: click.echo(what, err=True))


RUNTIMES = click.Choice([wiring.AUTO, "process", "compose"])


def say_runtime(name: str, why: str) -> None:
    click.echo(f"runtime: {name}{f' (requested: {wiring.AUTO}; {why})' if why else ''}", err=True)
