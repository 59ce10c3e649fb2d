"""A door in front of a server that tests open, shut, hold or slow down."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Literal

Mode = Literal["open", "refuse", "hang", "late"]


class Proxy:
    """Forwards 127.0.0.1:`port` to another port of this machine, as far as `mode` lets it.

    `refuse` closes what is open and refuses what comes; `hang` takes everything and says nothing;
    `late` holds every answer for `late_s`.
    """

    def __init__(self, target: int, *, late_s: float = 0.2) -> None:
        self._target = target
        self._late_s = late_s
        self._mode: Mode = "open"
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        self.port: int = probe.getsockname()[1]
        probe.close()
        self._listener: socket.socket | None = None
        self._listen()

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "refuse":
            self.close()
        elif self._listener is None:
            self._listen()

    def close(self) -> None:
        listener, self._listener = self._listener, None
        with self._lock:
            sockets, self._open = [*self._open, *([listener] if listener else [])], []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open += [client, server]
            for source, sink, back in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, sink, back), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self._mode == "hang":
                    time.sleep(0.01)
                if back and self._mode == "late":
                    time.sleep(self._late_s)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
