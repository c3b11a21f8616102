"""A container engine without containers: what compose should start becomes processes of this machine."""

import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.runtime.docker.engine import NOT_FOUND, CommandResult
from bench.runtime.services.caches import VALKEY, program

INFO = {"ServerVersion": "99.1", "KernelVersion": platform.release(), "SecurityOptions": ["name=seccomp"]}
LISTED = {"python": "3.13.9", "built": "GCC 12.2.0", "packages": {"flask": "3"}}
# What `init: true` does: it passes on how the server ended.
INIT = """
import subprocess, sys
try:
    status = subprocess.run(sys.argv[1:]).returncode
except OSError as error:
    sys.exit(f"exec: {error}")
sys.exit(status if status >= 0 else 128 - status)
"""


@dataclass
class FakeContainer:
    process: subprocess.Popen
    service: dict
    log: Path
    out_of_memory: bool = False

    def state(self):
        status = self.process.poll()
        running = status is None
        return {
            "Running": running,
            "Pid": self.process.pid if running else 0,
            "ExitCode": 0 if running else status if status >= 0 else 128 - status,
            "OOMKilled": self.out_of_memory,
        }


@dataclass
class FakeEngine:
    """Implements `bench.runtime.docker.engine.Host`; *answers* come before its own, by their words."""

    folder: Path
    answers: dict = field(default_factory=dict)
    sees_processes: bool = True
    images: dict = field(default_factory=dict)  # tag → the folder of its app
    containers: dict = field(default_factory=dict)
    strangers: dict = field(default_factory=dict)  # containers of other runs → label
    commands: list = field(default_factory=list)

    def run(self, words, timeout_s=None):
        command = " ".join(words)
        self.commands.append(command)
        for beginning, answer in self.answers.items():
            if beginning in command:
                return answer
        match list(words):
            case ["docker", "context", *_]:
                return CommandResult(status=0, output="unix:///var/run/docker.sock\n")
            case ["docker", "info", *_]:
                return CommandResult(status=0, output=json.dumps(INFO))
            case ["docker", "compose", "version", *_]:
                return CommandResult(status=0, output="2.40.3\n")
            case ["docker", "compose", "--project-name", _, "--file", file, verb, *_]:
                services = json.loads(Path(file).read_text())["services"]
                return self._build(services) if verb == "build" else self._up(services)
            case ["docker", "image", "inspect", tag]:
                return CommandResult(status=0 if tag in self.images else 1)
            case ["docker", "image", "inspect", "--format", "{{.Id}}", tag] if tag in self.images:
                return CommandResult(status=0, output=f"sha256:0123456789abcdef{tag}\n")
            case ["docker", "image", "inspect", "--format", _, tag] if tag in self.images:
                return CommandResult(status=0, output="65534:65534\n")
            case ["docker", "build", *_, tag, folder]:
                return self._build_from(tag, Path(folder) / "Dockerfile")
            case ["docker", "run", *_, "valgrind", "--version"]:
                return CommandResult(status=0, output="valgrind-3.19.0\n")
            case ["docker", "run", *_]:
                return CommandResult(status=0, output=json.dumps(LISTED))
            case ["docker", "container", "inspect", *names]:
                return self._inspect(names)
            case ["docker", "logs", name] if name in self.containers:
                return CommandResult(status=0, output=self.containers[name].log.read_text())
            case ["docker", "logs", name]:
                return CommandResult(status=1, errors=f"Error: No such container: {name}")
            case ["docker", "update", *_]:
                return CommandResult(status=0)
            case ["docker", "ps", *_]:
                return CommandResult(
                    status=0, output="".join(f"{name} {who}\n" for name, who in self.strangers.items())
                )
            case ["docker", "rm", "--force", "--volumes", *names]:
                for name in names:
                    self.remove(name)
                return CommandResult(status=0)
        return CommandResult(status=NOT_FOUND, errors=f"{words[0]}: not found")

    def is_init(self, pid):
        return self.sees_processes

    def remove(self, name):
        self.strangers.pop(name, None)
        if container := self.containers.pop(name, None):
            if container.process.poll() is None:
                os.killpg(container.process.pid, signal.SIGKILL)
            container.process.wait()

    def close(self):
        for name in list(self.containers):
            self.remove(name)

    def _build(self, services):
        for service in services.values():
            self.images[service["image"]] = Path(
                service["build"]["context"], "apps", service["build"]["args"]["APP"]
            )
        return CommandResult(status=0, output="built\n")

    def _build_from(self, tag, dockerfile):
        base = dockerfile.read_text().split()[1]
        self.images[tag] = self.images[base]
        return CommandResult(status=0, output="built\n")

    def _up(self, services):
        for service in services.values():
            name = service["container_name"]
            log = self.folder / f"{name}.log"
            programs = [Path(sys.executable).parent, program(VALKEY).parent, os.environ["PATH"]]
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-c", INIT, *(word.replace("$$", "$") for word in service["command"])],
                    cwd=self.images.get(service.get("image"), self.folder),
                    env={
                        key: value.replace("$$", "$") for key, value in service.get("environment", {}).items()
                    }
                    | {"PATH": os.pathsep.join(map(str, programs))},
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            self.containers[name] = FakeContainer(process, service, log)
        return CommandResult(status=0)

    def _inspect(self, names):
        if missing := [name for name in names if name not in self.containers]:
            return CommandResult(status=1, errors=f"Error: No such container: {missing[0]}")
        found = [
            {
                "Name": f"/{name}",
                "State": self.containers[name].state(),
                "HostConfig": {"Memory": 2**30},
                "Config": {"Image": self.containers[name].service.get("image", "as the file says")},
            }
            for name in names
        ]
        return CommandResult(status=0, output=json.dumps(found))
