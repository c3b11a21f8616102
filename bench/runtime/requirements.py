"""The lock of an app: requirements.txt with every file that it includes, and what cannot be locked."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import CannotMeasure, UsageError
from bench.files import text_of
from bench.model.contender import Contender
from bench.project.sources import APPS

NAME = "requirements.txt"
INCLUDES = re.compile(r"(?:-r|-c|--requirements?|--constraints?)(?:\s*=\s*|\s+|(?=[^\s=-]))(?P<file>.+)")
EDITABLE = re.compile(r"(-e|--editable)\b")
REPOSITORY = re.compile(r"(^|[\s@])(git|hg|svn|bzr)\+")
OPTION = re.compile(r"-{1,2}[a-z]")
ARCHIVE = re.compile(r"\.(whl|zip|tar\.gz|tar\.bz2|tgz)\b")
PLACE = re.compile(r"(?:^|@\s*)(file:|\.{1,2}(?:/|\s|$)|/)")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
# Settings of uv that have no effect on the installation of a lock.
OF_PROJECTS = (
    "build-backend",
    "workspace",
    "sources",
    "dev-dependencies",
    "default-groups",
    "package",
    "managed",
)
# Files that projects have beside an app instead of a lock, and the command that makes a lock from each.
OTHERS = {
    "uv.lock": "uv export --frozen --no-dev --no-emit-project --output-file {lock}",
    "poetry.lock": "poetry export --output {lock}",
    "pdm.lock": "pdm export --prod --output {lock}",
    "Pipfile.lock": "pipenv requirements --hash > {lock}",
    "requirements.in": "uv pip compile --generate-hashes {here}requirements.in --output-file {lock}",
    "pyproject.toml": "uv pip compile --generate-hashes {here}pyproject.toml --output-file {lock}",
    "setup.cfg": "uv pip compile --generate-hashes {here}setup.cfg --output-file {lock}",
    "setup.py": "uv pip compile --generate-hashes {here}setup.py --output-file {lock}",
}
COMPILE = "uv pip compile --generate-hashes requirements.in --output-file requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock, with all files that it includes."""

    file: Path
    named: str  # for messages: "apps/shop_app/requirements.txt of shop@worktree"
    texts: tuple[tuple[str, str], ...]  # of every file, by its path from the first
    settings: str  # of uv, if the app or a folder above it has some

    @property
    def content(self) -> bytes:
        """All that an environment is made from."""
        first, *rest = self.texts
        parts = [first[1], *(f"\0{name}\0{text}" for name, text in rest), self.settings]
        return "".join(parts).encode()

    @property
    def needs_packages(self) -> bool:
        return any(not OPTION.match(line) for _, text in self.texts for line in lines_of(text))


def named(contender: Contender, name: str) -> str:
    """Return the name of an app's file for messages: its path in the project, and its revision."""
    return f"{APPS}/{contender.app}/{name} of {contender.name}"


def read_lock(contender: Contender) -> Lock:
    """Return the lock of a contender's app.

    Raises UsageError if it is missing, not UTF-8, or includes a missing file; CannotMeasure if no environment
    can be made from it.
    """
    root = Path(contender.root)
    name = contender.lock or NAME
    file = root / APPS / contender.app / name
    if not file.is_file():
        remedy = _remedy(root, contender.app, name)
        raise UsageError(f"{contender.name} has no {APPS}/{contender.app}/{name}: {remedy}")
    texts = texts_of(file, lambda one: _named(contender, file, one))
    _refuse(contender, file, texts)
    return Lock(
        file=file,
        named=named(contender, name),
        texts=tuple((os.path.relpath(one, file.parent), text) for one, text in texts.items()),
        settings="".join(settings(file.parent, root)),
    )


def needed_python(message: str) -> str:
    """Return the oldest Python that packages need, as uv's *message* says it; "" if it says none."""
    needed = re.findall(r"(?:does not satisfy|requires) Python\s*>=\s*(\d+)\.(\d+)", message)
    newest = max(((int(major), int(minor)) for major, minor in needed), default=None)
    return f"{newest[0]}.{newest[1]}" if newest else ""


