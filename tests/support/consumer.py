"""A bank's server that takes webhooks, over a real socket; it can fail in every way and restart."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HANG = 0
"""In place of a status: never answer."""

DROP = -1
"""In place of a status: close the connection."""


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    headers: Mapping[str, str]
    body: bytes
    path: str
    number: int
    """The how manieth attempt of this event it is, from 1."""

    @property
    def event(self) -> dict[str, Any]:
        """Return the event."""
        return dict(json.loads(self.body))

    @property
    def id(self) -> str:
        """Return the id by which an event that came twice is known."""
        return self.headers["webhook-id"]

    @property
    def position(self) -> int:
        """Return where the event lies in its log."""
        return int(self.event["sequence"])

    def signed_by(self, *keys: str) -> bool:
        """Tell whether one of these public keys (`whpk_…`) signed it."""
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        signatures = [one.split(",") for one in self.headers["webhook-signature"].split(" ")]
        for key in keys:
            known = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.partition("_")[2]))
            for scheme, signature in signatures:
                assert scheme == "v1a"
                with suppress(InvalidSignature):
                    known.verify(base64.b64decode(signature), signed)
                    return True
        return False


@dataclass
class Consumer:
    """What a bank runs; `answers` gives the status for a request, or `HANG`, or `DROP`."""

    answers: Callable[[Got], int] = lambda _: 204
    more: Mapping[str, str] = field(default_factory=dict)
    """Headers of its answers."""

    answer_body: bytes = b""
    got: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    """What was answered with 2xx, each event once, in the order in which it first was."""

    port: int = 0
    tls: Any = None
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _tries: Counter[str] = field(default_factory=Counter)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Return the address of its webhook."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, at the port that it had before, if it had one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and drop every connection."""
        if self._server:
            self._server.close()
        for writer in [*self._open]:
            writer.transport.abort()

    async def have(self, count: int, within_s: float = 10.0) -> list[Got]:
        """Return what was taken once it is so many events; fails after so many seconds."""
        await self.until(lambda: len(self.taken) >= count, within_s)
        return self.taken

    async def until(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        """Wait until something holds that can only come to hold by a request."""
        async with asyncio.timeout(within_s):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        self._open.discard(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        named = [line.partition(": ") for line in head[1:] if line]
        headers = {name.lower(): value for name, _, value in named}
        body = await reader.readexactly(int(headers["content-length"]))
        self._tries[headers["webhook-id"]] += 1
        tries = self._tries[headers["webhook-id"]]
        got = Got(headers, body, head[0].split(" ")[1], tries)
        self.got.append(got)
        status = self.answers(got)
        self._news.set()
        if status == HANG:
            await reader.read()
        if status <= 0:
            return False
        if 200 <= status < 300 and got.id not in {one.id for one in self.taken}:
            self.taken.append(got)
        said = {"Content-Length": str(len(self.answer_body)), **self.more}
        lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + self.answer_body)
        await writer.drain()
        return True
