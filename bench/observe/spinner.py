"""A program that keeps one core busy for the seconds on each line of stdin, and prints its speed."""

import os
import sys
import time

LOOPS = 10_000  # between two readings of the clock: half a millisecond or less


def spin(seconds: float) -> float:
    """Return loops per second of CPU time. What other programs took of the core does not count."""
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
