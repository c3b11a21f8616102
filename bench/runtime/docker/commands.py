"""Commands of this machine: run to their end, and answered whatever becomes of them."""

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# One project has several files, and what they extend has a profile so that `up` by hand leaves it alone.
COMPOSE_SETTINGS = {"COMPOSE_IGNORE_ORPHANS": "true", "COMPOSE_PROFILES": "bench", "COMPOSE_ANSI": "never"}
NOT_FOUND = 127  # as a shell has it
GRACE_S = 5.0
FIRST_IN_ITS_NAMESPACE = re.compile(r"^NSpid:\s+\d+\s.*\b1$", re.MULTILINE)
CAUSE = re.compile(r"error|denied|not found|failed|cannot|no such|already in use", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command had to say."""

    status: int
    output: str = ""
    errors: str = ""

    def last_words(self, lines: int = 1) -> str:
        """Return the last lines that say what went wrong, in one."""
        said = [line.strip() for line in f"{self.output}\n{self.errors}".splitlines() if line.strip()]
        telling = [line for line in said if CAUSE.search(line)] or said or ["it said nothing"]
        return " | ".join(telling[-lines:])


class Host(Protocol):
    """The machine that the command line is asked on."""

    def run(self, words: Sequence[str], timeout_s: float | None = None) -> Answer:
        """Run a command to its end; one that is not there or takes too long is an answer, too."""

    def is_init(self, pid: int) -> bool:
        """Tell whether *pid* is, seen from here, the first process of a container."""


class ThisMachine:
    """Implements `Host`."""

    def run(self, words: Sequence[str], timeout_s: float | None = None) -> Answer:
        """Run a command in a session of its own: Ctrl-C is for the harness, which then ends all of it."""
        try:
            process = subprocess.Popen(
                words,
                env=os.environ | COMPOSE_SETTINGS,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            return Answer(status=NOT_FOUND, errors=f"{words[0]}: {(error.strerror or '').lower()}")
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return Answer(status=1, errors=f"no answer within {timeout_s:.0f} s")
        except BaseException:
            _end(process)
            raise
        return Answer(status=process.returncode, output=output, errors=errors)

    def is_init(self, pid: int) -> bool:
        """Read it from the process itself, which knows its id in every namespace it is in: proc(5), NSpid."""
        with suppress(OSError):
            return bool(FIRST_IN_ITS_NAMESPACE.search(Path(f"/proc/{pid}/status").read_text()))
        return False


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and what it has started, which is given a moment to tell the engine."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE_S)
            return
