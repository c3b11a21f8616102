"""The command line. It writes results to stdout and everything else to stderr, and ends with an exit code."""

import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, NoReturn

import click

from bench.cli.compare import compare
from bench.cli.diff import diff
from bench.cli.doctor import doctor
from bench.cli.history import history
from bench.cli.init import init
from bench.cli.list import list_
from bench.cli.load_worker import load_worker
from bench.cli.profile import profile
from bench.cli.report import report
from bench.cli.run import run
from bench.cli.serve import serve
from bench.cli.try_ import try_
from bench.cli.verify import verify
from bench.errors import BenchError

CRASHED = 2
INTERRUPTED = 130


class Commands(click.Group):
    """The click group. Here alone a failure becomes a line on stderr and an exit code."""

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
        "Exit codes: 0 fine · 1 slower, or broken (diff, compare) · 2 usage error or crash · "
        "3 could not measure · 4 inconclusive (diff --fail-on-inconclusive) · 130 interrupted."
    ),
)
@click.version_option(package_name="webframework-bench")
def commands() -> None:
    """Measure web frameworks side by side on this machine, honestly."""


ALL = (run, init, try_, verify, report, diff, compare, history, profile, list_, serve, load_worker, doctor)
for command in ALL:
    commands.add_command(command)


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
