"""One connection to a server: how long it may take to ask, and how much it may say before it has.

The server's own parser waits for the end of a request's head for ever, and keeps all of it. Its
transport keeps an answer that nobody takes for ever, too, also when the connection was closed.
"""

import asyncio
from typing import Any

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_WITHIN_S = 10.0
"""Seconds from a connection, or a request's first byte, to the end of its head."""

HEAD_BYTES_MAX = 32_768
"""Bytes of a request's line and headers: ten times what a bank's token and signatures take."""

TAKEN_WITHIN_S = 60.0
"""Seconds in which some of an answer that waits to be taken must have been."""

END = b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
LATE = b"HTTP/1.1 408 Request Timeout" + END
TOO_MUCH = b"HTTP/1.1 431 Request Header Fields Too Large" + END


class _Refused(Exception):
    """The connection was closed on the client."""


class BoundedConnection(HttpToolsProtocol):
    """A connection that is closed on whoever does not get to the point."""

    _head_bytes = 0
    """Of a head so far; behind one, of what came since the last piece of a body."""

    _in_head = True
    _has_body = False
    _answering = False
    _deadline: asyncio.TimerHandle | None = None
    _untaken = 0
    _watch: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._await_head()

    @override
    def data_received(self, data: bytes) -> None:
        """Take what came, unless the head of the request has become too long."""
        if self.transport.is_closing():
            return
        if self._deadline is None and not self._answering:
            self._await_head()  # also for the blank lines that may stand before one
        begun_before, self._has_body = self._in_head, False
        super().data_received(data)
        if self._has_body:
            self._head_bytes = 0
        elif self._in_head == begun_before:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(TOO_MUCH)

    @override
    def on_message_begin(self) -> None:
        """Begin to wait for the end of this head."""
        super().on_message_begin()
        self._await_head()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head, and none behind the body (RFC 9110 section 6.5.1).

        The server would put it among those of the head, past a proxy that took it out of there.
        """
        if self._in_head:
            super().on_header(name, value)

    @override
    def on_body(self, body: bytes) -> None:
        """Know that what came is a body's."""
        self._has_body = True
        super().on_body(body)

    @override
    def on_headers_complete(self) -> None:
        """Wait no more; a head that came in one piece has not been counted yet."""
        self._in_head, self._head_bytes = False, 0
        self._cancel()
        if not self.flow.write_paused:
            self._watch_no_more()
        if sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES_MAX:
            self._refuse(TOO_MUCH)
            raise _Refused  # the parser stops here
        self._answering = True
        super().on_headers_complete()

    @override
    def on_response_complete(self) -> None:
        """Know that whatever comes now is another request."""
        self._answering = bool(self.pipeline)
        self._await_reader()
        super().on_response_complete()

    @override
    def pause_writing(self) -> None:
        """Begin to wait until some of what is to be sent is taken."""
        super().pause_writing()
        self._await_reader()

    @override
    def resume_writing(self) -> None:
        """Know that most of it was taken."""
        self._watch_no_more()
        super().resume_writing()

    @override
    def send_400_response(self, msg: str) -> None:
        """Say that it cannot be read, unless something was said already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timers."""
        self._cancel()
        self._watch_no_more()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._cancel()
        self._deadline = self.loop.call_later(HEAD_WITHIN_S, self._refuse, LATE)

    def _cancel(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _await_reader(self) -> None:
        if self._watch is None and (untaken := self.transport.get_write_buffer_size()):
            self._untaken = untaken
            self._watch = self.loop.call_later(TAKEN_WITHIN_S, self._see_reader)

    def _see_reader(self) -> None:
        """Drop whoever took nothing; closing alone would wait for them."""
        self._watch = None
        if self.transport.get_write_buffer_size() < self._untaken:
            self._await_reader()
        else:
            self.transport.abort()

    def _watch_no_more(self) -> None:
        if self._watch:
            self._watch.cancel()
            self._watch = None

    def _refuse(self, answer: bytes) -> None:
        """Say why, and close; whatever else comes is not looked at."""
        self._cancel()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
