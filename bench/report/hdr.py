"""Latencies as HDR histograms: logs in the format that HdrHistogram's tools read.

Layouts: HdrHistogram/HdrHistogram, `AbstractHistogram.java` (V2 encoding, compressed), `ZigZagEncoding.java`
(LEB128 in at most nine bytes), `HistogramLogWriter.java` (log format 1.3).
"""

import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from bench.analysis import Analysis
from bench.analysis.measures import by_cell
from bench.analysis.rows import Row
from bench.histogram import Histogram, midpoint_ns
from bench.records import Record

_COOKIE, _COMPRESSED_COOKIE = 0x1C849313, 0x1C849314  # V2, with words of one byte
_DIGITS = 3
_HALF_BITS = 10  # a half of a bucket of HDR has 1,024 places: what three digits need
_HEAD = ">iiiiqqd"
_COLUMNS = '"StartTimestamp","Interval_Length","Interval_Max","Compressed_Histogram"'


def logs(analysis: Analysis) -> dict[str, str]:
    """Return a log for each cell with right answers: a line per round, in nanoseconds, maxima in ms.

    Withheld rows have none. As in the report, void slices do not count.
    """
    records = by_cell(analysis.run)
    rows = [row for row in analysis.rows if row.requests and not row.withheld]
    return {
        name: _log(row, records[row.cell], analysis.run.started_at)
        for name, row in zip(_names(rows), rows, strict=True)
    }


def _names(rows: Sequence[Row]) -> Iterator[str]:
    taken: set[str] = set()
    for row in rows:
        cell = row.cell
        whole = f"{cell.contender}-{cell.scenario}-{cell.load.slug}"
        name = "".join(c if c.isalnum() or c in "-_.~" else "_" for c in whole)
        while name in taken:
            name += "_"
        taken.add(name)
        yield f"hdr-{name}.hlog"


def _log(row: Row, records: Sequence[Record], started_at: str) -> str:
    began = datetime.fromisoformat(started_at)
    cell = row.cell
    lines = [
        f"#[{cell.contender}, {cell.scenario}, {cell.load.title}; nanoseconds, {_meaning(row)}]",
        "#[Histogram log format version 1.3]",
        f"#[StartTime: {began.timestamp():.3f} (seconds since epoch), {began.ctime()}]",
        _COLUMNS,
    ]
    counted: dict[int, list[Record]] = {}
    for record in records:
        if record.void is None and record.sample.requests:
            counted.setdefault(record.slice.round, []).append(record)
    return "\n".join([*lines, *(_line(counted[number]) for number in sorted(counted))]) + "\n"


def _meaning(row: Row) -> str:
    if row.arrivals is None:
        return "from send to last byte, at saturation"
    lost = f"; {row.unanswered:,} requests without an answer are not in it" if row.unanswered else ""
    return f"from when a request was due to its last byte{lost}"


def _line(records: Sequence[Record]) -> str:
    first_s = min(record.started_s for record in records)
    last_s = max(record.started_s + record.slice.lead_in_s + record.slice.window_s for record in records)
    merged = Histogram.merged(record.sample.latency for record in records)
    encoded = b64encode(compressed(merged)).decode()
    return f"{first_s:.3f},{last_s - first_s:.3f},{merged.max_ns / 1e6:.3f},{encoded}"


def compressed(latencies: Histogram) -> bytes:
    """Return *latencies* in compressed V2 encoding, in nanoseconds with three digits."""
    packed = zlib.compress(encoded(latencies))
    return struct.pack(">ii", _COMPRESSED_COOKIE, len(packed)) + packed


def encoded(latencies: Histogram) -> bytes:
    """Return *latencies* in V2 encoding.

    HDR keeps a bit more of each value than our buckets, and shows the highest value of a place. The lower
    half of our bucket ends at its middle. So what HDR shows is what we show, to a nanosecond.
    """
    counts: dict[int, int] = {}
    for value_ns, count in _values(latencies):
        place = _place(value_ns)
        counts[place] = counts.get(place, 0) + count
    payload = b"".join(map(_varint, _runs(counts)))
    highest = 1 << max(latencies.max_ns.bit_length(), _HALF_BITS + 2)
    return struct.pack(_HEAD, _COOKIE, len(payload), 0, _DIGITS, 1, highest, 1.0) + payload


def _values(latencies: Histogram) -> Iterator[tuple[int, int]]:
    """Yield a value for each bucket with its count; the longest duration is exact."""
    last = len(latencies.buckets) - 1
    for at, (bucket, count) in enumerate(zip(latencies.buckets, latencies.counts, strict=True)):
        longest = at == last
        if count > longest:
            yield min(int(midpoint_ns(bucket)), latencies.max_ns), count - longest
        if longest:
            yield latencies.max_ns, 1


def _place(value_ns: int) -> int:
    """Return the index of *value_ns* in HDR's array of counts (`countsArrayIndex`)."""
    bucket = max(0, value_ns.bit_length() - _HALF_BITS - 1)
    return (bucket << _HALF_BITS) + (value_ns >> bucket)


def _runs(counts: Mapping[int, int]) -> Iterator[int]:
    """Yield the counts by place; a run of zeros is its length below zero."""
    following = 0
    for place in sorted(counts):
        if place > following:
            yield following - place
        yield counts[place]
        following = place + 1


def _varint(value: int) -> bytes:
    rest = (value << 1) ^ (value >> 63)
    packed = bytearray()
    while rest > 0x7F and len(packed) < 8:
        packed.append(rest & 0x7F | 0x80)
        rest >>= 7
    packed.append(rest)  # the ninth byte has all eight bits
    return bytes(packed)
