"""The command `bench load-worker`."""

import click

from bench.load.driver import become_worker
from bench.observe import system
from bench.project.addresses import address_of


@click.command("load-worker")
@click.option("--master", required=True, metavar="HOST:PORT", help="where `bench run --load-bind` listens")
@click.option("--cores", default="", metavar="N,…", help="cores to stay on, as in 0,2")
def load_worker(master: str, cores: str) -> None:
    """Send requests as a part of a run that was started elsewhere. It ends with the run, or at Ctrl-C."""
    system.raise_open_files()
    become_worker(address_of(master, option="--master"), cores)
