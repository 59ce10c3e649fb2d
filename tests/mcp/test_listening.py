"""Sockets are counted from when they are accepted until they are closed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from jimbot.mcp.listening import Sockets, plain


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(stack: ExitStack, listener: socket.socket) -> socket.socket:
    return stack.enter_context(socket.create_connection(listener.getsockname()[:2], 10))


def test_no_more_than_all_may_have_are_accepted_until_one_closes(stack: ExitStack) -> None:
    sockets = Sockets(2, 1)  # loopback's share is the whole
    listener = stack.enter_context(sockets.listen("127.0.0.1", 0, shared=False))
    clients = [connected(stack, listener) for _ in range(3)]
    first = stack.enter_context(listener.accept()[0])
    stack.enter_context(listener.accept()[0])
    assert len(sockets) == 2
    with pytest.raises(ConnectionAbortedError):
        listener.accept()
    assert clients[2].recv(1) == b""
    first.close()
    first.close()
    assert len(sockets) == 1
    connected(stack, listener)
    stack.enter_context(listener.accept()[0])
    assert len(sockets) == 2


def test_one_address_of_another_machine_gets_its_share() -> None:
    sockets = Sockets(10, 2)
    leave = [sockets._enter("192.0.2.7") for _ in range(3)]
    assert [one is None for one in leave] == [False, False, True]
    assert sockets._enter("192.0.2.8") is not None
    assert leave[0] is not None
    leave[0]()
    assert sockets._enter("192.0.2.7") is not None
    assert len(sockets) == 3


def test_an_address_of_ipv4_is_one_address_over_ipv6_too() -> None:
    assert plain("::ffff:192.0.2.7") == "192.0.2.7"
    assert plain("2001:db8::7") == "2001:db8::7"
