"""An image for each app, made from its folder and its lock by apps/Dockerfile, and named by its content."""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import CannotMeasure, UsageError
from bench.files import legible, text_of
from bench.model.contender import Contender
from bench.project.installs import keeps_a_lock_of_apps
from bench.project.sources import is_left_behind
from bench.runtime.docker.containers import described
from bench.runtime.docker.engine import INSTEAD, Engine, reason
from bench.runtime.interpreters import BUILD
from bench.runtime.requirements import NAME, read_lock

SERVICE = "contender"  # of docker-compose.yml: how images of apps are built, and what their containers may do
REPOSITORY = "webframework-bench"
DOCKERFILE = "apps/Dockerfile"
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
PYTHON = "3.13"  # of apps/Dockerfile
PROGRAMS = Path("/venv/bin")
HOME = Path("/tmp")
APPS = Path("/apps")
LISTING = f"""{BUILD}
import json
from importlib.metadata import distributions
packages = dict(sorted((one.name.lower(), one.version) for one in distributions()))
print(json.dumps({{"python": platform.python_version(), "built": built, "packages": packages}}))
"""
# Where an image has no valgrind, it gets its distribution's.
COUNTED = """FROM {tag}
USER root
RUN command -v valgrind || {{ apt-get update && apt-get install --yes --no-install-recommends valgrind \\
 && rm -rf /var/lib/apt/lists/*; }} || apk add --no-cache valgrind || dnf install --assumeyes valgrind
USER {user}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that exists."""

    tag: str
    python: str  # full version
    built: str = ""  # how that Python was built
    packages: dict[str, str]  # name to version

    def content(self) -> dict[str, object]:
        return {"python": self.python, "built": self.built, "packages": self.packages}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedImage:
    """An image with valgrind, beside the one that is timed."""

    tag: str
    valgrind: str  # its version


def image(contender: Contender, engine: Engine, *, source: Path, scratch: Path, logs: Path) -> Image:
    """Return the image of a contender's app, and build it first if it is missing.

    Raises UsageError without its lock or Dockerfile, CannotMeasure if it cannot be built.
    """
    tag = tag_of(contender)
    if engine.docker_result("image", "inspect", tag).status:
        _build(contender, tag, engine, source=source, scratch=scratch, logs=logs)
    return Image(tag=tag, **json.loads(_said_in(tag, engine, "python", "-c", LISTING)))


def counted_image(made: Image, engine: Engine, *, scratch: Path, logs: Path) -> CountedImage:
    """Return the image in which servers of *made* are counted, and build it first if it is missing.

    Raises CannotMeasure if it cannot be built.
    """
    found = engine.docker("image", "inspect", "--format", "{{.Id}}", made.tag).strip()
    tag = f"{made.tag}-counted-{found.removeprefix('sha256:')[:12]}"
    if engine.docker_result("image", "inspect", tag).status:
        user = engine.docker("image", "inspect", "--format", "{{.Config.User}}", made.tag).strip()
        folder = scratch / legible(tag)
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(COUNTED.format(tag=made.tag, user=user or "root"))
        words = ("build", "--network", "host", "--force-rm", "--tag", tag, str(folder))
        answer = engine.docker_result(*words)
        log = logs / f"build-{legible(tag)}.log"
        log.write_text(answer.output + answer.errors)
        if answer.status:
            raise CannotMeasure(
                f"valgrind cannot be installed in {made.tag}: {reason(answer)}: put it into {DOCKERFILE}, "
                f"{INSTEAD}: see {log}"
            )
    release = _said_in(tag, engine, "valgrind", "--version")
    return CountedImage(tag=tag, valgrind=release.removeprefix("valgrind-"))


def _said_in(tag: str, engine: Engine, *words: str) -> str:
    return engine.docker("run", "--rm", "--network", "none", tag, *words).strip()


