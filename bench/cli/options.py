"""Options that several commands have."""

import click

from bench import wiring

RUNTIMES = click.Choice([wiring.AUTO, "process", "compose"])


def say_runtime(name: str, why: str) -> None:
    """Say first where contenders will run, and why where that was left open."""
    click.echo(f"runtime: {name}{f' (asked for: {wiring.AUTO}; {why})' if why else ''}", err=True)
