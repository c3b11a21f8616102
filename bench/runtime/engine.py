"""This machine's container engine, asked through its command line: found, or refused with the reason."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.errors import CannotMeasure

ANSWER_TIMEOUT_S = 20.0  # for an engine to say who it is
NOT_FOUND = 127  # as a shell has it
LOCAL = ("unix://", "fd://")
OLDEST_COMPOSE = (1, 29)  # the first with profiles, `extends` and conditions in one format
COMPOSE = (("docker", "compose"), ("docker-compose",))
INSTEAD = "or use --runtime process"
PULLING = re.compile(
    r"pull access denied|manifest (?:for \S+ not found|unknown)|failed to resolve|failed to authorize"
    r"|toomanyrequests|(?:Get|Head) \"?https?://",
)
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
        """Run a command in a session of its own: Ctrl-C is for the harness to act upon."""
        environment = os.environ | {"COMPOSE_IGNORE_ORPHANS": "true", "COMPOSE_ANSI": "never"}
        try:
            done = subprocess.run(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=timeout_s,
                start_new_session=True,
            )
        except FileNotFoundError:
            return Answer(status=NOT_FOUND, errors=f"{words[0]}: not found")
        except PermissionError:
            return Answer(status=NOT_FOUND, errors=f"{words[0]}: may not be run")
        except subprocess.TimeoutExpired:
            return Answer(status=1, errors=f"no answer within {timeout_s:.0f} s")
        return Answer(status=done.returncode, output=done.stdout, errors=done.stderr)

    def is_init(self, pid: int) -> bool:
        """Read it from the process itself, which knows its id in every namespace it is in: proc(5), NSpid."""
        with suppress(OSError):
            return bool(FIRST_IN_ITS_NAMESPACE.search(Path(f"/proc/{pid}/status").read_text()))
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that answers, on this machine and its kernel."""

    host: Host
    version: str
    compose_words: tuple[str, ...]
    compose_version: str

    def docker(self, *words: str) -> str:
        """Return what `docker …` says; raises CannotMeasure where it fails."""
        answer = self.host.run(["docker", *words])
        if answer.status:
            raise CannotMeasure(f"docker {words[0]} failed: {answer.last_words()}")
        return answer.output

    def inspected(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return what the engine knows of containers; raises CannotMeasure where it knows one of them not."""
        found: list[dict[str, Any]] = json.loads(self.docker("container", "inspect", *names))
        return found

    def asked(self, *words: str) -> Answer:
        """Return the answer of `docker …`, whatever it is."""
        return self.host.run(["docker", *words])

    def compose(self, project: str, file: Path, *words: str) -> Answer:
        """Return the answer of `docker compose …` for a project that one file describes."""
        return self.host.run([*self.compose_words, "--project-name", project, "--file", str(file), *words])


def found(host: Host) -> Engine:
    """Return the engine that the command line is set to; raises CannotMeasure with the reason against it."""
    _refuse_remote(host)
    answer = host.run(["docker", "info", "--format", "{{json .}}"], ANSWER_TIMEOUT_S)
    if answer.status:
        raise CannotMeasure(_no_engine(answer))
    try:
        facts = json.loads(answer.output)
        version, kernel = facts["ServerVersion"], facts["KernelVersion"]
    except (ValueError, KeyError) as error:
        raise CannotMeasure(f"what answers to `docker` is not Docker: install it, {INSTEAD}") from error
    if kernel != platform.release():
        raise CannotMeasure(
            f"containers run in a virtual machine here ({facts.get('OperatingSystem')}), out of sight of a "
            "client on this side: use --runtime process"
        )
    if any("rootless" in option for option in facts.get("SecurityOptions") or ()):
        raise CannotMeasure(
            "the engine is rootless, so the network of its host is not this machine's: use the system's "
            f"engine, {INSTEAD}"
        )
    words, compose_version = _compose(host)
    return Engine(host=host, version=version, compose_words=words, compose_version=compose_version)


def reason(answer: Answer) -> str:
    """Return why images could not be made or had, in one line."""
    if PULLING.search(answer.output + answer.errors):
        return f"an image cannot be pulled ({answer.last_words()}): check its name and the network"
    return answer.last_words(3)


def _refuse_remote(host: Host) -> None:
    answer = host.run(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
    if answer.status == NOT_FOUND:
        raise CannotMeasure(f"{answer.errors}: install Docker with its compose plugin, {INSTEAD}")
    endpoint = answer.output.strip()
    if answer.status == 0 and not endpoint.startswith(LOCAL):
        raise CannotMeasure(
            f"Docker is set to another machine ({endpoint}): its servers could not be watched from here, nor "
            f"reached on loopback; unset DOCKER_HOST or choose a local context, {INSTEAD}"
        )


def _no_engine(answer: Answer) -> str:
    if "permission denied" in answer.errors.lower():
        return (
            "no permission to use the container engine: join the group docker "
            f"(`sudo usermod -aG docker $USER`, then log in anew), {INSTEAD}"
        )
    return f"no container engine answers ({answer.last_words()}): start it, {INSTEAD}"


def _compose(host: Host) -> tuple[tuple[str, ...], str]:
    seen = []
    for words in COMPOSE:
        answer = host.run([*words, "version", "--short"], ANSWER_TIMEOUT_S)
        version = re.search(r"(\d+)\.(\d+)\S*", answer.output)
        if answer.status == 0 and version:
            if (int(version[1]), int(version[2])) >= OLDEST_COMPOSE:
                return words, version[0]
            seen.append(version[0])
    what = f"is older than 1.29 ({', '.join(seen)})" if seen else "is missing"
    raise CannotMeasure(f"Docker's compose plugin {what}: install docker-compose-plugin, {INSTEAD}")
