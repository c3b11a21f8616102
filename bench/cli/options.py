"""Options of several commands: `--runtime`, `--wait`, and durations."""

import re
from contextlib import AbstractContextManager
from typing import Any

import click

from bench.cli import wiring
from bench.runtime.machine_lock import turn

SECONDS = {"s": 1, "m": 60, "h": 3600}
ANY_TIME = "always"  # --wait without a duration


class Duration(click.ParamType[float]):
    """A duration such as "90s", "10m" or "1h", in seconds."""

    name = "duration"
    examples = "90s, 10m, 1h"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", str(value))
        if not found or not float(found[1]):
            self.fail(f"{value!r} is no duration: {self.examples}", param, ctx)
        return float(found[1]) * SECONDS[found[2]]


class Patience(Duration):
    """A duration in seconds. The option without a value means no limit."""

    examples = "90s, 10m, 1h; without one, --wait stands last"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if value == ANY_TIME:
            return float("inf")
        return super().convert(value, param, ctx)


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
