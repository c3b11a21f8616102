"""HDR logs, read back by a decoder of our own: HdrHistogram's arithmetic, written down a second time."""

import struct
import zlib
from base64 import b64decode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import analyse
from bench.histogram import Histogram
from bench.report.exports import export
from bench.report.hdr import compressed, logs
from tests.support.synthetic import failing, rate, synthetic_run, with_records


def decoded(raw: bytes) -> list[tuple[int, int]]:
    """Return (highest value of a place, count), ascending."""
    cookie, length = struct.unpack_from(">ii", raw)
    assert (cookie, length) == (0x1C849314, len(raw) - 8)
    plain = zlib.decompress(raw[8:])
    cookie, length, offset, digits, lowest, highest, ratio = struct.unpack_from(">iiiiqqd", plain)
    payload = plain[40:]
    assert (cookie, length, offset, digits, lowest, ratio) == (0x1C849313, len(payload), 0, 3, 1, 1.0)
    found, place, at = [], 0, 0
    while at < length:
        value = shift = 0
        while True:
            byte, at = payload[at], at + 1
            value |= (byte if shift == 56 else byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift == 63:
                break
        value = (value >> 1) ^ -(value & 1)
        if value < 0:
            place -= value
            continue
        bucket, sub = (place >> 10) - 1, (place & 1023) + 1024
        if bucket < 0:
            bucket, sub = 0, sub - 1024
        found.append((((sub + 1) << bucket) - 1, value))
        place += 1
    assert all(value <= highest for value, _ in found)
    return found


def percentile(places: list[tuple[int, int]], percent: float) -> int:
    rank, reached = max(1, -(-sum(count for _, count in places) * percent // 100)), 0
    for value, count in places:
        reached += count
        if reached >= rank:
            return value
    raise AssertionError


@given(
    st.lists(st.integers(min_value=0, max_value=10**12), min_size=1),
    st.sampled_from([1, 50, 90, 99, 99.9, 100]),
)
def test_percentiles_read_back_are_ours_within_a_thousandth(durations, percent):
    histogram = Histogram.of(durations)
    places = decoded(compressed(histogram))
    assert sum(count for _, count in places) == len(durations)
    assert percentile(places, percent) == pytest.approx(
        histogram.percentile_ms(percent) * 1e6, rel=1e-3, abs=1
    )


@pytest.mark.parametrize("count", [1, 63, 64, 8_191, 8_192, 2**31, 2**55, 2**62])
def test_counts_of_any_size_are_read_back(count):
    histogram = Histogram(buckets=(5, 900), counts=(count, 1), total_ns=0, max_ns=900)
    assert decoded(compressed(histogram)) == [(5, count), (900, 1)]


def test_a_log_has_a_line_per_round_and_says_what_it_measures(tmp_path):
    run = synthetic_run({"flask": 4_300.0, "django": 2_100.0}, loads=[rate(0.5)], rounds=3)
    (file, *_) = export(analyse(run), tmp_path, "hdr")
    assert file.name == "hdr-flask-hello-open-50pc.hlog"
    first, version, start, columns, *lines = file.read_text().splitlines()
    assert first.startswith("#[flask, hello, 50 % of its capacity; nanoseconds, from when a request was due")
    assert version == "#[Histogram log format version 1.3]"
    assert start.startswith("#[StartTime: ")
    assert columns.startswith('"StartTimestamp"')
    assert len(lines) == 3
    (row,) = [one for one in analyse(run).rows if one.cell.contender == "flask"]
    found: dict[int, int] = {}
    for line in lines:
        _, length_s, max_ms, encoded = line.split(",")
        assert float(length_s) > 0
        places = decoded(b64decode(encoded))
        assert places[-1][0] == pytest.approx(float(max_ms) * 1e6, rel=1e-3)
        for value, count in places:
            found[value] = found.get(value, 0) + count
    assert percentile(sorted(found.items()), 99) == pytest.approx(row.latency.p99_ms * 1e6, rel=1e-3)


def test_void_slices_and_wrong_answers_are_in_no_log():
    run = synthetic_run({"flask": 4_300.0, "django": 2_100.0}, rounds=3)

    def spoilt(record):
        if record.slice.cell.contender == "django":
            return failing(record)
        return replace(record, void="the hypervisor took time") if record.slice.round == 2 else record

    (name,) = found = logs(analyse(with_records(run, spoilt)))
    assert name == "hdr-flask-hello-32.hlog"
    assert len(found[name].splitlines()) == 4 + 2


def test_names_of_variants_are_names_of_files_and_differ():
    speeds = {"flask": 4_300.0, "flask:a=1": 4_000.0, "flask:a_1": 4_100.0}
    names = [*logs(analyse(synthetic_run(speeds, rounds=2)))]
    assert names == ["hdr-flask-hello-32.hlog", "hdr-flask_a_1-hello-32.hlog", "hdr-flask_a_1-hello-32_.hlog"]