def tag_of(contender: Contender) -> str:
    """Return the name of a contender's image. Raises UsageError without its lock or Dockerfile."""
    root = Path(contender.root)
    if not (root / DOCKERFILE).is_file():
        raise UsageError(f"there is no {root / DOCKERFILE}: copy the one of webframework-bench")
    if not keeps_a_lock_of_apps(contender):
        raise UsageError(
            f"{contender.name}: containers are built from the requirements.txt of a folder of apps/: "
            "use --runtime process"
        )
    if not (contender.place / (contender.lock or NAME)).is_file():
        read_lock(contender)  # raises with the remedy
    if contender.lock and not re.search(r"(?m)^ARG LOCK\b", text_of(root / DOCKERFILE)):
        raise UsageError(
            f"{contender.name}: {DOCKERFILE} installs no other lock than {NAME}: copy the one of "
            "webframework-bench, which has `ARG LOCK`, or use --runtime process"
        )
    chosen = (contender.python or PYTHON) + (f" {contender.lock}" if contender.lock else "")
    digest = hashlib.sha256(chosen.encode())
    for file in sorted(set(_content(root, contender))):
        held = os.fsencode(os.readlink(file)) if file.is_symlink() else file.read_bytes()
        mode = b"x" if file.lstat().st_mode & stat.S_IXUSR else b""
        digest.update(os.fsencode(file.relative_to(root)) + b"\0" + mode + held)
    return f"{REPOSITORY}/{contender.app}:{digest.hexdigest()[:12]}"


def _content(root: Path, contender: Contender) -> Iterator[Path]:
    """Yield every file that the Dockerfile can read: what it copies, or all files if that is not clear."""
    yield root / DOCKERFILE
    yield from _places(root, contender.place)
    for name in (".dockerignore", f"{DOCKERFILE}.dockerignore"):
        if (root / name).is_file():
            yield root / name
    copied = _copied(text_of(root / DOCKERFILE), _arguments(contender))
    for place in [root] if copied is None else copied:
        places = [root] if place is root else root.glob(str(place).strip("/") or "*")
        for found in places:
            yield from _places(root, found)


def _copied(dockerfile: str, arguments: Mapping[str, str]) -> list[str] | None:
    """Return the places of the context that *dockerfile* copies from; None if it may read any."""
    places: list[str] = []
    known = dict(arguments)
    for line in re.sub(r"\\[ \t]*\n", " ", re.sub(r"(?m)^\s*#.*\n", "", dockerfile)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.upper() in ("ARG", "ENV"):
            name, given, value = rest.strip().partition("=")
            if given and name not in arguments:
                known[name] = value.strip("\"'")
        if word.upper() == "RUN" and "--mount=type=bind" in rest:
            return None
        if word.upper() not in ("COPY", "ADD"):
            continue
        words = rest.split()
        options = [one for one in words if one.startswith("--")]
        if any(one.startswith("--from=") for one in options):
            continue
        *sources, _ = words[len(options) :] or [""]
        for source in sources:
            written = VARIABLE.sub(lambda one: known.get(one[1] or one[2], one[0]), source)
            if "$" in written or written[0] in "[<" or written.strip("./") == "":
                return None
            places.append(written.removeprefix("./"))
    return places


def _places(root: Path, place: Path) -> Iterator[Path]:
    """Yield the files at or below *place*, also if it is a link: a build follows it."""
    yield from _files(place, top=place == root)
    if place.is_symlink():
        leads = os.path.relpath(os.path.realpath(place), os.path.realpath(root))
        if not leads.startswith(".."):
            yield from _files(root / leads)


def _files(place: Path, *, top: bool = False) -> Iterator[Path]:
    if place.is_symlink() or place.is_file():
        if not is_left_behind(place.parts[-1:]):
            yield place
    elif place.is_dir() and not is_left_behind((place.name, "in it")):
        for inner in place.iterdir():
            if not (top and inner.name in ("results", "plans")):
                yield from _files(inner)


def _arguments(contender: Contender) -> dict[str, str]:
    chosen = {"APP": contender.app, "PYTHON": contender.python or PYTHON}
    return {**chosen, "LOCK": contender.lock} if contender.lock else chosen


def _build(
    contender: Contender, tag: str, engine: Engine, *, source: Path, scratch: Path, logs: Path
) -> None:
    arguments = _arguments(contender)
    settings = {"image": tag, "build": {"context": contender.root, "args": arguments}}
    name = contender.app.replace("_", "-")
    file = described(scratch, source, SERVICE, {name: settings})
    # force-rm: without it a step that fails leaves its container.
    answer = engine.compose(REPOSITORY, file, "build", "--force-rm", name)
    log = logs / f"build-{contender.app}.log"
    log.write_text(answer.output + answer.errors)
    if answer.status:
        raise CannotMeasure(f"the image of {contender.app} cannot be built: {reason(answer)}: see {log}")
