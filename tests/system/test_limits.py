"""Whatever a connection sends, and however slowly, it has an answer, and costs nobody else."""

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st

from demo.commands import command
from shared import connections, limits
from shared.connections import HEAD_BYTES_MAX, BoundedConnection
from shared.web import BODY_BYTES_MAX
from tests.support.processes import Running, running
from tests.support.world import new_id

OPENING = f"/openings/{new_id()}"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give both services as processes."""
    with running(tmp_path_factory.mktemp("limits"), by_proxy=False) as both:
        yield both


@dataclass(frozen=True)
class Answer:
    """What came back on a bare connection: status, head, body."""

    status: int
    head: bytes
    body: bytes

    @property
    def code(self) -> str:
        """Return the problem's code."""
        return str(json.loads(self.body)["code"])


async def sent(port: int, *pieces: bytes, within_s: float = 5.0) -> Answer:
    """Send bytes on a connection of its own, and return the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):  # it may be closed on us as we send
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        return await asyncio.wait_for(_answer(reader), within_s)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    found = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(found[0].partition(b":")[2]) if found else 0
    return Answer(int(head.split()[1]), head, await reader.readexactly(length))


def request(both: Running, body: bytes, *headers: str, method: str = "PUT") -> bytes:
    """Return the bytes of a bank's request to open an account."""
    lines = [
        f"{method} {OPENING} HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        *(f"{name}: {value}" for name, value in both.tokens.header("so-viet").items()),
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# -- bodies -------------------------------------------------------------------------------------

DEEP = 10_000

BODIES = {
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "half a text": b'{"citizen_id": "c-1',
    "a number that is no number": b'{"citizen_id": NaN}',
    "a number without end": b'{"citizen_id": 1e999999}',
    "a whole number without end": b'{"citizen_id": ' + b"9" * 60_000 + b"}",
    "half a letter": b'{"citizen_id": "\\ud800"}',
    "half a letter in a long text": b'{"citizen_id": "c", "consent": "\\udfff"}',
    "no UTF-8": b'{"citizen_id": "\xff\xfe"}',
    "a null in a text": b'{"citizen_id": "c\\u0000"}',
    "UTF-16": '{"citizen_id": "c"}'.encode("utf-16"),
    "nothing": b"",
    "another thing": b'"text"',
}


@pytest.mark.parametrize("name", BODIES)
def test_no_body_is_answered_with_a_failure_of_ours(both: Running, name: str) -> None:
    """What cannot be read is malformed, and the service goes on."""
    answer = asyncio.run(sent(both.services.accounts.port, request(both, BODIES[name])))
    assert answer.status == 422, answer
    assert answer.code == "malformed"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_is_answered_with_a_failure_of_ours(both: Running, value: Any) -> None:
    """Numbers, texts and nesting at their edges: 4xx, always."""
    fields = {**command(both.people[0], None, clerk=None), "officer_id": value, "consent": value}
    body = json.dumps(fields).encode()
    with httpx.Client(base_url=f"http://127.0.0.1:{both.services.accounts.port}") as client:
        answer = client.put(
            f"/openings/{new_id()}",
            content=body,
            headers={**both.tokens.header("so-viet"), "Content-Type": "application/json"},
        )
    assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_refused_in_words(both: Running, *, declared: bool) -> None:
    """Whether its length is said at once, or shows as it comes."""
    body = b"x" * (BODY_BYTES_MAX + 1)
    whole = request(both, body)
    if not declared:
        head = request(both, b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        whole = head + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    answer = asyncio.run(sent(both.services.accounts.port, whole))
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert b"application/problem+json" in answer.head


# -- heads --------------------------------------------------------------------------------------


def test_a_head_that_is_too_long_is_refused(both: Running) -> None:
    """In one piece, in many lines, or in one line that does not end; one that fits is taken."""
    port, long = both.services.accounts.port, HEAD_BYTES_MAX
    many = [f"X-{number}: {'y' * 50}" for number in range(long // 50)]
    for head in (["X: " + "y" * long], many):
        assert asyncio.run(sent(port, request(both, b"", *head))).status == 431
    endless = b"GET /livez HTTP/1.1\r\nX: " + b"y" * 2 * long
    assert asyncio.run(sent(port, endless)).status == 431
    fits = f"X: {'y' * (long // 2)}"
    assert asyncio.run(sent(port, request(both, b"{}", fits))).status == 422
    assert asyncio.run(sent(port, b"GET /" + b"y" * 2 * long)).status == 431


def test_memory_does_not_grow_with_what_is_refused(both: Running) -> None:
    """Heads and bodies without end, on many connections: the process stays as large as it was."""
    service = both.services.accounts
    assert service.process
    pid = service.process.pid
    asyncio.run(_flood(service.port))
    before = _resident(pid)
    asyncio.run(_flood(service.port))
    assert _resident(pid) - before < 16 * 2**20
    assert asyncio.run(sent(service.port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")).status == 200


async def _flood(port: int) -> None:
    """Send four megabytes of head, and of body, on each of twenty connections."""
    piece = b"y" * 2**16
    begun = b"GET /livez HTTP/1.1\r\nX: ", b"PUT /openings/x HTTP/1.1\r\nHost: x\r\n"
    chunked = begun[1] + b"Transfer-Encoding: chunked\r\n\r\n400000\r\n"
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await asyncio.gather(
            *(sent(port, one, *[piece] * 64) for one in (begun[0], chunked) * 10),
            return_exceptions=True,
        )


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


CHUNKED = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_what_stands_behind_a_body_is_no_header(port: int) -> None:
    """Else it would pass a proxy that lets no client's certificate, say, through from outside."""
    trailers = b"2\r\n{}\r\n0\r\nX-Forwarded-For: 192.0.2.9\r\nAuthorization: Bearer b\r\n\r\n"
    asked = CHUNKED.replace(b"PUT /", b"PUT /fields") + trailers
    answer = asyncio.run(sent(port, asked))
    assert json.loads(answer.body) == ["host", "transfer-encoding"]


@pytest.mark.parametrize("trailer", [b"X: " + b"y" * 1_000 + b"\r\n", b"y" * 1_000])
def test_trailers_are_bounded_as_a_head_is(port: int, trailer: bytes) -> None:
    """Many, or one that does not end, while a body is waited for; some are passed over."""

    async def answer_to(*pieces: bytes) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.1)
        answer = await _answer(reader)
        writer.close()
        return answer

    last = CHUNKED + b"2\r\n{}\r\n0\r\n"
    assert asyncio.run(answer_to(last, trailer * 40)).status == 431
    assert asyncio.run(answer_to(last, b"X: y\r\n\r\n")).body == b"2"


# -- slow clients -------------------------------------------------------------------------------


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Give the port of a server that waits for half a second, where ours waits for ten."""
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.5)
    monkeypatch.setattr(connections, "TAKEN_WITHIN_S", 0.5)
    monkeypatch.setattr(limits, "BODY_STARTS_WITHIN_S", 0.5)
    app = FastAPI()

    @app.put("/")
    async def take(request: Request) -> int:
        return len(await request.body())

    @app.get("/long")
    async def long(pieces: int = 0) -> Response:
        if not pieces:
            return Response(b"y" * LONG)
        return StreamingResponse(b"y" * (LONG // pieces) for _ in range(pieces))

    @app.put("/fields")
    async def fields(request: Request) -> list[str]:
        return request.headers.keys()

    bounded = limits.Limits(app, too_large=lambda: app)
    config = uvicorn.Config(bounded, port=0, http=BoundedConnection, log_level="error")
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    serving.join()


LONG = 2**24
"""Bytes of an answer, many more than the system takes in by itself."""


@pytest.mark.parametrize(("head", "pieces"), [(b"", 64), (b"Connection: close\r\n", 0)])
def test_whoever_takes_no_answer_is_let_go_of(port: int, head: bytes, pieces: int) -> None:
    """Else a thousand of them would keep all connections, and an answer each, for ever."""
    asked = f"GET /long?pieces={pieces} HTTP/1.1\r\nHost: x\r\n".encode() + head + b"\r\n"
    with socket.create_connection(("127.0.0.1", port)) as stalled:
        stalled.sendall(asked)
        time.sleep(1.5)
        stalled.settimeout(5)
        assert taken(stalled) < LONG
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(asked)
        slow.settimeout(5)
        assert taken(slow, pause_s=0.02) >= LONG


def taken(connection: socket.socket, pause_s: float = 0.0) -> int:
    """Return how many bytes come, the head's included, until all did or the connection ends."""
    count = 0
    with contextlib.suppress(ConnectionError):
        while count < LONG and (some := connection.recv(2**18)):
            count += len(some)
            time.sleep(pause_s)
    return count


HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"

SLOW = {
    "says nothing": (b"", 408),
    "does not end its head": (b"PUT / HTTP/1.1\r\nHost", 408),
    "sends blank lines": (b"\r\n\r\n\r\n", 408),
    "does not send its body": (HEAD + b"\r\n", 408),
    "does not end its body": (HEAD + b"\r\n12345", 408),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_client_is_answered_in_time(name: str, port: int) -> None:
    """Whoever comes as far as that, and no further, is let go of."""
    begun = time.monotonic()
    content, status = SLOW[name]
    assert asyncio.run(sent(port, content)).status == status
    assert 0.4 < time.monotonic() - begun < 3


def test_a_connection_that_asks_again_in_time_is_kept(port: int) -> None:
    """The time counts anew with each request, and does not run while one is answered."""

    async def scenario() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(HEAD)
            await asyncio.sleep(0.3)
            writer.write(b"\r\n1234567890")
            assert (await _answer(reader)).body == b"10"
            await asyncio.sleep(0.3)
        writer.close()

    asyncio.run(scenario())


def test_a_body_that_comes_at_its_pace_is_taken(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a body may take at all, if enough of it comes."""
    monkeypatch.setattr(limits, "BODY_BYTES_PER_S", 10)

    async def scenario() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"\r\n")
        for _ in range(5):
            await asyncio.sleep(0.2)
            writer.write(b"12")
        assert (await _answer(reader)).body == b"10"
        writer.close()

    asyncio.run(scenario())
