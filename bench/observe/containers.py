"""Whether a container engine answers, without waiting for one that hangs."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

TIMEOUT_S = 3.0  # an engine that is there answers in a tenth of that
COMPOSE = (("docker", "compose"), ("docker-compose",))  # the second is version 1, and what stands in for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One that answered."""

    version: str
    compose: str | None  # its version; None: there is none


def engine(timeout_s: float = TIMEOUT_S, path: str | None = None) -> Engine | None:
    """Return Docker's engine; None where there is none, or where it does not answer in time.

    Its commands are looked for on *path*, by default on PATH.
    """
    version = _said(("docker", "version", "--format", "{{.Server.Version}}"), timeout_s, path)
    if not version:
        return None
    composes = (_said((*command, "version", "--short"), timeout_s, path) for command in COMPOSE)
    return Engine(version=version, compose=next(filter(None, composes), None))


def _said(command: Sequence[str], timeout_s: float, path: str | None) -> str | None:
    """Return what *command* says; None where it fails. It is ended with all it has started."""
    program = shutil.which(command[0], path=path)
    if program is None:
        return None
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    asked = [program, *command[1:]]
    with subprocess.Popen(asked, stdin=null, stdout=pipe, stderr=null, start_new_session=True) as process:
        try:
            told, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # What a command of Docker's has started (compose is such) would keep the pipe open.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    return told.decode(errors="replace").strip() if process.returncode == 0 else None
