"""How fast a bank hears by webhook: of many things at once, of one alone, and what waiting costs.

The accounts service runs by itself; the facts are appended by another process to the same log, and
the bank's server is a third party that answers at once. All of it shares the machine.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench.load import Timing
from bench.processes import free_port, serving
from bench.rows import Row
from demo.cast import ACCOUNT, make_tokens
from services.accounts import main as accounts_main
from services.accounts.facts import VOCABULARY, AccountDeclined
from services.accounts.settings import Settings
from shared.clock import system_clock
from shared.hearing.courier import AT_ONCE
from shared.ledger import stores
from shared.ledger.recorder import Recorder

DURABILITY = "SQLite WAL, synchronous=FULL; the queue NORMAL"

EVENTS, ALONE, IDLE_S = 5_000, 200, 5.0

PAUSE_S = 0.037
"""Seconds between two facts that come alone: in step with no look at the log."""

ONE_PERCENT = 1.0


@dataclass
class Consumer:
    """A bank's server that answers 204 at once, and notes when each request came."""

    came: list[float] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Serve meanwhile."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield

    async def have(self, count: int) -> None:
        """Wait until so many requests came."""
        async with asyncio.timeout(300):
            while len(self.came) < count:  # noqa: ASYNC110 - a bench need not be told
                await asyncio.sleep(0.002)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            self.came.append(time.perf_counter())
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.CancelledError):  # the bench is over
        return b""


def run(events: int = EVENTS, alone: int = ALONE, idle_s: float = IDLE_S) -> list[Row]:
    """Measure so many events at once, so many alone, and so many seconds without any."""
    with TemporaryDirectory(prefix="thuan-bench-") as name:
        folder, port = Path(name), free_port()
        tokens = make_tokens(folder)
        accounts_main.init(Settings(folder=folder / "accounts"))
        env = {
            "ACCOUNTS_FOLDER": str(folder / "accounts"),
            "ACCOUNTS_TOKENS": str(tokens.file),
            "ACCOUNTS_WEBHOOKS_PRIVATE": "true",
        }
        command = [sys.executable, "-m", "services.accounts", "serve"]
        headers = tokens.header(ACCOUNT.bank_id)
        with serving(command, port, env) as pid:
            base = f"http://127.0.0.1:{port}"
            recorder = stores.open_recorder(
                Settings(folder=folder / "accounts").ledger_address, system_clock
            )
            try:
                measuring = _measure(base, headers, recorder, (events, alone, idle_s), pid)
                return asyncio.run(measuring)
            finally:
                recorder.close()


async def _measure(
    base: str,
    headers: dict[str, str],
    recorder: Recorder,
    sizes: tuple[int, int, float],
    pid: int,
) -> list[Row]:
    (events, alone, idle_s), consumer = sizes, Consumer()
    async with consumer.served(), httpx.AsyncClient(base_url=base, headers=headers) as bank:
        url = f"http://127.0.0.1:{consumer.port}/"
        (await bank.put("/webhooks/bench", json={"url": url})).raise_for_status()
        _append(recorder, 1)
        await consumer.have(1)
        begun = time.perf_counter()
        _append(recorder, events)
        await consumer.have(events + 1)
        sent = Timing(time.perf_counter() - begun, [0.0] * events, set())
        delays = list[float]()
        for _ in range(alone):
            count, appended = len(consumer.came), _append(recorder, 1)
            await consumer.have(count + 1)
            delays.append(consumer.came[count] - appended)
            await asyncio.sleep(PAUSE_S)
        late = Timing(1, delays, set())
        busy = await _busy_percent(pid, idle_s)
        bare = await _bare(consumer, url, events)
    return _rows(sent, late, busy, bare)


def _rows(sent: Timing, late: Timing, busy: float, bare: Timing) -> list[Row]:
    other = f"the same bodies posted by httpx, {AT_ONCE} at once, not signed, not kept"
    shared: dict[str, Any] = {"aim": "", "met": None, "durability": DURABILITY}
    return [
        Row(
            measure=f"events/s to one webhook, {len(sent.each_s):,} at once",
            ours=sent.per_second,
            against=bare.per_second,
            other=other,
            **shared,
        ),
        *(
            Row(
                measure=f"p{percent} ms from append to arrival, one alone",
                ours=late.percentile_ms(percent),
                against=bare.percentile_ms(percent),
                other="a post by httpx",
                **shared,
            )
            for percent in (50, 99)
        ),
        Row(
            measure="percent of a core while nothing happens",
            ours=busy,
            against=ONE_PERCENT,
            other="one percent",
            **shared,
        ),
    ]


def _append(recorder: Recorder, count: int) -> float:
    """Append so many facts, each of another citizen; returns when they were on the disk."""
    facts: list[Any] = [
        AccountDeclined(
            opening_id=secrets.token_hex(16),
            citizen_id=secrets.token_hex(16),
            bank_id=ACCOUNT.bank_id,
            reason="r",
        )
        for _ in range(count)
    ]
    recorder.append([VOCABULARY.encode(fact) for fact in facts])
    return time.perf_counter()


async def _busy_percent(pid: int, seconds: float) -> float:
    begin = _processor_s(pid)
    await asyncio.sleep(seconds)
    return max(0.01, 100 * (_processor_s(pid) - begin) / seconds)


def _processor_s(pid: int) -> float:
    """Return the processor time that a process used (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _bare(consumer: Consumer, url: str, count: int) -> Timing:
    """Post as many bodies of that size without anything else; returns the times of each."""
    each, left = list[float](), iter(range(count))

    async def post(client: httpx.AsyncClient) -> None:
        for _ in left:
            begun = time.perf_counter()
            await client.post(url, content=b"x" * 450)
            each.append(time.perf_counter() - begun)

    async with httpx.AsyncClient() as client:
        begun = time.perf_counter()
        await asyncio.gather(*(post(client) for _ in range(AT_ONCE)))
    return Timing(time.perf_counter() - begun, each, set())
