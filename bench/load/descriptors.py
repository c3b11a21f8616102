"""The number of files and sockets that a process may have open."""

import resource
from contextlib import suppress

_ENOUGH = 1 << 20  # if there is no hard limit: macOS accepts no infinite soft limit


def raise_open_files() -> int:
    """Raise the soft limit up to the hard limit. Return the new soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
