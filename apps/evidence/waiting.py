"""Async: do requests that only wait do so together, on one worker?"""

import asyncio
import time
from urllib.parse import urlsplit

from subject import Finding, Subject

TOGETHER, WAIT_MS, ATTEMPTS = 64, 100, 3
ALL, ONE = TOGETHER / 2, 2  # at a time: what counts as all of them, and as one after another


def look(subject: Subject) -> Finding:
    """Ask a view that is written with `async def` where the app has one, else the contract's own."""
    paths = [path for path in ("/async/wait", "/wait") if subject.client.get(f"{path}?ms=0").is_success]
    taken = {path: _best(subject.url, path) for path in paths}
    view = paths[0]
    answering_s, waiting_s = taken[view]
    at_a_time = min(TOGETHER, TOGETHER * WAIT_MS / 1000 / max(waiting_s - answering_s, WAIT_MS / 1000))
    how = "all together" if at_a_time >= ALL else f"about {max(1, round(at_a_time))} at a time"
    return Finding(
        outcome="yes" if at_a_time >= ALL else "no" if at_a_time < ONE else "partly",
        shows=f"{TOGETHER} requests of {view} that wait {WAIT_MS} ms took {waiting_s:.2f} s on one worker, "
        f"{answering_s:.2f} s without the wait: {how}.",
        output="\n".join(
            f"{TOGETHER} × GET {path} at once: ?ms=0 {without_s:.3f} s, ?ms={WAIT_MS} {with_s:.3f} s"
            for path, (without_s, with_s) in taken.items()
        ),
    )


def _best(url: str, path: str) -> tuple[float, float]:
    """Return the attempt in which waiting took least: a machine that is busy for a moment shows nothing."""
    attempts = [asyncio.run(_together(url, path)) for _ in range(ATTEMPTS)]
    return min(attempts, key=lambda both: both[1] - both[0])


async def _together(url: str, path: str) -> tuple[float, float]:
    """Return the seconds from the first request sent to the last answered, without a wait and with it.

    On connections that are open and have asked before; the difference is what waiting took.
    """
    host, port = urlsplit(url).hostname, urlsplit(url).port
    connections = [await asyncio.open_connection(host, port) for _ in range(TOGETHER)]
    seconds = []
    try:
        for ms in (0, 0, WAIT_MS):
            began = time.perf_counter()
            await asyncio.gather(*(_exchange(*one, host, f"{path}?ms={ms}") for one in connections))
            seconds.append(time.perf_counter() - began)
    finally:
        for _, writer in connections:
            writer.close()
    return seconds[1], seconds[2]


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str | None, path: str
) -> None:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    body = await reader.readexactly(int(length.partition(":")[2]))
    if " 200 " not in head.partition("\r\n")[0]:
        raise SystemExit(f"GET {path}: {head.partition(chr(13))[0]} {body.decode()}")
