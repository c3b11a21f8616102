"""What a server counts, once it is quiet: work may follow a response."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Counted = TypeVar("Counted", bound=Mapping[Any, int])

SETTLED_S, UNSETTLED_S = 0.02, 2.0  # how long a server must be quiet, and how long to wait for that


def settled(read: Callable[[], Counted]) -> Counted:
    """Return what *read* returns once it stays the same, or after UNSETTLED_S."""
    before = read()
    for _ in range(round(UNSETTLED_S / SETTLED_S)):
        time.sleep(SETTLED_S)
        again = read()
        if again == before:
            break
        before = again
    return before
