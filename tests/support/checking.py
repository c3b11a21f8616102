"""The checks of `apps/checks` against a URL: each run is a fork of a process that has imported pytest."""

import os
import sys
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from tests.support.reference_app import ReferenceApp, serving

CHECKS = Path(__file__).parents[2] / "apps" / "checks"
FORKS = get_context("forkserver")
TRIES, LOST = 2, 255  # an exit code that pytest has not: multiprocessing lost that of its process
PRELOADED = ("pytest", "httpx", "_pytest.junitxml", "_pytest.python", "_pytest.terminal")


@dataclass(frozen=True, slots=True)
class Outcome:
    returncode: int
    stdout: str


def run_checks(url: str, *options: str, file: str = "") -> Outcome:
    FORKS.set_forkserver_preload(list(PRELOADED))
    command = ["-c", str(CHECKS / "pytest.ini"), str(CHECKS / file), "--url", url, "-q", *options]
    with NamedTemporaryFile() as said:
        for _ in range(TRIES):
            process = FORKS.Process(target=_as_pytest, args=(command, said.name))
            process.start()
            process.join()
            if process.exitcode != LOST:
                break
        return Outcome(process.exitcode, Path(said.name).read_text(encoding="utf-8"))


def run_checks_against(app: ReferenceApp, *options: str, file: str = "") -> Outcome:
    with serving(app) as url:
        return run_checks(url, *options, file=file)


def _as_pytest(command: list[str], output: str) -> None:
    """Do what `python -m pytest` does, with all that it says in the file *output*."""
    with open(output, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.exit(pytest.main(command))
