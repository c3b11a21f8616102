"""What a server counts, once it is quiet: work may follow a response."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Counted = TypeVar("Counted", bound=Mapping[Any, int])

QUIET_S, MOST_S = 0.02, 2.0  # how long a server must be quiet, and how long to wait for that


def quiet_counts(read: Callable[[], Counted]) -> Counted:
    """Return what *read* returns once it stays the same, or after MOST_S."""
    before = read()
    for _ in range(round(MOST_S / QUIET_S)):
        time.sleep(QUIET_S)
        again = read()
        if again == before:
            break
        before = again
    return before
