"""Interpreters that are installed: on PATH, or by pyenv."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

# What decides how fast a build is, as far as it says so: distributions optimise by rules of their own.
BUILD = r"""
import platform, re, shlex, sysconfig
fast = r"--(with|enable|disable)-(optimizations|lto|bolt|pydebug|gil|tail-call-interp|experimental-jit)\b.*"
chosen = [one for one in shlex.split(sysconfig.get_config_var("CONFIG_ARGS") or "") if re.match(fast, one)]
level = re.findall(r"-O\w+", sysconfig.get_config_var("OPT") or "")[-1:]
built = ", ".join([platform.python_compiler(), *level, *sorted(chosen)])
"""


def found(python: str) -> tuple[str, str] | None:
    """Return the path and full version of an installed interpreter, named by its version: "3.12", "3.14t"."""
    name = f"python{python}"
    # A free-threaded build is in a folder of its own, 3.14.0t, in which python3.14 is that build too.
    folders = sorted(pyenv().glob(f"versions/{python.removesuffix('t')}*"))
    beside = [one / "bin" / name for one in folders if one.name.endswith("t") == python.endswith("t")]
    candidates = [shutil.which(name), *(str(one) for one in beside if one.exists())]
    for candidate in filter(None, candidates):
        # A shim of pyenv is on PATH, but runs only if that version is switched on.
        done = subprocess.run([candidate, "-V"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return candidate, done.stdout.split()[-1]
    return None


@cache
def built(python: str) -> str:
    """Return how an interpreter was built, as it says: "GCC 12.2.0, -O3, --enable-optimizations"."""
    done = subprocess.run(
        [python, "-I", "-c", f"{BUILD}print(built)"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def pyenv() -> Path:
    return Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
