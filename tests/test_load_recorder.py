"""In a process of its own: importing Locust patches the one that does it."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json
from locust.stats import RequestStats
from bench.load.recorder import Books
from bench.load.templates import Mix, compile_exchange
from bench.model import Exchange
from random import Random

read, write = (
    compile_exchange(Exchange(name=name, method=method, path="/"), "h")
    for name, method in [("read", "GET"), ("write", "POST")]
)
lost = write.request(Random(1), {})
stats, books = RequestStats(), Books()
books.latencies[read] += [5_000_000] * 10
books.failed(lost, "reset", "before the window")
books.open_window()
books.latencies[read] += [round(1e5 * 1.01**n) for n in range(1, 501)]
books.latencies[write] += [400_000]
for number in range(7):
    books.failed(lost, "status", f"number {number}")
books.failed(None, "refused", "Connection refused")
books.received_bytes += 1234
books.close_window(unfinished=3)
sample = books.sample(0.5, stats)
total = stats.total
print(json.dumps({
    "requests": sample.requests, "failures": sample.failures, "examples": sample.examples,
    "unfinished": sample.unfinished, "bytes": sample.received_bytes, "cpu": sample.client_cpu_s,
    "ours": sample.slice_requests, "locust": sample.locust_requests,
    "mean": total.avg_response_time, "min": total.min_response_time, "max": total.max_response_time,
    "p50": total.get_response_time_percentile(0.5), "p99": total.get_response_time_percentile(0.99),
    "num_failures": total.num_failures, "writes": stats.get("write", "POST").num_requests,
    "errors": sorted((e.method, e.error, e.occurrences) for e in stats.errors.values()),
}))
"""


@pytest.fixture(scope="module")
def books() -> dict:
    return json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM]))


def test_only_what_came_in_the_window_counts(books):
    assert books["requests"] == 501
    assert books["failures"] == {"status": 7, "refused": 1}
    assert books["examples"] == [f"POST /: number {number}" for number in range(5)]
    assert (books["unfinished"], books["bytes"]) == (3, 1234)
    assert 0 <= books["cpu"] < 60


def test_locusts_own_statistics_agree_over_the_whole_slice(books):
    latencies_ms = sorted([5.0] * 10 + [round(1e5 * 1.01**n) / 1e6 for n in range(1, 501)] + [0.4])
    assert books["ours"] == books["locust"] == len(latencies_ms) + 9
    assert books["num_failures"] == 9
    assert books["writes"] == 9
    assert books["mean"] == pytest.approx(sum(latencies_ms) / len(latencies_ms))
    assert (books["min"], books["max"]) == pytest.approx((latencies_ms[0], latencies_ms[-1]))
    assert books["p50"] == pytest.approx(latencies_ms[len(latencies_ms) // 2], rel=0.012)
    assert books["p99"] == pytest.approx(latencies_ms[int(len(latencies_ms) * 0.99)], rel=0.012)
    assert books["errors"] == [["CONNECT", "refused", 1], ["POST", "reset", 1], ["POST", "status", 7]]
