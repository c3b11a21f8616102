"""What a contender's packages are installed from."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.files import MARKS, text_of, toml_of
from bench.model.contender import Contender
from bench.project.installs import InstallFile, install_files
from bench.runtime.interpreters import found
from bench.runtime.packages.foreign_locks import Wanted, specifiers, wanted_python
from bench.runtime.packages.own_code import linked_folders, metadata_of, pyproject
from bench.runtime.packages.own_lines import applies, is_own, own_folder
from bench.runtime.requirements import ARCHIVE, lines_of, settings, texts_of

TRIED = ("3.15", "3.14", "3.13", "3.12", "3.11", "3.10", "3.9", "3.8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What an environment is made from."""

    contender: Contender
    python: str  # full version
    folder: Path  # where relative paths start
    files: tuple[InstallFile, ...]
    texts: Mapping[Path, str] = field(
        default_factory=dict
    )  # of every requirements.txt, with what it includes
    own: tuple[Path, ...] = ()  # folders of the user's own projects that are known before a resolution
    content: bytes = b""  # all that the environment depends on

    @property
    def named(self) -> str:
        return " and ".join(self.name(one) for one in self.files) or f"the packages of {self.contender.name}"

    def name(self, file: InstallFile) -> str:
        return f"{file.at} of {self.contender.name}"

    def wanted(self, file: InstallFile) -> Wanted:
        return Wanted(
            where=self.name(file),
            python=self.python,
            extras=self.contender.extras,
            groups=self.contender.groups,
        )

    def texts_of(self, file: InstallFile) -> dict[Path, str]:
        """Return the text of a requirements.txt and of all that it includes; raises UsageError."""
        return texts_of(file.file, self.place, _decoded)

    def toml(self, file: InstallFile) -> dict[str, Any]:
        try:
            return toml_of(file.file)
        except UsageError as error:
            raise UsageError(str(error).replace(str(file.file), self.name(file))) from error

    def place(self, file: Path) -> str:
        """Return the name of any file of the project for messages."""
        return f"{os.path.relpath(file, self.contender.root)} of {self.contender.name}"

    def own_folders(self, lines: Iterable[str], base: Path, where: str) -> list[Path]:
        """Return the folders that *lines* name, if they apply to this machine; raises UsageError."""
        root = Path(self.contender.root)
        return [own_folder(line, base=base, root=root, where=where) for line in lines if applies(line)]


def installation(contender: Contender, python: str) -> Installation:
    """Return what a contender's environment is made from; raises UsageError.

    *python* is the full version of its interpreter.
    """
    files = install_files(contender)
    folder = _folder(contender, files)
    made = Installation(contender=contender, python=python, folder=folder, files=files)
    _check_keys(made)
    texts: dict[Path, str] = {}
    for file in files:
        _check_python(made, file)
        if file.kind == "requirements":
            texts |= made.texts_of(file)
    made = replace(made, texts=texts)
    made = replace(made, own=tuple(_all_linked(_own(made))))
    of_uv = settings(folder, Path(contender.root))
    parts = [*_content(made), *of_uv, repr((contender.extras, contender.groups))]
    return replace(made, content="\0".join(parts).encode(errors="surrogateescape"))


def _folder(contender: Contender, files: Iterable[InstallFile]) -> Path:
    """Return where relative paths start: beside a lock of uv, else where the first file was looked for."""
    for file in files:
        if file.kind == "uv":
            return file.file.parent
    first = next(iter(files), None)
    inside = first is None or first.file.is_relative_to(contender.place)
    return contender.place if inside else Path(contender.root)


def _check_keys(made: Installation) -> None:
    contender = made.contender
    kinds = {file.kind for file in made.files}
    for key in ("extras", "groups"):
        if getattr(contender, key) and kinds <= {"requirements"}:
            raise UsageError(
                f"{contender.name}: {key}: {made.named} has none: they are of a pyproject.toml or a lock, so "
                'name that in `install`, or list the files: `install = ["requirements/base.txt", …]`'
            )
    if "pylock" in kinds and len(made.files) > 1:
        raise UsageError(f"{contender.name}: install: a pylock.toml has all packages, so it goes alone")


def _check_python(made: Installation, file: InstallFile) -> None:
    versions = _versions(made, file)
    allowed = specifiers(versions)
    if allowed is None or any(one.contains(made.python, prereleases=True) for one in allowed):
        return
    fit = [one for one in TRIED if any(two.contains(f"{one}.99", prereleases=True) for two in allowed)]
    best = next(filter(found, fit), *fit[:1]) if fit else ""
    remedy = f': write `python = "{best}"` in its table' if best else ""
    raise UsageError(f"{made.name(file)} is for Python {versions}, and this one is {made.python}{remedy}")


def _versions(made: Installation, file: InstallFile) -> str | None:
    if file.kind in ("poetry", "pdm", "pipenv"):
        return wanted_python(file, made.wanted(file))
    if file.kind in ("uv", "pylock"):
        return made.toml(file).get("requires-python")
    stated = pyproject(file.file.parent).get("project", {}).get("requires-python")
    return str(stated) if stated and file.file.name == "pyproject.toml" else None


def _content(made: Installation) -> Iterator[str]:
    root = Path(made.contender.root)
    for file in made.files:
        yield file.at
        if file.kind == "project" and file.file.suffix == ".toml":
            made.toml(file)  # raises UsageError if it is damaged
        elif file.kind not in ("project", "requirements"):
            yield text_of(file.file)
    for one, text in made.texts.items():
        yield f"{os.path.relpath(one, root)}\0{text}"
        for line in lines_of(text):
            if ARCHIVE.search(line) and "--hash" not in line and "://" not in line:
                yield from _archive(made.folder / line.rpartition("@")[2].strip().removeprefix("file:"))
    for folder in made.own:
        yield f"{os.path.relpath(folder, root)}\0{metadata_of(folder)}"


def _own(made: Installation) -> Iterator[Path]:
    for file in made.files:
        if file.kind != "requirements":
            yield from (file.file.parent, made.contender.place)
        if file.kind == "uv":
            yield from _members(made, file)
    for one, text in made.texts.items():
        yield from made.own_folders(filter(is_own, lines_of(text)), made.folder, made.place(one))


def _archive(file: Path) -> Iterator[str]:
    if file.is_file():
        yield hashlib.sha256(file.read_bytes()).hexdigest()


def _members(made: Installation, file: InstallFile) -> Iterator[Path]:
    for package in made.toml(file).get("package", []):
        source = package.get("source", {})
        for key in ("editable", "virtual", "directory"):
            if key in source and (file.file.parent / source[key]).is_dir():
                yield file.file.parent / source[key]


def _all_linked(folders: Iterable[Path]) -> list[Path]:
    waiting, found = [Path(os.path.realpath(one)) for one in folders], dict[Path, None]()
    while waiting:
        folder = waiting.pop()
        if folder not in found:
            found[folder] = None
            waiting += [Path(os.path.realpath(one)) for one in linked_folders(folder)]
    return sorted(found)


def _decoded(file: Path) -> str:
    """Return the text of a file. PowerShell's `>` writes UTF-16 with its mark, which pip and uv read too."""
    content = file.read_bytes()
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    if encoding != "UTF-16":
        return text_of(file)
    return content.decode("utf-16", errors="replace").replace("\r\n", "\n")
