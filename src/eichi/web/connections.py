"""Connections of those who do not get on: half a request, and then nothing more.

uvicorn closes what is idle between two requests, and waits for ever within one. Knows no request's meaning.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD, BODY = 20.0, 120.0  # seconds: for all of a request's head, and between two pieces of its body


class Punctual(H11Protocol):
    """A connection that is closed where a request does not come to its end."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._due = self.loop.call_later(HEAD, transport.close)

    def data_received(self, data: bytes) -> None:
        before = self.conn.their_state
        super().data_received(data)
        now = self.conn.their_state
        if now is h11.IDLE and before is h11.IDLE and self._due is not None:
            return  # another piece of a head, which has no more time for it
        self._stop()
        if now is h11.IDLE or now is h11.SEND_BODY:
            self._due = self.loop.call_later(HEAD if now is h11.IDLE else BODY, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _stop(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
