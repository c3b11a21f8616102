"""Interpreters that are installed: on PATH, or by pyenv."""

import os
import shutil
import subprocess
from pathlib import Path


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


def pyenv() -> Path:
    return Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
