"""This machine's container engine, asked through its command line: found, or refused with the reason."""

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import CannotMeasure
from bench.runtime.docker.commands import NOT_FOUND, Answer, Host

ANSWER_TIMEOUT_S = 20.0  # for an engine to say who it is
LOCAL = ("unix://", "fd://")
OLDEST_COMPOSE = (1, 29)  # the first with profiles, `extends` and conditions in one format
COMPOSE = (("docker", "compose"), ("docker-compose",))
INSTEAD = "or use --runtime process"
PULLING = re.compile(
    r"pull access denied|manifest (?:for \S+ not found|unknown)|failed to resolve|failed to authorize"
    r"|toomanyrequests|(?:Get|Head) \"?https?://",
)


class NoEngine(CannotMeasure):
    """There is no engine that could be measured on."""

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
    """Return the engine that the command line is set to; raises NoEngine with the reason against it."""
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


def reason(answer: Answer) -> str:
    """Return why images could not be made or had, in one line."""
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


def _unreachable(answer: Answer) -> NoEngine:
    if "permission denied" in answer.errors.lower():
        remedy = "join the group docker (`sudo usermod -aG docker $USER`, then log in anew)"
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
