"""A server that speaks as much of Bolt 4.4 as the backup of Memgraph needs: it takes statements,
remembers them, and writes a file for `CREATE SNAPSHOT`.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from pathlib import Path
from typing import Any

from neo4j._codec.packstream.v1 import PackableBuffer, Packer, UnpackableBuffer, Unpacker

_HELLO, _GOODBYE, _RUN = 0x01, 0x02, 0x10
_SUCCESS, _FAILURE = b"\x70", b"\x7f"


class MemgraphServer:
    """Listens on 127.0.0.1:`port`. `refuse`: a statement that is answered with an error."""

    def __init__(self, data: Path) -> None:
        self.statements: list[str] = []
        self.refuse = ""
        server = self
        snapshots = data / "snapshots"
        snapshots.mkdir(parents=True)

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.rfile.read(20)  # the magic and four proposals
                self.wfile.write(b"\x00\x00\x04\x04")
                while message := self._message():
                    kind, fields = message[1], UnpackableBuffer(message[2:])
                    if kind == _GOODBYE:
                        return
                    if kind == _HELLO:
                        self._answer(_SUCCESS, {"server": "Neo4j/5.2.0", "connection_id": "1"})
                    elif kind == _RUN:
                        self._run(Unpacker(fields).unpack())
                    else:
                        self._answer(_SUCCESS, {})

            def _run(self, statement: str) -> None:
                server.statements.append(statement)
                if statement == server.refuse:
                    self._answer(
                        _FAILURE,
                        {"code": "Memgraph.ClientError.Refused", "message": "on purpose"},
                    )
                    return
                if statement == "CREATE SNAPSHOT":
                    number = len(list(snapshots.iterdir()))
                    (snapshots / f"2026_timestamp_{number}").write_text(f"graph {number}")
                self._answer(_SUCCESS, {"fields": []})

            def _message(self) -> bytes:
                whole = b""
                while header := self.rfile.read(2):
                    (size,) = struct.unpack(">H", header)
                    if not size and whole:
                        return whole
                    whole += self.rfile.read(size)
                return b""

            def _answer(self, kind: bytes, fields: dict[str, Any]) -> None:
                buffer = PackableBuffer()
                Packer(buffer).pack_struct(kind, [fields])
                data = bytes(buffer.data)
                self.wfile.write(struct.pack(">H", len(data)) + data + b"\x00\x00")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Session)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
