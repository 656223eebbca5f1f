"""Sends one event to one address: to a machine that was looked at, and no further.

A name is looked up here, every machine that it stands for is checked, and one of these is called;
nobody looks it up again in between (DNS rebinding). TLS checks the name. Redirects are answers like
others, no proxy of the environment is used, and of an answer little is read.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

import httpcore
import httpx
from typing_extensions import override

from shared.hearing.addresses import Address, is_public

CONNECT_S = 3.0
"""Seconds in which a consumer must take the connection."""

WHOLE_S = 10.0
"""Seconds for all of an attempt."""

ANSWER_BYTES_MAX = 4_096
"""What is read of an answer's body, so that the connection can be used again."""

SECONDS_MAX = 86_400
"""The longest `Retry-After` that is heard at all; what is made of it is the schedule's."""

KEPT_OPEN_S = 30.0
"""Seconds that an idle connection is kept; behind them, the name is looked up and checked anew."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a consumer answered, or why there is no answer; `retry_after_s` is 0 if it is not said.

    `error` is `timeout`, `unreachable`, `address_not_public` or `broken`.
    """

    status: int | None = None
    error: str | None = None
    retry_after_s: float = 0.0

    @property
    def taken(self) -> bool:
        """Tell whether the event is delivered: any status from 200 to 299, and nothing else."""
        return self.status is not None and httpx.codes.is_success(self.status)


class NotPublic(Exception):
    """A name stands for a machine that may not be called."""


def look_up(host: str, port: int) -> list[str]:
    """Return the machines that a name stands for, by their numbers; raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to machines that were looked at."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._network = httpcore.AnyIOBackend()
        # Its own: a name server that does not answer keeps a thread, and nobody else's.
        self._looking = ThreadPoolExecutor(1, "webhook-name")

    def close(self) -> None:
        """Look nothing up any more."""
        self._looking.shutdown(wait=False, cancel_futures=True)

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        error: Exception = httpcore.ConnectError(host)
        async with asyncio.timeout(timeout):
            for machine in await self._machines(host, port):
                try:
                    return await self._network.connect_tcp(
                        machine, port, timeout, local_address, socket_options
                    )
                except httpcore.ConnectError as failed:
                    error = failed
        raise error

    async def _machines(self, host: str, port: int) -> list[str]:
        """Return the machines that a name stands for; raises `NotPublic` if any is not."""
        loop = asyncio.get_running_loop()
        machines = await loop.run_in_executor(self._looking, look_up, host, port)
        public = all(is_public(ip_address(one.partition("%")[0])) for one in machines)
        if not (public or self._private):
            raise NotPublic(host)
        return machines


@lru_cache(1)
def _tls() -> ssl.SSLContext:
    """Return what certificates are checked by: read once, as it takes some 20 ms."""
    return httpx.create_ssl_context(trust_env=False)


class Sender:
    """Connections to one webhook's consumer."""

    def __init__(self, *, private: bool, at_once: int, whole_s: float = WHOLE_S) -> None:
        """`private` allows our own machines; `at_once` bounds connections."""
        self._whole_s = whole_s
        self._network = _Checked(private=private)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=at_once,
            keepalive_expiry=KEPT_OPEN_S,
            network_backend=self._network,
        )

    async def send(self, address: Address, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post a body; returns what came of it, whatever that is."""
        answers = list[Answer]()
        try:
            async with asyncio.timeout(self._whole_s):
                await self._post(address, headers, body, answers)
        except (TimeoutError, httpcore.TimeoutException):
            answers.append(Answer(error="timeout"))
        except NotPublic:
            answers.append(Answer(error="address_not_public"))
        except (OSError, UnicodeError, httpcore.NetworkError):
            answers.append(Answer(error="unreachable"))
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
            answers.append(Answer(error="broken"))
        except Exception:  # one event of one consumer, whatever it does, stops no courier
            logger.exception("an event could not be sent")
            answers.append(Answer(error="broken"))
        return answers[0]  # a status that came counts, whatever becomes of the rest

    async def close(self) -> None:
        """Close all connections."""
        self._network.close()
        await self._pool.aclose()

    async def _post(
        self, address: Address, headers: Mapping[str, str], body: bytes, answers: list[Answer]
    ) -> None:
        url = httpcore.URL(
            scheme=b"https" if address.secure else b"http",
            host=address.host.encode(),
            port=address.port,
            target=address.target.encode(),
        )
        sent = [
            ("Host", address.authority),
            ("Content-Length", str(len(body))),
            ("Content-Type", "application/cloudevents+json"),
            ("User-Agent", "thuan"),
            *headers.items(),
        ]
        waits = {"connect": CONNECT_S, "read": WHOLE_S, "write": WHOLE_S, "pool": WHOLE_S}
        async with self._pool.stream(
            "POST", url, headers=sent, content=body, extensions={"timeout": waits}
        ) as answer:
            answers.append(Answer(answer.status, None, _retry_after_s(answer.headers)))
            read = 0
            async for part in answer.aiter_stream():
                read += len(part)
                if read > ANSWER_BYTES_MAX:
                    break


def _retry_after_s(headers: Iterable[tuple[bytes, bytes]]) -> float:
    """Return the seconds of `Retry-After`; a date there is passed over, as clocks differ."""
    for name, value in headers:
        if name.lower() == b"retry-after":
            with suppress(ValueError):
                return float(min(max(0, int(value)), SECONDS_MAX))
    return 0.0
