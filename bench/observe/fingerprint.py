"""What decides whether two runs may be compared: machine, system, versions, commit."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

HARNESS_PACKAGES = ("locust", "gevent", "psycopg", "uv")


def fingerprint(project: Path) -> dict[str, Any]:
    """Return machine, harness and the project's commit, ready for JSON; the runtime adds what it knows."""
    return {
        "machine": {
            "architecture": platform.machine(),
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "virtual": _virtual(),
        },
        "system": {"name": platform.system(), "kernel": platform.release()},
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "harness": {name: _version(name) for name in HARNESS_PACKAGES},
        "project": _commit(project),
    }


def _cpu_model() -> str | None:
    if model := re.search(r"^model name\s*: (.+)$", _read("/proc/cpuinfo"), re.MULTILINE):
        return model[1]
    return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or None


def _virtual() -> str | None:
    """Return what a virtual machine calls itself, "virtual" where it has no name; None for bare metal."""
    if not re.search(r"^flags\s*:.*\bhypervisor\b", _read("/proc/cpuinfo"), re.MULTILINE):
        return None
    return _read("/sys/class/dmi/id/product_name").strip() or "virtual"


def _commit(project: Path) -> dict[str, Any]:
    commit = _output("git", "-C", str(project), "rev-parse", "--verify", "HEAD")
    changes = _output("git", "-C", str(project), "status", "--porcelain")
    return {"commit": commit, "dirty": None if commit is None else bool(changes)}


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


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
