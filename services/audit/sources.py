"""One of the live services, as a regulator with a token reads it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

import httpx
import msgspec
from typing_extensions import override

from services.audit.export import TILE_BYTES_MAX, BadExport, read_fact
from shared.ledger.recorder import StoredFact

PAGE_FACTS = 1_000
"""As many as a service gives at once."""

PAGE_BYTES_MAX = 1 << 26
ANSWER_BYTES_MAX = 1 << 20
TIMEOUT_S = 30.0

STATE_TIMEOUT_S = 600.0
"""A service looks up each subject for its digest: minutes, for a long log."""

Params = dict[str, int | list[str]]


class NoAnswer(Exception):
    """A service did not give what it was asked for; it may later."""


class _Page(msgspec.Struct):
    facts: list[msgspec.Raw]


class _State(msgspec.Struct):
    digest: str


class _Notice(msgspec.Struct):
    texts: dict[str, str]


class _Indexed(msgspec.Struct):
    indexed: int
    head: int


class Source(AbstractContextManager["Source"]):
    """A service at an address; whoever reads it may read all of its log."""

    def __init__(self, address: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=address.rstrip("/"),
            timeout=TIMEOUT_S,
            verify=address.startswith("https:"),  # else there is no certificate, and none to read
            headers={"Authorization": f"Bearer {token}"},
        )

    @override
    def __enter__(self) -> Self:
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def file(self, path: str) -> bytes | None:
        """Return a public file of its log, None where there is none; raises `NoAnswer`."""
        return self._get(f"/tlog/{path}", TILE_BYTES_MAX)

    def page(
        self, *, after: int, limit: int = PAGE_FACTS, tags: Sequence[str] = ()
    ) -> list[tuple[bytes, StoredFact]]:
        """Return facts behind a position, each with its bytes as given; raises `NoAnswer`."""
        params: Params = {"after": after, "limit": limit, "tag": list(tags)}
        content = self._get("/log", PAGE_BYTES_MAX, params)
        try:
            lines = [bytes(one) for one in msgspec.json.decode(content or b"", type=_Page).facts]
            return [(line, read_fact(line)) for line in lines]
        except (msgspec.DecodeError, BadExport) as error:
            raise NoAnswer(f"no page of facts behind position {after:,}: {error}") from error

    def index(self) -> int:
        """Have the log's tags indexed; returns up to which position; raises `NoAnswer`.

        A long log is indexed in several requests: until what was there at the first is covered, or
        one adds nothing. A busy one would never come to an end.
        """
        told = self._post("/log/index")
        before, target = -1, told.head
        while before < told.indexed < target:
            before, told = told.indexed, self._post("/log/index")
        return told.indexed

    def jwks(self) -> bytes:
        """Return the service's public keys; raises `NoAnswer`."""
        content = self._get("/.well-known/jwks.json", ANSWER_BYTES_MAX)
        if content is None:
            raise NoAnswer("the consent service has no public keys")
        return content

    def texts(self, notice_id: str) -> dict[str, str]:
        """Return a notice's texts by file name, none where it has none; raises `NoAnswer`."""
        content = self._get(f"/notices/{notice_id}", ANSWER_BYTES_MAX)
        try:
            return msgspec.json.decode(content, type=_Notice).texts if content else {}
        except msgspec.DecodeError as error:
            raise NoAnswer(f"no texts of {notice_id}: {error}") from error

    def state_digest(self, position: int) -> str:
        """Return the digest of all states that the service finds; raises `NoAnswer`."""
        content = self._get("/log/state", ANSWER_BYTES_MAX, {"at": position}, STATE_TIMEOUT_S)
        try:
            return msgspec.json.decode(content or b"", type=_State).digest
        except msgspec.DecodeError as error:
            raise NoAnswer(f"no state at position {position:,}: {error}") from error

    def _post(self, path: str) -> _Indexed:
        try:
            answer = self._client.post(path)
            return msgspec.json.decode(answer.raise_for_status().content, type=_Indexed)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise NoAnswer(f"{path}: {str(error) or type(error).__name__}") from error

    def _get(
        self,
        path: str,
        bytes_max: int,
        params: Params | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> bytes | None:
        """Return the body of an answer, read no further than it may be long."""
        content = bytearray()
        try:
            with self._client.stream("GET", path, params=params, timeout=timeout_s) as answer:
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return None
                answer.raise_for_status()
                for block in answer.iter_bytes():
                    content += block
                    if len(content) > bytes_max:
                        raise NoAnswer(f"{path}: more than {bytes_max:,} bytes")
        except httpx.HTTPError as error:
            raise NoAnswer(f"{path}: {str(error) or type(error).__name__}") from error
        return bytes(content)
