"""The newest versions that the index of packages has for a Python: the index that uv's settings name."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import CannotMeasure
from bench.runtime.packages.moves import exact_version, normal_name, requirement
from bench.runtime.requirements import lines_of
from bench.runtime.upgrading import UNREACHED
from bench.runtime.uv_calls import call_uv

FAILED = "the newest versions are not known"


def newest(names: Iterable[str], python: str, root: Path) -> dict[str, str]:
    """Return the newest version of each package by name, for the interpreter *python*.

    Settings of uv are those of *root*. Raises CannotMeasure if the index cannot be reached, or lacks one.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    with TemporaryDirectory(prefix="bench-newest-") as folder:
        file = Path(folder) / "names.in"
        file.write_text("".join(f"{name}\n" for name in wanted))
        options = ("--no-deps", "--no-header", "--no-annotate", "--python", python)
        try:
            found = call_uv("pip", "compile", *options, str(file), folder=root, failed=FAILED)
        except CannotMeasure as error:
            why = str(error).removeprefix(f"{FAILED}: ")
            if UNREACHED.search(why):
                raise CannotMeasure(f"{FAILED}: uv does not reach its index of packages: {why}") from error
            raise
    read = filter(None, map(requirement, lines_of(found)))
    return {normal_name(one): version for one in read if (version := exact_version(one))}
