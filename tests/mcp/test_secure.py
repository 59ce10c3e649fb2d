"""A TLS connection that one thread reads while another writes."""

from __future__ import annotations

import hashlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jimbot.mcp.secure import one_at_a_time
from jimbot.security import authority


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pair(stack: ExitStack, tmp_path: Path) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """A client's socket of ours, and a plain one of Python's that it is connected to."""
    files = authority.init(tmp_path / "tls", ["localhost"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.server, files.server_key)
    client = one_at_a_time(ssl.create_default_context(cafile=str(files.ca)))
    ours, theirs = socket.socketpair()
    made: list[ssl.SSLSocket] = []
    shaking = threading.Thread(
        target=lambda: made.append(server.wrap_socket(theirs, server_side=True))
    )
    shaking.start()
    secure = stack.enter_context(client.wrap_socket(ours, server_hostname="localhost"))
    shaking.join(20)
    stack.enter_context(made[0])
    return secure, made[0]


def test_it_is_never_read_and_written_at_once_and_loses_nothing(
    pair: tuple[ssl.SSLSocket, ssl.SSLSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    inside = threading.Lock()
    met: list[str] = []

    def alone(name: str) -> Any:
        plain = getattr(ssl.SSLSocket, name)

        def called(self: ssl.SSLSocket, *args: Any) -> Any:
            if self is not ours:
                return plain(self, *args)
            if not inside.acquire(blocking=False):
                met.append(name)
                return plain(self, *args)
            try:
                return plain(self, *args)
            finally:
                inside.release()

        return called

    for name in ("recv", "send"):
        monkeypatch.setattr(ssl.SSLSocket, name, alone(name))
    sent = random.Random(1).randbytes(8 << 20)

    def echo() -> None:
        left = len(sent)
        while left:
            data = theirs.recv(1 << 16)
            theirs.sendall(data)
            left -= len(data)

    threads = [threading.Thread(target=echo), threading.Thread(target=ours.sendall, args=[sent])]
    for thread in threads:
        thread.start()
    heard = bytearray()
    while len(heard) < len(sent):
        heard += ours.recv(1 << 16)
    for thread in threads:
        thread.join(20)
    assert hashlib.sha256(heard).digest() == hashlib.sha256(sent).digest()
    assert met == []


def test_who_waits_to_read_keeps_nobody_from_writing(
    pair: tuple[ssl.SSLSocket, ssl.SSLSocket],
) -> None:
    ours, theirs = pair
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(ours.recv()))
    reader.start()
    time.sleep(0.1)
    ours.sendall(b"asked")
    assert theirs.recv(100) == b"asked"
    theirs.sendall(b"answered")
    reader.join(20)
    assert heard == [b"answered"]


def test_waiting_has_the_limit_that_was_set(pair: tuple[ssl.SSLSocket, ssl.SSLSocket]) -> None:
    ours, _ = pair
    ours.settimeout(0.05)
    with pytest.raises(TimeoutError):
        ours.recv()
    with pytest.raises(TimeoutError):
        ours.sendall(bytes(32 << 20))  # which nobody reads


def test_the_other_side_s_end_is_heard(pair: tuple[ssl.SSLSocket, ssl.SSLSocket]) -> None:
    ours, theirs = pair
    theirs.close()
    assert ours.recv() == b""


def test_closing_ends_who_waits_and_later_uses_fail_as_with_every_socket(
    pair: tuple[ssl.SSLSocket, ssl.SSLSocket],
) -> None:
    ours, _ = pair
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(ours.recv()))
    reader.start()
    time.sleep(0.1)
    ours.shutdown(socket.SHUT_RDWR)
    reader.join(20)
    assert heard == [b""]
    ours.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ours.recv()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ours.sendall(b"late")


def test_closed_between_a_try_and_the_wait_is_no_error_of_another_kind(
    pair: tuple[ssl.SSLSocket, ssl.SSLSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = pair
    plain = ssl.SSLSocket.recv

    def closed_after(self: ssl.SSLSocket, *args: int) -> bytes:
        try:
            return plain(self, *args)
        finally:
            self.close()

    monkeypatch.setattr(ssl.SSLSocket, "recv", closed_after)
    with pytest.raises(OSError, match="Bad file descriptor"):
        ours.recv()
