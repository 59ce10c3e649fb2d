"""TLS for a connection on which one thread reads while another writes, as websockets' do.

OpenSSL bears one at a time. Python 3.11 lets both in, and now and then a connection then loses what
was written: its handshake is never answered, or it breaks off.
"""

from __future__ import annotations

import select
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


def one_at_a_time(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context`, whose sockets may be read and written by two threads."""
    context.sslsocket_class = _Socket
    return context


class _Socket(ssl.SSLSocket):
    """Neither reads nor writes while the other does; both wait where they keep nobody out."""

    _one: threading.Lock | None = None  # once hands are shaken
    _limit_s: float | None = None

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        self._limit_s = self.gettimeout()
        super().settimeout(0)
        self._one = threading.Lock()

    def settimeout(self, value: float | None) -> None:
        if self._one is None:
            super().settimeout(value)
        else:
            self._limit_s = value

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        return self._alone(partial(super().recv, buflen, flags))

    def sendall(self, data: Any, flags: int = 0) -> None:
        left = memoryview(data).cast("B")
        while left:
            left = left[self._alone(partial(super().send, left, flags)) :]

    def _alone(self, do: Callable[[], T]) -> T:
        assert self._one is not None
        until = None if self._limit_s is None else time.monotonic() + self._limit_s
        while True:
            with self._one:
                try:
                    return do()
                except ssl.SSLWantReadError:
                    event = select.POLLIN
                except ssl.SSLWantWriteError:
                    event = select.POLLOUT
            descriptor = self.fileno()
            if descriptor < 0:  # closed meanwhile, which `do` says as every socket does
                continue
            poll = select.poll()
            poll.register(descriptor, event)
            left_s = None if until is None else until - time.monotonic()
            if (left_s is not None and left_s <= 0) or not poll.poll(left_s and 1000 * left_s):
                raise TimeoutError("timed out")
