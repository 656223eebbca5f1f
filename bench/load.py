"""Sends prepared requests over keep-alive connections and notes how long each took.

Written on bare sockets, so that the client costs little beside the servers it measures. Loads are
bounded: so many requests, so many connections, and a time after which a request counts as failed.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

REQUEST_TIMEOUT_S = 20.0
"""Seconds after which a request counts as failed and the run as broken."""


@dataclass(frozen=True)
class Timing:
    """What came of a run: seconds in all, seconds of each request, statuses."""

    total_s: float
    each_s: list[float]
    statuses: set[int]

    @property
    def per_second(self) -> float:
        """Return requests per second."""
        return len(self.each_s) / self.total_s

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the requests' times in milliseconds."""
        ordered = sorted(self.each_s)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def request(method: str, path: str, body: Any, headers: dict[str, str]) -> bytes:
    """Return the bytes of one HTTP/1.1 request with a JSON body."""
    content = json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(content)}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


async def send(port: int, requests: Sequence[bytes], *, connections: int) -> Timing:
    """Send the requests to a server on loopback, each once, over so many connections."""
    waiting = iter(requests)
    each, statuses = list[float](), set[int]()
    start = time.perf_counter()
    workers = [_worker(port, waiting, each, statuses) for _ in range(connections)]
    await asyncio.gather(*workers)
    return Timing(time.perf_counter() - start, each, statuses)


async def _worker(
    port: int, waiting: Iterator[bytes], each: list[float], statuses: set[int]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for content in waiting:
        begun = time.perf_counter()
        writer.write(content)
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            statuses.add(await _answer(reader))
        each.append(time.perf_counter() - begun)
    writer.close()
    await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end and return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])
