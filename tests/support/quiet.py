"""Short runs on a machine that others may use: tried again where they voided too many slices."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

TRIES = 3
Outcome = tuple[int, str, str]  # exit code, stdout, stderr


def undisturbed(measure: Callable[[Path], Outcome], folder: Path) -> tuple[Path, int, str, str]:
    """Return run folder and outcome of the first of three runs that nobody disturbed.

    Where others are always at work the test is skipped; in CI it fails.
    """
    for number in range(TRIES):
        out = folder / f"run-{number}"
        code, printed, err = measure(out)
        if "slices are void" not in err:
            return out, code, printed, err
    if not os.environ.get("CI"):
        pytest.skip(err.splitlines()[-1])
    return out, code, printed, err
