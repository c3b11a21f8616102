"""In a process of its own: importing Locust patches the one that does it."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json
from locust.stats import RequestStats
from bench.load.child.recorder import ClosedBooks, OpenBooks
from bench.load.requests import compile_exchange
from bench.model.scenario import Exchange
from random import Random

read, write = (
    compile_exchange(Exchange(name=name, method=method, path="/"), "h")
    for name, method in [("read", "GET"), ("write", "POST")]
)
lost = write.request(Random(1), {})

def closed():
    stats, books = RequestStats(), ClosedBooks()
    books.current.latencies[read] += [5_000_000] * 10
    books.current.failed(lost, "reset", "before the window")
    books.current.received_bytes += 99
    books.open_window(0, [])
    books.current.latencies[read] += [round(1e5 * 1.01**n) for n in range(1, 501)]
    books.current.latencies[write] += [400_000]
    for number in range(7):
        books.current.failed(lost, "status", f"number {number}")
    books.current.failed(None, "refused", "Connection refused")
    books.current.received_bytes += 1234
    books.close_window(0, [], unfinished=3)
    sample, total = books.sample(0.5, stats), stats.total
    return {
        "requests": sample.requests, "failures": sample.failures, "examples": sample.examples,
        "unfinished": sample.unfinished, "bytes": sample.received_bytes, "cpu": sample.client_cpu_s,
        "ours": sample.slice_requests, "locust": sample.locust_requests,
        "mean": total.avg_response_time, "min": total.min_response_time, "max": total.max_response_time,
        "p50": total.get_response_time_percentile(0.5), "p99": total.get_response_time_percentile(0.99),
        "num_failures": total.num_failures, "writes": stats.get("write", "POST").num_requests,
        "errors": sorted((e.method, e.error, e.occurrences) for e in stats.errors.values()),
    }

def occupied(*latencies):
    # From 1,000 to 2,000 ns. One connection sends at 900, 1,350 and 1,970, is answered at 1,300 and 1,920.
    # The other is being opened from 1,010 to 1,300, in vain, closed until 1,900, and being opened again.
    books = ClosedBooks()
    books.turnaround_ns += 77
    books.open_window(1_000, [900, 1_010])
    books.current.latencies[read] += latencies
    books.turnaround_ns += 50 + 50
    books.connecting_ns += 290
    books.closed_ns += 600
    books.close_window(2_000, [1_970, 1_900], unfinished=1)
    return books.sample(1e-6, RequestStats()).occupied_s * 1e9

def opened():
    books = OpenBooks(due=3)
    books.open_ns = 1_000
    books.ledger_of(999).latencies[read].append(10)
    books.ledger_of(1_000).latencies[read].append(20)
    books.ledger_of(1_500).failed(lost, "status", "wrong")
    books.services.append(15)
    books.lags += [1, 2, 3]
    books.queued, books.unfinished = 2, 1
    stats = RequestStats()
    sample = books.sample(0.5, stats)
    return {
        "latency": sample.latency.total_ns, "service": sample.service.total_ns, "lag": sample.lag.total_ns,
        "outcomes": [sample.due, sample.requests, sample.failed, sample.unfinished], "queued": sample.queued,
        "ours": sample.slice_requests, "locust": sample.locust_requests,
    }

print(json.dumps({
    "closed": closed(), "open": opened(), "balanced": occupied(400, 570), "short": occupied(400),
}))
"""


@pytest.fixture(scope="module")
def all_books() -> dict:
    return json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM]))


@pytest.fixture(scope="module")
def books(all_books) -> dict:
    return all_books["closed"]


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


def test_what_connections_did_is_clipped_to_the_window_and_adds_up_to_its_length(all_books):
    assert all_books["balanced"] == pytest.approx(2_000)


def test_a_latency_that_is_missing_is_missing_in_what_connections_did(all_books):
    assert all_books["short"] == pytest.approx(2_000 - 570)


def test_open_books_go_by_when_requests_were_due(all_books):
    opened = all_books["open"]
    assert (opened["latency"], opened["service"], opened["lag"]) == (20, 15, 6)
    assert opened["outcomes"] == [3, 1, 1, 1]
    assert opened["queued"] == 2
    assert opened["ours"] == opened["locust"] == 3
