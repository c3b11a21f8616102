"""The command `bench list`."""

import json
from pathlib import Path

import click

from bench.files import to_json
from bench.model.scenario import Scenario
from bench.project import contenders, plans, scenarios, schema


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("--schema", "as_schema", is_flag=True, help="the JSON schema of bench.toml, for editors")
def list_(as_json: bool, as_schema: bool) -> None:
    """List contenders, scenarios and plans of the project."""
    if as_schema:
        click.echo(json.dumps(schema.schema(), indent=1))
        return
    root = contenders.find_project(Path.cwd())
    tables = contenders.declared(root)
    known = scenarios.declared(root)
    everyone = [contenders.resolve(name, tables) for name in tables]
    if as_json:
        listing = {
            "contenders": [
                {
                    "name": one.name,
                    "app": one.app,
                    "interface": one.interface,
                    "server": one.server,
                    "scenarios": list(one.scenarios or known),
                }
                for one in everyone
            ],
            "scenarios": [{"name": name} for name in known],
            "plans": [{"name": name} for name in plans.names(root)],
        }
        click.echo(to_json(listing))
        return
    for one in everyone:
        click.echo(f"contender  {one.name:14} {one.stack}")
    for name, scenario in known.items():
        click.echo(f"scenario   {name:14} {_requests(scenario)}")
    for name in plans.names(root):
        click.echo(f"plan       {name:14} {plans.read(root, name).about}")


def _requests(scenario: Scenario) -> str:
    if file := scenario.locustfile:
        return f"{file.path}{': ' if file.users else ''}{', '.join(file.users)}"
    return ", ".join(exchange.name for exchange in scenario.exchanges)
