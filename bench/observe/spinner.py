"""A program that keeps one core busy for as long as each line of stdin says, and tells how fast that went."""

import os
import sys
import time

LOOPS = 10_000  # between two looks at the clock: half a millisecond or less


def spin(seconds: float) -> float:
    """Return how many loops a second of CPU was good for; what others took of the core does not count."""
    loops = 0
    began_s, ends_s = time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < ends_s:
        for _ in range(LOOPS):
            pass
        loops += LOOPS
    return loops / (time.process_time() - began_s)


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    for line in sys.stdin:
        sys.stdout.write(f"{spin(float(line))}\n")
        sys.stdout.flush()
