"""The command line. It writes results to stdout and everything else to stderr, and ends with an exit code."""

import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from bench.errors import BenchError

CRASHED = 2
INTERRUPTED = 130
# Command → module and function. Each is imported when it is called: all of them take a second.
COMMANDS = {
    "run": "run.run",
    "init": "init.init",
    "try": "try_.try_",
    "verify": "verify.verify",
    "report": "report.report",
    "diff": "diff.diff",
    "bisect": "bisect.bisect",
    "compare": "compare.compare",
    "history": "history.history",
    "null-cells": "null_cells.null_cells_",
    "submit": "submit.submit",
    "site": "site.site",
    "profile": "profile.profile",
    "count": "count.count_",
    "list": "list.list_",
    "serve": "serve.serve",
    "load-worker": "load_worker.load_worker",
    "doctor": "doctor.doctor",
}


class Commands(click.Group):
    """The click group. Here alone a failure becomes a line on stderr and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(".")
        command: click.Command = getattr(import_module(f"bench.cli.{module}"), function)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A BenchError is printed as one line, Ctrl-C shows only in the exit code."""
        try:
            return super().invoke(ctx)
        except BenchError as error:
            click.echo(f"bench: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 fine · 1 slower, or broken (diff, compare), or moved (count --check), "
        "or found (bisect) · "
        "2 usage error or crash · 3 could not measure · "
        "4 inconclusive (bisect, diff --fail-on-inconclusive) · 130 interrupted."
    ),
)
@click.version_option(package_name="webframework-bench")
def commands() -> None:
    """Measure web frameworks side by side on this machine, honestly."""


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    try:
        commands(prog_name="bench")
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means a regression
        traceback.print_exc()
        sys.exit(CRASHED)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Interrupt the run once. A second Ctrl-C must not cut short the stopping of servers."""
    for later in (signal.SIGINT, signal.SIGTERM):
        signal.signal(later, lambda *_: os.write(2, b"bench: stopping, a moment\n"))
    raise KeyboardInterrupt