def advice(message: str) -> str:
    """Return the remedy for a lock that uv refuses with this message; "" if the message is enough."""
    if wanted := needed_python(message):
        return f": it needs Python {wanted}: name one in its `python`, or as in `django:python={wanted}`"
    if re.search(r"hash|pinned|==", message):
        return f": a lock has a version and a hash for every package: `{COMPILE}` writes it"
    return ""


def texts_of(
    file: Path, named: Callable[[Path], str], read: Callable[[Path], str] = text_of
) -> dict[Path, str]:
    """Return the text of a requirements.txt and of all files that it includes; raises UsageError."""
    texts: dict[Path, str] = {}
    _read(file, named, read, texts)
    return texts


def _read(
    file: Path, named: Callable[[Path], str], read: Callable[[Path], str], texts: dict[Path, str]
) -> None:
    where = named(file)
    try:
        text = read(file)
    except OSError as error:
        raise UsageError(f"{where} cannot be read: {error.strerror}") from error
    except UsageError as error:
        raise UsageError(str(error).replace(str(file), where)) from error
    texts[file] = text
    for line in lines_of(text):
        if not INCLUDES.match(line):
            continue
        name = _included_name(line)
        if "://" in name:
            raise UsageError(
                f"{where} includes {name}, which may change any time: keep a copy in the project"
            )
        inner = included(file, line)
        if not inner.is_file():
            raise UsageError(f"{where} includes {name}, which is not there: is it in git?")
        if inner not in texts:
            _read(inner, named, read, texts)


def included(file: Path, line: str) -> Path:
    """Return the file that a line of *file*, `-r other.txt`, includes."""
    return Path(os.path.normpath(file.parent / _included_name(line)))


def _included_name(line: str) -> str:
    found = INCLUDES.match(line)
    name = found["file"] if found else ""
    return VARIABLE.sub(lambda one: os.environ.get(one[1], one[0]), name.strip().strip("\"'"))


def _refuse(contender: Contender, first: Path, texts: dict[Path, str]) -> None:
    """Raise CannotMeasure for what no hash can cover."""
    for file, text in texts.items():
        where = _named(contender, first, file)
        for line in lines_of(text):
            shown = line if len(line) <= 60 else f"{line[:60]}…"
            if EDITABLE.match(line):
                raise CannotMeasure(
                    f"{where} has `{shown}`, the project itself: its code is there anyway, so leave the line "
                    "out (`uv export --no-emit-project`)"
                )
            if REPOSITORY.search(line):
                raise CannotMeasure(
                    f"{where} has `{shown}`: no hash can cover a repository, so name an archive of that "
                    "commit with its hash (`name @ https://….tar.gz --hash=sha256:…`), or a published version"
                )
            if not OPTION.match(line) and PLACE.search(line) and not ARCHIVE.search(line):
                raise CannotMeasure(
                    f"{where} has `{shown}`, a folder: no hash can cover it, so let the app import it by "
                    "PYTHONPATH in its `env`, or build a wheel of it and name that with its hash"
                )


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines that are not empty, with continued ones joined, without comments."""
    for line in re.sub(r"\\\n", " ", text.replace("\r", "\n")).split("\n"):
        if found := re.sub(r"(^|\s)#.*", "", line).strip():
            yield found


def settings(folder: Path, root: Path) -> Iterator[str]:
    for place in (folder, *folder.parents):
        if (place / "uv.toml").is_file():
            yield (place / "uv.toml").read_text(errors="replace")
        try:
            project = tomllib.loads((place / "pyproject.toml").read_text(errors="replace"))
        except (OSError, tomllib.TOMLDecodeError):
            project = {}
        of_uv = project.get("tool", {}).get("uv", {})
        if of_installs := {key: value for key, value in of_uv.items() if key not in OF_PROJECTS}:
            yield repr(of_installs)
        if place == root:
            return


def _remedy(root: Path, app: str, name: str) -> str:
    for folder in (root / APPS / app, root):
        for other, command in OTHERS.items():
            if (folder / other).is_file():
                here = f"{APPS}/{app}/" if folder != root else ""
                up = "" if "{here}" in command or not here else f"cd {here} && "
                lock = name if up else f"{APPS}/{app}/{name}"
                return f"make it of {here}{other}: `{up}{command.format(lock=lock, here=here)}`"
    return "write one, empty if it needs no packages"


def _named(contender: Contender, first: Path, file: Path) -> str:
    return named(contender, os.path.relpath(file, first.parent))
