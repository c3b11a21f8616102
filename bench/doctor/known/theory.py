"""P(latency > t) of servers of known arithmetic under Poisson arrivals, in closed form; times in ms."""

import math
from collections.abc import Callable

Beyond = Callable[[float], float]  # t → P(latency > t)


def fixed(service: float) -> Beyond:
    return lambda t: float(t < service)


def md1(rate: float, service: float) -> Beyond:
    """Return the law of M/D/1 in the order of arrival; *rate* per ms.

    P(wait ≤ t) = (1 − ρ) Σⱼ (−λ(t − jD))ʲ / j! · exp(λ(t − jD)), over the j with jD ≤ t (Erlang, 1909;
    Crommelin, 1932). Terms alternate: in floats it holds for up to some 20 service times.
    """

    def beyond(t: float) -> float:
        wait = t - service
        if wait < 0:
            return 1.0
        terms = (
            (-rate * (wait - j * service)) ** j / math.factorial(j) * math.exp(rate * (wait - j * service))
            for j in range(math.floor(wait / service) + 1)
        )
        return 1 - (1 - rate * service) * math.fsum(terms)

    return beyond


def mm1(rate: float, mean_service: float) -> Beyond:
    """Return the law of M/M/1: exponential, with the rate μ − λ (Kleinrock, Queueing Systems I, §5.12)."""
    return lambda t: math.exp(-(1 / mean_service - rate) * t)


def stalled(service: float, every: float, lasts: float) -> Beyond:
    """Return the law of a periodic stall: who comes in one waits for its end. Arrivals know no phase."""
    return lambda t: 1.0 if t < service else max(0.0, lasts - (t - service)) / every


def batched(rate: float, service: float, size: int) -> Beyond:
    """Return the law of batches: the j-th of *size* waits for size − j more arrivals, an Erlang time."""

    def beyond(t: float) -> float:
        mean = rate * (t - service)
        if mean < 0:
            return 1.0
        sizes = range(1, size)
        terms = (mean**i / math.factorial(i) for more in sizes for i in range(more))
        return math.exp(-mean) * math.fsum(terms) / size

    return beyond


def quantile(beyond: Beyond, percent: float) -> float:
    """Return the smallest t that at least *percent* % do not exceed."""
    share = 1 - percent / 100
    low, high = 0.0, 1.0
    while beyond(high) > share:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > share else (low, middle)
    return high
