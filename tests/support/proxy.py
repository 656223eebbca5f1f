"""A wire between two processes that a test can watch and cut: one request, one answer at a time.

`on_request` is called when a whole request has arrived and before it is handed on; `on_answer` when
the whole answer has come back and before it is handed on. Either may say that it goes no further.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

Moment = Callable[[bytes], bool]
"""Sees the bytes; returns whether they are handed on."""


def pass_on(_: bytes) -> bool:
    """Hand everything on."""
    return True


class Proxy:
    """Listens on loopback, at any port unless told, and speaks HTTP/1.1 with a port behind it."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.on_request: Moment = pass_on
        self.on_answer: Moment = pass_on
        self.port = port
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _message(reader)
        if not self.on_request(request):
            return False
        behind, ahead = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            ahead.write(request)
            answer = await _message(behind)
        finally:
            ahead.close()
        if not self.on_answer(answer):
            return False
        writer.write(answer)
        await writer.drain()
        return True


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read one HTTP message whose length its head says."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    lengths = [int(value) for name, _, value in lines if name.lower() == b"content-length"]
    return head + await reader.readexactly(lengths[0] if lengths else 0)
