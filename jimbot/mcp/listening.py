"""Listening, and hanging up at once on who opens too many sockets.

Whoever connects is counted as soon as he is accepted: before TLS and WebSocket, which take their
time, and which nobody has to begin who only wants to take up room.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from functools import partial

from jimbot.security.lockout import is_loopback


class Sockets:
    """The sockets that are open, by the address of the other side.

    Args:
        at_most: of them all.
        of_one: of one address, unless it is this machine's loopback.
    """

    def __init__(self, at_most: int, of_one: int) -> None:
        self._at_most = at_most
        self._of_one = of_one
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    def listen(self, address: str, port: int, *, shared: bool) -> socket.socket:
        """A socket to listen with, whose `accept` counts.

        Args:
            shared: whether loopback has one of its own on the port besides that of all addresses;
                who connects to loopback gets loopback's then.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if shared and port and address == "127.0.0.1":
            # Sharing would not notice that another program is there already.
            socket.create_server((address, port), family=family).close()
        made = socket.create_server(
            (address, port), family=family, reuse_port=shared, dualstack_ipv6=address == "::"
        )
        listener = _Listener(fileno=made.detach())
        listener.enter = self._enter
        return listener

    def _enter(self, address: str) -> Callable[[], None] | None:
        """What is to be called when a socket of the address closes; None where it may not open."""
        if len(self) >= self._at_most:
            return None
        if self._open[address] >= self._of_one and not is_loopback(address):
            return None
        self._open[address] += 1
        return partial(self._leave, address)

    def _leave(self, address: str) -> None:
        self._open[address] -= 1
        self._open += Counter()  # drops who has none left


def plain(address: str) -> str:
    """An address of IPv4 as such, also where it came over IPv6's socket."""
    return address.removeprefix("::ffff:")


class _Listener(socket.socket):
    enter: Callable[[str], Callable[[], None] | None]

    def accept(self) -> tuple[socket.socket, object]:
        found, address = super().accept()
        leave = self.enter(plain(str(address[0])))
        if leave is None:
            found.close()
            raise ConnectionAbortedError("too many sockets are open")  # asyncio goes on to the next
        accepted = _Accepted(fileno=found.detach())
        accepted.leave = leave
        return accepted, address


class _Accepted(socket.socket):
    leave: Callable[[], None] | None = None

    def close(self) -> None:
        super().close()
        leave, self.leave = self.leave, None
        if leave is not None:
            leave()
