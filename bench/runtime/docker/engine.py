"""This machine's container engine, through its command line: found, or refused with the reason."""

import json
import os
import platform
import re
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.errors import CannotMeasure

# One project has several files. The services that they extend have a profile, so that `up` by hand ignores
# them.
COMPOSE_SETTINGS = {"COMPOSE_IGNORE_ORPHANS": "true", "COMPOSE_PROFILES": "bench", "COMPOSE_ANSI": "never"}
NOT_FOUND = 127  # as in a shell
GRACE_S = 5.0
FIRST_IN_ITS_NAMESPACE = re.compile(r"^NSpid:\s+\d+\s.*\b1$", re.MULTILINE)
CAUSE = re.compile(r"error|denied|not found|failed|cannot|no such|already in use", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """The result of a command."""

    status: int
    output: str = ""
    errors: str = ""

    def last_words(self, lines: int = 1) -> str:
        output = [line.strip() for line in f"{self.output}\n{self.errors}".splitlines() if line.strip()]
        telling = [line for line in output if CAUSE.search(line)] or output or ["it printed nothing"]
        return " | ".join(telling[-lines:])


class Host(Protocol):
    """The machine where the command line runs."""

    def run(self, words: Sequence[str], timeout_s: float | None = None) -> CommandResult:
        """Run a command to its end. A missing command, or a timeout, also gives an answer."""

    def is_init(self, pid: int) -> bool:
        """Return whether *pid*, an id on this machine, is the first process of a container."""


class ThisMachine:
    def run(self, words: Sequence[str], timeout_s: float | None = None) -> CommandResult:
        """Run a command in a separate session: the harness handles Ctrl-C, and ends the whole session."""
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
            return CommandResult(status=NOT_FOUND, errors=f"{words[0]}: {(error.strerror or '').lower()}")
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return CommandResult(status=1, errors=f"no answer within {timeout_s:.0f} s")
        except BaseException:
            _end(process)
            raise
        return CommandResult(status=process.returncode, output=output, errors=errors)

    def is_init(self, pid: int) -> bool:
        """Read it from the process's status, which has its id in every namespace: proc(5), NSpid."""
        with suppress(OSError):
            return bool(FIRST_IN_ITS_NAMESPACE.search(Path(f"/proc/{pid}/status").read_text()))
        return False


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and its children. They get a moment to inform the engine."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE_S)
            return


ANSWER_TIMEOUT_S = 20.0  # for an engine to give its version
LOCAL = ("unix://", "fd://")
OLDEST_COMPOSE = (1, 29)  # the first with profiles, `extends` and conditions in one format
COMPOSE = (("docker", "compose"), ("docker-compose",))
INSTEAD = "or use --runtime process"
PULLING = re.compile(
    r"pull access denied|manifest (?:for \S+ not found|unknown)|failed to resolve|failed to authorize"
    r"|toomanyrequests|(?:Get|Head) \"?https?://",
)


class NoEngine(CannotMeasure):
    """There is no engine that can be used for measuring."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f"{why}: {remedy}, {INSTEAD}")
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that answers, on this machine and its kernel."""

    host: Host
    version: str
    compose_words: tuple[str, ...]
    compose_version: str

    def docker(self, *words: str) -> str:
        """Return the output of `docker …`. Raises CannotMeasure if it fails."""
        answer = self.host.run(["docker", *words])
        if answer.status:
            raise CannotMeasure(f"docker {words[0]} failed: {answer.last_words()}")
        return answer.output

    def inspected(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the engine's facts about containers.

        Raises CannotMeasure if it does not know one of them.
        """
        found: list[dict[str, Any]] = json.loads(self.docker("container", "inspect", *names))
        return found

    def docker_result(self, *words: str) -> CommandResult:
        return self.host.run(["docker", *words])

    def compose(self, project: str, file: Path, *words: str) -> CommandResult:
        return self.host.run([*self.compose_words, "--project-name", project, "--file", str(file), *words])


def found(host: Host) -> Engine:
    """Return the engine that the command line is set to. Raises NoEngine with the reason against it."""
    _refuse_remote(host)
    answer = host.run(["docker", "info", "--format", "{{json .}}"], ANSWER_TIMEOUT_S)
    if answer.status:
        raise _unreachable(answer)
    try:
        facts = json.loads(answer.output)
        version, kernel = facts["ServerVersion"], facts["KernelVersion"]
    except (ValueError, KeyError) as error:
        raise NoEngine("what answers to `docker` is not Docker", "install it") from error
    if kernel != platform.release():
        where = f"containers run in a virtual machine here ({facts.get('OperatingSystem')})"
        raise NoEngine(f"{where}, out of sight of a client on this side", "use an engine of this system")
    if any("rootless" in option for option in facts.get("SecurityOptions") or ()):
        why = "the engine is rootless, so the network of its host is not this machine's"
        raise NoEngine(why, "use the system's engine")
    words, compose_version = _compose(host)
    return Engine(host=host, version=version, compose_words=words, compose_version=compose_version)


def reason(answer: CommandResult) -> str:
    for line in f"{answer.errors}\n{answer.output}".splitlines():
        if PULLING.search(line):
            return f"an image cannot be pulled ({line.strip()}): check its name and the network, {INSTEAD}"
    return answer.last_words(3)


def _refuse_remote(host: Host) -> None:
    answer = host.run(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
    if answer.status == NOT_FOUND:
        raise NoEngine(answer.errors, "install Docker with its compose plugin")
    endpoint = answer.output.strip()
    if answer.status == 0 and not endpoint.startswith(LOCAL):
        why = f"Docker is set to another machine ({endpoint}): its servers cannot be watched from here"
        raise NoEngine(why, "unset DOCKER_HOST or choose a local context")


def _unreachable(answer: CommandResult) -> NoEngine:
    if "permission denied" in answer.errors.lower():
        remedy = "join the group docker (`sudo usermod -aG docker $USER`, then log in again)"
        return NoEngine("no permission to use the container engine", remedy)
    return NoEngine(f"no container engine answers ({answer.last_words()})", "start it")


def _compose(host: Host) -> tuple[tuple[str, ...], str]:
    old = []
    for words in COMPOSE:
        answer = host.run([*words, "version", "--short"], ANSWER_TIMEOUT_S)
        version = re.search(r"(\d+)\.(\d+)\S*", answer.output)
        if answer.status == 0 and version:
            if (int(version[1]), int(version[2])) >= OLDEST_COMPOSE:
                return words, version[0]
            old.append(version[0])
    what = f"is older than 1.29 ({', '.join(old)})" if old else "is missing"
    raise NoEngine(f"Docker's compose plugin {what}", "install docker-compose-plugin")
