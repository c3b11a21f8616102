"""An image for each app, made from its folder and its lock by apps/Dockerfile, and named by its content."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import CannotMeasure, UsageError
from bench.model import Contender
from bench.runtime.containers import described
from bench.runtime.engine import Engine, reason

SERVICE = "contender"  # of docker-compose.yml: how images of apps are built, and what their containers may do
REPOSITORY = "webframework-bench"
PYTHON = "3.13"  # of apps/Dockerfile
PROGRAMS = Path("/venv/bin")
HOME = Path("/tmp")
LISTING = """
import json, platform
from importlib.metadata import distributions
packages = {one.name.lower(): one.version for one in distributions()}
print(json.dumps({"python": platform.python_version(), "packages": dict(sorted(packages.items()))}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is there."""

    tag: str
    python: str  # full version
    packages: dict[str, str]  # name to version

    def content(self) -> dict[str, object]:
        """Return what the fingerprint should know."""
        return {"python": self.python, "packages": self.packages}


def image(contender: Contender, engine: Engine, *, source: Path, scratch: Path, logs: Path) -> Image:
    """Return the image of a contender's app, built where it is not there yet.

    Raises UsageError without its lock or Dockerfile, CannotMeasure where it cannot be built.
    """
    tag = tag_of(contender)
    if engine.asked("image", "inspect", tag).status:
        _build(contender, tag, engine, source=source, scratch=scratch, logs=logs)
    told = engine.docker("run", "--rm", "--network", "none", tag, "python", "-c", LISTING)
    return Image(tag=tag, **json.loads(told))


def tag_of(contender: Contender) -> str:
    """Return the name of a contender's image; raises UsageError without its lock or Dockerfile."""
    apps = Path(contender.root) / "apps"
    if not (apps / "Dockerfile").is_file():
        raise UsageError(f"there is no {apps / 'Dockerfile'}: copy the one of webframework-bench")
    if not (apps / contender.app / "requirements.txt").is_file():
        raise UsageError(f"{contender.name} has no {apps / contender.app}/requirements.txt: write one")
    digest = hashlib.sha256((contender.python or PYTHON).encode())
    for file in _content(apps, contender.app):
        digest.update(str(file.relative_to(apps)).encode() + b"\0" + file.read_bytes())
    return f"{REPOSITORY}/{contender.app}:{digest.hexdigest()[:12]}"


def _content(apps: Path, app: str) -> Iterator[Path]:
    yield apps / "Dockerfile"
    for file in sorted((apps / app).rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file


def _build(
    contender: Contender, tag: str, engine: Engine, *, source: Path, scratch: Path, logs: Path
) -> None:
    arguments = {"APP": contender.app, "PYTHON": contender.python or PYTHON}
    said = {"image": tag, "build": {"context": contender.root, "args": arguments}}
    name = contender.app.replace("_", "-")
    file = described(scratch, source, SERVICE, {name: said})
    # force-rm: or a step that fails leaves its container.
    answer = engine.compose(REPOSITORY, file, "build", "--force-rm", name)
    log = logs / f"build-{contender.app}.log"
    log.write_text(answer.output + answer.errors)
    if answer.status:
        raise CannotMeasure(f"the image of {contender.app} cannot be built: {reason(answer)}: see {log}")
