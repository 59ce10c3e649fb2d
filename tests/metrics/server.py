"""A server that speaks as much of QuestDB as the client needs: ILP over HTTP, and /exec.

Rows live in SQLite, which runs the questions.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class QuestDBServer:
    """Listens on 127.0.0.1:`port`.

    `status` other than 200 is what it answers to everything; `login`, the user and the password
    that it asks for; `refuses`, what it takes in no line; `before` is told each statement.
    """

    def __init__(self) -> None:
        self.status = 200
        self.login: tuple[str, str] | None = None
        self.refuses = ""
        self.before: Callable[[str], object] = lambda sql: None
        self.writes = 0
        self._lock = threading.Lock()
        self._rows = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: a second one waits for the first's ACK

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                question = parse_qs(urlsplit(self.path).query).get("query", [""])[0]
                self._answer(*self._welcome() or server.execute(question))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self._answer(*self._welcome() or server.write(body.decode()))

            def _welcome(self) -> tuple[int, str] | None:
                if server.login is None:
                    return None
                wanted = base64.b64encode(":".join(server.login).encode()).decode()
                given = self.headers.get("authorization")
                return None if given == f"Basic {wanted}" else (401, "Unauthorized\r\n")

            def _answer(self, status: int, answer: dict[str, Any] | str) -> None:
                data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                data = data if status != 204 else b""
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def execute(self, sql: str) -> tuple[int, dict[str, Any]]:
        if self.status != 200:
            return self.status, {"error": "on purpose"}
        self.before(sql)
        keys = re.search(r"DEDUP UPSERT KEYS\((.*)\)", sql)
        if keys:
            sql = re.sub(r"\) TIMESTAMP.*", f", PRIMARY KEY ({keys[1]}))", sql)
        sql = re.sub(r"TRUNCATE TABLE", "DELETE FROM", sql)
        sql = re.sub(r"ALTER TABLE (\w+) DROP PARTITION", r"DELETE FROM \1", sql)
        try:
            with self._lock:
                return 200, {"dataset": self._rows.execute(sql).fetchall()}
        except sqlite3.Error as error:
            return 400, {"error": str(error), "query": sql}

    def write(self, lines: str) -> tuple[int, dict[str, Any]]:
        if self.status != 200:
            return self.status, {"message": "on purpose"}
        rows = []
        for number, line in enumerate(filter(None, _split(lines, "\n")), 1):
            table, values = parse_line(line)
            if self.refuses and re.search(self.refuses, line):
                return self._refused(number, "cast error")
            if values["time"] > _LAST_TIME:
                return self._refused(
                    number, "designated timestamp beyond 9999-12-31 is not allowed"
                )
            rows.append((table, values))
        with self._lock:
            self.writes += 1
            self._rows.execute("BEGIN")
            for table, values in rows:
                names, marks = ", ".join(values), ", ".join("?" * len(values))
                self._rows.execute(
                    f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})",
                    list(values.values()),
                )
            self._rows.execute("COMMIT")
        return 204, {}

    def _refused(self, line: int, why: str) -> tuple[int, dict[str, Any]]:
        message = (
            f"failed to parse line protocol:errors encountered on line(s):\nerror in line {line}"
        )
        return 400, {"code": "invalid", "message": f"{message}: {why}", "line": line}


_LAST_TIME = 253_402_300_799_999_999  # µs: the end of the year 9999


def parse_line(line: str) -> tuple[str, dict[str, Any]]:
    """One line of the InfluxDB line protocol: `table,symbol=… column=…,column=…i time`."""
    head, columns, at = _split(line, " ")
    table, *symbols = _split(head, ",")
    values: dict[str, Any] = {"time": int(at) // 1000}
    for symbol in symbols:
        name, value = _split(symbol, "=")
        values[name] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
    for column in _split(columns, ","):
        name, value = _split(column, "=")
        values[name] = int(value[:-1]) if value.endswith("i") else float(value)
    return table, values


def _split(text: str, separator: str) -> list[str]:
    """Split where a separator is not escaped."""
    if "\\" not in text:
        return text.split(separator)
    parts, at = [""], 0
    while at < len(text):
        if text[at] == "\\":
            parts[-1] += text[at : at + 2]
            at += 2
            continue
        if text[at] == separator:
            parts.append("")
        else:
            parts[-1] += text[at]
        at += 1
    return parts
