"""Learning curve, as far as it can be counted: what has to be written, and what has to be known."""

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

from pages import ENGINE
from source import code_lines, distribution
from subject import Finding, Subject

MIB = 2**20


def look(subject: Subject) -> Finding:
    """Count what the contract takes: the modules in use, the templates, what they import and need."""
    files = subject.source.closure()
    templates = sorted((subject.app / "templates").glob("*"))
    lines = {file: code_lines(file) for file in (*files, *templates)}
    imports = sorted(map(distribution, subject.source.imports(files)))
    # FastAPI imports its engine by itself, wherever that was asked for.
    engines = {ENGINE} & subject.lock.via.keys() if templates else set()
    needed = subject.lock.behind({*imports, *engines})
    size = _installed(subject, needed)
    return Finding(
        outcome="facts",
        shows=f"{sum(lines.values())} lines in {len(lines)} files, which import {', '.join(imports)}; "
        f"with what those need, {len(needed)} packages{size}; without server and driver.",
        output="\n".join(
            (
                " · ".join(f"{file.relative_to(subject.app)} {count}" for file, count in lines.items()),
                f"needs: {', '.join(sorted(needed))}",
            )
        ),
    )


def _installed(subject: Subject, names: Iterable[str]) -> str:
    """Return what the distributions *names* take on the disk, as they are installed."""
    if subject.packages is None:
        return ""
    found = importlib.metadata.distributions(path=[str(subject.packages)])
    wanted = [one for one in found if distribution(one.name.lower()) in set(names)]
    paths = [Path(str(file.locate())) for one in wanted for file in one.files or ()]
    return f", {sum(path.stat().st_size for path in paths if path.is_file()) / MIB:.0f} MiB"
