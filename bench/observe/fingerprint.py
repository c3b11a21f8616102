"""What decides whether two runs may be compared: machine, system, versions, content, commit."""

import hashlib
import os
import platform
import re
import subprocess
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from bench.errors import UsageError
from bench.observe import system
from bench.project.contenders import declared, resolve
from bench.project.git import call, refusal
from bench.project.installs import install_files, keeps_a_lock_of_apps
from bench.project.inventory import inventory
from bench.project.locks import other_locks
from bench.project.sources import is_left_behind

TIMEOUT_S = 10


def commit(project: Path) -> dict[str, Any]:
    """Return the commit, when it was made, and whether the files differ from it.

    All are None if the project is no checkout.

    If git refuses the checkout, the result has git's reason and remedy.
    """
    found = _git(project, "rev-parse", "--verify", "HEAD")
    refused = refusal(project) if found is None else ""
    why = {"refused": f"git refuses the checkout: {refused}"} if refused else {}
    return {
        "commit": found,
        "committed_at": None if found is None else _git(project, "log", "-1", "--format=%cI"),
        "dirty": None if found is None else _is_changed(project),
        **why,
    }


def locks(project: Path) -> dict[str, dict[str, Any]]:
    """Return for each app when its lock was last committed, its age in days, and whether it has changed.

    The lock is the first file that its packages are installed from.

    All are None if git does not know: the project is no checkout, or the lock was never committed. Time and
    age are also None in a shallow checkout, whose only commit seems to have added every file.
    """
    shallow = _git(project, "rev-parse", "--is-shallow-repository") != "false"
    files = {file.parent.name: file for file in sorted(project.glob("apps/*/requirements.txt"))}
    files |= {f"{app.name}/{one.name}": one for app in _apps(project) for one in other_locks(app)}
    files |= _installed_from(project)
    return {app: _lock(project, file, shallow) for app, file in files.items()}


def _apps(project: Path) -> list[Path]:
    return [table.parent for table in sorted(project.glob("apps/*/contenders.toml"))]


def _installed_from(project: Path) -> dict[str, Path]:
    """Return the first file for each app that has no lock of apps/."""
    found: dict[str, Path] = {}
    with suppress(UsageError):  # reported where contenders are resolved
        tables = declared(project)
        for contender in (resolve(base, tables) for base in tables):
            if not keeps_a_lock_of_apps(contender) and (files := install_files(contender)):
                found.setdefault(contender.app, files[0].file)
    return found


def _lock(project: Path, file: Path, shallow: bool) -> dict[str, Any]:
    committed_at = _git(project, "log", "-1", "--format=%cI", "--", str(file)) or None
    known = committed_at is not None
    age = datetime.now(UTC) - datetime.fromisoformat(committed_at) if committed_at else None
    return {
        "committed_at": None if shallow else committed_at,
        "age_days": None if shallow or age is None else age.days,
        "changed": _is_changed(project, file) if known else None,
    }


def _is_changed(project: Path, *files: Path) -> bool:
    return bool(_git(project, "status", "--porcelain", "--", *map(str, files)))


def _git(project: Path, *arguments: str) -> str | None:
    try:
        done = call("-C", str(project), *arguments, timeout_s=TIMEOUT_S)
    except (UsageError, OSError, subprocess.TimeoutExpired):
        return None
    return done.line if done.status == 0 else None


BENCH = Path(__file__).parents[1]


def content(project: Path, bench: Path = BENCH) -> dict[str, Any]:
    apps = project / "apps"
    return {
        "bench": _hash(bench, [bench]),
        "data": _hash(apps, sorted(apps.glob("*.sql"))),
        "scenarios": _hash(apps, [apps / "scenarios.toml"]),
        "checks": _hash(apps, [apps / "checks", *sorted(apps.glob("*.yaml"))]),
        "apps": {app.name: _hash(apps, [app]) for app in _apps(project)},
        **({"shared": shared} if (shared := inventory(project).shared()) else {}),
    }


def _hash(above: Path, places: Iterable[Path]) -> str | None:
    """Return a hash of names (below *above*) and bytes of all files at *places*; None if there is none."""
    files = [file for place in places for file in _files(place)]
    digest = hashlib.sha256()
    for file in files:
        name, held = os.fsencode(file.relative_to(above)), file.read_bytes()
        digest.update(b"%d %b %d %b" % (len(name), name, len(held), held))
    return digest.hexdigest()[:16] if files else None


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place] if place.is_file() else []
    found = (file for file in _below(place, ()) if file.is_file())
    return sorted(file for file in found if not is_left_behind(file.relative_to(place).parts))


def _below(folder: Path, above: tuple[str, ...]) -> Iterable[Path]:
    """Yield the files below *folder*.

    Links are followed, but a folder that contains itself is not repeated.
    """
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in folder.iterdir():
        if not entry.is_dir():
            yield entry
        elif not is_left_behind((entry.name, "in it")):
            yield from _below(entry, (*above, here))


HARNESS_PACKAGES = ("locust", "gevent", "psycopg", "uv")
GIB = 2**30


def fingerprint(project: Path) -> dict[str, Any]:
    """Return machine, system, Python, harness, and the project's content and commit, ready for JSON.

    The runtime adds what it knows: placement, services, environments.
    """
    return {
        "machine": _machine(),
        "system": {
            "name": platform.system(),
            "kernel": platform.release(),
            "governors": sorted(system.governors()),
            "turbo": system.turbo(),
        },
        "python": _python(),
        "harness": {name: _version(name) for name in HARNESS_PACKAGES},
        "project": commit(project),
        "locks": locks(project),
        "content": content(project),
    }


def machine_class(architecture: str, cpu: str | None, cores: int | None, memory_bytes: int) -> str:
    """Return in one line what must be equal for numbers to compare, from facts that do not vary."""
    # Some models have a nominal frequency in their name.
    model = " ".join(re.sub(r"@ [\d.]+ ?[GM]Hz", "", cpu or "unknown CPU").split())
    return f"{architecture}, {model}, {cores} cores, {round(memory_bytes / GIB)} GiB"


def cpu_model(cpuinfo: str) -> str | None:
    """Return the CPU model in /proc/cpuinfo: its name or, on ARM, the numbers of maker and part."""
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.+)$", cpuinfo, re.MULTILINE))
    if "model name" in fields or "CPU part" not in fields:
        return fields.get("model name")
    return f"implementer {fields.get('CPU implementer')} part {fields['CPU part']}"


def _machine() -> dict[str, Any]:
    cpuinfo = _read("/proc/cpuinfo")
    cpu = cpu_model(cpuinfo) or _sysctl("machdep.cpu.brand_string") or platform.processor() or None
    memory_bytes = psutil.virtual_memory().total
    return {
        "class": machine_class(platform.machine(), cpu, os.cpu_count(), memory_bytes),
        "architecture": platform.machine(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_bytes": memory_bytes,
        "virtual": _virtual(cpuinfo),
    }


def _virtual(cpuinfo: str) -> str | None:
    if not re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE):
        return None
    return _read("/sys/class/dmi/id/product_name").strip() or "virtual"


def _python() -> dict[str, Any]:
    options = sysconfig.get_config_var("CONFIG_ARGS")
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "build": {
            # As configured; None if the build does not record it.
            "pgo": None if options is None else "--enable-optimizations" in options,
            "lto": None if options is None else "--with-lto" in options,
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "debug": bool(sysconfig.get_config_var("Py_DEBUG")),
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _sysctl(name: str) -> str | None:
    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
