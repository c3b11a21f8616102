"""What decides whether two runs may be compared: machine, system, versions, content, commit."""

import os
import platform
import re
import subprocess
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from bench.observe import checkout, limits
from bench.observe.content import content

HARNESS_PACKAGES = ("locust", "gevent", "psycopg", "uv")
GIB = 2**30


def fingerprint(project: Path) -> dict[str, Any]:
    """Return machine, system, Python, harness and the project's content and commit, ready for JSON.

    The runtime adds what it knows: placement, services, environments.
    """
    return {
        "machine": _machine(),
        "system": {
            "name": platform.system(),
            "kernel": platform.release(),
            "governors": sorted(limits.governors()),
            "turbo": limits.turbo(),
        },
        "python": _python(),
        "harness": {name: _version(name) for name in HARNESS_PACKAGES},
        "project": checkout.commit(project),
        "locks": checkout.locks(project),
        "content": content(project),
    }


def machine_class(architecture: str, cpu: str | None, cores: int | None, memory_bytes: int) -> str:
    """Return what must be equal for numbers to compare, in one line, of facts that do not move."""
    # Some models have a nominal frequency in their name.
    model = " ".join(re.sub(r"@ [\d.]+ ?[GM]Hz", "", cpu or "unknown CPU").split())
    return f"{architecture}, {model}, {cores} cores, {round(memory_bytes / GIB)} GiB"


def cpu_model(cpuinfo: str) -> str | None:
    """Return the model that /proc/cpuinfo tells: by name or, on ARM, by the numbers of maker and part."""
    told = dict(re.findall(r"^([\w ]+?)\s*: (.+)$", cpuinfo, re.MULTILINE))
    if "model name" in told or "CPU part" not in told:
        return told.get("model name")
    return f"implementer {told.get('CPU implementer')} part {told['CPU part']}"


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
    """Return what a virtual machine calls itself, or "virtual"; None where the CPU does not tell of one."""
    if not re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE):
        return None
    return _read("/sys/class/dmi/id/product_name").strip() or "virtual"


def _python() -> dict[str, Any]:
    """Return the harness's Python, which is the apps' as well where they do not name another."""
    options = sysconfig.get_config_var("CONFIG_ARGS")
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "build": {
            # As it was configured; None where the build does not tell.
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
